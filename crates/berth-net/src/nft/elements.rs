//! What is published: elements of two maps a family. Each takes the kernel the same time, however many there are.
//!
//! ```text
//! published-at    protocol, 3 × 0, host's address, host's port, 2 × 0 → container's address, port, 2 × 0
//! published       protocol, 3 × 0,                 host's port, 2 × 0 → the same
//! published6-at, published6                                             the same with IPv6
//! ```

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use berth_model::config::Protocol;
use berth_sys::netlink::{Request, Socket};

use super::set::{self, Element, Part};
use super::{INET, IPV4, IPV6, message, table};
use crate::{Error, Published, Result};

/// A map.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Map {
    pub(crate) name: &'static str,
    /// `NFPROTO_*`.
    pub(crate) family: u8,
    /// Whether its ports are of one address of the host, or of all.
    pub(crate) with_address: bool,
}

const fn map(name: &'static str, family: u8, with_address: bool) -> Map {
    Map {
        name,
        family,
        with_address,
    }
}

/// All maps: what is of one address comes before what is of all.
pub(crate) const MAPS: [Map; 4] = [
    map("published-at", IPV4, true),
    map("published", IPV4, false),
    map("published6-at", IPV6, true),
    map("published6", IPV6, false),
];

impl Map {
    /// Of 4 bytes, in an address.
    pub(crate) fn words(&self) -> u32 {
        match self.family {
            IPV4 => 1,
            _ => 4,
        }
    }

    /// Makes them all.
    pub(crate) fn make_all(table: &str) -> impl Iterator<Item = Request> {
        let make = move |(map, id): (&Map, u32)| {
            let address = match map.family {
                IPV4 => set::ADDRESS,
                _ => set::ADDRESS6,
            };
            let key: &[Part] = match map.with_address {
                true => &[set::PROTOCOL, address, set::SERVICE],
                false => &[set::PROTOCOL, set::SERVICE],
            };
            set::make(INET, table, (map.name, id), key, &[address, set::SERVICE])
        };
        MAPS.iter().zip(1..).map(make)
    }

    fn has(&self, published: &Published) -> bool {
        self.family == super::protocol_of(published.host)
            && self.with_address != published.host.is_unspecified()
    }
}

/// Messages that add or remove elements.
pub(crate) fn changes(kind: u16, table: &str, published: &[Published]) -> Vec<Request> {
    let of_map = |map: &Map| {
        let own = published.iter().filter(|one| map.has(one));
        let own: Vec<Element> = own.map(|one| (key(one), value(one))).collect();
        set::changes(INET, kind, table, map.name, &own)
    };
    MAPS.iter().flat_map(of_map).collect()
}

/// Adds them all. What stands for a port already is a dead container's: whoever publishes holds the port.
pub(crate) fn add(socket: &Socket, table: &str, published: &[Published]) -> Result<()> {
    let add = changes(message::NEW_ELEMENT, table, published);
    match table::commit(socket, add) {
        Err((_, error)) if is_taken(&error) => {
            remove(socket, table, published)?;
            table::commit(socket, changes(message::NEW_ELEMENT, table, published))
        }
        done => done,
    }
    .map_err(|(_, error)| table::unsupported(error))
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EEXIST | libc::EBUSY))
}

/// Removes them all. That some are gone is fine.
pub(crate) fn remove(socket: &Socket, table: &str, published: &[Published]) -> Result<()> {
    let fail = Error::kernel("take back published ports");
    let commit = |some: &[Published]| {
        table::commit(socket, changes(message::DELETE_ELEMENT, table, some)).map_err(|(_, e)| e)
    };
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    if published.is_empty() {
        return Ok(());
    }
    match commit(published) {
        Ok(()) => Ok(()),
        // All or nothing: so one after the other.
        Err(error) if gone(&error) => published
            .iter()
            .try_for_each(|one| match commit(std::slice::from_ref(one)) {
                Err(error) if !gone(&error) => Err(error),
                _ => Ok(()),
            })
            .map_err(fail),
        Err(error) => Err(fail(error)),
    }
}

/// So many and more are listed again: the kernel leaves some out of a list while it makes room for more.
const MANY: usize = 64;

/// What is published now.
pub(crate) fn read(socket: &Socket, name: &str) -> Result<Vec<Published>> {
    let mut found = BTreeSet::new();
    loop {
        let before = found.len();
        read_once(socket, name, &mut found)?;
        if found.len() < MANY || found.len() == before {
            return Ok(found.into_iter().collect());
        }
    }
}

fn read_once(socket: &Socket, name: &str, found: &mut BTreeSet<Published>) -> Result<()> {
    for map in &MAPS {
        match set::list(socket, INET, name, map.name) {
            Ok(all) => found.extend(all.iter().filter_map(|one| published(map, one))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(table::unsupported(error)),
        }
    }
    Ok(())
}

fn published(map: &Map, (key, value): &Element) -> Option<Published> {
    let protocol = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp]
        .into_iter()
        .find(|one| Some(&number(*one)) == key.first())?;
    let (host, rest) = match (map.with_address, map.family) {
        (true, _) => address(map, key.get(4..)?)?,
        (false, IPV4) => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), key.get(4..)?),
        (false, _) => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), key.get(4..)?),
    };
    let (inside, inside_port) = address(map, value)?;
    Some(Published {
        protocol,
        host,
        host_port: port(rest)?,
        address: inside,
        port: port(inside_port)?,
    })
}

/// An address, and what comes behind it.
fn address<'a>(map: &Map, bytes: &'a [u8]) -> Option<(IpAddr, &'a [u8])> {
    match map.family {
        IPV4 => bytes
            .split_first_chunk::<4>()
            .map(|(address, rest)| ((*address).into(), rest)),
        _ => bytes
            .split_first_chunk::<16>()
            .map(|(address, rest)| ((*address).into(), rest)),
    }
}

fn port(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

fn key(published: &Published) -> Vec<u8> {
    let mut key = vec![number(published.protocol), 0, 0, 0];
    if !published.host.is_unspecified() {
        key.extend(super::octets(published.host));
    }
    key.extend(published.host_port.to_be_bytes());
    key.extend([0, 0]);
    key
}

/// In an IP header.
pub(crate) fn number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
        Protocol::Sctp => 132,
    }
}

fn value(published: &Published) -> Vec<u8> {
    let mut value = super::octets(published.address);
    value.extend(published.port.to_be_bytes());
    value.extend([0, 0]);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        for (map, host, inside) in [
            (0, "127.0.0.1", "172.17.0.2"),
            (1, "0.0.0.0", "172.17.0.2"),
            (2, "fd00::1", "fd00:9::2"),
            (3, "::", "fd00:9::2"),
        ] {
            let one = Published {
                protocol: Protocol::Udp,
                host: host.parse().unwrap(),
                host_port: 8080,
                address: inside.parse().unwrap(),
                port: 53,
            };
            let element = (key(&one), value(&one));
            let has: Vec<bool> = MAPS.iter().map(|map| map.has(&one)).collect();
            assert_eq!(has.iter().position(|has| *has), Some(map), "{host}");
            assert_eq!(published(&MAPS[map], &element), Some(one));
            assert_eq!(published(&MAPS[map], &Element::default()), None);
        }
    }
}
