//! `inspect` of a container: Docker's JSON. What berth has no counterpart for has Docker's empty value.

use std::collections::BTreeMap;

use berth_engine::layout::Layout;
use berth_engine::observe::Container;
use berth_model::config::{ContainerConfig, MountConfig, MountKind, SeccompChoice};
use berth_model::{Status, signal};

use super::{DRIVER, NEVER};
use crate::ui::template::Value;

/// Default size of `/dev/shm`, in bytes.
const SHM_BYTES: u64 = 64 << 20;

/// The object that `inspect` prints.
pub fn container(container: &Container, layout: &Layout) -> Value {
    let config = &container.config;
    let words: Vec<&String> = config
        .process
        .entrypoint
        .iter()
        .chain(&config.process.command)
        .collect();
    let dir = layout.container(&config.id);
    let task = layout.task(&config.id);
    let path = |path: std::path::PathBuf| Value::Str(path.to_string_lossy().into_owned());
    Value::fields([
        ("Id", config.id.as_str().into()),
        ("Created", config.created.as_str().into()),
        (
            "Path",
            words.first().map_or("", |word| word.as_str()).into(),
        ),
        ("Args", list(words.iter().skip(1).map(|word| word.as_str()))),
        ("State", state(container)),
        ("Image", config.image.config.as_str().into()),
        ("ResolvConfPath", path(task.join("resolv.conf"))),
        ("HostnamePath", path(task.join("hostname"))),
        ("HostsPath", path(task.join("hosts"))),
        (
            "LogPath",
            if config.log.driver == "none" {
                "".into()
            } else {
                path(layout.log(&config.id))
            },
        ),
        ("Name", format!("/{}", container.name).into()),
        ("RestartCount", int(container.restarts.count)),
        ("Driver", DRIVER.into()),
        ("Platform", "linux".into()),
        ("MountLabel", "".into()),
        ("ProcessLabel", "".into()),
        ("AppArmorProfile", "".into()),
        ("ExecIDs", Value::Nil),
        ("HostConfig", host_config(config)),
        (
            "GraphDriver",
            Value::fields([
                (
                    "Data",
                    Value::fields([
                        (
                            "LayerChain",
                            list(config.image.chain.iter().map(String::as_str)),
                        ),
                        ("UpperDir", path(dir.join("upper"))),
                        ("WorkDir", path(dir.join("work"))),
                    ]),
                ),
                ("Name", DRIVER.into()),
            ]),
        ),
        (
            "Mounts",
            Value::List(
                config
                    .mounts
                    .iter()
                    .filter_map(|mount| mount_point(mount, layout))
                    .collect(),
            ),
        ),
        ("Config", process_config(config)),
        ("NetworkSettings", network_settings(config)),
    ])
}

fn state(container: &Container) -> Value {
    let running = container.status.is_up();
    let (code, oom, finished, error) = match &container.status {
        Status::Exited(exit) | Status::Restarting(exit) => (
            exit.code,
            exit.oom_killed,
            exit.finished_at.as_str(),
            exit.error.as_deref().unwrap_or(""),
        ),
        Status::Lost => (137, false, NEVER, "the container's end was not seen"),
        _ => (0, false, NEVER, ""),
    };
    let started = container
        .pid
        .as_ref()
        .map_or(NEVER, |pid| pid.started_at.as_str());
    let pid = container
        .pid
        .as_ref()
        .filter(|_| container.status.is_alive())
        .map_or(0, |pid| pid.pid);
    Value::fields([
        ("Status", container.status.word().into()),
        ("Running", running.into()),
        ("Paused", (container.status == Status::Paused).into()),
        (
            "Restarting",
            matches!(container.status, Status::Restarting(_)).into(),
        ),
        ("OOMKilled", oom.into()),
        ("Dead", false.into()),
        ("Pid", int(pid)),
        ("ExitCode", int(code)),
        ("Error", error.into()),
        ("StartedAt", started.into()),
        ("FinishedAt", finished.into()),
    ])
}

fn host_config(config: &ContainerConfig) -> Value {
    let (resources, security) = (&config.resources, &config.security);
    let ulimits = resources.ulimits.iter().map(|(name, (soft, hard))| {
        Value::fields([
            ("Name", name.as_str().into()),
            ("Hard", limit(*hard)),
            ("Soft", limit(*soft)),
        ])
    });
    let log = BTreeMap::from([
        (
            "max-file".to_owned(),
            Value::from(config.log.max_files.to_string()),
        ),
        (
            "max-size".to_owned(),
            Value::from(config.log.max_bytes.to_string()),
        ),
    ]);
    Value::fields([
        (
            "Binds",
            nullable(config.mounts.iter().filter_map(bind).collect()),
        ),
        ("ContainerIDFile", "".into()),
        (
            "LogConfig",
            Value::fields([
                ("Type", config.log.driver.as_str().into()),
                ("Config", Value::Map(log)),
            ]),
        ),
        ("NetworkMode", config.network.to_string().into()),
        ("PortBindings", Value::Map(BTreeMap::new())),
        (
            "RestartPolicy",
            Value::fields([
                ("Name", config.restart.kind.word().into()),
                ("MaximumRetryCount", int(config.restart.max_retries)),
            ]),
        ),
        ("AutoRemove", config.auto_remove.into()),
        (
            "CapAdd",
            nullable(
                security
                    .cap_add
                    .iter()
                    .map(|cap| cap.as_str().into())
                    .collect(),
            ),
        ),
        (
            "CapDrop",
            nullable(
                security
                    .cap_drop
                    .iter()
                    .map(|cap| cap.as_str().into())
                    .collect(),
            ),
        ),
        ("CgroupnsMode", "private".into()),
        ("IpcMode", "private".into()),
        ("PidMode", "".into()),
        ("UTSMode", "".into()),
        ("UsernsMode", "".into()),
        ("Privileged", security.privileged.into()),
        ("ReadonlyRootfs", config.read_only.into()),
        ("SecurityOpt", nullable(security_options(config))),
        ("Tmpfs", tmpfs(config)),
        ("ShmSize", int(resources.shm_bytes.unwrap_or(SHM_BYTES))),
        ("Runtime", "berth-runtime".into()),
        (
            "CgroupParent",
            resources.cgroup_parent.as_deref().unwrap_or("").into(),
        ),
        ("Memory", int(resources.memory_bytes.unwrap_or(0))),
        ("NanoCpus", int(resources.nano_cpus.unwrap_or(0))),
        ("PidsLimit", resources.pids.map_or(Value::Nil, int)),
        ("Ulimits", Value::List(ulimits.collect())),
        ("Init", config.init.into()),
    ])
}

/// Docker's `source:destination[:mode]`.
fn bind(mount: &MountConfig) -> Option<Value> {
    let mode = if mount.read_only { ":ro" } else { "" };
    let shown = mount.kind != MountKind::Tmpfs && !mount.anonymous;
    shown.then(|| format!("{}:{}{mode}", mount.source, mount.destination).into())
}

fn security_options(config: &ContainerConfig) -> Vec<Value> {
    let mut options = Vec::new();
    if config.security.no_new_privileges {
        options.push("no-new-privileges".into());
    }
    match &config.security.seccomp {
        SeccompChoice::Default => {}
        SeccompChoice::Unconfined => options.push("seccomp=unconfined".into()),
        SeccompChoice::Custom(profile) => options.push(format!("seccomp={profile}").into()),
    }
    options
}

fn tmpfs(config: &ContainerConfig) -> Value {
    let mounts = config
        .mounts
        .iter()
        .filter(|mount| mount.kind == MountKind::Tmpfs);
    let entries = mounts.map(|mount| {
        let size = mount.tmpfs_size_bytes.map(|bytes| format!("size={bytes}"));
        let mode = mount.tmpfs_mode.map(|mode| format!("mode={mode:o}"));
        let options: Vec<String> = mount
            .options
            .iter()
            .cloned()
            .chain(size)
            .chain(mode)
            .collect();
        (mount.destination.clone(), options.join(",").into())
    });
    Value::Map(entries.collect())
}

fn mount_point(mount: &MountConfig, layout: &Layout) -> Option<Value> {
    let (kind, name, source, driver) = match mount.kind {
        // Docker lists those of `--tmpfs` in HostConfig only.
        MountKind::Tmpfs => return None,
        MountKind::Bind => ("bind", None, mount.source.clone(), None),
        MountKind::Volume => {
            let dir = layout.volumes().join(&mount.source).join("_data");
            (
                "volume",
                Some(mount.source.as_str()),
                dir.to_string_lossy().into_owned(),
                Some("local"),
            )
        }
    };
    let default_propagation = if mount.kind == MountKind::Bind {
        "rprivate"
    } else {
        ""
    };
    let mut fields = vec![("Type".to_owned(), Value::from(kind))];
    fields.extend(name.map(|name| ("Name".to_owned(), name.into())));
    fields.extend([
        ("Source".to_owned(), source.into()),
        ("Destination".to_owned(), mount.destination.as_str().into()),
    ]);
    fields.extend(driver.map(|driver| ("Driver".to_owned(), driver.into())));
    fields.extend([
        (
            "Mode".to_owned(),
            if mount.read_only { "ro" } else { "" }.into(),
        ),
        ("RW".to_owned(), (!mount.read_only).into()),
        (
            "Propagation".to_owned(),
            mount
                .propagation
                .as_deref()
                .unwrap_or(default_propagation)
                .into(),
        ),
    ]);
    Some(Value::Struct(fields))
}

fn process_config(config: &ContainerConfig) -> Value {
    let process = &config.process;
    let labels = config
        .labels
        .iter()
        .map(|(key, value)| (key.clone(), value.as_str().into()))
        .collect();
    let volumes = config
        .mounts
        .iter()
        .filter(|mount| mount.kind == MountKind::Volume && mount.anonymous);
    let volumes: BTreeMap<_, _> = volumes
        .map(|mount| (mount.destination.clone(), Value::Struct(Vec::new())))
        .collect();
    let words =
        |words: &[String]| nullable(words.iter().map(|word| word.as_str().into()).collect());
    Value::fields([
        ("Hostname", config.hostname.as_str().into()),
        ("Domainname", config.domainname.as_str().into()),
        ("User", process.user.as_str().into()),
        ("AttachStdin", process.stdin_once.into()),
        ("AttachStdout", process.stdin_once.into()),
        ("AttachStderr", process.stdin_once.into()),
        ("Tty", process.tty.into()),
        ("OpenStdin", process.stdin.into()),
        ("StdinOnce", process.stdin_once.into()),
        ("Env", list(process.env.iter().map(String::as_str))),
        ("Cmd", words(&process.command)),
        ("Image", config.image.reference.as_str().into()),
        (
            "Volumes",
            if volumes.is_empty() {
                Value::Nil
            } else {
                Value::Map(volumes)
            },
        ),
        ("WorkingDir", process.working_dir.as_str().into()),
        ("Entrypoint", words(&process.entrypoint)),
        ("OnBuild", Value::Nil),
        ("Labels", Value::Map(labels)),
        ("StopSignal", signal::name(config.stop_signal).into()),
        ("StopTimeout", config.stop_timeout_s.map_or(Value::Nil, int)),
    ])
}

fn network_settings(config: &ContainerConfig) -> Value {
    let endpoint = Value::fields([
        ("NetworkID", "".into()),
        ("EndpointID", "".into()),
        ("Gateway", "".into()),
        ("IPAddress", "".into()),
        ("IPPrefixLen", int(0)),
        ("MacAddress", "".into()),
    ]);
    Value::fields([
        ("Bridge", "".into()),
        ("Ports", Value::Map(BTreeMap::new())),
        ("Gateway", "".into()),
        ("IPAddress", "".into()),
        ("IPPrefixLen", int(0)),
        ("MacAddress", "".into()),
        (
            "Networks",
            Value::Map(BTreeMap::from([(config.network.to_string(), endpoint)])),
        ),
    ])
}

fn int(value: impl Into<i128>) -> Value {
    Value::Int(value.into())
}

/// Docker writes "no limit" as -1.
fn limit(value: u64) -> Value {
    if value == u64::MAX {
        int(-1)
    } else {
        int(value)
    }
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> Value {
    Value::List(words.map(Value::from).collect())
}

/// Docker writes `null` for a list that was never given.
fn nullable(values: Vec<Value>) -> Value {
    if values.is_empty() {
        Value::Nil
    } else {
        Value::List(values)
    }
}

#[cfg(test)]
mod tests;
