//! What the host decides about a container's spec: asked of the kernel at each start.

use std::path::Path;

use berth_model::ContainerConfig;
use berth_model::config::{MountKind, SecurityConfig};
use rustix::process::{Resource, getrlimit};

use crate::spec::{ALL_CAPABILITIES, Joined, SpecInputs};
use crate::user::Account;
use crate::{Engine, Error, devices};

impl Engine {
    /// The inputs of [`crate::spec::build_spec`].
    pub(crate) fn spec_inputs(
        &self,
        config: &ContainerConfig,
        account: Account,
        joined: Joined,
    ) -> Result<SpecInputs, Error> {
        let capabilities = capabilities(self.options.rootless)?;
        let given =
            crate::spec::capabilities(&config.security, &capabilities).map_err(|source| {
                Error::Spec {
                    id: config.id.short().to_owned(),
                    source,
                }
            })?;
        Ok(SpecInputs {
            account,
            task_dir: self.layout.task(&config.id),
            volumes: self.layout.volumes(),
            volume_mounts: self.volume_mounts(config)?,
            cgroup_parent: self.options.cgroup_parent.clone(),
            rootless: self.options.rootless,
            runtime: self.options.runtime.clone(),
            host_devices: if config.security.privileged {
                devices::all()
            } else {
                Vec::new()
            },
            masked_paths: thermal_paths(),
            seccomp: crate::profile::resolve(&config.security, &given)?,
            nofile_hard: getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX),
            swap_accounting: counts_swap(config),
            devices: devices::asked(&config.resources.devices)?,
            block: devices::block_io(&config.resources.blkio)?,
            apparmor: config.security.apparmor.is_some() && runs_apparmor(),
            joined,
            host_capabilities: capabilities,
        })
    }

    /// Refuses sources that are not there, or that are the engine's own (security: D32).
    pub(crate) fn check_sources(&self, config: &ContainerConfig) -> Result<(), Error> {
        let elsewhere = self.volume_mounts(config)?;
        let volumes = elsewhere.values().filter(|volume| volume.kind == "bind");
        let binds = config.mounts.iter();
        let binds = binds.filter(|mount| mount.kind == MountKind::Bind);
        let binds = binds.map(|mount| &mount.source);
        for path in binds.chain(volumes.map(|volume| &volume.source)) {
            let source = Path::new(path);
            let real = source.canonicalize().map_err(|error| Error::Invalid {
                message: format!("the source of the mount, `{path}`, cannot be used: {error}"),
                hint: Some(
                    "make it first; `-v` makes a missing directory, `--mount` does not".to_owned(),
                ),
            })?;
            let own = [self.layout.root(), self.layout.run_dir()];
            let inside = own
                .iter()
                .filter_map(|dir| dir.canonicalize().ok())
                .any(|dir| real.starts_with(dir));
            let volume = self
                .layout
                .volumes()
                .canonicalize()
                .is_ok_and(|dir| real != dir && real.starts_with(dir));
            if inside && !volume {
                return Err(Error::Invalid {
                    message: format!("`{path}` is the engine's own and is not given to containers"),
                    hint: Some("who can write there can become root on the host".to_owned()),
                });
            }
        }
        Ok(())
    }
}

/// The names in our bounding set: no container can have more. Root of a new user namespace has all.
pub(crate) fn capabilities(rootless: bool) -> Result<Vec<String>, Error> {
    let failed = |path: &str, source| Error::Io {
        action: "read",
        path: path.into(),
        source,
    };
    let last = "/proc/sys/kernel/cap_last_cap";
    let last: usize = std::fs::read_to_string(last)
        .map_err(|error| failed(last, error))?
        .trim()
        .parse()
        .unwrap_or(0);
    let status = "/proc/self/status";
    let text = std::fs::read_to_string(status).map_err(|error| failed(status, error))?;
    let bounding = text
        .lines()
        .find_map(|line| line.strip_prefix("CapBnd:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0);
    let has = |number: usize| number <= last && (rootless || bounding >> number & 1 == 1);
    Ok(ALL_CAPABILITIES
        .iter()
        .enumerate()
        .filter(|(number, _)| has(*number))
        .map(|(_, name)| (*name).to_owned())
        .collect())
}

/// Each CPU's throttle counters, which tell containers what others do. Source: moby's default paths.
fn thermal_paths() -> Vec<String> {
    let path = |cpu: usize| format!("/sys/devices/system/cpu/cpu{cpu}/thermal_throttle");
    (0..4096)
        .map(path)
        .take_while(|path| Path::new(path).parent().is_some_and(Path::exists))
        .filter(|path| Path::new(path).exists())
        .collect()
}

/// Whether the kernel counts swap; asked only where it matters.
pub(crate) fn counts_swap(config: &ContainerConfig) -> bool {
    config.resources.memory_bytes.is_some()
        && berth_cgroup::Layout::detect().is_ok_and(|layout| layout.swap_accounting())
}

/// Refuses a profile or label that nothing on this host enforces: whoever names one relies on it. The names that docker's
/// clients send by themselves ask for no more than there is.
pub(crate) fn check_labels(security: &SecurityConfig) -> Result<(), Error> {
    let refused = |message: String, hint: &str| {
        Err(Error::Invalid {
            message,
            hint: Some(hint.to_owned()),
        })
    };
    let profile = security.apparmor.as_deref().unwrap_or("unconfined");
    if !matches!(profile, "unconfined" | "docker-default") && !runs_apparmor() {
        return refused(
            format!("the AppArmor profile `{profile}` would not be enforced"),
            "this host's kernel runs no AppArmor: leave the option out, or boot with it",
        );
    }
    let label = security.labels.iter().find(|label| *label != "disable");
    if let Some(label) = label
        && !Path::new("/sys/fs/selinux/enforce").exists()
    {
        return refused(
            format!("the SELinux label `{label}` would not be enforced"),
            "this host's kernel runs no SELinux: leave the option out, or boot with it",
        );
    }
    Ok(())
}

fn runs_apparmor() -> bool {
    std::fs::read("/sys/module/apparmor/parameters/enabled")
        .is_ok_and(|text| text.starts_with(b"Y"))
}
