//! Container configuration → OCI spec. Pure: all that the host decides comes in as [`SpecInputs`].
//!
//! The defaults are Docker's: its mounts, fourteen capabilities, masked and read-only paths, devices.
//! `capability`, `devices`, `mounts`, `namespaces` and `resources` make their parts.

mod capability;
mod devices;
mod mounts;
mod namespaces;
mod resources;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use berth_model::config::UtsMode;
use berth_model::{ContainerConfig, ErrorKind};
use berth_oci::spec::{
    BlockIo, Capabilities, Device, Linux, OCI_VERSION, Process, Root, Seccomp, Spec, User,
};

use crate::env;
use crate::user::Account;
use crate::volumes::VolumeMount;

pub use capability::ALL as ALL_CAPABILITIES;
pub use capability::asked as capabilities;
pub(crate) use devices::{parse_rule as device_rule, permissions as device_permissions};
pub(crate) use mounts::{SHM, shm_bytes};
pub(crate) use resources::limits;

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
    /// By name: volumes that are elsewhere.
    pub volume_mounts: BTreeMap<String, VolumeMount>,
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
    /// The devices asked for, as the host has them, with what may be done with each.
    pub devices: Vec<(Device, String)>,
    /// Limits of block devices, by their numbers.
    pub block: BlockIo,
    /// The host runs AppArmor.
    pub apparmor: bool,
    /// What is shared with other containers.
    pub joined: Joined,
}

/// What a container shares with others. A namespace that it joins and that has no path here is the host's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Joined {
    /// The IPC namespace.
    pub ipc: Option<PathBuf>,
    /// What is mounted at `/dev/shm`, which belongs to it.
    pub shm: Option<PathBuf>,
    /// Variables that tell of those that it is linked to.
    pub variables: Vec<String>,
    /// The process namespace.
    pub pid: Option<PathBuf>,
    /// The network namespace.
    pub network: Option<PathBuf>,
    /// The directory with the `hosts`, `hostname` and `resolv.conf` that belong to it.
    pub network_files: Option<PathBuf>,
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
    /// Not a rule for devices.
    #[error("`{rule}` is not a rule for devices")]
    DeviceRule {
        /// As asked.
        rule: String,
    },
    /// A part of what is mounted whole.
    #[error("the volume {volume} has no subpaths: it is a file system of the type {kind}")]
    Subpath {
        /// The volume.
        volume: String,
        /// Its type.
        kind: String,
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
            Error::DeviceRule { .. } => {
                "such as `c 10:200 rwm`: c, b or a; numbers or `*`; of r, w, m".to_owned()
            }
            Error::Subpath { .. } => "mount all of it".to_owned(),
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
    let given = capability::asked(&config.security, &inputs.host_capabilities)?;
    let (masked_paths, readonly_paths) = hidden(config, inputs);
    // The host's own names are not the container's to set.
    let names = config.namespaces.uts != UtsMode::Host;
    let name = |text: &String| if names { text.clone() } else { String::new() };
    Ok(Spec {
        oci_version: OCI_VERSION.to_owned(),
        root: Some(Root {
            path: "rootfs".into(),
            readonly: config.read_only,
        }),
        process: Some(process(config, inputs, given)?),
        hostname: name(&config.hostname),
        domainname: name(&config.domainname),
        annotations: config.annotations.clone(),
        mounts: mounts::all(config, inputs)?,
        linux: Some(Linux {
            namespaces: namespaces::all(config, inputs),
            devices: devices::nodes(config, inputs),
            cgroups_path: Some(cgroup_path(config, inputs)),
            resources: Some(resources::limits(config, inputs)?),
            seccomp: inputs.seccomp.clone(),
            sysctl: resources::sysctls(config, inputs),
            masked_paths,
            readonly_paths,
            ..Linux::default()
        }),
        ..Spec::default()
    })
}

/// Masked and read-only paths.
fn hidden(config: &ContainerConfig, inputs: &SpecInputs) -> (Vec<String>, Vec<String>) {
    let security = &config.security;
    let words = |paths: &[&str]| -> Vec<String> { paths.iter().map(|&path| path.into()).collect() };
    let default = |paths: &[&str]| match security.privileged {
        true => Vec::new(),
        false => words(paths),
    };
    let masked = security.masked_paths.clone().unwrap_or_else(|| {
        let mut masked = default(&MASKED);
        if !security.privileged {
            masked.extend(inputs.masked_paths.iter().cloned());
        }
        masked
    });
    let readonly = security.readonly_paths.clone();
    (masked, readonly.unwrap_or_else(|| default(&READ_ONLY)))
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
    for (name, value) in (inputs.joined.variables.iter()).filter_map(|entry| entry.split_once('='))
    {
        env::set_default(&mut env, name, value);
    }
    env::settle(&mut env);
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
        oom_score_adj: config.resources.oom_score_adj,
        apparmor_profile: (config.security.apparmor.clone()).filter(|_| inputs.apparmor),
        ..Process::default()
    })
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
