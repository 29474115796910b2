//! What `inspect` tells of a container's network.

use std::collections::BTreeMap;
use std::path::PathBuf;

use berth_model::ContainerId;
use berth_model::config::{NetworkMode, Port};

use super::connection::Joined;
use super::{BRIDGE_NETWORK, HostPort, stable_id};
use crate::{Container, Engine, Error};

/// A container's network as Docker's `NetworkSettings` has it. What it has not is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkSettings {
    /// Of its network namespace: the same at each start.
    pub sandbox_id: String,
    /// A path by which its namespace can be joined, while it runs.
    pub sandbox_key: Option<PathBuf>,
    /// Each exposed port, with the ports of the host that lead to it; `None`: none do.
    pub ports: BTreeMap<Port, Option<Vec<HostPort>>>,
    /// By the network's name.
    pub networks: BTreeMap<String, EndpointSettings>,
    /// Its links: `/other:/own/alias`.
    pub links: Vec<String>,
}

impl NetworkSettings {
    fn publish(&mut self, ports: Vec<HostPort>) {
        for port in ports {
            let inside = Port {
                number: port.container_port,
                protocol: port.protocol,
            };
            let all = self.ports.entry(inside).or_default();
            all.get_or_insert_default().push(port);
        }
    }
}

/// A container's place in a network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointSettings {
    /// The network's id.
    pub network_id: String,
    /// Its own: the same at each start; empty: it does not run.
    pub endpoint_id: String,
    /// `172.17.0.1`.
    pub gateway: String,
    /// `172.17.0.2`.
    pub address: String,
    /// Bits of the subnet.
    pub prefix: u8,
    /// `fd00::1`.
    pub gateway6: String,
    /// `fd00::2`.
    pub address6: String,
    /// Bits of the subnet of IPv6.
    pub prefix6: u8,
    /// `02:42:ac:11:00:02`.
    pub mac: String,
    /// The names by which it is known there.
    pub names: Vec<String>,
}

impl Engine {
    /// What a container's network is now.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Io`].
    pub fn network_settings(&self, container: &Container) -> Result<NetworkSettings, Error> {
        let config = &container.config;
        let id = &config.id;
        let runs = container.status.is_alive();
        let key = container.pid.as_ref().filter(|_| runs);
        let mut settings = NetworkSettings {
            sandbox_id: stable_id("sandbox", id.as_str()),
            links: self.told_links(config, &container.name)?,
            sandbox_key: key.map(|pid| format!("/proc/{}/ns/net", pid.pid).into()),
            ..NetworkSettings::default()
        };
        let places = match &config.network {
            NetworkMode::Pasta => {
                let exposed = config.exposed_ports.iter().map(|port| (*port, None));
                settings.ports = exposed.collect();
                settings.publish(self.forwarded(id)?);
                let endpoint = EndpointSettings::default();
                settings.networks = [("pasta".to_owned(), endpoint)].into();
                return Ok(settings);
            }
            // It has no place of its own.
            NetworkMode::Container(_) => {
                settings.sandbox_id.clear();
                return Ok(settings);
            }
            mode @ (NetworkMode::None | NetworkMode::Host) => {
                let network_id = self.network_id(&mode.to_string())?;
                let endpoint = self.endpoint(id, network_id, runs);
                settings.networks = [(mode.to_string(), endpoint)].into();
                return Ok(settings);
            }
            mode => config.networking.endpoints(mode),
        };
        let connection = match runs {
            true => self.connection(id)?,
            false => None,
        };
        for asked in &places {
            let network_id = match asked.network.as_str() {
                BRIDGE_NETWORK => self.bridge()?.id,
                id => id.to_owned(),
            };
            let joined = connection
                .as_ref()
                .and_then(|all| all.place(&asked.network));
            let mut endpoint = self.endpoint(id, network_id, joined.is_some());
            if let Some(joined) = joined {
                tell(joined, &mut endpoint);
                if asked.network != BRIDGE_NETWORK {
                    endpoint.names = super::names::names(config, &container.name, Some(asked));
                }
            }
            settings.networks.insert(asked.name.clone(), endpoint);
        }
        if let Some(connection) = connection {
            let exposed = config.exposed_ports.iter().map(|port| (*port, None));
            settings.ports = exposed.collect();
            settings.publish(connection.ports);
        }
        Ok(settings)
    }

    fn endpoint(&self, id: &ContainerId, network_id: String, runs: bool) -> EndpointSettings {
        EndpointSettings {
            endpoint_id: match runs {
                true => stable_id("endpoint", &format!("{id} {network_id}")),
                false => String::new(),
            },
            network_id,
            ..EndpointSettings::default()
        }
    }
}

fn tell(place: &Joined, endpoint: &mut EndpointSettings) {
    endpoint.endpoint_id.clone_from(&place.endpoint_id);
    endpoint.mac.clone_from(&place.mac);
    let text = |ipv4: bool| {
        let (address, range) = (place.address(ipv4)?, place.range(ipv4)?);
        // Whoever is in an internal network has no way out by it.
        let gateway = (!place.network.internal).then(|| range.gateway.to_string());
        Some((
            address.to_string(),
            range.subnet.prefix(),
            gateway.unwrap_or_default(),
        ))
    };
    if let Some((address, prefix, gateway)) = text(true) {
        (endpoint.address, endpoint.prefix, endpoint.gateway) = (address, prefix, gateway);
    }
    if let Some((address, prefix, gateway)) = text(false) {
        (endpoint.address6, endpoint.prefix6, endpoint.gateway6) = (address, prefix, gateway);
    }
}
