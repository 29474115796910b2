//! The second wall: nothing from elsewhere is routed to a container, unless a rule of its network's table has marked it as
//! meant for it. If all rules are gone, flushed by a firewall that starts anew, all containers are out of reach, until the
//! rules are back (security: D12).
//!
//! ```text
//! 99:   from all iif BRIDGE blackhole            an internal network: nothing is routed from it
//! 100:  from all iif lo goto 103                 what the host sends itself
//! 101:  from all fwmark BIT/BIT goto 103         what the rules let through: answers, and what was published
//! 102:  from all lookup TABLE                    blackhole SUBNET, for each network
//! 103:  from all nop
//! ```
//! Each of IPv4 and IPv6. Source: ip-rule(8), linux/fib_rules.h.

use std::collections::BTreeSet;
use std::io;

use berth_sys::netlink::{CREATE, DUMP, Request, Socket, attribute, text};

use crate::link::{self, RTMSG, family};
use crate::nft::octets;
use crate::{Network, Subnet};

/// The bit by which the rules mark what they let through.
pub(crate) const MARK: u32 = 1 << 25;
/// The routing table of what is out of reach.
const TABLE: u32 = 48_711;

const FROM: u32 = 99;
const LOCAL: u32 = 100;
const MARKED: u32 = 101;
const LOOK: u32 = 102;
const END: u32 = 103;

/// Bytes of `struct fib_rule_hdr`.
const RULE: usize = 12;
/// `FRA_*`.
const INPUT: u16 = 3;
const GOTO: u16 = 4;
const PRIORITY: u16 = 6;
const FIREWALL_MARK: u16 = 10;
const RULE_TABLE: u16 = 15;
const FIREWALL_MASK: u16 = 16;
/// `FR_ACT_*`.
const LOOK_UP: u8 = 1;
const JUMP: u8 = 2;
const NOTHING: u8 = 3;
const BLACKHOLE: u8 = 6;

/// A part of the wall. They are put up in this order: nothing is cut off that is let through.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Piece {
    /// A rule of one family.
    End(bool),
    /// See [`Piece::End`].
    Local(bool),
    /// See [`Piece::End`].
    Marked(bool),
    /// What is out of reach.
    Target(Subnet),
    /// See [`Piece::End`].
    Look(bool),
    /// From which nothing is routed: IPv4, bridge.
    From(bool, String),
}

/// What a network needs.
pub(crate) fn wanted(network: &Network) -> BTreeSet<Piece> {
    let mut all = BTreeSet::new();
    for subnet in network.subnets() {
        let four = subnet.is_ipv4();
        all.extend([
            Piece::End(four),
            Piece::Local(four),
            Piece::Marked(four),
            Piece::Look(four),
            Piece::Target(subnet),
        ]);
        if network.internal {
            all.insert(Piece::From(four, network.bridge.clone()));
        }
    }
    all
}

/// What there is, of all networks.
pub(crate) fn observe(socket: &Socket) -> io::Result<BTreeSet<Piece>> {
    let mut found = BTreeSet::new();
    for rule in socket.ask(Request::new(libc::RTM_GETRULE, DUMP, &[0; RULE]))? {
        found.extend(rule_seen(&rule));
    }
    for four in [true, false] {
        let mut body = [0; RTMSG];
        body[0] = family(four);
        let list = Request::new(libc::RTM_GETROUTE, DUMP, &body)
            .with(libc::RTA_TABLE, &TABLE.to_ne_bytes());
        match socket.ask(list) {
            Ok(routes) => found.extend(routes.iter().filter_map(|route| target_seen(route))),
            // No such table yet, or no such family.
            Err(error) if link::is_none(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Puts a part up. That it is there is fine.
pub(crate) fn put_up(socket: &Socket, piece: &Piece) -> io::Result<()> {
    let kind = match piece {
        Piece::Target(_) => libc::RTM_NEWROUTE,
        _ => libc::RTM_NEWRULE,
    };
    match socket.ask(request(kind, CREATE, piece)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Takes a part away. That it is gone is fine.
fn take_away(socket: &Socket, piece: &Piece) -> io::Result<()> {
    let kind = match piece {
        Piece::Target(_) => libc::RTM_DELROUTE,
        _ => libc::RTM_DELRULE,
    };
    match socket.ask(request(kind, 0, piece)) {
        Err(error) if !link::is_none(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Takes away what is a network's own; the rules go with the last one.
pub(crate) fn remove(socket: &Socket, subnets: &[Subnet], bridge: &str) -> io::Result<()> {
    for subnet in subnets {
        take_away(socket, &Piece::Target(*subnet))?;
    }
    for four in [true, false] {
        take_away(socket, &Piece::From(four, bridge.to_owned()))?;
    }
    for four in [true, false] {
        let is_needed = || -> io::Result<bool> {
            let of_family =
                |piece: &Piece| matches!(piece, Piece::Target(one) if one.is_ipv4() == four);
            Ok(observe(socket)?.iter().any(of_family))
        };
        if is_needed()? {
            continue;
        }
        // In the order in which nothing is cut off.
        let rules = [
            Piece::Look(four),
            Piece::Marked(four),
            Piece::Local(four),
            Piece::End(four),
        ];
        for rule in &rules {
            take_away(socket, rule)?;
        }
        // Somebody may have made a network in between, and have found them there.
        if is_needed()? {
            for rule in rules.iter().rev() {
                put_up(socket, rule)?;
            }
        }
    }
    Ok(())
}

fn request(kind: u16, flags: u16, piece: &Piece) -> Request {
    let rule = |four: bool, action: u8, priority: u32| {
        let mut body = [0; RULE];
        body[0] = family(four);
        body[7] = action;
        Request::new(kind, flags, &body).with(PRIORITY, &priority.to_ne_bytes())
    };
    let bit = MARK.to_ne_bytes();
    match piece {
        Piece::End(four) => rule(*four, NOTHING, END),
        Piece::Local(four) => rule(*four, JUMP, LOCAL)
            .with(INPUT, b"lo\0")
            .with(GOTO, &END.to_ne_bytes()),
        Piece::Marked(four) => rule(*four, JUMP, MARKED)
            .with(FIREWALL_MARK, &bit)
            .with(FIREWALL_MASK, &bit)
            .with(GOTO, &END.to_ne_bytes()),
        Piece::Look(four) => rule(*four, LOOK_UP, LOOK).with(RULE_TABLE, &TABLE.to_ne_bytes()),
        Piece::From(four, bridge) => {
            rule(*four, BLACKHOLE, FROM).with(INPUT, &[bridge.as_bytes(), b"\0"].concat())
        }
        Piece::Target(subnet) => {
            let mut body = [0; RTMSG];
            body[0] = family(subnet.is_ipv4());
            body[1] = subnet.prefix();
            body[5] = libc::RTPROT_STATIC;
            body[6] = libc::RT_SCOPE_UNIVERSE;
            body[7] = libc::RTN_BLACKHOLE;
            Request::new(kind, flags, &body)
                .with(libc::RTA_TABLE, &TABLE.to_ne_bytes())
                .with(libc::RTA_DST, &octets(subnet.address()))
        }
    }
}

fn rule_seen(body: &[u8]) -> Option<Piece> {
    let number = |kind| -> Option<u32> {
        let bytes = attribute(body, RULE, kind)?;
        Some(u32::from_ne_bytes(*bytes.first_chunk()?))
    };
    let input = text(body, RULE, INPUT);
    let four = *body.first()? == family(true);
    let ends = number(GOTO) == Some(END);
    let bit = (number(FIREWALL_MARK), number(FIREWALL_MASK));
    let is_marked = bit == (Some(MARK), Some(MARK));
    match (number(PRIORITY)?, *body.get(7)?) {
        (END, NOTHING) => Some(Piece::End(four)),
        (LOCAL, JUMP) if input.as_deref() == Some("lo") && ends => Some(Piece::Local(four)),
        (MARKED, JUMP) if is_marked && ends => Some(Piece::Marked(four)),
        (LOOK, LOOK_UP) if number(RULE_TABLE) == Some(TABLE) => Some(Piece::Look(four)),
        (FROM, BLACKHOLE) => Some(Piece::From(four, input?)),
        _ => None,
    }
}

fn target_seen(body: &[u8]) -> Option<Piece> {
    let table = attribute(body, RTMSG, libc::RTA_TABLE)?;
    // A kernel that does not heed what is asked sends the routes of all tables.
    let ours = table == TABLE.to_ne_bytes() && *body.get(7)? == libc::RTN_BLACKHOLE;
    let target = attribute(body, RTMSG, libc::RTA_DST).and_then(link::ip)?;
    ours.then(|| Subnet::of(target, *body.get(1)?).map(Piece::Target))?
}
