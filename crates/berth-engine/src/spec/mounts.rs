//! What is mounted beside the root: Docker's defaults, the host's files, then what was asked for.

use berth_model::ContainerConfig;
use berth_model::config::{IpcMode, MountConfig, MountKind, NetworkMode, PidMode};
use berth_oci::spec::Mount;

use super::{Error, INIT_PATH, SpecInputs};

const SHM_BYTES: u64 = 64 << 20;
/// The option by which the runtime mounts what is below the source in its stead, resolved inside it.
const SUBPATH: &str = "x-berth.subpath=";

/// Where a task's directory has the `/dev/shm` that others may join.
pub(crate) const SHM: &str = "shm";

/// All mounts, parents before children.
pub(super) fn all(config: &ContainerConfig, inputs: &SpecInputs) -> Result<Vec<Mount>, Error> {
    let mut mounts = kernel(config, inputs);
    for (name, destination) in [
        ("resolv.conf", "/etc/resolv.conf"),
        ("hostname", "/etc/hostname"),
        ("hosts", "/etc/hosts"),
    ] {
        let dir = inputs.joined.network_files.as_ref();
        let source = dir.unwrap_or(&inputs.task_dir).join(name);
        let source = source.display().to_string();
        mounts.push(mount(destination, "bind", &source, &["bind", "rprivate"]));
    }
    if config.init {
        let source = inputs.runtime.display().to_string();
        // Read-only: the container cannot write the engine's program (security: R1).
        let options = ["bind", "ro", "nosuid", "nodev", "rprivate"];
        mounts.push(mount(INIT_PATH, "bind", &source, &options));
    }
    let mut asked = Vec::with_capacity(config.mounts.len());
    for wish in &config.mounts {
        asked.push(one(wish, inputs)?);
    }
    mounts.retain(|default| {
        !asked
            .iter()
            .any(|wish| wish.destination == default.destination)
    });
    // Stable: of two of the same depth the order of asking stays.
    asked.sort_by_key(|mount| mount.destination.split('/').count());
    mounts.extend(asked);
    Ok(mounts)
}

fn kernel(config: &ContainerConfig, inputs: &SpecInputs) -> Vec<Mount> {
    let privileged = config.security.privileged;
    let access = if privileged { "rw" } else { "ro" };
    let quiet = ["nosuid", "noexec", "nodev"];
    let with = |last: &'static str| [quiet[0], quiet[1], quiet[2], last];
    let sys = if inputs.rootless && config.network == NetworkMode::Host {
        // Only the owner of a network namespace may mount its sysfs.
        mount(
            "/sys",
            "bind",
            "/sys",
            &["rbind", "nosuid", "noexec", "nodev", "ro", "rslave"],
        )
    } else {
        mount("/sys", "sysfs", "sysfs", &with(access))
    };
    let proc = if inputs.rootless && config.namespaces.pid != PidMode::Private {
        // Only the owner of a process namespace may mount its procfs.
        mount("/proc", "bind", "/proc", &["rbind", "rslave"])
    } else {
        mount("/proc", "proc", "proc", &quiet)
    };
    let mut mounts = vec![
        proc,
        mount(
            "/dev",
            "tmpfs",
            "tmpfs",
            &["nosuid", "strictatime", "mode=755", "size=65536k"],
        ),
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            &[
                "nosuid",
                "noexec",
                "newinstance",
                "ptmxmode=0666",
                "mode=0620",
                "gid=5",
            ],
        ),
        sys,
        mount("/sys/fs/cgroup", "cgroup", "cgroup", &with(access)),
    ];
    let ipc = &config.namespaces.ipc;
    // Likewise the owner of an IPC namespace its message queues.
    if !(inputs.rootless && *ipc == IpcMode::Host) {
        mounts.push(mount("/dev/mqueue", "mqueue", "mqueue", &quiet));
    }
    mounts.extend(shm(config, inputs));
    mounts
}

/// Shared memory belongs to the IPC namespace.
fn shm(config: &ContainerConfig, inputs: &SpecInputs) -> Option<Mount> {
    let bind = |source: &str| mount("/dev/shm", "bind", source, &["bind", "rprivate"]);
    match &config.namespaces.ipc {
        IpcMode::None => None,
        IpcMode::Host => Some(bind("/dev/shm")),
        IpcMode::Container(_) => {
            let source = inputs.joined.shm.as_ref();
            Some(bind(
                &source.map_or("/dev/shm".into(), |shm| shm.display().to_string()),
            ))
        }
        // Those who join find it there.
        IpcMode::Shareable if !inputs.rootless => {
            Some(bind(&inputs.task_dir.join(SHM).display().to_string()))
        }
        IpcMode::Private | IpcMode::Shareable => {
            let size = format!("size={}", shm_bytes(config));
            let options = ["nosuid", "noexec", "nodev", "mode=1777", &size];
            Some(mount("/dev/shm", "tmpfs", "shm", &options))
        }
    }
}

/// Bytes of `/dev/shm`.
pub(crate) fn shm_bytes(config: &ContainerConfig) -> u64 {
    config.resources.shm_bytes.unwrap_or(SHM_BYTES)
}

fn one(wish: &MountConfig, inputs: &SpecInputs) -> Result<Mount, Error> {
    let access = if wish.read_only { "ro" } else { "rw" };
    match wish.kind {
        MountKind::Bind => {
            // Writable is what it is where the host lets it; to demand it could fail in a user namespace.
            let bind = if wish.non_recursive { "bind" } else { "rbind" };
            let mut options = vec![bind, propagation(wish)?];
            if wish.read_only {
                let whole = wish.read_only_force_recursive;
                options.push(if whole { "rro" } else { "ro" });
            }
            Ok(mount(&wish.destination, "bind", &wish.source, &options))
        }
        MountKind::Volume => volume(wish, inputs),
        MountKind::Tmpfs => {
            let mut options: Vec<String> = ["nosuid", "nodev", "noexec", access]
                .iter()
                .map(|word| (*word).to_owned())
                .collect();
            options.push(format!("mode={:o}", wish.tmpfs_mode.unwrap_or(0o1777)));
            options.extend(wish.tmpfs_size_bytes.map(|bytes| format!("size={bytes}")));
            options.extend(wish.options.iter().cloned());
            let words: Vec<&str> = options.iter().map(String::as_str).collect();
            Ok(mount(&wish.destination, "tmpfs", "tmpfs", &words))
        }
    }
}

fn volume(wish: &MountConfig, inputs: &SpecInputs) -> Result<Mount, Error> {
    let read_only = wish.read_only.then_some("ro");
    let subpath = (!wish.subpath.is_empty()).then(|| format!("{SUBPATH}{}", wish.subpath));
    let Some(elsewhere) = inputs.volume_mounts.get(&wish.source) else {
        let data = inputs.volumes.join(&wish.source).join("_data");
        // What lies in a volume came from a container: it grants nothing on a second use.
        let mut options = vec!["bind", "nosuid", "nodev", "rprivate"];
        options.extend(read_only);
        options.extend(subpath.as_deref());
        let source = data.display().to_string();
        return Ok(mount(&wish.destination, "bind", &source, &options));
    };
    let mut options: Vec<&str> = elsewhere.options.iter().map(String::as_str).collect();
    if elsewhere.kind == "bind" {
        options.push(propagation(wish)?);
        options.extend(subpath.as_deref());
    } else if subpath.is_some() {
        return Err(Error::Subpath {
            volume: wish.source.clone(),
            kind: elsewhere.kind.clone(),
        });
    }
    options.extend(read_only);
    let (kind, source) = (&elsewhere.kind, &elsewhere.source);
    Ok(mount(&wish.destination, kind, source, &options))
}

/// One of six words: nothing else may ride along (security: R17, B9).
fn propagation(wish: &MountConfig) -> Result<&'static str, Error> {
    let asked = wish.propagation.as_deref().unwrap_or("rprivate");
    [
        "rprivate", "private", "rshared", "shared", "rslave", "slave",
    ]
    .into_iter()
    .find(|known| *known == asked)
    .ok_or_else(|| Error::Propagation {
        mode: asked.to_owned(),
    })
}

fn mount(destination: &str, kind: &str, source: &str, options: &[&str]) -> Mount {
    Mount {
        destination: destination.to_owned(),
        kind: Some(kind.to_owned()),
        source: Some(source.to_owned()),
        options: options.iter().map(|word| (*word).to_owned()).collect(),
        ..Mount::default()
    }
}
