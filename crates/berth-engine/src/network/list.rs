//! The networks that there are, and who is in them.

use std::collections::BTreeMap;

use berth_model::ContainerId;
use berth_model::config::NetworkMode;

use super::BRIDGE_NETWORK;
use crate::{Engine, Error};

/// A network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkInfo {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// RFC 3339, UTC.
    pub created: String,
    /// `bridge`, `host`, `null`.
    pub driver: &'static str,
    /// Subnet and gateway.
    pub subnets: Vec<(String, String)>,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
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
}

impl Engine {
    /// All networks, by name. `attached`: with their containers, which takes a look at each.
    ///
    /// # Errors
    /// [`Error::Network`], [`Error::Damaged`].
    pub fn networks(&self, attached: bool) -> Result<Vec<NetworkInfo>, Error> {
        let bridge = self.bridge()?;
        let plain = |name: &str, driver| -> Result<NetworkInfo, Error> {
            Ok(NetworkInfo {
                name: name.to_owned(),
                id: self.network_id(name)?,
                created: bridge.created.clone(),
                driver,
                subnets: Vec::new(),
                options: BTreeMap::new(),
                containers: BTreeMap::new(),
            })
        };
        let mut all = vec![plain("host", "host")?, plain("none", "null")?];
        if !self.options.rootless {
            let option =
                |name: &str, value: &str| (format!("com.docker.network.{name}"), value.to_owned());
            all.insert(
                0,
                NetworkInfo {
                    subnets: vec![(
                        bridge.subnet.to_string(),
                        bridge.subnet.gateway().to_string(),
                    )],
                    options: [
                        option("bridge.default_bridge", "true"),
                        option("bridge.enable_icc", "true"),
                        option("bridge.enable_ip_masquerade", "true"),
                        option("bridge.host_binding_ipv4", "0.0.0.0"),
                        option("bridge.name", &bridge.name),
                        option("driver.mtu", "1500"),
                    ]
                    .into(),
                    ..plain(BRIDGE_NETWORK, "bridge")?
                },
            );
        }
        if attached {
            self.attach_containers(&mut all)?;
        }
        Ok(all)
    }

    fn attach_containers(&self, all: &mut [NetworkInfo]) -> Result<(), Error> {
        for container in self.list()? {
            if !container.status.is_alive()
                || matches!(container.config.network, NetworkMode::Container(_))
            {
                continue;
            }
            let settings = self.network_settings(&container)?;
            for (name, endpoint) in settings.networks {
                let Some(network) = all.iter_mut().find(|network| network.name == name) else {
                    continue;
                };
                let address = match endpoint.address.as_str() {
                    "" => String::new(),
                    address => format!("{address}/{}", endpoint.prefix),
                };
                let attached = Attached {
                    name: container.name.clone(),
                    endpoint_id: endpoint.endpoint_id,
                    mac: endpoint.mac,
                    address,
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
    /// [`Error::NoNetwork`], and as [`Engine::networks`].
    pub fn network(&self, name: &str) -> Result<NetworkInfo, Error> {
        let all = self.networks(true)?;
        let mut matching: Vec<NetworkInfo> = all
            .into_iter()
            .filter(|one| one.name == name || (!name.is_empty() && one.id.starts_with(name)))
            .collect();
        matching.sort_by_key(|one| one.name != name);
        match matching.len() {
            0 => Err(Error::NoNetwork {
                name: name.to_owned(),
            }),
            1 => Ok(matching.remove(0)),
            _ if matching[0].name == name => Ok(matching.remove(0)),
            _ => Err(Error::Ambiguous {
                name: name.to_owned(),
            }),
        }
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
