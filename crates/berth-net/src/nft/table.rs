//! The table: made whole in one transaction, and read back.

use std::io;

use berth_sys::netlink::{APPEND, Attributes, DUMP, ENSURE, Request, Socket, attribute, text};

use super::elements::{self, Map};
use super::rules::{self, Chain, Hook, Rule};
use super::{HEADER, INET, IPV4, message, request_of};
use crate::{Error, Network, Published, Result};

/// The tag of a comment in a rule's user data, and the longest that fits.
const COMMENT: u8 = 0;
const COMMENT_MAX: usize = 250;

/// A rule as it is there: its chain and its text.
pub(crate) type Seen = (String, String);

/// Makes the table anew: whatever it was, it is then as planned, with no moment between.
pub(crate) fn replace(socket: &Socket, network: &Network, published: &[Published]) -> Result<()> {
    let name = &network.table;
    // As it was when there was no IPv6.
    let mut requests = gone(IPV4, name).to_vec();
    requests.extend(anew(INET, name));
    requests.extend(Map::make_all(name));
    requests.extend(chains(INET, name, &rules::chains(network)));
    requests.extend(elements::changes(message::NEW_ELEMENT, name, published));
    commit(socket, requests).map_err(|(_, source)| unsupported(source))
}

/// Messages after which there is no such table.
fn gone(family: u8, name: &str) -> [Request; 2] {
    let table = Attributes::new().text(1, name);
    [
        request_of(family, message::NEW_TABLE, ENSURE, &table),
        request_of(family, message::DELETE_TABLE, 0, &table),
    ]
}

/// Messages after which there is such a table, with nothing in it.
pub(crate) fn anew(family: u8, name: &str) -> [Request; 3] {
    let [made, deleted] = gone(family, name);
    [made.clone(), deleted, made]
}

/// Messages that make chains with their rules.
pub(crate) fn chains(family: u8, table: &str, chains: &[Chain]) -> Vec<Request> {
    // Rules lead to chains behind their own.
    let all = chains
        .iter()
        .map(|one| chain(family, table, one.name, one.hook));
    let rules = chains
        .iter()
        .flat_map(|one| one.rules.iter().map(|rule| (one.name, rule)));
    all.chain(rules.map(|(chain, rule)| new_rule(family, table, chain, rule)))
        .collect()
}

/// Removes a table of each of these families. That it is gone is fine.
pub(crate) fn remove(socket: &Socket, families: &[u8], name: &str) -> Result<()> {
    let all = families.iter().flat_map(|family| gone(*family, name));
    match commit(socket, all.collect()) {
        Err((_, error)) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::kernel("remove the rules")(error))
        }
        _ => Ok(()),
    }
}

/// All rules of a table of a family, in their order.
pub(crate) fn read(socket: &Socket, family: u8, name: &str) -> Result<Vec<Seen>> {
    let table = Attributes::new().text(1, name);
    let answers = socket
        .ask(request_of(family, message::GET_RULE, DUMP, &table))
        .or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(Vec::new()),
            _ => Err(unsupported(error)),
        })?;
    // A kernel that does not filter sends the rules of all tables.
    let word = |body: &[u8], kind| text(body, HEADER, kind).unwrap_or_default();
    let ours = answers.iter().filter(|body| word(body, 1) == name);
    Ok(ours
        .map(|body| {
            let data = attribute(body, HEADER, 7).unwrap_or_default();
            (word(body, 2), comment(data).unwrap_or_default())
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

pub(crate) fn chain(family: u8, table: &str, name: &str, hook: Option<Hook>) -> Request {
    let mut attributes = Attributes::new().text(1, table).text(3, name);
    if let Some(hook) = hook {
        let place = Attributes::new()
            .big(1, hook.number)
            .with(2, &hook.priority.to_be_bytes());
        attributes = attributes.nest(4, &place).text(7, hook.kind);
    }
    request_of(family, message::NEW_CHAIN, ENSURE, &attributes)
}

fn new_rule(family: u8, table: &str, chain: &str, rule: &Rule) -> Request {
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
