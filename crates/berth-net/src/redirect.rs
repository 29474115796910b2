//! Leads what a container sends to port 53 of the resolver's address to the ports at which the resolver listens there: so
//! the container can use port 53 itself. One table in the container's own namespace, `inet berth-dns`.
//!
//! Ports are rewritten packet by packet, both ways, before connections are tracked: nothing is remembered. With address
//! translation each question would be an entry in the connection table for half a minute, and a container that asks ten
//! thousand times a second would fill it, after which the kernel drops whatever comes.
//!
//! ```text
//! chain output { type filter hook output priority raw;
//!     oifname != lo accept
//!     ip daddr 127.0.0.11 udp dport 53 notrack udp dport set PORT
//!     ip saddr 127.0.0.11 udp sport PORT notrack udp sport set 53          and the same of tcp
//! }
//! ```
//! Both directions meet this hook: both ends are local. Source: linux/netfilter/nf_tables.h.

use std::net::Ipv4Addr;

use berth_model::config::Protocol;
use berth_sys::later;
use berth_sys::netlink::{self, Socket};

use crate::nft::expression::{End, Expressions};
use crate::nft::hook::{OUTPUT, RAW};
use crate::nft::rules::{Chain, Hook, Rule};
use crate::nft::{INET, elements, table};
use crate::{Error, Result, Subnet};

/// The resolver's address in each container.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const PORT: u16 = 53;
const TABLE: &str = "berth-dns";

/// Sets the rules in the caller's network namespace, in place of those that are there, with no moment between.
///
/// # Errors
/// [`Error::Kernel`], [`Error::NoTables`].
pub fn install(udp: u16, tcp: u16) -> Result<()> {
    let socket =
        Socket::open(netlink::Protocol::Netfilter).map_err(|source| Error::NoTables { source })?;
    let others = Rule {
        text: "oifname != lo accept".to_owned(),
        expressions: Expressions::new().not_output("lo").accept(),
    };
    let chain = Chain {
        name: "output",
        hook: Some(Hook {
            kind: "filter",
            number: OUTPUT,
            priority: RAW,
        }),
        rules: vec![
            others,
            rule(Protocol::Udp, End::Target, PORT, udp),
            rule(Protocol::Tcp, End::Target, PORT, tcp),
            rule(Protocol::Udp, End::Source, udp, PORT),
            rule(Protocol::Tcp, End::Source, tcp, PORT),
        ],
    };
    let mut requests = table::anew(INET, TABLE).to_vec();
    requests.extend(table::chains(INET, TABLE, &[chain]));
    let done = table::commit(&socket, requests);
    later::close(socket.into());
    done.map_err(|(_, source)| table::unsupported(source))
}

/// A packet at whose `end` the resolver is, with port `from`, gets the port `to` there.
fn rule(protocol: Protocol, end: End, from: u16, to: u16) -> Rule {
    let resolver = Subnet::of(RESOLVER.into(), 32).expect("no longer than an address");
    let (at_resolver, address, port) = match end {
        End::Source => (Expressions::new().source(resolver), "saddr", "sport"),
        End::Target => (Expressions::new().target(resolver), "daddr", "dport"),
    };
    let checksum = match protocol {
        Protocol::Udp => 6,
        _ => 16,
    };
    Rule {
        text: format!("ip {address} {RESOLVER} {protocol} {port} {from} set {to}"),
        expressions: at_resolver
            .transport(elements::number(protocol))
            .port(end, from)
            .notrack()
            .set_port(end, to, checksum),
    }
}
