//! What a face asks for when it wants a container: plain data, validated by the face as far as the
//! words go; names that only the host knows (image, user, volume) are resolved by `create`.
//!
//! Everything that an image can also say is an `Option`: `None` leaves it to the image, then to the
//! default. `causes` records, by setting, the text that asked for it; `create` adds the image's and the
//! defaults', and `explain` prints them.

use std::collections::{BTreeMap, BTreeSet};

use berth_model::config::{
    HealthConfig, LogConfig, MountConfig, NamespaceConfig, NetworkConfig, NetworkMode, Port,
    ResourceConfig, RestartPolicy, SecurityConfig, VolumesFrom,
};
use berth_oci::Platform;

/// When to look for an image in its registry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// Always.
    Always,
    /// Only when the store lacks it.
    #[default]
    Missing,
    /// Never: an image that is not in the store is an error.
    Never,
}

/// A container to create.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreateRequest {
    /// The image: a reference or (part of) an id, as the user wrote it.
    pub image: String,
    /// Name; `None`: one is made up.
    pub name: Option<String>,
    /// `None`: the host's.
    pub platform: Option<Platform>,
    /// When to pull.
    pub pull: PullPolicy,
    /// Replaces the image's entrypoint (and with it the image's command); `Some([])` clears it.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's command.
    pub command: Option<Vec<String>>,
    /// In order; `NAME=value` sets, a bare `NAME` removes what the image sets.
    pub env: Vec<String>,
    /// Working directory, absolute.
    pub working_dir: Option<String>,
    /// `user[:group]`, by name or number.
    pub user: Option<String>,
    /// A terminal (`-t`).
    pub tty: bool,
    /// Standard input stays open (`-i`).
    pub stdin: bool,
    /// Close standard input when the first attached client goes.
    pub stdin_once: bool,
    /// Streams that the creator means to attach (0 input, 1 output, 2 errors); told by `inspect`.
    pub attach: BTreeSet<u8>,
    /// Host name inside.
    pub hostname: Option<String>,
    /// NIS domain name inside.
    pub domainname: String,
    /// Labels; they win over the image's.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the OCI spec.
    pub annotations: BTreeMap<String, String>,
    /// Mounts, in the order asked for; destinations are distinct, absolute and clean.
    /// A volume with an empty `source` is anonymous.
    pub mounts: Vec<MountConfig>,
    /// Sources among `mounts` that are made as directories when they are absent (`-v`, not `--mount`).
    pub make_sources: Vec<String>,
    /// Containers, by name or id, whose mounts are taken over.
    pub volumes_from: Vec<VolumesFrom>,
    /// Driver of the volumes of `-v`; empty: `local`.
    pub volume_driver: String,
    /// Network; `None`: the default.
    pub network: Option<NetworkMode>,
    /// How it is connected.
    pub networking: NetworkConfig,
    /// Ports that it says it serves, beside the image's.
    pub exposed_ports: BTreeSet<Port>,
    /// The other namespaces.
    pub namespaces: NamespaceConfig,
    /// Limits.
    pub resources: ResourceConfig,
    /// Privileges.
    pub security: SecurityConfig,
    /// The root file system is read-only.
    pub read_only: bool,
    /// Remove the container when it ends.
    pub auto_remove: bool,
    /// A small init of ours is pid 1.
    pub init: bool,
    /// Signal that `stop` sends, as a number.
    pub stop_signal: Option<i32>,
    /// How long `stop` waits before it kills, in seconds; below 0: for ever.
    pub stop_timeout_s: Option<i32>,
    /// How its health is seen; what is not said is the image's. A test of `NONE` turns it off.
    pub health: Option<HealthConfig>,
    /// What happens when it ends.
    pub restart: RestartPolicy,
    /// The runtime's name; empty: the default.
    pub runtime: String,
    /// Options of the storage driver. None are known.
    pub storage_options: BTreeMap<String, String>,
    /// Log driver and rotation; `None`: the default.
    pub log: Option<LogConfig>,
    /// By setting (a field's name: `memory`, `pids`, `network`, `mounts./data`): the flag's text.
    pub causes: BTreeMap<String, String>,
}
