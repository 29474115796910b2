//! Making a network of one's own. The rename at the end is the commit point; its bridge is made then, and whenever it is
//! missed.

use std::collections::BTreeMap;

use berth_fs::{Durability, failpoint};
use berth_model::event::{Event, Subject};
use berth_net::network::subnets_in_use;
use berth_net::{Kernel, Subnet};

use super::find::NAME_MAX;
use super::ipam::{self, Families, Taken};
use super::record::{AddressConfig, Driver, Record, SCHEMA, Shape, is_id};
use super::{Bridge, configuration, files as net_files, network, options, parent};
use crate::create::{invalid, random_id};
use crate::error::files;
use crate::layout::STAGED_PREFIX;
use crate::{Engine, Error, json};

/// A network to make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkRequest {
    /// Its name.
    pub name: String,
    /// Its driver; empty: `bridge`.
    pub driver: String,
    /// With IPv4.
    pub ipv4: bool,
    /// With IPv6.
    pub ipv6: bool,
    /// Nothing leaves it, nothing comes in.
    pub internal: bool,
    /// Told by inspect; it means nothing on one machine.
    pub attachable: bool,
    /// Who chooses addresses; empty: `default`.
    pub ipam_driver: String,
    /// Options of who chooses addresses.
    pub ipam_options: BTreeMap<String, String>,
    /// Subnets.
    pub addresses: Vec<AddressConfig>,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// It is to be settings for others only.
    pub config_only: bool,
    /// The network whose settings it is to have; empty: its own.
    pub config_from: String,
}

impl Engine {
    /// Makes a network; gives its id.
    ///
    /// # Errors
    /// [`Error::NetworkExists`], [`Error::NetworkDenied`] for a predefined one's name, [`Error::Invalid`],
    /// [`Error::Network`].
    pub fn create_network(&self, request: NetworkRequest) -> Result<String, Error> {
        check_name(&request.name)?;
        if self.options.rootless {
            return Err(Error::Invalid {
                message: "an ordinary user has no networks of his own".to_owned(),
                hint: Some(
                    "`--network none` or `--network host` work; or run berth as root".into(),
                ),
            });
        }
        if !matches!(request.ipam_driver.as_str(), "" | "default") {
            return Err(Error::NoNetworkPlugin {
                driver: request.ipam_driver,
            });
        }
        configuration::check(&request)?;
        // The bridge network chooses first.
        let bridge = self.bridge()?;
        let _at_work = self.at_work()?;
        let record = {
            let _lock = self.lock_networks()?;
            self.not_taken_network(&request.name)?;
            let others = self.network_records()?;
            let record = match request.config_only {
                true => configuration::record(request)?,
                false => {
                    let request = configuration::apply(request, &others)?;
                    self.plan_network(request, &bridge, &others)?
                }
            };
            self.commit_network(&record)?;
            record
        };
        failpoint!("engine.network.committed");
        if let Err(error) = self.make_network(&record) {
            // The first error is the one to report; what stays is a network without a bridge, that can be removed.
            let _ = self.drop_network(&record);
            return Err(error);
        }
        self.record_network_event(&record, "create");
        Ok(record.id)
    }

    /// What it will be, beside others. The lock of the networks is ours.
    fn plan_network(
        &self,
        request: NetworkRequest,
        bridge: &Bridge,
        others: &[Record],
    ) -> Result<Record, Error> {
        let driver = options::driver(&request.driver)?;
        let settings = options::settings(driver, &request.options)?;
        let mut ours: Vec<Subnet> = vec![bridge.subnet];
        let ranges = others.iter().flat_map(|other| &other.shape.ranges);
        ours.extend(ranges.map(|range| range.subnet));
        let hosts = hosts_subnets("choose a subnet for the network")?;
        let id = random_id()?.to_string();
        let taken = Taken {
            ours: &ours,
            hosts: &hosts,
        };
        let families = Families {
            ipv4: request.ipv4,
            ipv6: request.ipv6,
        };
        let (ranges, told) = ipam::ranges(&request.addresses, families, &id, &taken)?;
        let isolated = driver != Driver::Bridge && (request.internal || settings.device.is_none());
        let device = match settings.device {
            Some(device) if !isolated => device,
            _ if isolated => parent::nowhere(&id),
            _ => format!("br-{}", &id[..12]),
        };
        let made = driver != Driver::Bridge && self.is_parent_ours(&device, others)?;
        if driver == Driver::Bridge {
            not_taken_device(&id, &device, bridge, others)?;
        }
        let record = Record {
            schema: SCHEMA,
            id,
            name: request.name,
            created: crate::clock::now(),
            shape: Shape {
                driver,
                device,
                ranges,
                internal: request.internal || isolated,
                isolated: settings.isolated,
                masquerade: settings.masquerade,
                mtu: settings.mtu,
                mode: settings.mode,
                publish_at: settings.publish_at,
                made,
            },
            ipv4: request.ipv4,
            ipv6: request.ipv6,
            attachable: request.attachable,
            told,
            ipam_options: request.ipam_options,
            options: request.options,
            labels: request.labels,
            config_only: false,
            config_from: request.config_from,
        };
        record.shape.over_device()?;
        Ok(record)
    }

    /// The lock of the networks is ours.
    fn commit_network(&self, record: &Record) -> Result<(), Error> {
        let staged = (self.layout.networks()).join(format!("{STAGED_PREFIX}{}", record.id));
        berth_fs::ensure_dir(&staged, 0o700).map_err(files("make the network"))?;
        let path = staged.join("network.json");
        let made = json::write(&path, record, Durability::Durable)
            .and_then(|()| self.reserve_network_name(&record.name, &record.id))
            .and_then(|()| {
                let dir = self.network_dir(&record.id);
                berth_fs::rename_new(&staged, &dir, Durability::Durable)
                    .map_err(files("make the network"))
            });
        if made.is_err() {
            // The first error is the one to report; `fsck` clears what stays.
            let _ = self.free_network_name(&record.name, &record.id);
            let _ = self.trash.discard(&staged, Durability::Volatile);
        }
        made
    }

    /// On the host: so others see that its addresses are in use. It is made anew whenever it is missed.
    fn make_network(&self, record: &Record) -> Result<(), Error> {
        if record.config_only {
            return Ok(());
        }
        let kernel = Kernel::open().map_err(network("make the network"))?;
        if record.shape.driver != Driver::Bridge {
            return self.ensure_parent(&kernel, &record.shape);
        }
        self.ensure_state(&record.id)?;
        self.ensure_network(&kernel, &record.shape.network(), &record.id)
    }

    fn not_taken_network(&self, name: &str) -> Result<(), Error> {
        match self.named_network(name)? {
            Some(id) if self.network_dir(&id).is_dir() => Err(Error::NetworkExists {
                name: name.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Whoever makes networks holds the lock of all: a name whose network is not there is free.
    fn reserve_network_name(&self, name: &str, id: &str) -> Result<(), Error> {
        berth_fs::ensure_dir(&self.network_names(), 0o700)
            .map_err(files("make the networks' directory"))?;
        if let Some(old) = self.named_network(name)? {
            self.free_network_name(name, &old)?;
        }
        let path = self.network_name(name);
        std::os::unix::fs::symlink(id, &path).map_err(|source| Error::Io {
            action: "reserve the name",
            path,
            source,
        })
    }

    /// Writes down what happened to a network.
    pub(super) fn record_network_event(&self, record: &Record, action: &str) {
        let event = Event::new(Subject::Network, action, &record.id);
        self.record(
            event
                .with("name", &record.name)
                .with("type", record.driver()),
        );
    }
}

/// What is not ours to give: of addresses, routes and name servers.
pub(super) fn hosts_subnets(action: &'static str) -> Result<Vec<Subnet>, Error> {
    let fail = network(action);
    let kernel = Kernel::open().map_err(&fail)?;
    let mut taken = subnets_in_use(&kernel).map_err(&fail)?;
    let resolv = std::fs::read_to_string(net_files::RESOLV).unwrap_or_default();
    let servers = net_files::name_servers(&resolv);
    taken.extend(
        servers.filter_map(|server| Subnet::of(server, if server.is_ipv4() { 32 } else { 128 })),
    );
    Ok(taken)
}

/// Each bridge has a device of its own.
fn not_taken_device(
    id: &str,
    device: &str,
    bridge: &Bridge,
    others: &[Record],
) -> Result<(), Error> {
    let others = others.iter().map(|other| (&other.shape.device, &other.id));
    let mut all = std::iter::once((&bridge.name, &bridge.id)).chain(others);
    match all.find(|(name, _)| *name == device) {
        None => Ok(()),
        Some((name, of)) => Err(invalid(format!(
            "cannot create network {id} ({device}): conflicts with network {of} ({name}): networks have same bridge name"
        ))),
    }
}

/// In Docker's words, which tools look for.
fn check_name(name: &str) -> Result<(), Error> {
    if matches!(name, "bridge" | "host" | "none" | "default") {
        return Err(Error::NetworkDenied {
            message: format!("operation is not permitted on predefined {name} network "),
        });
    }
    let odd = |c: char| c.is_control();
    if name.trim().is_empty() || name.trim() != name || name.contains(odd) {
        return Err(invalid(format!("invalid name: {name}")));
    }
    if name.len() > NAME_MAX || name.contains(':') {
        return Err(Error::Invalid {
            message: format!("invalid name: {name}"),
            hint: Some(format!("a name has at most {NAME_MAX} bytes, and no colon")),
        });
    }
    // It would hide the network that has this id.
    match is_id(name) {
        true => Err(invalid(format!(
            "invalid name: {name} is the form of an id"
        ))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_networks() {
        for good in ["lan", "test 01", "a/b", "..", "é", "n"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let id = "ab".repeat(32);
        let long = "x".repeat(NAME_MAX + 1);
        for bad in [
            "",
            " ",
            " a",
            "a\n",
            "container:x",
            "host",
            "default",
            &id,
            &long,
        ] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
