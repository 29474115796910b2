//! What of the host a container is granted beyond the usual: one line of the log for each container that is made so, and
//! for each further process with all capabilities, by whomever.

use std::fmt;
use std::path::Path;

use berth_model::config::{
    CgroupMode, IpcMode, MountKind, NetworkMode, PidMode, SeccompChoice, UtsMode,
};
use berth_model::{ContainerConfig, Event};
use serde::Serialize;

/// Whoever has these of the host, or what they are in, has more than a container.
const SENSITIVE: [&str; 9] = [
    "/boot", "/dev", "/etc", "/proc", "/root", "/run", "/sys", "/usr", "/var/lib",
];

/// A container that is more than the usual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Its id.
    pub container: String,
    /// Its name when it was made.
    pub name: String,
    /// Of what.
    pub image: String,
    /// What it is granted.
    pub grants: Vec<String>,
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Audit {
            container,
            name,
            image,
            grants,
        } = self;
        let short = container.get(..12).unwrap_or(container);
        write!(
            f,
            "container {short} ({name}, {image}) is granted {}",
            grants.join(", ")
        )
    }
}

impl Audit {
    /// Of a further process in a container; `None`: it has no more than the container, or this is another event.
    pub fn of_exec(event: &Event) -> Option<Audit> {
        let command = event.action.strip_prefix("exec_create: ")?;
        event
            .attribute("privileged")
            .filter(|word| *word == "true")?;
        let text = |key| event.attribute(key).unwrap_or_default().to_owned();
        Some(Audit {
            container: event.actor.id.clone(),
            name: text("name"),
            image: text("image"),
            grants: vec![format!("all capabilities for `{}`", command.trim_end())],
        })
    }

    /// `None`: it is granted nothing special.
    pub fn of(config: &ContainerConfig, run_dir: &Path) -> Option<Audit> {
        let grants = grants(config, run_dir);
        (!grants.is_empty()).then(|| Audit {
            container: config.id.to_string(),
            name: config.name.clone(),
            image: config.image.reference.clone(),
            grants,
        })
    }
}

fn grants(config: &ContainerConfig, run_dir: &Path) -> Vec<String> {
    let (security, resources) = (&config.security, &config.resources);
    let namespaces = &config.namespaces;
    let mut grants = Vec::new();
    for (granted, what) in [
        (security.privileged, "all privileges"),
        (config.network == NetworkMode::Host, "the host's network"),
        (namespaces.pid == PidMode::Host, "the host's processes"),
        (namespaces.ipc == IpcMode::Host, "the host's IPC"),
        (namespaces.uts == UtsMode::Host, "the host's names"),
        (namespaces.cgroup == CgroupMode::Host, "the host's cgroups"),
        (
            security.seccomp == SeccompChoice::Unconfined,
            "all system calls",
        ),
        (
            security.apparmor.as_deref() == Some("unconfined"),
            "no AppArmor profile",
        ),
        (
            security.masked_paths.as_ref().is_some_and(Vec::is_empty),
            "all system paths",
        ),
    ] {
        if granted {
            grants.push(what.to_owned());
        }
    }
    let capabilities = security.cap_add.iter();
    grants.extend(capabilities.map(|name| format!("the capability {name}")));
    for device in &resources.devices {
        grants.push(format!(
            "the device {} ({})",
            device.host, device.permissions
        ));
    }
    let rules = resources.device_rules.iter();
    grants.extend(rules.map(|rule| format!("devices by the rule `{rule}`")));
    for mount in &config.mounts {
        if mount.kind == MountKind::Bind && is_sensitive(Path::new(&mount.source), run_dir) {
            let how = if mount.read_only { " (read-only)" } else { "" };
            grants.push(format!("{} of the host{how}", mount.source));
        }
    }
    grants
}

/// Judged by the name alone: nothing of the host is looked at, which may be a mount that hangs (security: N17).
fn is_sensitive(source: &Path, run_dir: &Path) -> bool {
    let is_socket = source.extension().is_some_and(|kind| kind == "sock");
    let holds = |path: &Path| path.starts_with(source);
    is_socket || source.starts_with(run_dir) || SENSITIVE.iter().any(|path| holds(Path::new(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = r#"{"schema":1,"name":"web","created":"2026-01-01T00:00:00Z",
        "image":{"reference":"busybox","manifest":"m","config":"c","chain":[]},
        "process":{"entrypoint":[],"command":["/a"],"env":[],"working_dir":"/","user":"","tty":false,"stdin":false,
            "stdin_once":false},
        "hostname":"h","labels":{},"mounts":[],"network":"none",
        "resources":{"memory_bytes":null,"nano_cpus":null,"pids":4096,"ulimits":{},"shm_bytes":null,"cgroup_parent":null},
        "security":{},"read_only":false,"auto_remove":false,"init":false,"stop_signal":15,
        "log":{"driver":"json-file","max_bytes":10485760,"max_files":3},"causes":{}}"#;

    fn of(change: &str) -> Vec<String> {
        let mut config: serde_json::Value = serde_json::from_str(PLAIN).unwrap();
        config["id"] = "a".repeat(64).into();
        let change: serde_json::Value = serde_json::from_str(change).unwrap();
        for (key, value) in change.as_object().unwrap() {
            config[key] = value.clone();
        }
        let config: ContainerConfig = serde_json::from_value(config).unwrap();
        let audit = Audit::of(&config, Path::new("/run/berth"));
        audit.map_or(Vec::new(), |audit| {
            assert!(
                audit
                    .to_string()
                    .starts_with("container aaaaaaaaaaaa (web, busybox) is granted ")
            );
            audit.grants
        })
    }

    fn bind(source: &str) -> String {
        format!(
            r#"{{"mounts": [{{"kind": "bind", "source": "{source}", "destination": "/x", "read_only": true,
                "propagation": null, "tmpfs_size_bytes": null, "tmpfs_mode": null}}]}}"#
        )
    }

    #[test]
    fn grants_are_told_and_nothing_else() {
        assert_eq!(of("{}"), Vec::<String>::new());
        assert_eq!(
            of(r#"{"security": {"privileged": true}}"#),
            ["all privileges"]
        );
        assert_eq!(
            of(r#"{"security": {"cap_add": ["CAP_SYS_ADMIN", "ALL"]}, "network": "host"}"#),
            [
                "the host's network",
                "the capability CAP_SYS_ADMIN",
                "the capability ALL"
            ]
        );
        for source in [
            "/",
            "/etc",
            "/var",
            "/run",
            "/run/docker.sock",
            "/run/berth/x",
            "/srv/a.sock",
        ] {
            assert_eq!(
                of(&bind(source)),
                [format!("{source} of the host (read-only)")]
            );
        }
        for source in ["/srv/data", "/etc/localtime", "/home/u", "/var/lib/data"] {
            assert_eq!(of(&bind(source)), Vec::<String>::new(), "{source}");
        }
    }
}
