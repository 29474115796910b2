//! What a container was asked to be: `containers/<id>/config.json`, immutable once committed.
//!
//! A field that came later has a default, so that the containers of an earlier berth still load, and is
//! left out of the file while it has it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ContainerId;

mod health;
mod log;
mod mount;
mod namespaces;
mod network;
mod resources;
mod restart;
mod security;

pub use health::HealthConfig;
pub use log::{DRIVERS as LOG_DRIVERS, Delivery, LogConfig, SyslogAddress};
pub use mount::{MountConfig, MountKind, MountSyntax, VolumesFrom};
pub use namespaces::{CgroupMode, IpcMode, NamespaceConfig, PidMode, UserMode, UtsMode};
pub use network::{EndpointConfig, NetworkConfig, NetworkMode, Port, PortBinding, Protocol};
pub use resources::{
    BlkioConfig, CpuConfig, DeviceConfig, DeviceValue, ResourceConfig, ULIMITS, unknown_ulimit,
};
pub use restart::{RestartKind, RestartPolicy};
pub use security::{SeccompChoice, SecurityConfig};

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
    /// NIS domain name inside.
    #[serde(default, skip_serializing_if = "is_default")]
    pub domainname: String,
    /// Labels: the image's, overridden by those asked for.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the OCI spec.
    #[serde(default, skip_serializing_if = "is_default")]
    pub annotations: BTreeMap<String, String>,
    /// Bind mounts, volumes and tmpfs, by destination.
    pub mounts: Vec<MountConfig>,
    /// Containers whose mounts were taken over; `mounts` has them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub volumes_from: Vec<VolumesFrom>,
    /// Driver of the volumes that `-v` makes; empty: `local`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub volume_driver: String,
    /// Which network.
    pub network: NetworkMode,
    /// How it is connected.
    #[serde(default, skip_serializing_if = "is_default")]
    pub networking: NetworkConfig,
    /// Ports that it says it serves: the image's and those asked for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exposed_ports: BTreeSet<Port>,
    /// The other namespaces.
    #[serde(default, skip_serializing_if = "is_default")]
    pub namespaces: NamespaceConfig,
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
    /// How long `stop` waits before it kills, in seconds; below 0: for ever; `None`: not asked for.
    #[serde(default)]
    pub stop_timeout_s: Option<i32>,
    /// How its health is seen; the image's, overridden field by field.
    #[serde(default, skip_serializing_if = "is_default")]
    pub health: Option<HealthConfig>,
    /// What happens when it ends.
    #[serde(default, skip_serializing_if = "is_default")]
    pub restart: RestartPolicy,
    /// The runtime's name; empty: the default.
    #[serde(default, skip_serializing_if = "is_default")]
    pub runtime: String,
    /// Log rotation.
    pub log: LogConfig,
    /// Which option, image field or default caused each setting, by setting
    /// (`memory` → `--memory 64m`, `seccomp` → `default`): what `explain` shows.
    pub causes: BTreeMap<String, String>,
}

/// The image that a container was made from. These digests are roots for garbage collection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// Streams that the creator meant to attach (0 input, 1 output, 2 errors); told by `inspect`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attach: BTreeSet<u8>,
    /// Shell of the image's shell forms.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shell: Vec<String>,
}

impl ContainerConfig {
    /// Whether this signal is meant to end it, and no other is.
    pub fn is_ended_by(&self, signal: i32) -> bool {
        const SIGKILL: i32 = 9;
        signal == SIGKILL || signal == self.stop_signal
    }

    /// A container of which nothing is asked.
    pub fn new(id: ContainerId) -> ContainerConfig {
        ContainerConfig {
            schema: SCHEMA,
            id,
            name: String::new(),
            created: String::new(),
            image: ImageUsed::default(),
            process: ProcessConfig {
                working_dir: "/".to_owned(),
                ..ProcessConfig::default()
            },
            hostname: String::new(),
            domainname: String::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            mounts: Vec::new(),
            volumes_from: Vec::new(),
            volume_driver: String::new(),
            network: NetworkMode::None,
            networking: NetworkConfig::default(),
            exposed_ports: BTreeSet::new(),
            namespaces: NamespaceConfig::default(),
            resources: ResourceConfig::default(),
            security: SecurityConfig::default(),
            read_only: false,
            auto_remove: false,
            init: false,
            stop_signal: 15,
            stop_timeout_s: None,
            health: None,
            restart: RestartPolicy::default(),
            runtime: String::new(),
            log: LogConfig::default(),
            causes: BTreeMap::new(),
        }
    }
}

/// For `skip_serializing_if`.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests;
