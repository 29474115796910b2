//! The rules of a bridge network. Pure: chains of rules, each with its text in nft's language, by which it is known when
//! it is read back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::elements::{MAPS, Map};
use super::expression::Expressions;
use super::hook::{FORWARD, OUTPUT, POST_ROUTING, PRE_ROUTING, RAW};
use super::{IPV4, IPV6};
use crate::firewall::{CANDIDATE, MARKED_AT};
use crate::wall::MARK;
use crate::{Network, Subnet};

/// A chain; `hook`: where in a packet's way it is.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub(crate) name: &'static str,
    pub(crate) hook: Option<Hook>,
    pub(crate) rules: Vec<Rule>,
}

/// Where a packet meets a chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hook {
    /// `filter` or `nat`.
    pub(crate) kind: &'static str,
    /// See [`super::hook`].
    pub(crate) number: u32,
    pub(crate) priority: i32,
}

/// A rule.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) text: String,
    pub(crate) expressions: Expressions,
}

const TARGET_NAT: i32 = -100;
const FILTER: i32 = 0;
const SOURCE_NAT: i32 = 100;

const LOOPBACK: Subnet = known(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8);
const LOOPBACK6: Subnet = known(IpAddr::V6(Ipv6Addr::LOCALHOST), 128);
/// Where clouds have their metadata services: the link-local addresses, and those of two clouds with IPv6.
const METADATA: [Subnet; 3] = [
    known(IpAddr::V4(Ipv4Addr::new(169, 254, 0, 0)), 16),
    known(
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
        128,
    ),
    known(
        IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
        128,
    ),
];
/// Some clouds' resolvers are link-local.
const DNS: u16 = 53;

const fn known(address: IpAddr, prefix: u8) -> Subnet {
    match Subnet::of(address, prefix) {
        Some(subnet) => subnet,
        None => panic!("no longer than an address"),
    }
}

/// All chains of a network.
pub(crate) fn chains(network: &Network) -> Vec<Chain> {
    vec![
        guard(network),
        candidates(),
        base("publish-in", "nat", PRE_ROUTING, TARGET_NAT, publish()),
        base("publish-out", "nat", OUTPUT, TARGET_NAT, publish()),
        refuse(),
        admit(network),
        forward(network),
        outgoing(network),
        admitted(network),
        Chain {
            name: "publish",
            hook: None,
            rules: MAPS.iter().map(translate).collect(),
        },
    ]
}

/// `ip`, `ip6`.
fn word(family: u8) -> &'static str {
    match family {
        IPV4 => "ip",
        _ => "ip6",
    }
}

fn word_of(subnet: Subnet) -> &'static str {
    word(super::protocol_of(subnet.address()))
}

fn key(map: &Map) -> String {
    let family = word(map.family);
    match map.with_address {
        true => format!("meta l4proto . {family} daddr . th dport"),
        false => "meta l4proto . th dport".to_owned(),
    }
}

fn translate(map: &Map) -> Rule {
    let text = format!(
        "dnat {} to {} map @{}",
        word(map.family),
        key(map),
        map.name
    );
    rule(text, Expressions::new().translate_by(map))
}

/// What a container may not reach whatever the host's routes are: the host's loopback, which the setting that lets the
/// host reach containers from 127.0.0.1 opens (security: D17), and the metadata services of clouds (security: D21).
fn guard(network: &Network) -> Chain {
    let bridge = &network.bridge;
    let mut rules = vec![
        rule(
            format!("iifname != {bridge} accept"),
            Expressions::new().not_input(bridge).accept(),
        ),
        rule(
            format!("ip daddr {LOOPBACK} drop"),
            Expressions::new().target(LOOPBACK).drop(),
        ),
        rule(
            format!("ip saddr {LOOPBACK} drop"),
            Expressions::new().source(LOOPBACK).drop(),
        ),
    ];
    let services = METADATA.iter().filter(|_| !network.metadata);
    rules.extend(services.map(|service| {
        let word = word_of(*service);
        rule(
            format!("{word} daddr {service} th dport != {DNS} reject with icmpx admin-prohibited"),
            Expressions::new()
                .target(*service)
                .target_port_is_not(DNS)
                .reject(),
        )
    }));
    base("guard", "filter", PRE_ROUTING, RAW, rules)
}

/// Connections to an address of the host may be meant for a container.
fn publish() -> Vec<Rule> {
    vec![rule(
        "fib daddr type local jump publish".to_owned(),
        Expressions::new().target_is_local().jump("publish"),
    )]
}

/// What is published is marked for the host's own firewall: see [`crate::firewall`]. An answer is never translated to a
/// container by what is published, so it is not looked up; what was asked is, each time: the firewall may have changed.
fn candidates() -> Chain {
    let mark = |map: &Map| {
        rule(
            format!("{} @{} fib daddr type local mark", key(map), map.name),
            Expressions::new()
                .target_is_in(map)
                .target_is_local()
                .mark(CANDIDATE),
        )
    };
    let mut rules = vec![
        rule(
            "ct direction reply accept".to_owned(),
            Expressions::new().answer().accept(),
        ),
        rule(
            "iifname lo accept".to_owned(),
            Expressions::new().input("lo").accept(),
        ),
    ];
    rules.extend(MAPS.iter().map(mark));
    base("candidates", "filter", PRE_ROUTING, MARKED_AT, rules)
}

/// IPv6 has no setting such as `route_localnet`: an answer that is translated back to ::1 passes the prerouting hook and
/// does not get as far as the input hook (seen with Linux 6.18). So who tries `localhost` by IPv6 is refused at once, and
/// then tries 127.0.0.1.
fn refuse() -> Chain {
    let map = |map: &Map| {
        rule(
            format!(
                "ip6 daddr {LOOPBACK6} {} @{} reject with tcp reset",
                key(map),
                map.name
            ),
            Expressions::new()
                .target(LOOPBACK6)
                .target_is_in(map)
                .reset(),
        )
    };
    let rules = MAPS.iter().filter(|map| map.family == IPV6).map(map);
    base("refuse", "filter", OUTPUT, RAW, rules.collect())
}

/// What is meant for a container is marked, or it is not routed to it: see [`crate::wall`].
fn admit(network: &Network) -> Chain {
    let mut rules = vec![rule(
        format!("meta mark set meta mark & ~{CANDIDATE:#x}"),
        Expressions::new().unmark(CANDIDATE),
    )];
    let reached = network.subnets().filter(|_| !network.internal);
    rules.extend(reached.map(|subnet| {
        rule(
            format!("{} daddr {subnet} jump admitted", word_of(subnet)),
            Expressions::new().target(subnet).jump("admitted"),
        )
    }));
    base("admit", "filter", PRE_ROUTING, TARGET_NAT + 10, rules)
}

/// Of what is addressed to a container.
fn admitted(network: &Network) -> Chain {
    let bridge = &network.bridge;
    let mark = format!("meta mark set meta mark | {MARK:#x}");
    let mut rules = vec![
        rule(
            format!("ct state established,related {mark}"),
            Expressions::new().known_connection().mark(MARK),
        ),
        rule(
            format!("ct status dnat {mark}"),
            Expressions::new().translated().mark(MARK),
        ),
    ];
    if network.icc {
        rules.push(rule(
            format!("iifname {bridge} {mark}"),
            Expressions::new().input(bridge).mark(MARK),
        ));
    }
    Chain {
        name: "admitted",
        hook: None,
        rules,
    }
}

/// To containers goes what they asked for, what they say to each other, and what was published: a port that is published
/// at 127.0.0.1 is not reached by a route to the container (security: D12). Nothing goes to an internal network, or from it.
fn forward(network: &Network) -> Chain {
    let bridge = &network.bridge;
    let to = || Expressions::new().output(bridge);
    let mut rules = Vec::new();
    if network.internal {
        rules.push(rule(
            format!("iifname {bridge} oifname != {bridge} drop"),
            Expressions::new().input(bridge).not_output(bridge).drop(),
        ));
        rules.push(rule(
            format!("oifname {bridge} iifname != {bridge} drop"),
            to().not_input(bridge).drop(),
        ));
    }
    rules.push(rule(
        format!("oifname {bridge} ct state established,related accept"),
        to().known_connection().accept(),
    ));
    if network.icc {
        rules.push(rule(
            format!("oifname {bridge} iifname {bridge} accept"),
            to().input(bridge).accept(),
        ));
    }
    rules.push(rule(
        format!("oifname {bridge} ct status dnat accept"),
        to().translated().accept(),
    ));
    rules.push(rule(format!("oifname {bridge} drop"), to().drop()));
    base("forward", "filter", FORWARD, FILTER, rules)
}

/// Containers speak with the host's address to the world; and with the gateway's, who reaches a container by a port of
/// the host from 127.0.0.1 or from the same bridge: its answers have to come back through the host.
fn outgoing(network: &Network) -> Chain {
    let bridge = &network.bridge;
    let mut rules = Vec::new();
    let world = network
        .subnets()
        .filter(|_| network.masquerade && !network.internal);
    rules.extend(world.map(|subnet| {
        let word = word_of(subnet);
        rule(
            format!("{word} saddr {subnet} oifname != {bridge} masquerade"),
            Expressions::new()
                .source(subnet)
                .not_output(bridge)
                .masquerade(),
        )
    }));
    rules.push(rule(
        format!("oifname {bridge} ip saddr {LOOPBACK} masquerade"),
        Expressions::new()
            .output(bridge)
            .source(LOOPBACK)
            .masquerade(),
    ));
    rules.extend(network.subnets().map(|subnet| {
        let word = word_of(subnet);
        rule(
            format!("oifname {bridge} {word} saddr {subnet} ct status dnat masquerade"),
            Expressions::new()
                .output(bridge)
                .source(subnet)
                .translated()
                .masquerade(),
        )
    }));
    base("outgoing", "nat", POST_ROUTING, SOURCE_NAT, rules)
}

fn base(
    name: &'static str,
    kind: &'static str,
    number: u32,
    priority: i32,
    rules: Vec<Rule>,
) -> Chain {
    let hook = Some(Hook {
        kind,
        number,
        priority,
    });
    Chain { name, hook, rules }
}

fn rule(text: String, expressions: Expressions) -> Rule {
    Rule { text, expressions }
}
