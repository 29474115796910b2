//! Services of the typed project: how each of their containers is.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::de::{bytes, mode, time};
use super::deploy::{Deploy, DeviceRequest};

/// Names and their values.
type Texts = BTreeMap<String, String>;

/// A command: `None` is the image's, empty is none at all.
pub type Command = Option<Vec<String>>;

/// A service: how each of its containers is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    /// What its containers were made of, as a hash: with another one they have to be made anew.
    #[serde(skip)]
    pub hash: String,
    pub profiles: Vec<String>,
    pub annotations: Texts,
    pub attach: Option<bool>,
    pub build: Option<Build>,
    pub develop: Option<Develop>,
    pub blkio_config: Option<Blkio>,
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    pub cgroup_parent: Option<String>,
    /// `host` or `private`.
    pub cgroup: Option<String>,
    pub cpu_count: Option<i64>,
    pub cpu_percent: Option<i64>,
    /// Microseconds.
    pub cpu_period: Option<i64>,
    /// Microseconds.
    pub cpu_quota: Option<i64>,
    /// Microseconds.
    pub cpu_rt_period: Option<i64>,
    /// Microseconds.
    pub cpu_rt_runtime: Option<i64>,
    pub cpus: Option<f64>,
    pub cpuset: Option<String>,
    pub cpu_shares: Option<i64>,
    pub command: Command,
    pub configs: Vec<FileReference>,
    pub container_name: Option<String>,
    pub credential_spec: Option<CredentialSpec>,
    /// By service; those that are implied by links and shared namespaces, too.
    pub depends_on: BTreeMap<String, Dependency>,
    pub deploy: Option<Deploy>,
    pub device_cgroup_rules: Vec<String>,
    pub devices: Vec<Device>,
    pub dns: Vec<String>,
    pub dns_opt: Vec<String>,
    pub dns_search: Vec<String>,
    pub domainname: Option<String>,
    pub entrypoint: Command,
    pub provider: Option<Provider>,
    /// `None`: asked for from outside, where it is not.
    pub environment: BTreeMap<String, Option<String>>,
    pub expose: Vec<String>,
    pub external_links: Vec<String>,
    /// `name=address`.
    pub extra_hosts: Vec<String>,
    pub group_add: Vec<String>,
    pub gpus: Vec<DeviceRequest>,
    pub hostname: Option<String>,
    pub healthcheck: Option<HealthCheck>,
    pub image: Option<String>,
    pub init: Option<bool>,
    pub ipc: Option<String>,
    pub isolation: Option<String>,
    pub labels: Texts,
    /// `service` or `service:alias`.
    pub links: Vec<String>,
    pub logging: Option<Logging>,
    /// Bytes.
    #[serde(deserialize_with = "bytes")]
    pub mem_limit: Option<i64>,
    /// Bytes.
    #[serde(deserialize_with = "bytes")]
    pub mem_reservation: Option<i64>,
    /// Bytes; -1: no limit.
    #[serde(deserialize_with = "bytes")]
    pub memswap_limit: Option<i64>,
    pub mem_swappiness: Option<i64>,
    pub mac_address: Option<String>,
    pub models: BTreeMap<String, ModelBinding>,
    pub network_mode: Option<String>,
    /// By the network's name in the file.
    pub networks: BTreeMap<String, Option<Attachment>>,
    pub oom_kill_disable: bool,
    pub oom_score_adj: Option<i64>,
    pub pid: Option<String>,
    pub pids_limit: Option<i64>,
    pub platform: Option<String>,
    pub ports: Vec<Port>,
    pub privileged: bool,
    pub pull_policy: Option<String>,
    pub pull_refresh_after: Option<String>,
    pub read_only: bool,
    pub restart: Option<String>,
    pub runtime: Option<String>,
    pub scale: Option<u32>,
    pub secrets: Vec<FileReference>,
    pub security_opt: Vec<String>,
    /// Bytes.
    #[serde(deserialize_with = "bytes")]
    pub shm_size: Option<i64>,
    pub stdin_open: bool,
    #[serde(deserialize_with = "time")]
    pub stop_grace_period: Option<Duration>,
    pub stop_signal: Option<String>,
    pub storage_opt: BTreeMap<String, serde_json::Value>,
    pub sysctls: Texts,
    /// `target` or `target:options`.
    pub tmpfs: Vec<String>,
    pub tty: bool,
    pub ulimits: BTreeMap<String, Ulimit>,
    pub use_api_socket: bool,
    pub user: Option<String>,
    pub userns_mode: Option<String>,
    pub uts: Option<String>,
    pub volumes: Vec<Mount>,
    pub volumes_from: Vec<String>,
    pub working_dir: Option<String>,
    pub post_start: Vec<Hook>,
    pub pre_stop: Vec<Hook>,
}

impl Service {
    /// How many containers it has.
    pub fn replicas(&self) -> u32 {
        let deployed = self.deploy.as_ref().and_then(|deploy| deploy.replicas);
        self.scale.or(deployed).unwrap_or(1)
    }

    /// The image of its containers; one that is built here is named after the project and the service.
    pub fn image_name(&self, project: &str, service: &str) -> String {
        match &self.image {
            Some(image) => image.clone(),
            None => built_image(project, service),
        }
    }
}

/// The image of a service that is built here and names none.
pub(crate) fn built_image(project: &str, service: &str) -> String {
    format!("{project}-{service}")
}

/// How its image is built.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Build {
    /// An absolute directory or a URL.
    pub context: Option<String>,
    pub dockerfile: Option<String>,
    pub dockerfile_inline: Option<String>,
    pub entitlements: Vec<String>,
    pub args: Texts,
    pub provenance: Option<String>,
    pub sbom: Option<String>,
    pub ssh: Texts,
    pub labels: Texts,
    pub cache_from: Vec<String>,
    pub cache_to: Vec<String>,
    pub no_cache: bool,
    pub additional_contexts: Texts,
    pub pull: bool,
    pub extra_hosts: Vec<String>,
    pub isolation: Option<String>,
    pub network: Option<String>,
    pub target: Option<String>,
    pub secrets: Vec<FileReference>,
    /// Bytes.
    #[serde(deserialize_with = "bytes")]
    pub shm_size: Option<i64>,
    pub tags: Vec<String>,
    pub ulimits: BTreeMap<String, Ulimit>,
    pub platforms: Vec<String>,
    pub privileged: bool,
}

/// How it follows its sources.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Develop {
    pub watch: Vec<Watch>,
}

/// What is done when files change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// Absolute.
    pub path: String,
    pub action: WatchAction,
    #[serde(default)]
    pub target: Option<String>,
    #[serde(default)]
    pub exec: Option<Hook>,
    #[serde(default)]
    pub include: Vec<String>,
    #[serde(default)]
    pub ignore: Vec<String>,
    #[serde(default)]
    pub initial_sync: bool,
}

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WatchAction {
    #[serde(rename = "rebuild")]
    Rebuild,
    #[serde(rename = "sync")]
    Sync,
    #[serde(rename = "restart")]
    Restart,
    #[serde(rename = "sync+restart")]
    SyncRestart,
    #[serde(rename = "sync+exec")]
    SyncExec,
}

/// Limits of block devices.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Blkio {
    pub weight: Option<u16>,
    pub weight_device: Vec<Weight>,
    pub device_read_bps: Vec<Rate>,
    pub device_read_iops: Vec<Rate>,
    pub device_write_bps: Vec<Rate>,
    pub device_write_iops: Vec<Rate>,
}

/// A device's weight.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Weight {
    pub path: String,
    pub weight: Option<i64>,
}

/// A device's limit, in bytes or operations a second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rate {
    pub path: String,
    #[serde(deserialize_with = "bytes")]
    pub rate: Option<i64>,
}

/// A secret or config in a container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileReference {
    /// Its name in the file.
    pub source: String,
    /// For a secret an absolute path; for a config `None` is `/` and its name.
    pub target: Option<String>,
    pub uid: Option<String>,
    pub gid: Option<String>,
    #[serde(deserialize_with = "mode")]
    pub mode: Option<u32>,
}

/// Credentials of Windows containers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CredentialSpec {
    pub config: Option<String>,
    pub file: Option<String>,
    pub registry: Option<String>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    pub condition: Condition,
    /// Restart with the other one.
    #[serde(default)]
    pub restart: bool,
    /// Fail if the other one is not there.
    #[serde(default)]
    pub required: bool,
}

/// When what is waited for is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    #[serde(rename = "service_started")]
    Started,
    #[serde(rename = "service_healthy")]
    Healthy,
    #[serde(rename = "service_completed_successfully")]
    Completed,
}

/// A device of the host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    pub source: String,
    pub target: String,
    pub permissions: String,
}

/// Who makes the service, if it is no container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Provider {
    #[serde(rename = "type")]
    pub kind: String,
    pub options: BTreeMap<String, Vec<String>>,
}

/// How it is known to be well.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthCheck {
    /// `CMD`, `CMD-SHELL` or `NONE`, and what is run.
    pub test: Vec<String>,
    #[serde(deserialize_with = "time")]
    pub timeout: Option<Duration>,
    #[serde(deserialize_with = "time")]
    pub interval: Option<Duration>,
    pub retries: Option<u32>,
    #[serde(deserialize_with = "time")]
    pub start_period: Option<Duration>,
    #[serde(deserialize_with = "time")]
    pub start_interval: Option<Duration>,
    pub disable: bool,
}

/// Where its output goes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logging {
    pub driver: Option<String>,
    pub options: BTreeMap<String, Option<String>>,
}

/// Variables that tell of a language model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelBinding {
    pub endpoint_var: Option<String>,
    pub model_var: Option<String>,
}

/// A container's place in a network.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attachment {
    pub aliases: Vec<String>,
    pub driver_opts: Texts,
    pub gw_priority: i32,
    pub interface_name: Option<String>,
    pub ipv4_address: Option<String>,
    pub ipv6_address: Option<String>,
    pub link_local_ips: Vec<String>,
    pub mac_address: Option<String>,
    pub priority: i32,
}

/// A port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Port {
    pub name: Option<String>,
    pub mode: String,
    pub host_ip: Option<String>,
    /// In the container.
    pub target: u16,
    /// On the host: a number, or a range to choose from; `None`: any.
    pub published: Option<String>,
    pub protocol: String,
    pub app_protocol: Option<String>,
}

/// A limit, the same for both or one each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RawUlimit")]
pub struct Ulimit {
    pub soft: i64,
    pub hard: i64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawUlimit {
    Both(i64),
    Each { soft: i64, hard: i64 },
}

impl From<RawUlimit> for Ulimit {
    fn from(raw: RawUlimit) -> Self {
        match raw {
            RawUlimit::Both(limit) => Ulimit {
                soft: limit,
                hard: limit,
            },
            RawUlimit::Each { soft, hard } => Ulimit { soft, hard },
        }
    }
}

/// A mount.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mount {
    #[serde(rename = "type")]
    pub kind: MountKind,
    /// Of a bind mount an absolute path, of a volume its name in the file; `None`: an anonymous volume.
    #[serde(default)]
    pub source: Option<String>,
    pub target: String,
    #[serde(default)]
    pub read_only: bool,
    #[serde(default)]
    pub consistency: Option<String>,
    #[serde(default)]
    pub bind: Option<MountBind>,
    #[serde(default)]
    pub volume: Option<MountVolume>,
    #[serde(default)]
    pub tmpfs: Option<MountTmpfs>,
    #[serde(default)]
    pub image: Option<MountImage>,
}

/// What is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    Bind,
    Volume,
    Tmpfs,
    Cluster,
    Npipe,
    Image,
}

/// Of a bind mount.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountBind {
    pub selinux: Option<String>,
    pub propagation: Option<String>,
    /// `None` is true.
    pub create_host_path: Option<bool>,
    pub recursive: Option<String>,
}

/// Of a volume.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountVolume {
    pub labels: Texts,
    pub nocopy: bool,
    pub subpath: Option<String>,
}

/// Of a tmpfs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountTmpfs {
    /// Bytes.
    #[serde(deserialize_with = "bytes")]
    pub size: Option<i64>,
    #[serde(deserialize_with = "mode")]
    pub mode: Option<u32>,
}

/// Of an image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountImage {
    pub subpath: Option<String>,
}

/// A command at a turn of a container's life.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hook {
    pub command: Command,
    pub user: Option<String>,
    pub privileged: bool,
    pub working_dir: Option<String>,
    pub environment: BTreeMap<String, Option<String>>,
}
