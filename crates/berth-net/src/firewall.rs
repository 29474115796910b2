//! The host's own firewall and published ports. What is published is translated before routing, so it never meets the
//! host's rules for what comes in (nf_tables' input hook, iptables' INPUT): users close a port there, and it stays open. So
//! these rules are applied to it a second time, where it still has the address and the port of the host: each table of
//! others that has a chain at the input hook is mirrored, with the chains it jumps to and the sets it looks into.
//!
//! ```text
//! prerouting  -145  inet berth-BRIDGE candidates    published? mark it
//!             -140… FAMILY berth-input-TABLE        not marked: accept; else the host's rules, as they are at input
//!             -100  inet berth-BRIDGE publish-in    translate
//! ```
//! No packet is copied and no process is on its way. What the host sends itself is not asked. A rule that cannot be
//! applied here fails closed: if it accepts it is left out, otherwise what its first conditions match is dropped; a note
//! says so. Drops at the forward hook need nothing of this: published ports are forwarded.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use berth_sys::netlink::{Request, Socket};

use crate::nft::rules::Hook;
use crate::nft::{hook, table};
use crate::{Error, Kernel, Result};

mod copy;
mod read;

use copy::Copied;
use read::{Base, Foreign};

/// The bit by which networks mark what is published.
pub(crate) const CANDIDATE: u32 = 1 << 26;
/// Where networks do that, and the first place behind it.
pub(crate) const MARKED_AT: i32 = -145;
const FIRST: i32 = -140;
const LAST: i32 = -101;

/// The beginning of a mirror's name.
const PREFIX: &str = "berth-input-";

/// A mirror: what is sent to the kernel, and what of it is whose.
struct Mirror {
    family: u8,
    name: String,
    /// Chains, sets and elements.
    before: Vec<Request>,
    /// Rules with their chains.
    rules: Vec<(String, Copied)>,
    notes: Vec<String>,
}

/// Applies the host's rules for what comes in to what is published; returns notes about those that cannot be applied as
/// they are. Done again when they change; without a change, it only looks.
///
/// # Errors
/// [`Error::Kernel`], [`Error::NoTables`].
pub fn mirror(kernel: &Kernel) -> Result<Vec<String>> {
    let socket = kernel.netfilter()?;
    let fail = || Error::kernel("read the host's firewall");
    let tables = read::tables(socket).map_err(fail())?;
    let mut bases = read::bases(socket).map_err(fail())?;
    bases.retain(|base| !base.table.starts_with("berth"));
    let places: Vec<i32> = (0..bases.len() as i32)
        .map(|n| (FIRST + n).min(LAST))
        .collect();
    let mut by_table: BTreeMap<(u8, String), Vec<(&Base, i32)>> = BTreeMap::new();
    for (base, place) in bases.iter().zip(places) {
        let key = (base.family, base.table.clone());
        by_table.entry(key).or_default().push((base, place));
    }
    let mut notes = Vec::new();
    for ((family, table), bases) in &by_table {
        let foreign = read::foreign(socket, *family, table).map_err(fail())?;
        let old = tables.get(&(*family, format!("{PREFIX}{table}")));
        match build(&foreign, *family, table, bases) {
            Some(mirror) => notes.extend(set(socket, mirror, old.and_then(Option::as_deref))?),
            None if old.is_some() => {
                table::remove(socket, &[*family], &format!("{PREFIX}{table}"))?
            }
            None => {}
        }
    }
    for (family, name) in tables.keys() {
        let of = name.strip_prefix(PREFIX);
        if of.is_some_and(|of| !by_table.contains_key(&(*family, of.to_owned()))) {
            table::remove(socket, &[*family], name)?;
        }
    }
    Ok(notes)
}

/// Removes all mirrors, if no network is left whose ports they are for.
pub(crate) fn remove_unused(socket: &Socket) -> Result<()> {
    let tables = read::tables(socket).map_err(Error::kernel("read the host's firewall"))?;
    let is_network = |name: &String| name.starts_with("berth") && !name.starts_with(PREFIX);
    if tables.keys().any(|(_, name)| is_network(name)) {
        return Ok(());
    }
    tables
        .keys()
        .filter(|(_, name)| name.starts_with(PREFIX))
        .try_for_each(|(family, name)| table::remove(socket, &[*family], name))
}

/// `None`: it lets everything in.
fn build(foreign: &Foreign, family: u8, table: &str, bases: &[(&Base, i32)]) -> Option<Mirror> {
    let starts: Vec<&str> = bases.iter().map(|(base, _)| base.chain.as_str()).collect();
    let reached = foreign.reach(family, &starts);
    if bases.iter().all(|(base, _)| base.accepts) && reached.rules.is_empty() {
        return None;
    }
    let name = format!("{PREFIX}{table}");
    let mut before = Vec::new();
    for (base, place) in bases {
        let hook = Hook {
            kind: "filter",
            number: hook::PRE_ROUTING,
            priority: *place,
        };
        let policy = u32::from(base.accepts).to_be_bytes();
        before.push(table::chain(family, &name, &base.chain, Some(hook)).with(5, &policy));
    }
    for chain in reached
        .chains
        .iter()
        .filter(|one| !starts.contains(&one.as_str()))
    {
        before.push(table::chain(family, &name, chain, None));
    }
    before.extend(foreign.copy_sets(family, &name, &reached.sets));
    let mut rules: Vec<(String, Copied)> = Vec::new();
    for start in starts {
        rules.push((start.to_owned(), copy::pass_others()));
    }
    let notes = reached.rules.iter().filter_map(|(chain, rule)| {
        let why = rule.why.as_ref()?;
        Some(format!(
            "a rule of chain {chain} in table {table} of the host's firewall cannot be applied to published ports as it \
             is ({why}): {}",
            rule.instead()
        ))
    });
    let notes = notes.collect();
    rules.extend(reached.rules);
    Some(Mirror {
        family,
        name,
        before,
        rules,
        notes,
    })
}

/// Makes a mirror what it has to be. A rule that the kernel refuses is made one that it takes.
fn set(socket: &Socket, mut mirror: Mirror, old: Option<&[u8]>) -> Result<Vec<String>> {
    let digest = digest(&mirror);
    if old == Some(&digest) {
        return Ok(mirror.notes);
    }
    let family = mirror.family;
    let [some, gone, made] = table::anew(family, &mirror.name);
    let anew = [some, gone, made.with(6, &digest)];
    loop {
        let mut requests = anew.to_vec();
        requests.extend(mirror.before.iter().cloned());
        let first = requests.len();
        for (chain, rule) in &mirror.rules {
            requests.extend(rule.request(family, &mirror.name, chain));
        }
        // A rule that is left out is no request.
        let at: Vec<usize> = (0..mirror.rules.len())
            .filter(|n| !mirror.rules[*n].1.is_left_out())
            .collect();
        let Err((place, source)) = table::commit(socket, requests) else {
            return Ok(mirror.notes);
        };
        let refused = place.checked_sub(first).and_then(|n| at.get(n));
        match refused {
            Some(refused) if mirror.rules[*refused].1.retreat(&source) => {
                let (chain, rule) = &mirror.rules[*refused];
                mirror.notes.push(format!(
                    "a rule of chain {chain} of the host's firewall cannot be applied to published ports as it is \
                     ({source}): {}",
                    rule.instead()
                ));
            }
            _ => {
                return Err(Error::kernel(
                    "apply the host's firewall to published ports",
                )(source));
            }
        }
    }
}

/// What the kernel keeps with the table, to see whether it is still what is wanted.
fn digest(mirror: &Mirror) -> [u8; 8] {
    let mut hasher = DefaultHasher::new();
    for request in &mirror.before {
        request.bytes().hash(&mut hasher);
    }
    for (chain, rule) in &mirror.rules {
        (chain, rule.bytes()).hash(&mut hasher);
    }
    hasher.finish().to_be_bytes()
}
