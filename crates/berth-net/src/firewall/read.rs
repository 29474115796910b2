//! What others have at the input hook: chains, rules, and the sets they use.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use berth_sys::netlink::{Attributes, DUMP, ENSURE, Request, Socket, attribute, attributes, text};

use super::copy::{self, Copied};
use crate::nft::{HEADER, INET, IPV4, IPV6, hook, message, request_of};

/// `NFT_SET_ANONYMOUS`, and those that cannot be copied: of objects.
const ANONYMOUS: u32 = 1;
const OBJECTS: u32 = 0x40;

/// A chain at the input hook.
pub(super) struct Base {
    pub(super) family: u8,
    pub(super) table: String,
    pub(super) chain: String,
    priority: i32,
    /// What it does with a packet that no rule decides about.
    pub(super) accepts: bool,
}

/// A table of others.
pub(super) struct Foreign {
    /// Rules: their chain, and their expressions.
    rules: Vec<(String, Vec<u8>)>,
    sets: BTreeMap<String, Set>,
}

struct Set {
    flags: u32,
    definition: Vec<u8>,
    /// Lists, as the kernel sends them.
    elements: Vec<Vec<u8>>,
}

/// Tables: family and name, with what is kept with each.
pub(super) type Tables = BTreeMap<(u8, String), Option<Vec<u8>>>;

/// What can be reached from a table's chains at the hook.
#[derive(Default)]
pub(super) struct Reached {
    pub(super) chains: BTreeSet<String>,
    pub(super) sets: BTreeSet<String>,
    pub(super) rules: Vec<(String, Copied)>,
}

/// All tables.
pub(super) fn tables(socket: &Socket) -> io::Result<Tables> {
    let all = list(socket, 0, message::GET_TABLE, &Attributes::new())?;
    let table = |body: &Vec<u8>| {
        let data = attribute(body, HEADER, 6).map(<[u8]>::to_vec);
        Some(((*body.first()?, text(body, HEADER, 1)?), data))
    };
    Ok(all.iter().filter_map(table).collect())
}

/// All chains at the input hook that filter, in the order in which packets meet them.
pub(super) fn bases(socket: &Socket) -> io::Result<Vec<Base>> {
    let all = list(socket, 0, message::GET_CHAIN, &Attributes::new())?;
    let base = |body: &Vec<u8>| {
        let hook = attribute(body, HEADER, 4)?;
        let number = |kind| {
            Some(u32::from_be_bytes(
                *attribute(hook, 0, kind)?.first_chunk()?,
            ))
        };
        let family = *body.first()?;
        let at_input = number(1)? == hook::INPUT && [INET, IPV4, IPV6].contains(&family);
        let filters = text(body, HEADER, 7)? == "filter";
        let policy = attribute(body, HEADER, 5).and_then(|bytes| bytes.first_chunk::<4>());
        (at_input && filters).then_some(Base {
            family,
            table: text(body, HEADER, 1)?,
            chain: text(body, HEADER, 3)?,
            priority: number(2)? as i32,
            accepts: policy != Some(&[0; 4]),
        })
    };
    let mut found: Vec<Base> = all.iter().filter_map(base).collect();
    found.sort_by_key(|base| base.priority);
    Ok(found)
}

/// A table's rules and sets.
pub(super) fn foreign(socket: &Socket, family: u8, table: &str) -> io::Result<Foreign> {
    let named = Attributes::new().text(1, table);
    let of_table = |body: &&Vec<u8>| text(body, HEADER, 1).as_deref() == Some(table);
    let rules = list(socket, family, message::GET_RULE, &named)?;
    let rules = rules.iter().filter(of_table).filter_map(|body| {
        let expressions = attribute(body, HEADER, 4).unwrap_or_default().to_vec();
        Some((text(body, HEADER, 2)?, expressions))
    });
    let rules = rules.collect();
    let mut sets = BTreeMap::new();
    let all = list(socket, family, message::GET_SET, &named)?;
    for body in all.iter().filter(of_table) {
        let Some(name) = text(body, HEADER, 2) else {
            continue;
        };
        let which = Attributes::new().text(1, table).text(2, &name);
        let flags = attribute(body, HEADER, 3).and_then(|bytes| bytes.first_chunk());
        let set = Set {
            flags: flags.map_or(0, |bytes| u32::from_be_bytes(*bytes)),
            definition: body.clone(),
            elements: list(socket, family, message::GET_ELEMENT, &which)?
                .iter()
                .filter_map(|body| Some(attribute(body, HEADER, 3)?.to_vec()))
                .collect(),
        };
        sets.insert(name, set);
    }
    Ok(Foreign { rules, sets })
}

fn list(
    socket: &Socket,
    family: u8,
    kind: u16,
    attributes: &Attributes,
) -> io::Result<Vec<Vec<u8>>> {
    match socket.ask(request_of(family, kind, DUMP, attributes)) {
        // It has just gone.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    }
}

impl Foreign {
    /// Everything that packets can meet from these chains on.
    pub(super) fn reach(&self, family: u8, starts: &[&str]) -> Reached {
        let mut reached = Reached::default();
        let mut open: Vec<String> = starts.iter().map(|start| (*start).to_owned()).collect();
        while let Some(chain) = open.pop() {
            if !reached.chains.insert(chain.clone()) {
                continue;
            }
            for (_, expressions) in self.rules.iter().filter(|(of, _)| *of == chain) {
                let mut rule = copy::copy(family, expressions);
                for name in rule.sets.clone() {
                    match self.sets.get(&name) {
                        Some(set) if set.flags & OBJECTS == 0 => {
                            open.extend(set.targets());
                            reached.sets.insert(name);
                        }
                        _ => rule.close("it uses a map of objects"),
                    }
                }
                open.extend(rule.targets.clone());
                reached.rules.push((chain.clone(), rule));
            }
        }
        reached
    }

    /// Messages that make these sets again, in another table.
    pub(super) fn copy_sets(
        &self,
        family: u8,
        table: &str,
        names: &BTreeSet<String>,
    ) -> Vec<Request> {
        let mut requests = Vec::new();
        let sets = names
            .iter()
            .filter_map(|name| Some((name, self.sets.get(name)?)));
        for (number, (name, set)) in (1_u32..).zip(sets) {
            let mut own = Attributes::new()
                .text(1, table)
                .text(2, name)
                .big(3, set.flags & !ANONYMOUS);
            // Types, lengths, policy, description, time-outs, what nft notes for itself.
            for kind in [4, 5, 6, 7, 8, 9, 11, 12, 13] {
                if let Some(bytes) = attribute(&set.definition, HEADER, kind) {
                    own = own.with(kind, bytes);
                }
            }
            let own = own.big(10, number);
            requests.push(request_of(family, message::NEW_SET, ENSURE, &own));
            for list in &set.elements {
                let mut elements = Attributes::new();
                for (kind, element) in attributes(list, 0) {
                    elements = elements.nest(kind, &without_state(element));
                }
                let all = Attributes::new()
                    .text(1, table)
                    .text(2, name)
                    .nest(3, &elements);
                requests.push(request_of(family, message::NEW_ELEMENT, ENSURE, &all));
            }
        }
        requests
    }
}

/// An element's key, value, flags, time-out and end of range.
fn without_state(element: &[u8]) -> Attributes {
    let all = attributes(element, 0);
    let kept = all
        .into_iter()
        .filter(|(kind, _)| [1, 2, 3, 4, 10].contains(kind));
    kept.fold(Attributes::new(), |all, (kind, value)| {
        all.with(kind, value)
    })
}

impl Set {
    /// Chains to which a map of verdicts leads.
    fn targets(&self) -> Vec<String> {
        let mut found = Vec::new();
        for list in &self.elements {
            for (_, element) in attributes(list, 0) {
                let data = attribute(element, 0, 2).unwrap_or_default();
                found.extend(copy::target(data));
            }
        }
        found
    }
}
