//! Networks of containers: the predefined ones, none, host and bridge.
//!
//! ```text
//! ROOT/networks/bridge.json               name, subnet and id of the bridge, once chosen
//! ROOT/networks/<id>, names/              networks of one's own: `record`
//! RUN_DIR/networks/{bridge,<id>}/addr/ADDRESS → CONTAINER      reservations (berth-net's pool)
//!                                names/CONTAINER               what it is called there, for the resolver
//! RUN_DIR/tasks/<id>/network.json         a container's places, while it runs: `connection`
//!                    network.last         the last ones: a restart keeps its addresses, if they are free
//!                    dns.json             what the resolver is to know of it
//! ```
//! The namespace has no name: the engine makes it, connects it and passes it to the shim, from which the container's
//! processes have it. Whoever is killed lets go of it, and the kernel removes the rest. What a crash can leave, an address
//! and published ports, is named after the container and released by whoever settles it, or by `fsck`.
//!
//! Lock order: container, a network's directory, `networks/`, a network's state: that is held for the moments in which
//! rules are made or changed.

mod check;
mod configuration;
mod connect;
mod connection;
mod create;
mod files;
mod find;
mod ipam;
mod links;
mod list;
mod names;
mod options;
mod parent;
mod pasta;
mod ports;
mod record;
mod remove;
mod repair;
mod reserve;
mod resolver;
mod settings;
mod switch;
mod wish;

use std::net::IpAddr;
use std::path::PathBuf;

use berth_fs::{Durability, Lock, LockMode, ensure_dir};
use berth_model::ContainerId;
use berth_model::config::Protocol;
use berth_net::{Kernel, free_subnet};
use berth_oci::Digest;
use serde::{Deserialize, Serialize};

use crate::error::files;
use crate::{Engine, Error, json};

pub use berth_net::Subnet;
pub(crate) use connect::Starting;
pub(crate) use connection::Connection;
pub use create::NetworkRequest;
pub(crate) use links::Linked;
pub use list::{Attached, NetworkInfo};
pub use pasta::connect as connect_pasta;
pub use record::AddressConfig;
pub(crate) use record::Record as NetworkRecord;
use record::{Driver, Shape};
pub use remove::PruneNetworks;
pub use settings::{EndpointSettings, NetworkSettings};

/// The bridge's device, unless told otherwise.
pub const BRIDGE: &str = "berth0";
/// The table of its rules.
const TABLE: &str = "berth";
/// The bridge network's name.
pub const BRIDGE_NETWORK: &str = "bridge";

/// Which bridge; what is `None` was not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BridgeOptions {
    /// The device's name.
    pub name: Option<String>,
    /// Its subnet.
    pub subnet: Option<Subnet>,
}

/// `bridge.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bridge {
    schema: u32,
    /// The network's id.
    pub(crate) id: String,
    /// RFC 3339, UTC.
    pub(crate) created: String,
    /// The device.
    pub(crate) name: String,
    #[serde(with = "words")]
    pub(crate) subnet: Subnet,
}

impl Bridge {
    /// What it is made of.
    pub(crate) fn shape(&self) -> Shape {
        Shape::of_bridge(&self.name, self.subnet)
    }
}

/// The table of a bridge's rules.
fn table_of(bridge: &str) -> String {
    match bridge {
        BRIDGE => TABLE.to_owned(),
        other => format!("{TABLE}-{other}"),
    }
}

/// A port of the host that leads to one of the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPort {
    /// Inside.
    pub container_port: u16,
    /// Of both.
    pub protocol: Protocol,
    /// Address of the host; `0.0.0.0`, `::`: all of that family.
    pub host_ip: IpAddr,
    /// Port of the host.
    pub host_port: u16,
}

/// `?` for a step of berth-net.
pub(crate) fn network(action: &'static str) -> impl Fn(berth_net::Error) -> Error {
    move |source| Error::Network { action, source }
}

impl Engine {
    /// The bridge network: chosen when it is first needed, then kept.
    pub(crate) fn bridge(&self) -> Result<Bridge, Error> {
        if let Some(bridge) = self.known_bridge.get() {
            return Ok(bridge.clone());
        }
        let bridge = self.choose_bridge()?;
        Ok(self.known_bridge.get_or_init(|| bridge).clone())
    }

    fn choose_bridge(&self) -> Result<Bridge, Error> {
        let path = self.layout.bridge_record();
        if let Some(bridge) = json::read::<Bridge>(&path)?
            && self.is_asked_for(&bridge)
        {
            return Ok(bridge);
        }
        let _lock = self.lock_networks()?;
        let old = json::read::<Bridge>(&path)?;
        if let Some(bridge) = &old
            && self.is_asked_for(bridge)
        {
            return Ok(bridge.clone());
        }
        let asked = &self.options.bridge;
        let subnet = match (asked.subnet, &old) {
            (Some(subnet), _) => subnet,
            (None, Some(old)) => old.subnet,
            (None, None) => choose()?,
        };
        let (id, created) = match old {
            Some(old) => (old.id, old.created),
            None => (crate::create::random_id()?.to_string(), crate::clock::now()),
        };
        let bridge = Bridge {
            schema: 1,
            id,
            created,
            name: asked.name.clone().unwrap_or_else(|| BRIDGE.to_owned()),
            subnet,
        };
        json::write(&path, &bridge, Durability::Durable)?;
        Ok(bridge)
    }

    fn is_asked_for(&self, bridge: &Bridge) -> bool {
        let asked = &self.options.bridge;
        asked.name.as_ref().is_none_or(|name| *name == bridge.name)
            && asked.subnet.is_none_or(|subnet| subnet == bridge.subnet)
    }

    /// Makes the directory of a network's reservations; `key`: its id, or `bridge`.
    pub(crate) fn ensure_state(&self, key: &str) -> Result<(), Error> {
        let state = self.layout.network_state(key);
        for dir in [
            state.parent().unwrap_or(&state),
            &state,
            &state.join("addr"),
        ] {
            ensure_dir(dir, 0o700).map_err(files("make the network's directory"))?;
        }
        Ok(())
    }

    /// Held while a network's rules are made or changed.
    pub(crate) fn lock_network(&self, key: &str) -> Result<Lock, Error> {
        let dir = self.layout.network_state(key);
        Lock::dir(&dir, LockMode::Exclusive).map_err(files("lock the network"))
    }

    /// Removes all bridges and their rules from the host: for whoever removes berth. Containers that run are cut off.
    ///
    /// # Errors
    /// [`Error::Network`].
    pub fn remove_bridge(&self) -> Result<(), Error> {
        let fail = network("remove the bridge");
        for record in self.made_networks()? {
            let kernel = Kernel::open().map_err(&fail)?;
            match record.shape.driver {
                Driver::Bridge => {
                    berth_net::network::remove(&kernel, &record.shape.network()).map_err(&fail)?;
                }
                Driver::Macvlan | Driver::Ipvlan if record.shape.made => {
                    berth_net::unplug(&kernel, &record.shape.device).map_err(&fail)?;
                }
                Driver::Macvlan | Driver::Ipvlan => {}
            }
        }
        let record = json::read::<Bridge>(&self.layout.bridge_record())?;
        // The record may be gone with its disk, and the bridge still be there.
        let bridge = match (record, &self.options.bridge.name) {
            (Some(bridge), _) => bridge.shape().network(),
            (None, Some(name)) => berth_net::Network::new(name, &table_of(name), Vec::new()),
            (None, None) => return Ok(()),
        };
        let kernel = Kernel::open().map_err(&fail)?;
        berth_net::network::remove(&kernel, &bridge).map_err(&fail)
    }
}

/// A subnet that nothing here uses.
fn choose() -> Result<Subnet, Error> {
    const ACTION: &str = "choose a subnet for the bridge";
    let taken = create::hosts_subnets(ACTION)?;
    free_subnet(&taken).ok_or_else(|| network(ACTION)(berth_net::Error::NoSubnet))
}

/// An id that is always the same for the same thing.
pub(crate) fn stable_id(what: &str, of: &str) -> String {
    Digest::of(format!("{what} {of}").as_bytes())
        .hex()
        .to_owned()
}

/// A subnet in a file.
mod words {
    use berth_net::Subnet;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(subnet: &Subnet, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(subnet)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Subnet, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }

    /// One that may be missing.
    pub(super) mod option {
        use berth_net::Subnet;
        use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

        pub(crate) fn serialize<S: Serializer>(
            subnet: &Option<Subnet>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            match subnet {
                Some(subnet) => to.collect_str(subnet),
                None => to.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<Subnet>, D::Error> {
            let text = Option::<String>::deserialize(from)?;
            text.map(|text| text.parse().map_err(D::Error::custom))
                .transpose()
        }
    }
}

/// Paths of networks.
impl crate::layout::Layout {
    /// Networks as configured.
    pub fn networks(&self) -> PathBuf {
        self.root().join("networks")
    }

    /// The bridge network as configured.
    pub fn bridge_record(&self) -> PathBuf {
        self.networks().join("bridge.json")
    }

    /// A network's reservations; `key`: its id, or `bridge`.
    pub fn network_state(&self, key: &str) -> PathBuf {
        self.run_dir().join("networks").join(key)
    }

    /// The bridge network's reservations.
    pub fn bridge_state(&self) -> PathBuf {
        self.network_state(BRIDGE_NETWORK)
    }

    /// A container's connection.
    pub fn connection(&self, id: &ContainerId) -> PathBuf {
        self.task(id).join("network.json")
    }

    /// The one that it had last.
    pub fn last_connection(&self, id: &ContainerId) -> PathBuf {
        self.task(id).join("network.last")
    }
}
