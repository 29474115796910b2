//! The networks that there are, and who is in them.

use std::collections::BTreeMap;

use berth_model::ContainerId;
use berth_model::config::NetworkMode;

use super::BRIDGE_NETWORK;
use super::find::Found;
use super::record::{AddressConfig, PREDEFINED, Record};
use crate::{Engine, Error};

/// A network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkInfo {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// RFC 3339, UTC.
    pub created: String,
    /// `bridge`, `host`, `null`, `macvlan`, `ipvlan`.
    pub driver: &'static str,
    /// It is always there.
    pub predefined: bool,
    /// With IPv4.
    pub ipv4: bool,
    /// With IPv6.
    pub ipv6: bool,
    /// Nothing leaves it, nothing comes in.
    pub internal: bool,
    /// As asked for.
    pub attachable: bool,
    /// Subnets.
    pub addresses: Vec<AddressConfig>,
    /// Options of who chooses addresses.
    pub ipam_options: BTreeMap<String, String>,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// It is settings for others only.
    pub config_only: bool,
    /// The network that it has its settings from.
    pub config_from: String,
    /// Containers that run in it.
    pub containers: BTreeMap<ContainerId, Attached>,
}

/// A container in a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The container's name.
    pub name: String,
    /// Of its place.
    pub endpoint_id: String,
    /// Its hardware address.
    pub mac: String,
    /// `172.17.0.2/16`.
    pub address: String,
    /// `fd00::2/64`.
    pub address6: String,
}

impl Engine {
    /// All networks, by name. `attached`: with their containers, which takes a look at each.
    ///
    /// # Errors
    /// [`Error::Network`], [`Error::Damaged`].
    pub fn networks(&self, attached: bool) -> Result<Vec<NetworkInfo>, Error> {
        let mut all: Vec<NetworkInfo> = Vec::new();
        for name in PREDEFINED {
            if !(self.options.rootless && name == BRIDGE_NETWORK) {
                all.push(self.predefined_info(name)?);
            }
        }
        all.extend(self.network_records()?.into_iter().map(info));
        all.sort_by(|a, b| a.name.cmp(&b.name));
        if attached {
            self.attach_containers(&mut all)?;
        }
        Ok(all)
    }

    fn predefined_info(&self, name: &str) -> Result<NetworkInfo, Error> {
        let bridge = self.bridge()?;
        let mut info = NetworkInfo {
            name: name.to_owned(),
            id: self.network_id(name)?,
            created: bridge.created.clone(),
            driver: if name == "none" { "null" } else { "host" },
            predefined: true,
            ..NetworkInfo::default()
        };
        if name == BRIDGE_NETWORK {
            info.driver = "bridge";
            info.ipv4 = true;
            info.addresses = vec![AddressConfig {
                subnet: bridge.subnet.to_string(),
                gateway: bridge.subnet.gateway().to_string(),
                ..AddressConfig::default()
            }];
            let option =
                |name: &str, value: &str| (format!("com.docker.network.{name}"), value.to_owned());
            info.options = [
                option("bridge.default_bridge", "true"),
                option("bridge.enable_icc", "true"),
                option("bridge.enable_ip_masquerade", "true"),
                option("bridge.host_binding_ipv4", "0.0.0.0"),
                option("bridge.name", &bridge.name),
                option("driver.mtu", "1500"),
            ]
            .into();
        }
        Ok(info)
    }

    fn attach_containers(&self, all: &mut [NetworkInfo]) -> Result<(), Error> {
        for container in self.list()? {
            if !container.status.is_alive()
                || matches!(container.config.network, NetworkMode::Container(_))
            {
                continue;
            }
            let settings = self.network_settings(&container)?;
            for endpoint in settings.networks.into_values() {
                let own = |network: &&mut NetworkInfo| network.id == endpoint.network_id;
                let Some(network) = all.iter_mut().find(own) else {
                    continue;
                };
                let with = |address: &str, prefix: u8| match address {
                    "" => String::new(),
                    address => format!("{address}/{prefix}"),
                };
                let attached = Attached {
                    name: container.name.clone(),
                    endpoint_id: endpoint.endpoint_id,
                    mac: endpoint.mac,
                    address: with(&endpoint.address, endpoint.prefix),
                    address6: with(&endpoint.address6, endpoint.prefix6),
                };
                network
                    .containers
                    .insert(container.config.id.clone(), attached);
            }
        }
        Ok(())
    }

    /// A network by its name, its id, or the beginning of its id.
    ///
    /// # Errors
    /// [`Error::NoNetwork`], [`Error::AmbiguousNetwork`], and as [`Engine::networks`].
    pub fn network(&self, name: &str) -> Result<NetworkInfo, Error> {
        let mut all = vec![match self.find_network(name)? {
            Found::Predefined(name) => self.predefined_info(name)?,
            Found::Own(record) => info(*record),
        }];
        self.attach_containers(&mut all)?;
        Ok(all.remove(0))
    }

    /// The id of a predefined network.
    pub(crate) fn network_id(&self, name: &str) -> Result<String, Error> {
        Ok(match name {
            BRIDGE_NETWORK => self.bridge()?.id,
            // Without a bridge: where there are only such containers none is made for a list of them.
            other => super::stable_id(other, &self.layout.root().display().to_string()),
        })
    }
}

fn info(record: Record) -> NetworkInfo {
    let driver = record.driver();
    NetworkInfo {
        name: record.name,
        id: record.id,
        created: record.created,
        driver,
        predefined: false,
        ipv4: record.ipv4,
        ipv6: record.ipv6,
        internal: record.shape.internal,
        attachable: record.attachable,
        addresses: record.told,
        ipam_options: record.ipam_options,
        options: record.options,
        labels: record.labels,
        config_only: record.config_only,
        config_from: record.config_from,
        containers: BTreeMap::new(),
    }
}
