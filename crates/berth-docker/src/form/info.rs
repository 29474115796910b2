//! What the engine works with, as `GET /info` tells it.

use std::collections::BTreeMap;

use berth_engine::info::Info;
use berth_engine::{Engine, Options};
use serde::Serialize;

use super::host::RUNTIME;
use super::inspect::DRIVER;
use crate::version::COMMAND;
use crate::{Settings, Version};

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Document<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    containers: usize,
    containers_running: usize,
    containers_paused: usize,
    containers_stopped: usize,
    images: usize,
    driver: &'static str,
    driver_status: Vec<[&'static str; 2]>,
    plugins: Plugins,
    memory_limit: bool,
    swap_limit: bool,
    cpu_cfs_period: bool,
    cpu_cfs_quota: bool,
    #[serde(rename = "CPUShares")]
    cpu_shares: bool,
    #[serde(rename = "CPUSet")]
    cpu_set: bool,
    pids_limit: bool,
    #[serde(rename = "IPv4Forwarding")]
    ipv4_forwarding: bool,
    debug: bool,
    n_fd: usize,
    oom_kill_disable: bool,
    n_goroutines: usize,
    system_time: String,
    logging_driver: &'a str,
    cgroup_driver: &'static str,
    cgroup_version: String,
    n_events_listener: usize,
    kernel_version: &'a str,
    operating_system: &'a str,
    #[serde(rename = "OSVersion")]
    os_version: &'a str,
    #[serde(rename = "OSType")]
    os_type: &'static str,
    architecture: &'a str,
    index_server_address: &'static str,
    registry_config: Registries,
    #[serde(rename = "NCPU")]
    n_cpu: usize,
    mem_total: u64,
    generic_resources: Option<()>,
    docker_root_dir: String,
    http_proxy: &'static str,
    https_proxy: &'static str,
    no_proxy: &'static str,
    name: &'a str,
    labels: &'a [String],
    experimental_build: bool,
    server_version: &'static str,
    runtimes: BTreeMap<&'static str, Runtime>,
    default_runtime: &'static str,
    swarm: Swarm,
    live_restore_enabled: bool,
    isolation: &'static str,
    init_binary: &'static str,
    containerd_commit: Commit,
    runc_commit: Commit,
    init_commit: Commit,
    security_options: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "CDISpecDirs")]
    cdi_spec_dirs: Option<[&'static str; 0]>,
    warnings: Option<Vec<&'static str>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Plugins {
    volume: [&'static str; 1],
    network: [&'static str; 3],
    authorization: Option<()>,
    log: &'static [&'static str],
}

#[derive(Debug, Serialize)]
struct Registries {
    #[serde(rename = "InsecureRegistryCIDRs")]
    insecure: [&'static str; 2],
    #[serde(rename = "IndexConfigs")]
    indexes: BTreeMap<&'static str, Registry>,
    #[serde(rename = "Mirrors")]
    mirrors: [&'static str; 0],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Registry {
    name: &'static str,
    mirrors: [&'static str; 0],
    secure: bool,
    official: bool,
}

#[derive(Debug, Serialize)]
struct Runtime {
    path: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Swarm {
    #[serde(rename = "NodeID")]
    node_id: &'static str,
    node_addr: &'static str,
    local_node_state: &'static str,
    control_available: bool,
    error: &'static str,
    remote_managers: Option<()>,
}

/// Of programs that are not used here.
#[derive(Debug, Default, Serialize)]
struct Commit {
    #[serde(rename = "ID")]
    id: &'static str,
    /// Before 1.49.
    #[serde(rename = "Expected", skip_serializing_if = "Option::is_none")]
    expected: Option<&'static str>,
}

/// What the engine works with, as the command's `info` prints it.
pub fn info<'a>(info: &'a Info, engine: &Engine) -> impl Serialize + use<'a> {
    Document::of(info, engine, COMMAND)
}

impl<'a> Document<'a> {
    pub(crate) fn of(info: &'a Info, engine: &Engine, version: Version) -> Document<'a> {
        let options = engine.options();
        let has = |controller: &str| info.cgroups.controllers.contains(controller);
        let commit = || Commit {
            id: "",
            expected: (version < Version(1, 49)).then_some(""),
        };
        Document {
            id: &info.id,
            containers: info.containers,
            containers_running: info.running,
            containers_paused: info.paused,
            containers_stopped: info.containers - info.running - info.paused,
            images: info.images,
            driver: DRIVER,
            driver_status: driver_status(info, options),
            plugins: Plugins {
                volume: ["local"],
                network: ["bridge", "host", "null"],
                authorization: None,
                log: &berth_model::config::LOG_DRIVERS,
            },
            memory_limit: has("memory"),
            swap_limit: info.cgroups.swap,
            cpu_cfs_period: has("cpu"),
            cpu_cfs_quota: has("cpu"),
            cpu_shares: has("cpu"),
            cpu_set: has("cpuset"),
            pids_limit: has("pids"),
            ipv4_forwarding: info.forwards,
            debug: false,
            n_fd: 0,
            oom_kill_disable: info.cgroups.version == 1,
            n_goroutines: 0,
            system_time: format!("{:.9}", jiff::Timestamp::now()),
            logging_driver: "json-file",
            cgroup_driver: "cgroupfs",
            cgroup_version: info.cgroups.version.to_string(),
            n_events_listener: 0,
            kernel_version: &info.kernel,
            operating_system: &info.system,
            os_version: &info.system_version,
            os_type: "linux",
            architecture: &info.machine,
            index_server_address: "https://index.docker.io/v1/",
            registry_config: registries(),
            n_cpu: info.cpus,
            mem_total: info.memory_bytes,
            generic_resources: None,
            docker_root_dir: engine.layout().root().to_string_lossy().into_owned(),
            http_proxy: "",
            https_proxy: "",
            no_proxy: "",
            name: &info.name,
            labels: &[],
            experimental_build: false,
            server_version: env!("CARGO_PKG_VERSION"),
            runtimes: BTreeMap::from([(
                RUNTIME,
                Runtime {
                    path: options.runtime.to_string_lossy().into_owned(),
                },
            )]),
            default_runtime: RUNTIME,
            swarm: Swarm {
                node_id: "",
                node_addr: "",
                local_node_state: "inactive",
                control_available: false,
                error: "",
                remote_managers: None,
            },
            // Containers never depend on the daemon.
            live_restore_enabled: true,
            isolation: "",
            init_binary: RUNTIME,
            containerd_commit: commit(),
            runc_commit: commit(),
            init_commit: commit(),
            security_options: security_options(options),
            cdi_spec_dirs: (version >= Version(1, 44)).then_some([]),
            warnings: None,
        }
    }
}

impl<'a> Document<'a> {
    /// With what the daemon was told.
    pub(crate) fn with(mut self, settings: &'a Settings) -> Document<'a> {
        self.labels = &settings.labels;
        if let Some(log) = &settings.log {
            self.logging_driver = &log.driver;
        }
        self
    }
}

fn driver_status(info: &Info, options: &Options) -> Vec<[&'static str; 2]> {
    vec![
        ["Backing Filesystem", info.backing],
        ["Supports d_type", "true"],
        ["Native Overlay Diff", "true"],
        ["userxattr", if options.rootless { "true" } else { "false" }],
    ]
}

fn registries() -> Registries {
    let hub = Registry {
        name: "docker.io",
        mirrors: [],
        secure: true,
        official: true,
    };
    Registries {
        insecure: ["127.0.0.0/8", "::1/128"],
        indexes: BTreeMap::from([("docker.io", hub)]),
        mirrors: [],
    }
}

fn security_options(options: &Options) -> Vec<&'static str> {
    let mut all = vec!["name=seccomp,profile=builtin", "name=cgroupns"];
    all.extend(options.rootless.then_some("name=rootless"));
    all
}
