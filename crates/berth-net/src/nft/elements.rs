//! What is published: elements of the two maps. Each takes the kernel the same time, however many there are.
//!
//! ```text
//! published-at    protocol, 3 × 0, host's address, host's port, 2 × 0 → container's address, port, 2 × 0
//! published       protocol, 3 × 0,                 host's port, 2 × 0 → the same
//! ```

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use berth_model::config::Protocol;
use berth_sys::netlink::{Attributes, DUMP, ENSURE, Request, Socket, attribute, attributes};

use super::rules::{ANYWHERE, AT};
use super::{HEADER, message, request, table};
use crate::{Error, Published, Result};

/// In one message; an attribute has at most 64 KiB.
const AT_ONCE: usize = 500;

/// Messages that add or remove elements.
pub(crate) fn changes(kind: u16, table: &str, published: &[Published]) -> Vec<Request> {
    let mut requests = Vec::new();
    for map in [AT, ANYWHERE] {
        let of_map: Vec<&Published> = published.iter().filter(|one| map_of(one) == map).collect();
        for part in of_map.chunks(AT_ONCE) {
            let mut list = Attributes::new();
            for one in part {
                let mut element = Attributes::new().nest(1, &Attributes::new().with(1, &key(one)));
                if kind == message::NEW_ELEMENT {
                    element = element.nest(2, &Attributes::new().with(1, &value(one)));
                }
                list = list.nest(1, &element);
            }
            let all = Attributes::new().text(1, table).text(2, map).nest(3, &list);
            let flags = if kind == message::NEW_ELEMENT {
                ENSURE
            } else {
                0
            };
            requests.push(request(kind, flags, &all));
        }
    }
    requests
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

/// What is published now.
pub(crate) fn read(socket: &Socket, name: &str) -> Result<Vec<Published>> {
    let mut found = Vec::new();
    for map in [AT, ANYWHERE] {
        let which = Attributes::new().text(1, name).text(2, map);
        let answers = match socket.ask(request(message::GET_ELEMENT, DUMP, &which)) {
            Ok(answers) => answers,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(table::unsupported(error)),
        };
        for answer in &answers {
            let list = attribute(answer, HEADER, 3).unwrap_or_default();
            found.extend(
                attributes(list, 0)
                    .iter()
                    .filter_map(|(_, element)| published(element)),
            );
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn published(element: &[u8]) -> Option<Published> {
    let bytes = |kind| attribute(attribute(element, 0, kind)?, 0, 1);
    let (key, value) = (bytes(1)?, bytes(2)?);
    let protocol = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp]
        .into_iter()
        .find(|one| Some(&number(*one)) == key.first())?;
    let (host, port) = match key.len() {
        12 => (address(&key[4..])?, port(&key[8..])?),
        _ => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), port(key.get(4..)?)?),
    };
    Some(Published {
        protocol,
        host,
        host_port: port,
        address: address(value)?,
        port: self::port(value.get(4..)?)?,
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    bytes.first_chunk::<4>().map(|octets| (*octets).into())
}

fn port(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

fn map_of(published: &Published) -> &'static str {
    match published.host.is_unspecified() {
        true => ANYWHERE,
        false => AT,
    }
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
fn number(protocol: Protocol) -> u8 {
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
        for host in [[0; 4], [127, 0, 0, 1]] {
            let one = Published {
                protocol: Protocol::Udp,
                host: host.into(),
                host_port: 8080,
                address: [172, 17, 0, 2].into(),
                port: 53,
            };
            let element = Attributes::new()
                .nest(1, &Attributes::new().with(1, &key(&one)))
                .nest(2, &Attributes::new().with(1, &value(&one)));
            assert_eq!(published(element.bytes()), Some(one));
        }
        assert_eq!(published(&[]), None);
    }
}
