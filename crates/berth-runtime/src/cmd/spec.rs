//! `spec`: writes a `config.json` to start from.

use std::path::PathBuf;

use berth_oci::spec::{
    Capabilities, DeviceRule, Linux, Mount, Namespace, NamespaceKind, OCI_VERSION, Process,
    Resources, Rlimit, Root, Spec,
};

use super::args::{Args, unknown};
use crate::error::{Error, Result};
use crate::json;

const MASKED: [&str; 10] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];
const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

pub(super) fn main(mut args: Args) -> Result<i32> {
    let (mut bundle, mut rootless) = (PathBuf::from("."), false);
    while let Some(option) = args.next_option()? {
        match option.as_str() {
            "-b" | "--bundle" => bundle = args.value()?.into(),
            "--rootless" => rootless = args.flag()?,
            other => return Err(unknown(other)),
        }
    }
    args.end()?;
    let path = bundle.join("config.json");
    let fail = |source| Error::WriteFile {
        path: path.clone(),
        source,
    };
    let json = json::write_pretty(&example(rootless)).map_err(|e| fail(e.into()))?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(fail)?;
    std::io::Write::write_all(&mut file, (json + "\n").as_bytes()).map_err(fail)?;
    Ok(0)
}

fn mount(destination: &str, kind: &str, options: &[&str]) -> Mount {
    Mount {
        destination: destination.to_owned(),
        kind: Some(kind.to_owned()),
        source: Some(kind.to_owned()),
        options: options.iter().map(|o| (*o).to_owned()).collect(),
        ..Mount::default()
    }
}

fn example(rootless: bool) -> Spec {
    let caps = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
        .map(String::from)
        .to_vec();
    let strings = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let hardened = ["nosuid", "noexec", "nodev"];
    let mut kinds = vec![
        NamespaceKind::Pid,
        NamespaceKind::Network,
        NamespaceKind::Ipc,
        NamespaceKind::Uts,
        NamespaceKind::Mount,
        NamespaceKind::Cgroup,
    ];
    let mut linux = Linux {
        resources: Some(Resources {
            devices: vec![DeviceRule {
                access: Some("rwm".into()),
                ..DeviceRule::default()
            }],
            ..Resources::default()
        }),
        masked_paths: strings(&MASKED),
        readonly_paths: strings(&READ_ONLY),
        ..Linux::default()
    };
    if rootless {
        kinds.push(NamespaceKind::User);
        let map = |host_id| {
            vec![berth_oci::spec::IdMapping {
                container_id: 0,
                host_id,
                size: 1,
            }]
        };
        linux.uid_mappings = map(rustix::process::getuid().as_raw());
        linux.gid_mappings = map(rustix::process::getgid().as_raw());
        linux.resources = None;
    }
    linux.namespaces = kinds
        .into_iter()
        .map(|kind| Namespace { kind, path: None })
        .collect();
    let pts: &[&str] = if rootless {
        &[
            "nosuid",
            "noexec",
            "newinstance",
            "ptmxmode=0666",
            "mode=0620",
        ]
    } else {
        &[
            "nosuid",
            "noexec",
            "newinstance",
            "ptmxmode=0666",
            "mode=0620",
            "gid=5",
        ]
    };
    Spec {
        oci_version: OCI_VERSION.to_owned(),
        root: Some(Root {
            path: "rootfs".into(),
            readonly: true,
        }),
        hostname: "berth".to_owned(),
        process: Some(Process {
            terminal: true,
            args: strings(&["sh"]),
            env: strings(&[
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "TERM=xterm",
            ]),
            cwd: "/".to_owned(),
            capabilities: Some(Capabilities {
                bounding: caps.clone(),
                effective: caps.clone(),
                permitted: caps,
                ..Capabilities::default()
            }),
            rlimits: vec![Rlimit {
                kind: "RLIMIT_NOFILE".into(),
                soft: 1024,
                hard: 1024,
            }],
            no_new_privileges: true,
            ..Process::default()
        }),
        mounts: vec![
            mount("/proc", "proc", &hardened),
            mount(
                "/dev",
                "tmpfs",
                &["nosuid", "strictatime", "mode=755", "size=65536k"],
            ),
            mount("/dev/pts", "devpts", pts),
            mount(
                "/dev/shm",
                "tmpfs",
                &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
            ),
            mount("/dev/mqueue", "mqueue", &hardened),
            mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
            mount(
                "/sys/fs/cgroup",
                "cgroup",
                &["nosuid", "noexec", "nodev", "relatime", "ro"],
            ),
        ],
        linux: Some(linux),
        ..Spec::default()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_example_is_valid() {
        for rootless in [false, true] {
            crate::validate::spec(&super::example(rootless)).unwrap();
        }
    }
}
