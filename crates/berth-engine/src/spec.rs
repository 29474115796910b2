//! Container configuration → OCI spec. Pure: all that the host decides comes in as [`SpecInputs`].
//!
//! The defaults are Docker's: its mounts, fourteen capabilities, masked and read-only paths, devices.
//! `capability`, `mounts` and `resources` make their parts.

mod capability;
mod mounts;
mod resources;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use berth_model::config::NetworkMode;
use berth_model::{ContainerConfig, ErrorKind};
use berth_oci::spec::{
    Capabilities, Device, Linux, Namespace, NamespaceKind, OCI_VERSION, Process, Root, Seccomp,
    Spec, User,
};

use crate::env;
use crate::user::Account;

pub use capability::ALL as ALL_CAPABILITIES;
pub use capability::asked as capabilities;

/// Where the little init of `--init` is inside.
pub const INIT_PATH: &str = "/sbin/docker-init";

/// What the host and the image decide.
#[derive(Debug, Clone, Default)]
pub struct SpecInputs {
    /// The user's numbers.
    pub account: Account,
    /// The task's directory, with `hosts`, `hostname` and `resolv.conf`.
    pub task_dir: PathBuf,
    /// The directory of volumes.
    pub volumes: PathBuf,
    /// Parent of the cgroup.
    pub cgroup_parent: Option<String>,
    /// The runtime works in a user namespace.
    pub rootless: bool,
    /// The program for `--init`.
    pub runtime: PathBuf,
    /// Capabilities that the host can give.
    pub host_capabilities: Vec<String>,
    /// The host's devices, for `--privileged`.
    pub host_devices: Vec<Device>,
    /// Paths to mask beside the fixed ones.
    pub masked_paths: Vec<String>,
    /// The resolved profile; `None`: unconfined.
    pub seccomp: Option<Seccomp>,
    /// The host's hard limit of open files.
    pub nofile_hard: u64,
    /// The host counts swap.
    pub swap_accounting: bool,
}

/// A configuration that no spec can express.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a capability of this host.
    #[error("`{name}` is not a capability that this host can give")]
    Capability {
        /// As asked.
        name: String,
    },
    /// Not a limit.
    #[error("`{name}` is not a resource limit")]
    Ulimit {
        /// As asked.
        name: String,
    },
    /// Not a propagation.
    #[error("`{mode}` is not a mount propagation")]
    Propagation {
        /// As asked.
        mode: String,
    },
}

impl Error {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Error::Capability { .. } => {
                "capabilities(7) lists them: NET_ADMIN, SYS_TIME, …, or ALL".to_owned()
            }
            Error::Ulimit { .. } => format!("known are {}", resources::ulimit_names()),
            Error::Propagation { .. } => {
                "known are private, shared, slave, rprivate, rshared, rslave".to_owned()
            }
        })
    }
}

/// What is hidden of a container that asks for nothing else; the host adds its throttle counters.
pub const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// What such a container cannot write.
pub const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// The OCI spec of a container.
///
/// # Errors
/// What the configuration asks for and no host can give.
pub fn build_spec(config: &ContainerConfig, inputs: &SpecInputs) -> Result<Spec, Error> {
    let privileged = config.security.privileged;
    let given = capability::asked(&config.security, &inputs.host_capabilities)?;
    let words = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
    let mut masked: Vec<String> = words(&MASKED);
    masked.extend(inputs.masked_paths.iter().cloned());
    Ok(Spec {
        oci_version: OCI_VERSION.to_owned(),
        root: Some(Root {
            path: "rootfs".into(),
            readonly: config.read_only,
        }),
        process: Some(process(config, inputs, given)?),
        hostname: config.hostname.clone(),
        mounts: mounts::all(config, inputs)?,
        linux: Some(Linux {
            namespaces: namespaces(&config.network),
            devices: if privileged && !inputs.rootless {
                inputs.host_devices.clone()
            } else {
                Vec::new()
            },
            cgroups_path: Some(cgroup_path(config, inputs)),
            resources: Some(resources::limits(config, inputs)),
            seccomp: inputs.seccomp.clone(),
            sysctl: resources::sysctls(config, inputs),
            masked_paths: if privileged { Vec::new() } else { masked },
            readonly_paths: if privileged {
                Vec::new()
            } else {
                words(&READ_ONLY)
            },
            ..Linux::default()
        }),
        ..Spec::default()
    })
}

fn process(
    config: &ContainerConfig,
    inputs: &SpecInputs,
    given: Vec<String>,
) -> Result<Process, Error> {
    let asked = &config.process;
    let mut args: Vec<String> = Vec::new();
    if config.init {
        args.extend([INIT_PATH.to_owned(), "--".to_owned()]);
    }
    args.extend(asked.entrypoint.iter().chain(&asked.command).cloned());
    let mut env = asked.env.clone();
    for (name, value) in [
        ("HOSTNAME", &config.hostname),
        ("HOME", &inputs.account.home),
    ] {
        if !value.is_empty() {
            env::set_default(&mut env, name, value);
        }
    }
    Ok(Process {
        terminal: asked.tty,
        user: User {
            uid: inputs.account.uid,
            gid: inputs.account.gid,
            umask: None,
            additional_gids: inputs.account.groups.clone(),
        },
        args,
        env,
        cwd: asked.working_dir.clone(),
        // Inheritable and ambient stay empty: nothing is regained by a file's capabilities (security: R5, R6).
        capabilities: Some(Capabilities {
            bounding: given.clone(),
            effective: given.clone(),
            permitted: given,
            ..Capabilities::default()
        }),
        rlimits: resources::rlimits(config, inputs)?,
        no_new_privileges: config.security.no_new_privileges,
        ..Process::default()
    })
}

fn namespaces(network: &NetworkMode) -> Vec<Namespace> {
    let mut kinds = vec![
        NamespaceKind::Pid,
        NamespaceKind::Mount,
        NamespaceKind::Ipc,
        NamespaceKind::Uts,
        NamespaceKind::Cgroup,
    ];
    if *network != NetworkMode::Host {
        kinds.push(NamespaceKind::Network);
    }
    kinds
        .into_iter()
        .map(|kind| Namespace { kind, path: None })
        .collect()
}

/// The default parent of all containers' cgroups.
pub const CGROUP_PARENT: &str = "/berth";

fn cgroup_path(config: &ContainerConfig, inputs: &SpecInputs) -> String {
    let parent = config
        .resources
        .cgroup_parent
        .as_deref()
        .or(inputs.cgroup_parent.as_deref())
        .unwrap_or(CGROUP_PARENT);
    format!("{}/{}", parent.trim_end_matches('/'), config.id)
}
