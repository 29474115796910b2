//! Networks of one's own, on disk.
//!
//! ```text
//! ROOT/networks/<id>/network.json      what was asked, and which subnets it was given; written once
//!               names/<name> → <id>    a symbolic link: no two networks have one name
//! RUN_DIR/networks/<id>/addr/…         reservations, as the bridge network has them
//! ```
//! A network comes to be by a rename, whole, and goes by one. Whoever gives a container a place in it holds its directory's
//! lock, shared, until the address is reserved; who removes it holds it alone. Whoever chooses subnets or names holds the
//! lock of `networks/`. Order: network, networks.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use berth_fs::{Lock, LockMode};
use berth_model::ErrorKind;
use berth_net::{Attach, Ipvlan, Limits, Macvlan, Network, Pool, Subnet};
use serde::{Deserialize, Serialize};

use super::{BRIDGE_NETWORK, table_of, words};
use crate::create::invalid;
use crate::error::files;
use crate::names::read_names;
use crate::{Engine, Error, json};

/// The version of `network.json`.
pub(super) const SCHEMA: u32 = 1;

/// The networks that are always there.
pub const PREDEFINED: [&str; 3] = [BRIDGE_NETWORK, "host", "none"];

/// How a network is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Driver {
    /// A bridge of its own.
    Bridge,
    /// Devices of their own on one of the host's.
    Macvlan,
    /// The same with the hardware address of the host's.
    Ipvlan,
}

impl Driver {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Driver::Bridge => "bridge",
            Driver::Macvlan => "macvlan",
            Driver::Ipvlan => "ipvlan",
        }
    }
}

/// Addresses as asked for, each in the words of who asked; empty: nothing was said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AddressConfig {
    /// `10.9.0.0/24`.
    pub subnet: String,
    /// The part of it that containers get without asking.
    pub range: String,
    /// Its gateway.
    pub gateway: String,
    /// Addresses that are others', by name.
    pub auxiliary: BTreeMap<String, String>,
}

/// Addresses as they are given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Range {
    #[serde(with = "words")]
    pub(crate) subnet: Subnet,
    pub(crate) gateway: IpAddr,
    /// The part from which containers get theirs.
    #[serde(
        with = "words::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) range: Option<Subnet>,
    /// Those that are others'.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) reserved: Vec<IpAddr>,
    /// Who made the network has chosen it.
    #[serde(default)]
    pub(crate) chosen: bool,
}

/// What a network is made of on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shape {
    pub(crate) driver: Driver,
    /// The bridge's device, or the one of the host's that it is on.
    pub(crate) device: String,
    /// IPv4 first.
    pub(crate) ranges: Vec<Range>,
    /// Nothing leaves it, nothing comes in.
    #[serde(default)]
    pub(crate) internal: bool,
    /// Containers in it do not reach each other.
    #[serde(default)]
    pub(crate) isolated: bool,
    /// What leaves it has the host's address.
    #[serde(default)]
    pub(crate) masquerade: bool,
    /// Bytes of a packet.
    #[serde(default)]
    pub(crate) mtu: Option<u32>,
    /// How macvlan and ipvlan switch packets.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) mode: String,
    /// The host's address of its ports that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) publish_at: Option<IpAddr>,
    /// The device that it is on was made for it, and goes with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) made: bool,
}

/// Networks had IPv4 before it was written down.
fn yes() -> bool {
    true
}

/// `network.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(super) schema: u32,
    pub(crate) id: String,
    pub(crate) name: String,
    /// RFC 3339 with nanoseconds, UTC.
    pub(crate) created: String,
    #[serde(flatten)]
    pub(crate) shape: Shape,
    #[serde(default = "yes")]
    pub(crate) ipv4: bool,
    #[serde(default)]
    pub(crate) ipv6: bool,
    #[serde(default)]
    pub(crate) attachable: bool,
    /// What inspect tells of addresses.
    #[serde(default)]
    pub(crate) told: Vec<AddressConfig>,
    #[serde(default)]
    pub(crate) ipam_options: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) options: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    /// It is settings for others only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) config_only: bool,
    /// The network that it has its settings from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) config_from: String,
}

impl Record {
    /// The driver, as it is told.
    pub(crate) fn driver(&self) -> &'static str {
        match self.config_only {
            true => "null",
            false => self.shape.driver.word(),
        }
    }
}

impl Shape {
    /// By what containers are connected, where it is no bridge.
    ///
    /// # Errors
    /// [`Error::Invalid`]: there is no such way.
    pub(crate) fn over_device(&self) -> Result<Option<Attach<'_>>, Error> {
        let over = self.device.as_str();
        Ok(Some(match (self.driver, self.mode.as_str()) {
            (Driver::Bridge, _) => return Ok(None),
            (Driver::Macvlan, "" | "bridge") => Attach::Macvlan(over, Macvlan::Bridge),
            (Driver::Macvlan, "private") => Attach::Macvlan(over, Macvlan::Private),
            (Driver::Macvlan, "vepa") => Attach::Macvlan(over, Macvlan::Vepa),
            (Driver::Macvlan, "passthru") => Attach::Macvlan(over, Macvlan::Passthru),
            (Driver::Ipvlan, "" | "l2") => Attach::Ipvlan(over, Ipvlan::L2),
            (Driver::Ipvlan, "l3") => Attach::Ipvlan(over, Ipvlan::L3),
            (Driver::Ipvlan, "l3s") => Attach::Ipvlan(over, Ipvlan::L3s),
            (other, mode) => {
                let driver = other.word();
                return Err(invalid(format!(
                    "requested {driver} mode '{mode}' is not valid"
                )));
            }
        }))
    }

    /// Of the bridge network.
    pub(crate) fn of_bridge(device: &str, subnet: Subnet) -> Shape {
        let range = Range {
            subnet,
            gateway: subnet.gateway(),
            range: None,
            reserved: Vec::new(),
            chosen: false,
        };
        Shape {
            ranges: vec![range],
            ..Shape::bare(device)
        }
    }

    /// A bridge without addresses.
    pub(super) fn bare(device: &str) -> Shape {
        Shape {
            driver: Driver::Bridge,
            device: device.to_owned(),
            ranges: Vec::new(),
            internal: false,
            isolated: false,
            masquerade: true,
            mtu: None,
            mode: String::new(),
            publish_at: None,
            made: false,
        }
    }

    /// Whether packets between containers are routed, not switched.
    pub(crate) fn routes(&self) -> bool {
        self.driver == Driver::Ipvlan && self.mode.starts_with("l3")
    }

    /// In the words of berth-net, where it is a bridge.
    pub(crate) fn network(&self) -> Network {
        let ranges = self.ranges.iter().map(|range| berth_net::Range {
            subnet: range.subnet,
            gateway: range.gateway,
        });
        Network {
            internal: self.internal,
            icc: !self.isolated,
            masquerade: self.masquerade,
            mtu: self.mtu,
            ..Network::new(&self.device, &table_of(&self.device), ranges.collect())
        }
    }
}

impl Engine {
    /// The directory of a network.
    pub(super) fn network_dir(&self, id: &str) -> PathBuf {
        self.layout.networks().join(id)
    }

    /// The network of an id; `None`: there is none.
    pub(crate) fn network_record(&self, id: &str) -> Result<Option<Record>, Error> {
        if !is_id(id) {
            return Ok(None);
        }
        let path = self.network_dir(id).join("network.json");
        match json::read::<Record>(&path)? {
            Some(record) if record.schema > SCHEMA => Err(Error::Newer { path }),
            other => Ok(other),
        }
    }

    /// Ids of all networks but the predefined ones.
    pub(super) fn network_ids(&self) -> Result<Vec<String>, Error> {
        let dir = self.layout.networks();
        if !dir.is_dir() {
            return Ok(Vec::new());
        }
        let mut names = read_names(dir)?;
        names.retain(|name| is_id(name));
        Ok(names)
    }

    /// All networks but the predefined ones, by name. One that a newer version has made is left out.
    pub(crate) fn network_records(&self) -> Result<Vec<Record>, Error> {
        let mut all = Vec::new();
        for id in self.network_ids()? {
            match self.network_record(&id) {
                Ok(Some(record)) => all.push(record),
                Ok(None) | Err(Error::Newer { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Those of which something is on the host: all but configuration networks.
    pub(crate) fn made_networks(&self) -> Result<Vec<Record>, Error> {
        let mut all = self.network_records()?;
        all.retain(|record| !record.config_only);
        Ok(all)
    }

    /// The addresses of one of its subnets; `key`: its id, or `bridge`.
    pub(super) fn network_pool(&self, key: &str, range: &Range) -> Pool {
        let mut reserved = range.reserved.clone();
        reserved.push(range.gateway);
        let limits = Limits {
            range: range.range,
            reserved,
        };
        Pool::new(&self.layout.network_state(key), range.subnet, limits)
    }

    /// Held while subnets and names are chosen.
    pub(super) fn lock_networks(&self) -> Result<Lock, Error> {
        let dir = self.layout.networks();
        berth_fs::ensure_dir(&dir, 0o700).map_err(files("make the networks' directory"))?;
        Lock::dir(&dir, LockMode::Exclusive).map_err(files("lock the networks"))
    }

    /// Keeps a network from being removed, or, alone, others from giving places in it; `None`: it is gone.
    pub(super) fn hold_network(&self, id: &str, mode: LockMode) -> Result<Option<Lock>, Error> {
        let dir = self.network_dir(id);
        match Lock::dir(&dir, mode) {
            Ok(lock) => Ok(lock.still_at(&dir).then_some(lock)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(files("lock the network")(error)),
        }
    }
}

/// 64 digits.
pub(super) fn is_id(text: &str) -> bool {
    berth_model::ContainerId::parse(text).is_ok()
}
