//! What a container was asked to be: `containers/<id>/config.json`, immutable once committed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ContainerId;

/// The version of the file's form.
pub const SCHEMA: u32 = 1;

/// A container as asked for, with the image's defaults already merged in. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerConfig {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The container's id.
    pub id: ContainerId,
    /// Its name at creation; `names/` has the current one.
    pub name: String,
    /// RFC 3339 with nanoseconds, UTC.
    pub created: String,
    /// The image, resolved.
    pub image: ImageUsed,
    /// What runs in it.
    pub process: ProcessConfig,
    /// Host name inside; empty: the short id.
    pub hostname: String,
    /// Labels: the image's, overridden by those asked for.
    pub labels: BTreeMap<String, String>,
    /// Bind mounts, volumes and tmpfs, by destination.
    pub mounts: Vec<MountConfig>,
    /// `none`, `host`.
    pub network: NetworkMode,
    /// Limits.
    pub resources: ResourceConfig,
    /// Privileges.
    pub security: SecurityConfig,
    /// The root file system is read-only.
    pub read_only: bool,
    /// Remove it when it ends.
    pub auto_remove: bool,
    /// A small init of ours is pid 1.
    pub init: bool,
    /// Signal that `stop` sends, as a number.
    pub stop_signal: i32,
    /// How long `stop` waits before it kills, in seconds.
    pub stop_timeout_s: u32,
    /// Log rotation.
    pub log: LogConfig,
    /// Which option, image field or default caused each setting, by setting
    /// (`memory` → `--memory 64m`, `seccomp` → `default`): what `explain` shows.
    pub causes: BTreeMap<String, String>,
}

/// The image that a container was made from. These digests are roots for garbage collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageUsed {
    /// As the user wrote it.
    pub reference: String,
    /// Digest of the manifest.
    pub manifest: String,
    /// Digest of the configuration: Docker's image id.
    pub config: String,
    /// Chain ids of the layers, lowest first.
    pub chain: Vec<String>,
}

/// The program and its surroundings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessConfig {
    /// Entrypoint; precedes `command`.
    pub entrypoint: Vec<String>,
    /// Command or arguments.
    pub command: Vec<String>,
    /// `NAME=value`, complete.
    pub env: Vec<String>,
    /// Working directory.
    pub working_dir: String,
    /// `user[:group]`, by name or number; empty: root.
    pub user: String,
    /// A terminal (`-t`).
    pub tty: bool,
    /// Standard input stays open (`-i`).
    pub stdin: bool,
    /// Close standard input when the first attached client goes.
    pub stdin_once: bool,
}

/// One mount beside the root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MountConfig {
    /// What sort.
    pub kind: MountKind,
    /// Host path (bind), name (volume), nothing (tmpfs).
    pub source: String,
    /// Where, inside.
    pub destination: String,
    /// Not writable.
    pub read_only: bool,
    /// `rprivate` (default), `private`, `rshared`, `shared`, `rslave`, `slave`.
    pub propagation: Option<String>,
    /// Bytes (tmpfs).
    pub tmpfs_size_bytes: Option<u64>,
    /// Mode (tmpfs).
    pub tmpfs_mode: Option<u32>,
    /// Further tmpfs options (`noexec`, …), validated.
    #[serde(default)]
    pub options: Vec<String>,
    /// Do not copy the image's content into an empty volume.
    #[serde(default)]
    pub no_copy: bool,
    /// The volume was named by nobody and goes with the container.
    #[serde(default)]
    pub anonymous: bool,
}

/// Sorts of mounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// A path of the host.
    Bind,
    /// A directory that the engine keeps.
    Volume,
    /// Memory.
    Tmpfs,
}

/// The network that a container sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// Its own namespace with only a loopback.
    None,
    /// The host's namespace.
    Host,
}

/// Limits; `None` is "not asked for".
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceConfig {
    /// Bytes.
    pub memory_bytes: Option<u64>,
    /// Billionths of a CPU.
    pub nano_cpus: Option<u64>,
    /// Number of tasks; default 4096; -1 no limit.
    pub pids: Option<i64>,
    /// Name (`nofile`) → soft, hard.
    pub ulimits: BTreeMap<String, (u64, u64)>,
    /// Bytes of `/dev/shm`; default 64 MiB.
    pub shm_bytes: Option<u64>,
    /// Parent of the container's cgroup, absolute in each hierarchy.
    pub cgroup_parent: Option<String>,
}

/// Privileges beside the defaults.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecurityConfig {
    /// Everything.
    pub privileged: bool,
    /// `CAP_X`, upper case, or `ALL`.
    pub cap_add: Vec<String>,
    /// Likewise.
    pub cap_drop: Vec<String>,
    /// `no-new-privileges`.
    pub no_new_privileges: bool,
    /// Which seccomp profile.
    pub seccomp: SeccompChoice,
}

/// A seccomp profile.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeccompChoice {
    /// Docker's default.
    #[default]
    Default,
    /// None at all.
    Unconfined,
    /// A profile in Docker's JSON form: its text, read when the container was created.
    Custom(String),
}

/// Where output goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogConfig {
    /// `json-file` or `none`.
    pub driver: String,
    /// Rotate before a file grows past this.
    pub max_bytes: u64,
    /// Files kept, the current one included.
    pub max_files: u32,
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig {
            driver: "json-file".into(),
            max_bytes: 10 << 20,
            max_files: 3,
        }
    }
}

/// The limits that `--ulimit` can name. Source: getrlimit(2).
pub const ULIMITS: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];
