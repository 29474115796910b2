//! The table: made whole in one transaction, and read back.

use std::io;

use berth_sys::netlink::{APPEND, Attributes, DUMP, ENSURE, Request, Socket, attribute};

use super::elements::MAPS;
use super::elements::Map;
use super::rules::{self, Chain, Rule};
use super::{HEADER, INET, IPV4, elements, message, request, request_of};
use crate::{Error, Network, Published, Result};

/// `inet_proto`, `ipv4_addr`, `ipv6_addr`, `inet_service` as nft numbers them, to show a map as it is meant.
const PROTOCOL: u32 = 12;
const ADDRESS: u32 = 7;
const ADDRESS6: u32 = 8;
const SERVICE: u32 = 13;
/// Bits of a number in the number of several.
const TYPE_BITS: u32 = 6;
/// `NFT_SET_MAP`.
const MAP: u32 = 8;
/// The tag of a comment in a rule's user data, and the longest that fits.
const COMMENT: u8 = 0;
const COMMENT_MAX: usize = 250;

/// A rule as it is there: its chain and its text.
pub(crate) type Seen = (String, String);

/// Makes the table anew: whatever it was, it is then as planned, with no moment between.
pub(crate) fn replace(socket: &Socket, network: &Network, published: &[Published]) -> Result<()> {
    let name = &network.table;
    let table = Attributes::new().text(1, name);
    let mut requests = vec![
        // As it was when there was no IPv6.
        request_of(IPV4, message::NEW_TABLE, ENSURE, &table),
        request_of(IPV4, message::DELETE_TABLE, 0, &table),
        request(message::NEW_TABLE, ENSURE, &table),
        request(message::DELETE_TABLE, 0, &table),
        request(message::NEW_TABLE, ENSURE, &table),
    ];
    requests.extend(MAPS.iter().zip(1..).map(|(one, id)| map(name, one, id)));
    let chains = rules::chains(network);
    requests.extend(chains.iter().map(|one| chain(INET, name, one)));
    for one in &chains {
        requests.extend(
            one.rules
                .iter()
                .map(|rule| new_rule(INET, name, one.name, rule)),
        );
    }
    requests.extend(elements::changes(message::NEW_ELEMENT, name, published));
    commit(socket, requests).map_err(|(_, source)| unsupported(source))
}

/// Removes the table. That it is gone is fine.
pub(crate) fn remove(socket: &Socket, name: &str) -> Result<()> {
    let table = Attributes::new().text(1, name);
    let all = vec![
        request(message::NEW_TABLE, ENSURE, &table),
        request(message::DELETE_TABLE, 0, &table),
        request_of(IPV4, message::NEW_TABLE, ENSURE, &table),
        request_of(IPV4, message::DELETE_TABLE, 0, &table),
    ];
    match commit(socket, all) {
        Err((_, error)) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::kernel("remove the rules")(error))
        }
        _ => Ok(()),
    }
}

/// Removes a table of a family. That it is gone is fine.
pub(crate) fn remove_of(socket: &Socket, family: u8, name: &str) -> Result<()> {
    let table = Attributes::new().text(1, name);
    let all = vec![
        request_of(family, message::NEW_TABLE, ENSURE, &table),
        request_of(family, message::DELETE_TABLE, 0, &table),
    ];
    commit(socket, all).map_err(|(_, source)| Error::kernel("remove rules")(source))
}

/// All rules, in their order.
pub(crate) fn read(socket: &Socket, name: &str) -> Result<Vec<Seen>> {
    read_of(socket, INET, name)
}

/// All rules of a table of a family.
pub(crate) fn read_of(socket: &Socket, family: u8, name: &str) -> Result<Vec<Seen>> {
    let table = Attributes::new().text(1, name);
    let answers = socket
        .ask(request_of(family, message::GET_RULE, DUMP, &table))
        .or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(Vec::new()),
            _ => Err(unsupported(error)),
        })?;
    let text = |body: &[u8], kind| {
        let bytes = attribute(body, HEADER, kind).unwrap_or_default();
        String::from_utf8_lossy(bytes)
            .trim_end_matches('\0')
            .to_owned()
    };
    // A kernel that does not filter sends the rules of all tables.
    let ours = answers.iter().filter(|body| text(body, 1) == name);
    Ok(ours
        .map(|body| {
            let data = attribute(body, HEADER, 7).unwrap_or_default();
            (text(body, 2), comment(data).unwrap_or_default())
        })
        .collect())
}

/// What [`read`] sees when all is as planned. The kernel lists chains in the order in which they were made.
pub(crate) fn expected(network: &Network) -> Vec<Seen> {
    let chains = rules::chains(network);
    let rules = chains.iter().flat_map(|one| {
        one.rules
            .iter()
            .map(|rule| (one.name.to_owned(), rule.text.clone()))
    });
    rules.collect()
}

/// A transaction. The first error comes with the place of the request that it is about.
pub(crate) fn commit(
    socket: &Socket,
    requests: Vec<Request>,
) -> std::result::Result<(), (usize, io::Error)> {
    let (begin, end) = super::bounds();
    socket.transaction(begin, requests, end)
}

/// What the kernel says when it lacks a part.
pub(crate) fn unsupported(source: io::Error) -> Error {
    match source.raw_os_error() {
        Some(libc::EOPNOTSUPP | libc::EPROTONOSUPPORT | libc::ENOENT | libc::EINVAL) => {
            Error::NoTables { source }
        }
        _ => Error::kernel("set the rules")(source),
    }
}

fn map(table: &str, map: &Map, id: u32) -> Request {
    let (kind, bytes) = match map.family {
        IPV4 => (ADDRESS, 4),
        _ => (ADDRESS6, 16),
    };
    let (key, length) = match map.with_address {
        true => (vec![PROTOCOL, kind, SERVICE], 8 + bytes),
        false => (vec![PROTOCOL, SERVICE], 8),
    };
    let of = |parts: &[u32]| parts.iter().fold(0, |all, part| all << TYPE_BITS | part);
    let attributes = Attributes::new()
        .text(1, table)
        .text(2, map.name)
        .big(3, MAP)
        .big(4, of(&key))
        .big(5, length)
        .big(6, of(&[kind, SERVICE]))
        .big(7, bytes + 4)
        .big(10, id);
    request(message::NEW_SET, ENSURE, &attributes)
}

pub(crate) fn chain(family: u8, table: &str, chain: &Chain) -> Request {
    let mut attributes = Attributes::new().text(1, table).text(3, chain.name);
    if let Some(hook) = chain.hook {
        let place = Attributes::new()
            .big(1, hook.number)
            .with(2, &hook.priority.to_be_bytes());
        attributes = attributes.nest(4, &place).text(7, hook.kind);
    }
    request_of(family, message::NEW_CHAIN, ENSURE, &attributes)
}

pub(crate) fn new_rule(family: u8, table: &str, chain: &str, rule: &Rule) -> Request {
    let text = rule.text.as_bytes();
    let text = &text[..text.len().min(COMMENT_MAX)];
    let comment = [&[COMMENT, text.len() as u8 + 1], text, b"\0"].concat();
    let attributes = Attributes::new()
        .text(1, table)
        .text(2, chain)
        .nest(4, rule.expressions.list())
        .with(7, &comment);
    request_of(family, message::NEW_RULE, APPEND, &attributes)
}

/// The comment in a rule's user data: tag, length, value.
fn comment(mut data: &[u8]) -> Option<String> {
    while let [tag, length, rest @ ..] = data {
        let value = rest.get(..usize::from(*length))?;
        if *tag == COMMENT {
            return Some(
                String::from_utf8_lossy(value)
                    .trim_end_matches('\0')
                    .to_owned(),
            );
        }
        data = &rest[value.len()..];
    }
    None
}
