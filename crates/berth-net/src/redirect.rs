//! Leads what a container sends to port 53 of the resolver's address to the ports at which the resolver listens there: so
//! the container can use port 53 itself. One table in the container's own namespace, `ip berth-dns`.
//!
//! Ports are rewritten packet by packet, both ways, before connections are tracked: nothing is remembered. With address
//! translation each question would be an entry in the connection table for half a minute, and a container that asks ten
//! thousand times a second would fill it, after which the kernel drops whatever comes.
//!
//! ```text
//! chain output { type filter hook output priority raw;
//!     ip daddr 127.0.0.11 udp dport 53 notrack udp dport set PORT
//!     ip saddr 127.0.0.11 udp sport PORT notrack udp sport set 53          and the same of tcp
//! }
//! ```
//! Both directions meet this hook: both ends are local. Source: linux/netfilter/nf_tables.h.

use std::io;
use std::net::Ipv4Addr;

use berth_sys::netlink::{APPEND, Attributes, ENSURE, Protocol, Request, Socket};

use crate::{Error, Result};

/// The resolver's address in each container.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const PORT: u16 = 53;
const TABLE: &str = "berth-dns";
const CHAIN: &str = "output";

const TCP: u8 = 6;
const UDP: u8 = 17;

/// `NFNL_SUBSYS_NFTABLES`, `NFPROTO_IPV4`, `NF_INET_LOCAL_OUT`.
const SUBSYSTEM: u16 = 10;
const IPV4: u8 = 2;
const OUTPUT: u32 = 3;
const RAW: i32 = -300;
/// `NFT_REG32_00`.
const REGISTER: u32 = 8;

/// Sets the rules in the caller's network namespace, in place of those that are there, with no moment between.
///
/// # Errors
/// [`Error::Kernel`], [`Error::NoTables`].
pub fn install(udp: u16, tcp: u16) -> Result<()> {
    let socket = Socket::open(Protocol::Netfilter).map_err(|source| Error::NoTables { source })?;
    let table = Attributes::new().text(1, TABLE);
    let hook = Attributes::new().big(1, OUTPUT).with(2, &RAW.to_be_bytes());
    let chain = Attributes::new()
        .text(1, TABLE)
        .text(3, CHAIN)
        .nest(4, &hook)
        .text(7, "filter");
    let requests = vec![
        request(0, ENSURE, &table),
        request(2, 0, &table),
        request(0, ENSURE, &table),
        request(3, ENSURE, &chain),
        rule(UDP, Field::Target, PORT, udp),
        rule(TCP, Field::Target, PORT, tcp),
        rule(UDP, Field::Source, udp, PORT),
        rule(TCP, Field::Source, tcp, PORT),
    ];
    let bound = |kind| Request::new(kind, 0, &[0, 0, 0, SUBSYSTEM as u8]);
    socket
        .transaction(bound(0x10), requests, bound(0x11))
        .map_err(|(_, source)| unsupported(source))
}

fn unsupported(source: io::Error) -> Error {
    match source.raw_os_error() {
        Some(libc::EOPNOTSUPP | libc::EPROTONOSUPPORT | libc::ENOENT | libc::EINVAL) => {
            Error::NoTables { source }
        }
        _ => Error::kernel("set the rules for names")(source),
    }
}

/// Which end of a packet is the resolver's.
#[derive(Clone, Copy)]
enum Field {
    Source,
    Target,
}

/// A packet whose `field` is the resolver with port `from` gets the port `to` there.
fn rule(protocol: u8, field: Field, from: u16, to: u16) -> Request {
    const NETWORK: u32 = 1;
    const TRANSPORT: u32 = 2;
    const META_TRANSPORT: u32 = 16;
    let (address, port) = match field {
        Field::Source => (12, 0),
        Field::Target => (16, 2),
    };
    let checksum = match protocol {
        UDP => 6,
        _ => 16,
    };
    let load = |base: u32, offset: u32, length: u32| {
        let data = Attributes::new().big(1, REGISTER).big(2, base);
        expression("payload", &data.big(3, offset).big(4, length))
    };
    let meta = Attributes::new().big(1, REGISTER).big(2, META_TRANSPORT);
    let value = Attributes::new().with(1, &to.to_be_bytes());
    let immediate = Attributes::new().big(1, REGISTER).nest(2, &value);
    let write = Attributes::new()
        .big(5, REGISTER)
        .big(2, TRANSPORT)
        .big(3, port)
        .big(4, 2)
        .big(6, 1)
        .big(7, checksum);
    let expressions = [
        load(NETWORK, address, 4),
        is(&RESOLVER.octets()),
        expression("meta", &meta),
        is(&[protocol]),
        load(TRANSPORT, port, 2),
        is(&from.to_be_bytes()),
        expression("notrack", &Attributes::new()),
        expression("immediate", &immediate),
        expression("payload", &write),
    ];
    let list = expressions
        .iter()
        .fold(Attributes::new(), |list, one| list.nest(1, one));
    let attributes = Attributes::new()
        .text(1, TABLE)
        .text(2, CHAIN)
        .nest(4, &list);
    request(6, APPEND, &attributes)
}

fn expression(name: &str, data: &Attributes) -> Attributes {
    Attributes::new().text(1, name).nest(2, data)
}

/// What was loaded is this.
fn is(bytes: &[u8]) -> Attributes {
    const EQUAL: u32 = 0;
    let data = Attributes::new()
        .big(1, REGISTER)
        .big(2, EQUAL)
        .nest(3, &Attributes::new().with(1, bytes));
    expression("cmp", &data)
}

fn request(kind: u16, flags: u16, attributes: &Attributes) -> Request {
    Request::new(SUBSYSTEM << 8 | kind, flags, &[IPV4, 0, 0, 0]).attributes(attributes)
}
