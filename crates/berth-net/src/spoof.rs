//! A container does not pass for another one of its network, nor for the bridge or a router: what it sends with an address
//! that another has, by ARP, IP or neighbour discovery, is dropped where it comes into the bridge (security: D16, D18).
//! Addresses that nobody was given stay free: a container may have one that moves between several.
//!
//! ```text
//! table bridge berth-BRIDGE
//!     set ports  { device }                      set taken4, taken6  { address }
//!     set homes4, homes6  { device . address }
//!     chain prerouting    IPv4 from home → accept; from no port → accept
//!                         source taken, and not at home → drop; router advertisements, redirects → drop
//! ```
//! Whose an address is stands with each port, as its alias: so the table can be made anew from what the kernel knows.
//! Source: linux/netfilter/nf_tables.h.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use berth_sys::netlink::{Attributes, DUMP, Request, Socket, text};

use crate::link;
use crate::nft::expression::{Expressions, Source, padded};
use crate::nft::rules::{Chain, Hook, Rule};
use crate::nft::set::{self, ADDRESS, ADDRESS6, DEVICE, Part};
use crate::nft::{BRIDGE, HEADER, hook, message, octets, request_of, table};
use crate::{Error, Kernel, Network, Result};

/// Before everything else there.
const PRIORITY: i32 = -300;
const CHAIN: &str = "prerouting";

/// Sets, with the parts of their keys.
const SETS: [(&str, &[Part]); 5] = [
    ("ports", &[DEVICE]),
    ("taken4", &[ADDRESS]),
    ("homes4", &[DEVICE, ADDRESS]),
    ("taken6", &[ADDRESS6]),
    ("homes6", &[DEVICE, ADDRESS6]),
];

/// An element: its set, and its key.
type Element = (&'static str, Vec<u8>);

fn name(network: &Network) -> String {
    format!("berth-{}", network.bridge)
}

/// What stands with a port.
pub(crate) fn alias(addresses: &[(IpAddr, u8)]) -> String {
    let words: Vec<String> = addresses.iter().map(|(one, _)| one.to_string()).collect();
    format!("berth {}", words.join(" "))
}

fn addresses(alias: &str) -> Option<Vec<IpAddr>> {
    let words = alias.strip_prefix("berth ")?.split_whitespace();
    words.map(|word| word.parse().ok()).collect()
}

/// Whether all is as it has to be; `whole`: the sets, too.
pub(crate) fn holds(kernel: &Kernel, network: &Network, whole: bool) -> Result<bool> {
    let socket = kernel.netfilter()?;
    let seen = table::read(socket, BRIDGE, &name(network))?;
    let expected: Vec<_> = rules()
        .into_iter()
        .map(|rule| (CHAIN.to_owned(), rule.text))
        .collect();
    if seen != expected || !whole {
        return Ok(seen == expected);
    }
    let fail = || Error::kernel(format!("look at the containers of `{}`", network.bridge));
    let wanted = wanted(kernel, network).map_err(fail())?;
    Ok(there(socket, &name(network)).map_err(fail())? == wanted)
}

/// Makes the table anew.
pub(crate) fn replace(kernel: &Kernel, network: &Network) -> Result<()> {
    let fail = || Error::kernel(format!("keep the containers of `{}` apart", network.bridge));
    let name = name(network);
    let mut requests = table::anew(BRIDGE, &name).to_vec();
    let sets = SETS.iter().zip(1..);
    requests.extend(sets.map(|((set, key), id)| set::make(BRIDGE, &name, (set, id), key, &[])));
    let chain = Chain {
        name: CHAIN,
        hook: Some(Hook {
            kind: "filter",
            number: hook::PRE_ROUTING,
            priority: PRIORITY,
        }),
        rules: rules(),
    };
    requests.extend(table::chains(BRIDGE, &name, &[chain]));
    let wanted = wanted(kernel, network).map_err(fail())?;
    requests.extend(changes(message::NEW_ELEMENT, &name, &wanted));
    match table::commit(kernel.netfilter()?, requests) {
        Err((_, error)) if !is_lacking(&error) => Err(fail()(error)),
        _ => Ok(()),
    }
}

/// Removes the table.
pub(crate) fn remove_all(kernel: &Kernel, network: &Network) -> Result<()> {
    let socket = kernel.netfilter()?;
    match table::read(socket, BRIDGE, &name(network))?.is_empty() {
        true => Ok(()),
        false => table::remove(socket, &[BRIDGE], &name(network)),
    }
}

/// A kernel without nf_tables for bridges goes without.
fn is_lacking(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EOPNOTSUPP | libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT)
    )
}

/// One more port, with what stands with it.
pub(crate) fn add(kernel: &Kernel, network: &Network, device: &str, alias: &str) -> Result<()> {
    let Some(own) = addresses(alias) else {
        return Ok(());
    };
    let add = changes(
        message::NEW_ELEMENT,
        &name(network),
        &elements(device, &own),
    );
    match table::commit(kernel.netfilter()?, add) {
        // Whoever repairs makes the table with what stands with the port.
        Err((_, error)) if error.kind() != io::ErrorKind::NotFound => Err(Error::kernel(format!(
            "keep the containers of `{}` apart",
            network.bridge
        ))(error)),
        _ => Ok(()),
    }
}

/// A port less. The device itself may be gone already, and so may all of this.
pub(crate) fn remove(kernel: &Kernel, device: &str) -> io::Result<()> {
    let Ok(socket) = kernel.netfilter() else {
        return Ok(());
    };
    let all = request_of(BRIDGE, message::GET_TABLE, DUMP, &Attributes::new());
    for body in socket.ask(all)? {
        let name = text(&body, HEADER, 1).unwrap_or_default();
        if name.starts_with("berth-") {
            let own = of_device(&there(socket, &name)?, device);
            // Somebody else may have made it anew.
            let _ = table::commit(socket, changes(message::DELETE_ELEMENT, &name, &own));
        }
    }
    Ok(())
}

/// What a device has in a table: addresses that another one has as well stay taken.
fn of_device(all: &BTreeSet<Element>, device: &str) -> BTreeSet<Element> {
    let device = padded(device);
    let homes = |set: &str| set.starts_with("homes");
    let mut own = BTreeSet::new();
    for (set, key) in all.iter().filter(|(_, key)| key.starts_with(&device)) {
        own.insert((*set, key.clone()));
        let address = &key[device.len()..];
        let has = |(set, key): &&Element| homes(set) && key.ends_with(address);
        if homes(set) && all.iter().filter(has).count() == 1 {
            let taken = if address.len() == 4 {
                "taken4"
            } else {
                "taken6"
            };
            own.insert((taken, address.to_vec()));
        }
    }
    own
}

fn elements(device: &str, own: &[IpAddr]) -> BTreeSet<Element> {
    let device = padded(device).to_vec();
    let mut all = BTreeSet::from([("ports", device.clone())]);
    for address in own {
        let (taken, homes) = match address {
            IpAddr::V4(_) => ("taken4", "homes4"),
            IpAddr::V6(_) => ("taken6", "homes6"),
        };
        let bytes = octets(*address);
        all.insert((homes, [&device[..], &bytes].concat()));
        all.insert((taken, bytes));
    }
    all
}

fn wanted(kernel: &Kernel, network: &Network) -> io::Result<BTreeSet<Element>> {
    let mut all = BTreeSet::new();
    for (device, alias) in link::ports(&kernel.route, &network.bridge)? {
        if let Some(own) = alias.as_deref().and_then(addresses) {
            all.extend(elements(&device, &own));
        }
    }
    for range in &network.ranges {
        let taken = if range.gateway.is_ipv4() {
            "taken4"
        } else {
            "taken6"
        };
        all.insert((taken, octets(range.gateway)));
    }
    Ok(all)
}

fn there(socket: &Socket, table: &str) -> io::Result<BTreeSet<Element>> {
    let mut found = BTreeSet::new();
    for (set, _) in SETS {
        let keys = set::list(socket, BRIDGE, table, set)?.into_iter();
        found.extend(keys.map(|(key, _)| (set, key)));
    }
    Ok(found)
}

fn changes(kind: u16, table: &str, elements: &BTreeSet<Element>) -> Vec<Request> {
    let of_set = |(set, _): &(&str, _)| {
        let own = elements.iter().filter(|(of, _)| of == set);
        let own: Vec<set::Element> = own.map(|(_, key)| (key.clone(), Vec::new())).collect();
        set::changes(BRIDGE, kind, table, set, &own)
    };
    SETS.iter().flat_map(of_set).collect()
}

fn rules() -> Vec<Rule> {
    let drop = |text: &str, source: Source| {
        let (taken, homes) = match source {
            Source::Ip | Source::Arp => ("taken4", "homes4"),
            Source::Ip6 | Source::Advertised => ("taken6", "homes6"),
        };
        Rule {
            text: format!("{text} @{taken} iifname . {text} != @{homes} drop"),
            expressions: Expressions::new().of_another(source, taken, homes).drop(),
        }
    };
    let router = |text: &str, kind: u8| Rule {
        text: format!("icmpv6 type {text} drop"),
        expressions: Expressions::new().icmp6(kind).drop(),
    };
    vec![
        // Most packets by far, and no rule behind concerns them.
        Rule {
            text: "iifname . ip saddr @homes4 accept".to_owned(),
            expressions: Expressions::new().at_home(Source::Ip, "homes4").accept(),
        },
        Rule {
            text: "iifname != @ports accept".to_owned(),
            expressions: Expressions::new().input_is_not_in("ports").accept(),
        },
        drop("ip saddr", Source::Ip),
        drop("arp saddr ip", Source::Arp),
        drop("ip6 saddr", Source::Ip6),
        drop("icmpv6 taddr", Source::Advertised),
        router("nd-router-advert", 134),
        router("nd-redirect", 137),
    ]
}
