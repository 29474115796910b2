//! Networks of containers: a bridge, a pair of virtual Ethernet devices for each container, addresses, and one
//! nf_tables table. Netlink directly, no program; synchronous.
//!
//! ```text
//! observe ──► plan(desired, observed) ──► apply        network  the bridge, its rules, what is published
//!                                                      endpoint one container's place in it
//! pool        which address is whose: symbolic links   claim    host ports: sockets that are held
//! redirect    a container's questions for names → the resolver
//! namespace   made by a thread of ours, kept open by whoever has its file
//! ```
//! **What a crash leaves.** A network namespace has no name: it lives in the descriptors and processes that hold it, and
//! takes its devices along when they end. Only reservations and published ports outlive their maker: both are named
//! after their owner, and whoever cleans up compares them with who lives.
//!
//! A table a network, `inet berth`, `inet berth-BRIDGE`: other tables are never touched, and a base chain of ours accepts only what
//! others accept too.

mod choose;
mod claim;
mod endpoint;
mod error;
pub mod firewall;
mod kernel;
mod link;
mod namespace;
pub mod network;
mod nft;
mod pool;
pub mod redirect;
mod spoof;
mod subnet;
mod wall;
pub mod watch;

pub use choose::{CANDIDATES, free_subnet};
pub use claim::{Held, claim};
pub use endpoint::{
    Attach, Endpoint, Ipvlan, Macvlan, Parent, Way, cut, default_routes, has_device, mac_of,
    make_parent, plug, plugged, rejoin, unplug, unplug_inside,
};
pub use error::{Error, Result};
pub use kernel::Kernel;
pub use namespace::{Namespace, Pending};
pub use network::{Network, Range, apply, observe, plan};
pub use pool::{Limits, Pool};
pub use subnet::Subnet;

use std::net::IpAddr;

use berth_model::config::Protocol;

/// A port of the host that leads to a port of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Published {
    /// TCP, UDP, SCTP.
    pub protocol: Protocol,
    /// The host's address; `0.0.0.0`, `::`: all of that family.
    pub host: IpAddr,
    /// The host's port.
    pub host_port: u16,
    /// The container's address.
    pub address: IpAddr,
    /// The container's port.
    pub port: u16,
}
