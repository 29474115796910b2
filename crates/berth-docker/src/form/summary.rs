//! A row of the list of containers.

use std::collections::BTreeMap;

use berth_engine::Container;
use berth_engine::layout::Layout;
use berth_engine::network::NetworkSettings as Network;
use berth_model::config::ProcessConfig;
use jiff::Timestamp;
use serde::Serialize;

use super::endpoint::Endpoint;
use super::inspect::networks;
use super::mount::MountPoint;
use super::status;
use crate::Version;
use crate::select::containers::condition;

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Summary<'a> {
    id: &'a str,
    names: [String; 1],
    image: &'a str,
    #[serde(rename = "ImageID")]
    image_id: &'a str,
    command: String,
    created: i64,
    ports: Vec<Port>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_rw: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_root_fs: Option<u64>,
    labels: &'a BTreeMap<String, String>,
    state: &'static str,
    status: String,
    host_config: HostConfig<'a>,
    network_settings: NetworkSettings,
    mounts: Vec<MountPoint<'a>>,
    /// From 1.52 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<Health>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Health {
    status: &'static str,
    failing_streak: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct HostConfig<'a> {
    network_mode: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    networks: BTreeMap<String, Endpoint>,
}

/// A port that it serves, and where on the host.
#[derive(Debug, Serialize)]
pub(crate) struct Port {
    #[serde(rename = "IP", skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    #[serde(rename = "PrivatePort")]
    private: u16,
    #[serde(rename = "PublicPort", skip_serializing_if = "Option::is_none")]
    public: Option<u16>,
    #[serde(rename = "Type")]
    protocol: &'static str,
}

impl<'a> Summary<'a> {
    /// `sizes`: bytes that it has written, and of its image, if they were measured.
    pub(crate) fn of(
        container: &'a Container,
        layout: &Layout,
        now: Timestamp,
        version: Version,
        sizes: Option<(u64, u64)>,
        network: &Network,
    ) -> Summary<'a> {
        let config = &container.config;
        let created = config.created.parse::<Timestamp>();
        Summary {
            id: config.id.as_str(),
            names: [format!("/{}", container.name)],
            image: &config.image.reference,
            image_id: &config.image.config,
            command: command_line(&config.process),
            created: created.map_or(0, |time| time.as_second()),
            ports: ports(network),
            size_rw: sizes.map(|(own, _)| own),
            size_root_fs: sizes.map(|(own, image)| own.saturating_add(image)),
            labels: &config.labels,
            state: container.status.word(),
            status: status::text(container, now),
            host_config: HostConfig {
                network_mode: config.network.to_string(),
                annotations: &config.annotations,
            },
            network_settings: NetworkSettings {
                networks: networks(container, network, version),
            },
            mounts: config
                .mounts
                .iter()
                .filter_map(|mount| MountPoint::of(mount, layout))
                .collect(),
            health: (version >= Version(1, 52)).then(|| Health {
                status: condition(container),
                failing_streak: container
                    .health
                    .as_ref()
                    .map_or(0, |health| health.failing_streak),
            }),
        }
    }
}

/// A process's words in one line, as lists show them; arguments with a space are quoted.
pub fn command_line(process: &ProcessConfig) -> String {
    let mut words = process.entrypoint.iter().chain(&process.command);
    let mut line = words.next().cloned().unwrap_or_default();
    for word in words {
        line.push(' ');
        match word.contains(' ') {
            true => line.push_str(&format!("'{word}'")),
            false => line.push_str(word),
        }
    }
    line
}

/// Of one that runs: what it exposes, and where on the host that is.
fn ports(network: &Network) -> Vec<Port> {
    let mut all = Vec::new();
    for (port, bindings) in &network.ports {
        let row = |ip, public| Port {
            ip,
            private: port.number,
            public,
            protocol: port.protocol.word(),
        };
        match bindings {
            None => all.push(row(None, None)),
            Some(bindings) => all.extend(
                bindings
                    .iter()
                    .map(|one| row(Some(one.host_ip.to_string()), Some(one.host_port))),
            ),
        }
    }
    all
}
