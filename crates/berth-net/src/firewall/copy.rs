//! A rule of others, expression by expression, as it can stand before routing. Pure.

use std::io;

use berth_sys::netlink::{APPEND, Attributes, Request, attribute, attributes, text};

use super::CANDIDATE;
use crate::nft::expression::Expressions;
use crate::nft::{IPV6, message, request_of};

/// Expressions that mean before routing what they mean at the input hook.
const KNOWN: [&str; 18] = [
    "immediate",
    "cmp",
    "range",
    "bitwise",
    "byteorder",
    "meta",
    "payload",
    "exthdr",
    "ct",
    "lookup",
    "fib",
    "limit",
    "log",
    "reject",
    "hash",
    "numgen",
    "match",
    "target",
];
/// Targets of iptables that decide nothing.
const UNDECIDED: [&str; 6] = ["LOG", "NFLOG", "MARK", "CONNMARK", "TRACE", "AUDIT"];

/// What a rule comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Outcome {
    /// The packet passes, or nothing is decided.
    #[default]
    Open,
    /// It is dropped, or others decide.
    Closed,
}

/// A rule, copied.
#[derive(Debug, Clone, Default)]
pub(super) struct Copied {
    /// Its expressions; `None`: it is left out.
    list: Option<Attributes>,
    /// Its first conditions.
    prefix: Attributes,
    outcome: Outcome,
    /// The protocol that iptables' matches are told of.
    protocol: Option<u8>,
    /// Chains that it leads to.
    pub(super) targets: Vec<String>,
    /// Sets that it looks into.
    pub(super) sets: Vec<String>,
    /// Why it is not as it was.
    pub(super) why: Option<String>,
    tries: u8,
}

/// What is not for a published port passes.
pub(super) fn pass_others() -> Copied {
    let list = Expressions::new().mark_lacks(CANDIDATE).accept();
    Copied {
        list: Some(list.list().clone()),
        ..Copied::default()
    }
}

/// Copies a list of expressions.
pub(super) fn copy(family: u8, expressions: &[u8]) -> Copied {
    let all: Vec<(String, &[u8])> = attributes(expressions, 0)
        .into_iter()
        .filter_map(|(_, one)| Some((word(one, 1)?, attribute(one, 0, 2).unwrap_or_default())))
        .collect();
    let mut copied = Copied {
        list: Some(Attributes::new()),
        outcome: match all.iter().any(|(name, data)| decides_against(name, data)) {
            true => Outcome::Closed,
            false => Outcome::Open,
        },
        protocol: protocol(&all),
        ..Copied::default()
    };
    let mut conditions = true;
    for (name, data) in &all {
        let own = match name.as_str() {
            // Its own count would make each look a change.
            "counter" => continue,
            "dynset" | "objref" | "quota" | "connlimit" | "last" => None,
            "target" if word(data, 1).as_deref() == Some("REJECT") => Some(reject(family, data)),
            name if KNOWN.contains(&name) => Some(expression(name, data)),
            _ => None,
        };
        let Some(own) = own else {
            copied.close(&format!("`{name}` is of the input hook"));
            return copied;
        };
        match name.as_str() {
            "immediate" => copied
                .targets
                .extend(target(attribute(data, 0, 2).unwrap_or_default())),
            "lookup" => copied.sets.extend(word(data, 1)),
            _ => {}
        }
        conditions &= !matches!(
            name.as_str(),
            "immediate" | "lookup" | "match" | "target" | "reject" | "limit"
        );
        if conditions {
            copied.prefix = std::mem::take(&mut copied.prefix).nest(1, &own);
        }
        copied.list = copied.list.map(|list| list.nest(1, &own));
    }
    copied
}

impl Copied {
    /// Makes it one that lets nothing in that it would not have.
    pub(super) fn close(&mut self, why: &str) {
        self.why = Some(why.to_owned());
        self.list = match self.outcome {
            Outcome::Open => None,
            Outcome::Closed => Some(dropped(&self.prefix)),
        };
        self.targets.clear();
        self.sets.clear();
    }

    /// After the kernel has refused it. `false`: there is nothing that it could be instead.
    pub(super) fn retreat(&mut self, error: &io::Error) -> bool {
        self.tries += 1;
        match self.tries {
            1 => self.close(&error.to_string()),
            2 => {
                self.prefix = Attributes::new();
                self.close(&error.to_string());
            }
            _ => return false,
        }
        true
    }

    /// What is done in its place.
    pub(super) fn instead(&self) -> &'static str {
        match self.list {
            None => "it is left out",
            Some(_) => "ports that it may concern are closed",
        }
    }

    pub(super) fn is_left_out(&self) -> bool {
        self.list.is_none()
    }

    pub(super) fn bytes(&self) -> (&[u8], Option<u8>) {
        (
            self.list.as_ref().map_or(&[][..], Attributes::bytes),
            self.protocol,
        )
    }

    pub(super) fn request(&self, family: u8, table: &str, chain: &str) -> Option<Request> {
        let mut all = Attributes::new()
            .text(1, table)
            .text(2, chain)
            .nest(4, self.list.as_ref()?);
        if let Some(protocol) = self.protocol {
            let compatible = Attributes::new().big(1, protocol.into()).big(2, 0);
            all = all.nest(5, &compatible);
        }
        Some(request_of(family, message::NEW_RULE, APPEND, &all))
    }
}

fn dropped(conditions: &Attributes) -> Attributes {
    let drop = Expressions::new().drop();
    let end = attributes(drop.list().bytes(), 0);
    end.into_iter()
        .fold(conditions.clone(), |all, (kind, value)| {
            all.with(kind, value)
        })
}

fn expression(name: &str, data: &[u8]) -> Attributes {
    Attributes::new().text(1, name).with(2, data)
}

fn word(body: &[u8], kind: u16) -> Option<String> {
    text(body, 0, kind)
}

fn number(body: &[u8], kind: u16) -> Option<u32> {
    Some(u32::from_be_bytes(
        *attribute(body, 0, kind)?.first_chunk()?,
    ))
}

/// The chain in a verdict.
pub(super) fn target(data: &[u8]) -> Option<String> {
    word(attribute(data, 0, 2)?, 2)
}

/// Whether a packet may be dropped by this, or somewhere else because of it.
fn decides_against(name: &str, data: &[u8]) -> bool {
    const ACCEPT: u32 = 1;
    const CONTINUE: u32 = -1_i32 as u32;
    match name {
        "immediate" => {
            let verdict = attribute(attribute(data, 0, 2).unwrap_or_default(), 0, 2);
            let code = verdict.and_then(|verdict| number(verdict, 1));
            code.is_some_and(|code| ![ACCEPT, CONTINUE].contains(&code))
        }
        // A map of verdicts.
        "lookup" => number(data, 3) == Some(0),
        "target" => word(data, 1).is_none_or(|target| !UNDECIDED.contains(&target.as_str())),
        "reject" | "queue" | "synproxy" => true,
        _ => false,
    }
}

/// `ip protocol`, `meta l4proto`: loaded, then compared.
fn protocol(all: &[(String, &[u8])]) -> Option<u8> {
    const TRANSPORT: u32 = 16;
    const IP_PROTOCOL: (u32, u32, u32) = (1, 9, 1);
    if !all
        .iter()
        .any(|(name, _)| matches!(name.as_str(), "match" | "target"))
    {
        return None;
    }
    all.windows(2).find_map(|two| {
        let [(load, from), (compare, with)] = two else {
            return None;
        };
        let is_protocol = match load.as_str() {
            "meta" => number(from, 2) == Some(TRANSPORT),
            "payload" => {
                let field = (number(from, 2)?, number(from, 3)?, number(from, 4)?);
                field == IP_PROTOCOL
            }
            _ => false,
        };
        let equal = compare == "cmp" && number(with, 2) == Some(0);
        let value = attribute(attribute(with, 0, 3)?, 0, 1)?;
        (is_protocol && equal).then(|| value.first().copied())?
    })
}

/// iptables' REJECT is of the input hook only; nf_tables' own is not.
fn reject(family: u8, data: &[u8]) -> Attributes {
    const UNREACHABLE: u32 = 0;
    const RESET: u32 = 1;
    let how = attribute(data, 0, 3).and_then(|info| info.first_chunk());
    let how = how.map_or(3, |bytes| u32::from_ne_bytes(*bytes));
    let (kind, code) = match (family == IPV6, how) {
        (false, 7) | (true, 6) => (RESET, 0),
        (true, code @ (0 | 1)) => (UNREACHABLE, code as u8),
        (true, 3) => (UNREACHABLE, 3),
        (true, _) => (UNREACHABLE, 4),
        (false, code @ 0..=2) => (UNREACHABLE, code as u8),
        (false, 5) => (UNREACHABLE, 9),
        (false, 6) => (UNREACHABLE, 10),
        (false, 8) => (UNREACHABLE, 13),
        (false, _) => (UNREACHABLE, 3),
    };
    let data = Attributes::new().big(1, kind).with(2, &[code]);
    Attributes::new().text(1, "reject").nest(2, &data)
}
