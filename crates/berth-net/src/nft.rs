//! nf_tables by netlink: messages, expressions, and the rules that are ours.
//!
//! Source: linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink.h; nft(8) for what the expressions mean.

pub(crate) mod elements;
pub(crate) mod expression;
pub(crate) mod rules;
pub(crate) mod set;
pub(crate) mod table;

use std::net::IpAddr;

use berth_sys::netlink::{Attributes, Request};

/// `NFNL_SUBSYS_NFTABLES`.
const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
/// `NFPROTO_INET`: both families in one table.
pub(crate) const INET: u8 = 1;
/// `NFPROTO_IPV4`.
pub(crate) const IPV4: u8 = 2;
/// `NFPROTO_BRIDGE`.
pub(crate) const BRIDGE: u8 = 7;
/// `NFPROTO_IPV6`.
pub(crate) const IPV6: u8 = 10;

/// Types of messages: `NFT_MSG_*`.
pub(crate) mod message {
    pub(crate) const NEW_TABLE: u16 = 0;
    pub(crate) const GET_TABLE: u16 = 1;
    pub(crate) const DELETE_TABLE: u16 = 2;
    pub(crate) const NEW_CHAIN: u16 = 3;
    pub(crate) const GET_CHAIN: u16 = 4;
    pub(crate) const NEW_RULE: u16 = 6;
    pub(crate) const GET_RULE: u16 = 7;
    pub(crate) const NEW_SET: u16 = 9;
    pub(crate) const GET_SET: u16 = 10;
    pub(crate) const NEW_ELEMENT: u16 = 12;
    pub(crate) const GET_ELEMENT: u16 = 13;
    pub(crate) const DELETE_ELEMENT: u16 = 14;
    pub(crate) const NEW_GENERATION: u16 = 15;
}

/// Where in a packet's way: `NF_INET_*`. A bridge's first one has the same number.
pub(crate) mod hook {
    pub(crate) const PRE_ROUTING: u32 = 0;
    pub(crate) const INPUT: u32 = 1;
    pub(crate) const FORWARD: u32 = 2;
    pub(crate) const OUTPUT: u32 = 3;
    pub(crate) const POST_ROUTING: u32 = 4;
    /// The priority before connections are tracked.
    pub(crate) const RAW: i32 = -300;
}

/// Bytes of `struct nfgenmsg`.
pub(crate) const HEADER: usize = 4;

/// A request about a family.
pub(crate) fn request_of(family: u8, kind: u16, flags: u16, attributes: &Attributes) -> Request {
    Request::new(SUBSYSTEM << 8 | kind, flags, &[family, 0, 0, 0]).attributes(attributes)
}

/// `NFPROTO_*` of an address.
pub(crate) fn protocol_of(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => IPV4,
        IpAddr::V6(_) => IPV6,
    }
}

/// An address as it stands in packets.
pub(crate) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// What stands before and after a transaction.
pub(crate) fn bounds() -> (Request, Request) {
    let [high, low] = SUBSYSTEM.to_be_bytes();
    let bound = |kind| Request::new(kind, 0, &[0, 0, high, low]);
    (bound(BATCH_BEGIN), bound(BATCH_END))
}
