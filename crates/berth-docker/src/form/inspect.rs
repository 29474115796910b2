//! All that is known of a container, as `GET /containers/{id}/json` tells it.

use std::collections::BTreeMap;

use berth_engine::Container;
use berth_engine::layout::Layout;
use berth_engine::network::{BRIDGE_NETWORK, NetworkSettings as Network};
use berth_model::config::{EndpointConfig, NetworkMode};
use serde::Serialize;

use super::config::Config;
use super::endpoint::Endpoint;
use super::host::HostConfig;
use super::mount::MountPoint;
use super::null_if_empty;
use super::ports::PortMap;
use super::status::State;
use crate::Version;
use crate::version::COMMAND;

/// Docker's name of the storage driver.
pub(crate) const DRIVER: &str = "overlay2";

/// What is told beside what the engine's look gives.
#[derive(Debug, Default)]
pub struct Extra {
    /// Ids of the exec instances that run in it.
    pub execs: Vec<String>,
    /// Bytes that it has written, and of its image, if they were measured.
    pub sizes: Option<(u64, u64)>,
    /// Its network, where somebody looked.
    pub network: Network,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Document<'a> {
    id: &'a str,
    created: &'a str,
    path: &'a str,
    args: Vec<&'a str>,
    state: State<'a>,
    image: &'a str,
    resolv_conf_path: String,
    hostname_path: String,
    hosts_path: String,
    log_path: String,
    name: String,
    restart_count: u32,
    driver: &'static str,
    platform: &'static str,
    mount_label: &'static str,
    process_label: &'static str,
    app_armor_profile: &'a str,
    #[serde(rename = "ExecIDs")]
    exec_ids: Option<Vec<String>>,
    host_config: HostConfig,
    graph_driver: GraphDriver,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_rw: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_root_fs: Option<u64>,
    mounts: Vec<MountPoint<'a>>,
    config: Config,
    network_settings: NetworkSettings,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GraphDriver {
    data: BTreeMap<&'static str, String>,
    name: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    #[serde(rename = "SandboxID")]
    sandbox_id: String,
    sandbox_key: String,
    ports: PortMap,
    #[serde(flatten)]
    former: Option<Former>,
    networks: BTreeMap<String, Endpoint>,
}

/// What 1.52 left out: the default bridge's endpoint once more.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Former {
    bridge: &'static str,
    hairpin_mode: bool,
    #[serde(rename = "LinkLocalIPv6Address")]
    link_local_ipv6_address: &'static str,
    #[serde(rename = "LinkLocalIPv6PrefixLen")]
    link_local_ipv6_prefix_len: u8,
    #[serde(rename = "SecondaryIPAddresses")]
    secondary_ip_addresses: Option<()>,
    #[serde(rename = "SecondaryIPv6Addresses")]
    secondary_ipv6_addresses: Option<()>,
    #[serde(rename = "EndpointID")]
    endpoint_id: String,
    gateway: String,
    #[serde(rename = "GlobalIPv6Address")]
    global_ipv6_address: String,
    #[serde(rename = "GlobalIPv6PrefixLen")]
    global_ipv6_prefix_len: u8,
    #[serde(rename = "IPAddress")]
    ip_address: String,
    #[serde(rename = "IPPrefixLen")]
    ip_prefix_len: u8,
    #[serde(rename = "IPv6Gateway")]
    ipv6_gateway: String,
    mac_address: String,
}

/// All that is known of a container, as the command's `inspect` prints it: the last form that has all of Docker's fields.
pub fn inspect<'a>(
    container: &'a Container,
    layout: &Layout,
    extra: Extra,
) -> impl Serialize + use<'a> {
    Document::of(container, layout, extra, COMMAND)
}

/// The version from which the default bridge's endpoint is told once.
const ONCE: Version = Version(1, 52);

impl<'a> Document<'a> {
    pub(crate) fn of(
        container: &'a Container,
        layout: &Layout,
        extra: Extra,
        version: Version,
    ) -> Document<'a> {
        let config = &container.config;
        let process = &config.process;
        let mut words = process
            .entrypoint
            .iter()
            .chain(&process.command)
            .map(String::as_str);
        let task = layout.task(&config.id);
        let path = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
        Document {
            id: config.id.as_str(),
            created: &config.created,
            path: words.next().unwrap_or(""),
            args: words.collect(),
            state: State::of(container),
            image: &config.image.config,
            resolv_conf_path: path(task.join("resolv.conf")),
            hostname_path: path(task.join("hostname")),
            hosts_path: path(task.join("hosts")),
            log_path: match config.log.driver.as_str() {
                "none" => String::new(),
                _ => path(layout.log(&config.id)),
            },
            name: format!("/{}", container.name),
            restart_count: container.restarts.count,
            driver: DRIVER,
            platform: "linux",
            mount_label: "",
            process_label: "",
            app_armor_profile: config.security.apparmor.as_deref().unwrap_or(""),
            exec_ids: null_if_empty(extra.execs),
            host_config: HostConfig {
                links: null_if_empty(extra.network.links.clone()),
                ..HostConfig::of(config)
            },
            graph_driver: graph_driver(container, layout),
            size_rw: extra.sizes.map(|(own, _)| own),
            size_root_fs: extra.sizes.map(|(own, image)| own.saturating_add(image)),
            mounts: config
                .mounts
                .iter()
                .filter_map(|mount| MountPoint::of(mount, layout))
                .collect(),
            config: Config::of(config),
            network_settings: network_settings(container, &extra.network, version),
        }
    }
}

fn graph_driver(container: &Container, layout: &Layout) -> GraphDriver {
    let directory = layout.container(&container.config.id);
    let path = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
    let layers = container.config.image.chain.iter().rev();
    let lower: Vec<String> = layers
        .map(|chain| {
            path(
                layout
                    .snapshots()
                    .join(chain.trim_start_matches("sha256:"))
                    .join("fs"),
            )
        })
        .collect();
    GraphDriver {
        data: BTreeMap::from([
            ("LowerDir", lower.join(":")),
            ("UpperDir", path(directory.join("upper"))),
            ("WorkDir", path(directory.join("work"))),
        ]),
        name: DRIVER,
    }
}

fn network_settings(container: &Container, network: &Network, version: Version) -> NetworkSettings {
    let key = network.sandbox_key.as_ref();
    let bridge = network.networks.get(BRIDGE_NETWORK);
    let former = bridge.map_or_else(Former::default, |place| Former {
        endpoint_id: place.endpoint_id.clone(),
        gateway: place.gateway.clone(),
        ip_address: place.address.clone(),
        ip_prefix_len: place.prefix,
        ipv6_gateway: place.gateway6.clone(),
        global_ipv6_address: place.address6.clone(),
        global_ipv6_prefix_len: place.prefix6,
        mac_address: place.mac.clone(),
        ..Former::default()
    });
    NetworkSettings {
        sandbox_id: network.sandbox_id.clone(),
        sandbox_key: key.map_or_else(String::new, |key| key.to_string_lossy().into_owned()),
        ports: super::ports::published(&network.ports),
        former: (version < ONCE).then_some(former),
        networks: networks(container, network, version),
    }
}

/// The networks that it is connected to, by name. One that uses another's has none of its own.
pub(crate) fn networks(
    container: &Container,
    network: &Network,
    version: Version,
) -> BTreeMap<String, Endpoint> {
    let config = &container.config;
    let asked = match &config.network {
        NetworkMode::Container(_) => return BTreeMap::new(),
        mode @ (NetworkMode::None | NetworkMode::Host | NetworkMode::Pasta) => {
            vec![EndpointConfig {
                name: mode.to_string(),
                ..EndpointConfig::default()
            }]
        }
        mode => config.networking.endpoints(mode),
    };
    let told = asked.into_iter().map(|asked| {
        let place = network.networks.get(&asked.name);
        let endpoint = Endpoint::of(config, &asked, place, version);
        (asked.name, endpoint)
    });
    told.collect()
}
