//! Changes on this host that networks depend on, told by the kernel as they come: devices, addresses, routes, forwarding,
//! and firewall rules. Whoever repairs networks waits for these, then compares what there is with what is wanted: a change
//! says only that it is time to look.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use berth_sys::netlink::{Protocol, Socket, attribute};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::link::IFINFO;
use crate::nft::{HEADER, message};
use crate::{Error, Result};

/// Links, addresses, routes, rules, settings: `RTNLGRP_*` as bits.
const ROUTE: u32 = group(1)
    | group(5)
    | group(7)
    | group(8)
    | group(9)
    | group(11)
    | group(19)
    | group(24)
    | group(25);
/// `NFNLGRP_NFTABLES`.
const NFTABLES: u32 = group(7);

/// `RTM_NEWNETCONF`, `NETCONFA_IFINDEX`, and the number that means all devices.
const NETCONF: u16 = 80;
const NETCONF_DEVICE: u16 = 1;
const ALL: i32 = -1;
/// Bytes of `struct netconfmsg`.
const NETCONF_HEADER: usize = 1;

const fn group(number: u32) -> u32 {
    1 << (number - 1)
}

/// Who is told of changes.
#[derive(Debug)]
pub struct Watch {
    route: Socket,
    netfilter: Socket,
}

impl Watch {
    /// From now on, in the caller's network namespace.
    ///
    /// # Errors
    /// [`Error::Kernel`].
    pub fn open() -> Result<Watch> {
        let open = |protocol, groups| {
            let socket = Socket::open(protocol)?;
            socket.join(groups).map(|()| socket)
        };
        let both = || -> io::Result<Watch> {
            Ok(Watch {
                route: open(Protocol::Route, ROUTE)?,
                netfilter: open(Protocol::Netfilter, NFTABLES)?,
            })
        };
        both().map_err(Error::kernel("watch the host's networks"))
    }

    /// Files that are readable when [`Watch::look`] has something to look at.
    pub fn files(&self) -> [BorrowedFd<'_>; 2] {
        [self.route.as_fd(), self.netfilter.as_fd()]
    }

    /// Waits until something has changed that networks depend on. `false`: nothing has in this time.
    ///
    /// # Errors
    /// [`Error::Kernel`].
    pub fn wait(&self, timeout: Duration) -> Result<bool> {
        let end = std::time::Instant::now() + timeout;
        loop {
            let left = end.saturating_duration_since(std::time::Instant::now());
            let mut files = self
                .files()
                .map(|file| PollFd::from_borrowed_fd(file, PollFlags::IN));
            let left = Timespec::try_from(left).ok();
            match poll(&mut files, left.as_ref()) {
                Ok(0) => return Ok(false),
                Ok(_) if self.look()? => return Ok(true),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    return Err(Error::kernel("watch the host's networks")(error.into()));
                }
            }
        }
    }

    /// Whether something of what has come counts; all of it is then gone. Does not wait.
    ///
    /// # Errors
    /// [`Error::Kernel`].
    pub fn look(&self) -> Result<bool> {
        let mut counts = false;
        let mut look = || -> io::Result<bool> {
            let whole = self
                .route
                .changes(|kind, body| counts |= of_routing(kind, body))?;
            let rules = self
                .netfilter
                .changes(|kind, body| counts |= of_rules(kind, body))?;
            Ok(whole && rules)
        };
        let whole = look().map_err(Error::kernel("watch the host's networks"))?;
        Ok(counts || !whole)
    }
}

/// Devices that come are only bridges: each start of a container makes others.
fn of_routing(kind: u16, body: &[u8]) -> bool {
    match kind {
        libc::RTM_NEWLINK => {
            let info = attribute(body, IFINFO, libc::IFLA_LINKINFO).unwrap_or_default();
            attribute(info, 0, libc::IFLA_INFO_KIND) == Some(b"bridge\0")
        }
        libc::RTM_NEWROUTE => false,
        NETCONF => {
            let device = attribute(body, NETCONF_HEADER, NETCONF_DEVICE);
            device == Some(&ALL.to_ne_bytes())
        }
        _ => true,
    }
}

/// Ports are published and withdrawn all the time.
fn of_rules(kind: u16, body: &[u8]) -> bool {
    let ours = attribute(body, HEADER, 1).is_some_and(|table| table.starts_with(b"berth"));
    match kind & 0xff {
        message::NEW_GENERATION => false,
        message::NEW_ELEMENT => !ours,
        _ => true,
    }
}
