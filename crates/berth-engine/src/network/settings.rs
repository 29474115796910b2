//! What `inspect` tells of a container's network.

use std::collections::BTreeMap;
use std::path::PathBuf;

use berth_model::config::{NetworkMode, Port};

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
        let name = match &config.network {
            NetworkMode::None => "none",
            NetworkMode::Host => "host",
            NetworkMode::Bridge | NetworkMode::Named(_) => BRIDGE_NETWORK,
            // It has no place of its own.
            NetworkMode::Container(_) => {
                settings.sandbox_id.clear();
                return Ok(settings);
            }
        };
        let mut endpoint = EndpointSettings {
            network_id: self.network_id(name)?,
            ..EndpointSettings::default()
        };
        let connection = match runs && config.network == NetworkMode::Bridge {
            true => self.connection(id)?,
            false => None,
        };
        if runs {
            endpoint.endpoint_id = stable_id("endpoint", &format!("{id} {}", endpoint.network_id));
        }
        if let Some(connection) = connection {
            let exposed = config.exposed_ports.iter().map(|port| (*port, None));
            settings.ports = exposed.collect();
            endpoint.endpoint_id = connection.endpoint_id;
            endpoint.gateway = connection.subnet.gateway().to_string();
            endpoint.address = connection.address.to_string();
            endpoint.prefix = connection.subnet.prefix();
            endpoint.mac = connection.mac;
            for port in connection.ports {
                let inside = Port {
                    number: port.container_port,
                    protocol: port.protocol,
                };
                settings
                    .ports
                    .entry(inside)
                    .or_default()
                    .get_or_insert_default()
                    .push(port);
            }
        }
        settings.networks = [(name.to_owned(), endpoint)].into();
        Ok(settings)
    }
}
