//! The rules of a bridge network. Pure: chains of rules, each with its text in nft's language, by which it is known when
//! it is read back.

use std::net::{IpAddr, Ipv4Addr};

use super::expression::Expressions;
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
    /// `NF_INET_*`.
    pub(crate) number: u32,
    pub(crate) priority: i32,
}

/// A rule.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) text: String,
    pub(crate) expressions: Expressions,
}

const PRE_ROUTING: u32 = 0;
const FORWARD: u32 = 2;
const OUTPUT: u32 = 3;
const POST_ROUTING: u32 = 4;
const RAW: i32 = -300;
const TARGET_NAT: i32 = -100;
const FILTER: i32 = 0;
const SOURCE_NAT: i32 = 100;

/// The map of ports of one address of the host: protocol, address, port → address, port.
pub(crate) const AT: &str = "published-at";
/// The map of ports of all addresses of the host: protocol, port → address, port.
pub(crate) const ANYWHERE: &str = "published";

const LOOPBACK: Subnet = known(Ipv4Addr::new(127, 0, 0, 0), 8);
const LINK_LOCAL: Subnet = known(Ipv4Addr::new(169, 254, 0, 0), 16);
/// Some clouds' resolvers are link-local.
const DNS: u16 = 53;

const fn known(address: Ipv4Addr, prefix: u8) -> Subnet {
    match Subnet::of(IpAddr::V4(address), prefix) {
        Some(subnet) => subnet,
        None => panic!("a prefix of 32 bits at most"),
    }
}

/// All chains of a network.
pub(crate) fn chains(network: &Network) -> Vec<Chain> {
    vec![
        guard(network),
        base("publish-in", "nat", PRE_ROUTING, TARGET_NAT, publish()),
        base("publish-out", "nat", OUTPUT, TARGET_NAT, publish()),
        forward(network),
        outgoing(network),
        Chain {
            name: "publish",
            hook: None,
            rules: vec![
                rule(
                    format!("dnat to meta l4proto . ip daddr . th dport map @{AT}"),
                    Expressions::new().translate_by(AT, true),
                ),
                rule(
                    format!("dnat to meta l4proto . th dport map @{ANYWHERE}"),
                    Expressions::new().translate_by(ANYWHERE, false),
                ),
            ],
        },
    ]
}

/// What a container may not reach whatever the host's routes are: the host's loopback, which the setting that lets the
/// host reach containers from 127.0.0.1 opens (security: D17), and the metadata services of clouds (security: D21).
fn guard(network: &Network) -> Chain {
    let from = || Expressions::new().input(&network.bridge);
    let bridge = &network.bridge;
    let rules = vec![
        rule(
            format!("iifname {bridge} ip daddr {LOOPBACK} drop"),
            from().target(LOOPBACK).drop(),
        ),
        rule(
            format!("iifname {bridge} ip saddr {LOOPBACK} drop"),
            from().source(LOOPBACK).drop(),
        ),
        rule(
            format!(
                "iifname {bridge} ip daddr {LINK_LOCAL} th dport != {DNS} reject with icmp admin-prohibited"
            ),
            from().target(LINK_LOCAL).target_port_is_not(DNS).reject(),
        ),
    ];
    base("guard", "filter", PRE_ROUTING, RAW, rules)
}

/// Connections to an address of the host may be meant for a container.
fn publish() -> Vec<Rule> {
    vec![rule(
        "fib daddr type local jump publish".to_owned(),
        Expressions::new().target_is_local().jump("publish"),
    )]
}

/// To containers goes what they asked for, what they say to each other, and what was published: a port that is published
/// at 127.0.0.1 is not reached by a route to the container (security: D12).
fn forward(network: &Network) -> Chain {
    let bridge = &network.bridge;
    let to = || Expressions::new().output(bridge);
    let rules = vec![
        rule(
            format!("oifname {bridge} ct state established,related accept"),
            to().known_connection().accept(),
        ),
        rule(
            format!("oifname {bridge} iifname {bridge} accept"),
            to().input(bridge).accept(),
        ),
        rule(
            format!("oifname {bridge} ct status dnat accept"),
            to().translated().accept(),
        ),
        rule(format!("oifname {bridge} drop"), to().drop()),
    ];
    base("forward", "filter", FORWARD, FILTER, rules)
}

/// Containers speak with the host's address to the world; and with the gateway's, who reaches a container by a port of
/// the host from 127.0.0.1 or from the same bridge: its answers have to come back through the host.
fn outgoing(network: &Network) -> Chain {
    let bridge = &network.bridge;
    let mut rules = Vec::new();
    for subnet in network.subnets() {
        rules.push(rule(
            format!("ip saddr {subnet} oifname != {bridge} masquerade"),
            Expressions::new()
                .source(subnet)
                .not_output(bridge)
                .masquerade(),
        ));
    }
    rules.push(rule(
        format!("oifname {bridge} ip saddr {LOOPBACK} masquerade"),
        Expressions::new()
            .output(bridge)
            .source(LOOPBACK)
            .masquerade(),
    ));
    for subnet in network.subnets() {
        rules.push(rule(
            format!("oifname {bridge} ip saddr {subnet} ct status dnat masquerade"),
            Expressions::new()
                .output(bridge)
                .source(subnet)
                .translated()
                .masquerade(),
        ));
    }
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
