//! Sets and maps: made, changed, listed.

use std::io;

use berth_sys::netlink::{Attributes, DUMP, ENSURE, Request, Socket, attribute, attributes};

use super::{HEADER, message, request_of};

/// A part of a key or a value: its type as nft numbers it, to show it as it is meant, and its bytes in registers.
pub(crate) type Part = (u32, u32);
pub(crate) const PROTOCOL: Part = (12, 4);
pub(crate) const ADDRESS: Part = (7, 4);
pub(crate) const ADDRESS6: Part = (8, 16);
pub(crate) const SERVICE: Part = (13, 4);
pub(crate) const DEVICE: Part = (41, 16);
/// Bits of a type in the number of several.
const TYPE_BITS: u32 = 6;
/// `NFT_SET_MAP`.
const MAP: u32 = 8;
/// In one message; an attribute has at most 64 KiB.
const AT_ONCE: usize = 500;

/// Key and value; a set's have none.
pub(crate) type Element = (Vec<u8>, Vec<u8>);

/// Makes one; `id` is its own in the transaction.
pub(crate) fn make(
    family: u8,
    table: &str,
    (name, id): (&str, u32),
    key: &[Part],
    value: &[Part],
) -> Request {
    let kind = |parts: &[Part]| {
        let kinds = parts.iter().map(|(kind, _)| kind);
        kinds.fold(0, |all, kind| all << TYPE_BITS | kind)
    };
    let bytes = |parts: &[Part]| parts.iter().map(|(_, bytes)| bytes).sum();
    let mut all = Attributes::new()
        .text(1, table)
        .text(2, name)
        .big(4, kind(key))
        .big(5, bytes(key))
        .big(10, id);
    if !value.is_empty() {
        all = all.big(3, MAP).big(6, kind(value)).big(7, bytes(value));
    }
    request_of(family, message::NEW_SET, ENSURE, &all)
}

/// Messages that add or remove elements of one.
pub(crate) fn changes(
    family: u8,
    kind: u16,
    table: &str,
    name: &str,
    elements: &[Element],
) -> Vec<Request> {
    let adds = kind == message::NEW_ELEMENT;
    let change = |part: &[Element]| {
        let list = part.iter().fold(Attributes::new(), |list, (key, value)| {
            let mut element = Attributes::new().nest(1, &Attributes::new().with(1, key));
            if adds && !value.is_empty() {
                element = element.nest(2, &Attributes::new().with(1, value));
            }
            list.nest(1, &element)
        });
        let all = Attributes::new()
            .text(1, table)
            .text(2, name)
            .nest(3, &list);
        request_of(family, kind, if adds { ENSURE } else { 0 }, &all)
    };
    elements.chunks(AT_ONCE).map(change).collect()
}

/// The elements of one.
pub(crate) fn list(
    socket: &Socket,
    family: u8,
    table: &str,
    name: &str,
) -> io::Result<Vec<Element>> {
    let which = Attributes::new().text(1, table).text(2, name);
    let answers = socket.ask(request_of(family, message::GET_ELEMENT, DUMP, &which))?;
    let lists = answers
        .iter()
        .filter_map(|answer| attribute(answer, HEADER, 3));
    let element = |element: &[u8]| {
        let bytes = |kind| Some(attribute(attribute(element, 0, kind)?, 0, 1)?.to_vec());
        Some((bytes(1)?, bytes(2).unwrap_or_default()))
    };
    Ok(lists
        .flat_map(|list| attributes(list, 0))
        .filter_map(|(_, one)| element(one))
        .collect())
}
