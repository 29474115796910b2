//! The spec against a golden file and row by row.

use std::path::Path;

use berth_model::config::{
    CgroupMode, IpcMode, MountConfig, MountKind, NetworkMode, PidMode, ProcessConfig,
    ResourceConfig, UtsMode,
};
use berth_model::{ContainerConfig, ContainerId};
use berth_oci::spec::{Device, Namespace, NamespaceKind, Spec};
use serde_json::{Value, json};

use super::*;

fn config() -> ContainerConfig {
    ContainerConfig {
        name: "web".into(),
        process: ProcessConfig {
            entrypoint: vec!["/bin/sh".into()],
            command: vec!["-c".into(), "true".into()],
            env: vec!["PATH=/bin".into()],
            working_dir: "/".into(),
            ..ProcessConfig::default()
        },
        hostname: "abababababab".into(),
        resources: ResourceConfig {
            pids: Some(4096),
            ..ResourceConfig::default()
        },
        ..ContainerConfig::new(ContainerId::from_bytes([0xab; 32]))
    }
}

fn inputs() -> SpecInputs {
    SpecInputs {
        task_dir: "/run/berth/tasks/x".into(),
        volumes: "/var/lib/berth/volumes".into(),
        runtime: "/usr/libexec/berth/berth-runtime".into(),
        host_capabilities: ALL_CAPABILITIES
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
        masked_paths: vec!["/sys/devices/system/cpu/cpu0/thermal_throttle".into()],
        nofile_hard: 20_000,
        ..SpecInputs::default()
    }
}

fn build(config: &ContainerConfig, inputs: &SpecInputs) -> Spec {
    build_spec(config, inputs).unwrap()
}

fn given(config: &ContainerConfig) -> Vec<String> {
    let process = build(config, &inputs()).process.unwrap();
    let sets = process.capabilities.unwrap();
    assert!(sets.inheritable.is_empty() && sets.ambient.is_empty());
    assert_eq!(sets.bounding, sets.effective);
    sets.bounding
}

/// A plain container, whole. After a wanted change: `BERTH_BLESS=1 cargo test -p berth-engine golden`, and read
/// the difference.
#[test]
fn golden() {
    let made = serde_json::to_string_pretty(&build(&config(), &inputs())).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/spec/golden.json");
    if std::env::var_os("BERTH_BLESS").is_some() {
        std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), made.as_bytes())
            .unwrap();
    }
    assert_eq!(made, std::fs::read_to_string(&path).unwrap());
}

#[test]
fn capabilities_as_docker_gives_them() {
    let mut asked = config();
    let set = |asked: &mut ContainerConfig, add: &[&str], drop: &[&str]| {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        asked.security.cap_add = words(add);
        asked.security.cap_drop = words(drop);
    };
    assert_eq!(given(&asked).len(), 14);
    set(&mut asked, &["sys_time"], &["CAP_CHOWN", "kill"]);
    let found = given(&asked);
    assert_eq!(found.len(), 13);
    assert!(found.contains(&"CAP_SYS_TIME".into()) && !found.contains(&"CAP_KILL".into()));
    set(&mut asked, &["CHOWN"], &["ALL"]);
    assert_eq!(given(&asked), ["CAP_CHOWN"]);
    set(&mut asked, &["ALL"], &["SYS_ADMIN"]);
    assert_eq!(given(&asked).len(), 40);
    set(&mut asked, &["NOPE"], &[]);
    assert!(matches!(
        build_spec(&asked, &inputs()),
        Err(Error::Capability { .. })
    ));
    let mut asked = config();
    asked.security.privileged = true;
    assert_eq!(given(&asked).len(), 41);
}

#[test]
fn privileged_lifts_masks_and_devices() {
    let mut asked = config();
    asked.security.privileged = true;
    let linux = build(&asked, &inputs()).linux.unwrap();
    assert!(linux.masked_paths.is_empty() && linux.readonly_paths.is_empty());
    let rules = linux.resources.unwrap().devices;
    assert!(rules.len() == 1 && rules[0].allow);
}

#[test]
fn the_hosts_network_is_no_namespace() {
    let mut asked = config();
    let has = |asked: &ContainerConfig, kind| {
        let linux = build(asked, &inputs()).linux.unwrap();
        linux
            .namespaces
            .iter()
            .any(|namespace| namespace.kind == kind)
    };
    assert!(has(&asked, NamespaceKind::Network) && has(&asked, NamespaceKind::Cgroup));
    asked.network = NetworkMode::Host;
    assert!(!has(&asked, NamespaceKind::Network) && has(&asked, NamespaceKind::Pid));
    let sysctl = build(&asked, &inputs()).linux.unwrap().sysctl;
    assert!(
        sysctl.is_empty(),
        "the host's are not the container's to set"
    );
}

#[test]
fn limits_in_the_kernels_units() {
    let mut asked = config();
    asked.resources.memory_bytes = Some(64 << 20);
    asked.resources.nano_cpus = Some(1_500_000_000);
    asked.resources.ulimits.insert("nofile".into(), (10, 20));
    let with_swap = SpecInputs {
        swap_accounting: true,
        ..inputs()
    };
    let spec = build(&asked, &with_swap);
    let resources = spec.linux.unwrap().resources.unwrap();
    let memory = resources.memory.unwrap();
    assert_eq!(
        (memory.limit, memory.swap),
        (Some(64 << 20), Some(128 << 20))
    );
    let cpu = resources.cpu.unwrap();
    assert_eq!((cpu.quota, cpu.period), (Some(150_000), Some(100_000)));
    assert_eq!(resources.pids.unwrap().limit, Some(4096));
    let rlimits = spec.process.unwrap().rlimits;
    let nofile = rlimits
        .iter()
        .find(|limit| limit.kind == "RLIMIT_NOFILE")
        .unwrap();
    assert_eq!((nofile.soft, nofile.hard), (10, 20));
    asked.resources.ulimits.insert("nope".into(), (1, 1));
    assert!(matches!(
        build_spec(&asked, &inputs()),
        Err(Error::Ulimit { .. })
    ));
}

/// Each limit alone, and what the specification has for it.
#[test]
fn each_limit_has_its_place() {
    type Change = fn(&mut ResourceConfig);
    let table: [(Change, &str, Value); 15] = [
        (
            |r| r.memory_reservation_bytes = Some(8 << 20),
            "/memory/reservation",
            json!(8 << 20),
        ),
        (
            |r| r.memory_swap_bytes = Some(-1),
            "/memory/swap",
            json!(-1),
        ),
        (
            |r| r.memory_swappiness = Some(0),
            "/memory/swappiness",
            json!(0),
        ),
        (
            |r| r.oom_kill_disable = true,
            "/memory/disableOOMKiller",
            json!(true),
        ),
        (|r| r.cpu.shares = Some(512), "/cpu/shares", json!(512)),
        (|r| r.cpu.shares = Some(1), "/cpu/shares", json!(2)),
        (
            |r| r.cpu.quota_us = Some(20_000),
            "/cpu/quota",
            json!(20_000),
        ),
        (
            |r| r.cpu.period_us = Some(50_000),
            "/cpu/period",
            json!(50_000),
        ),
        (
            |r| r.cpu.realtime_runtime_us = Some(950),
            "/cpu/realtimeRuntime",
            json!(950),
        ),
        (
            |r| r.cpu.realtime_period_us = Some(1000),
            "/cpu/realtimePeriod",
            json!(1000),
        ),
        (|r| r.cpu.cpus = "0-1".into(), "/cpu/cpus", json!("0-1")),
        (|r| r.cpu.mems = "0".into(), "/cpu/mems", json!("0")),
        (
            |r| r.blkio.weight = Some(300),
            "/blockIO/weight",
            json!(300),
        ),
        (|r| r.pids = Some(0), "/pids/limit", json!(-1)),
        (
            |r| r.device_rules = vec!["c 10:* rw".into()],
            "/devices/12",
            json!({"allow": true, "type": "c", "major": 10, "access": "rw"}),
        ),
    ];
    for (change, place, value) in table {
        let mut asked = config();
        change(&mut asked.resources);
        let linux = build(&asked, &inputs()).linux.unwrap();
        let made = serde_json::to_value(linux.resources.unwrap()).unwrap();
        assert_eq!(made.pointer(place), Some(&value), "{place} of {made}");
    }
    let plain = build(&config(), &inputs()).linux.unwrap();
    let plain = plain.resources.unwrap();
    assert!(plain.memory.is_none() && plain.cpu.is_none() && plain.block_io.is_none());
}

#[test]
fn each_namespace_mode_is_a_namespace_a_path_or_none() {
    let joined = SpecInputs {
        joined: Joined {
            variables: Vec::new(),
            ipc: Some("/ipc".into()),
            shm: Some("/their/shm".into()),
            pid: Some("/pid".into()),
            network: Some("/net".into()),
            network_files: Some("/their".into()),
        },
        ..inputs()
    };
    let made = |change: fn(&mut ContainerConfig), kind| {
        let mut asked = config();
        change(&mut asked);
        let linux = build(&asked, &joined).linux.unwrap();
        let of = |namespace: &&Namespace| namespace.kind == kind;
        let found = linux.namespaces.iter().find(of).cloned();
        found.map(|namespace| {
            namespace
                .path
                .map_or("new".into(), |p| p.display().to_string())
        })
    };
    let other = || "x".to_owned();
    use NamespaceKind::{Cgroup, Ipc, Network, Pid, Uts};
    type Change = fn(&mut ContainerConfig);
    let table: [(Change, NamespaceKind, Option<&str>); 12] = [
        (|c| c.namespaces.ipc = IpcMode::Shareable, Ipc, Some("new")),
        (|c| c.namespaces.ipc = IpcMode::None, Ipc, Some("new")),
        (|c| c.namespaces.ipc = IpcMode::Host, Ipc, None),
        (
            |c| c.namespaces.ipc = IpcMode::Container("x".into()),
            Ipc,
            Some("/ipc"),
        ),
        (|c| c.namespaces.pid = PidMode::Host, Pid, None),
        (
            |c| c.namespaces.pid = PidMode::Container("x".into()),
            Pid,
            Some("/pid"),
        ),
        (|c| c.namespaces.uts = UtsMode::Host, Uts, None),
        (|c| c.namespaces.cgroup = CgroupMode::Host, Cgroup, None),
        (|c| c.network = NetworkMode::Host, Network, None),
        // Made before, with its device in it, and joined.
        (|c| c.network = NetworkMode::Bridge, Network, Some("/net")),
        (
            |c| c.network = NetworkMode::Container("x".into()),
            Network,
            Some("/net"),
        ),
        (|_| {}, Uts, Some("new")),
    ];
    for (at, (change, kind, wanted)) in table.into_iter().enumerate() {
        assert_eq!(made(change, kind).as_deref(), wanted, "row {at}");
    }
    // The names of the host are not the container's to set.
    let mut asked = config();
    asked.domainname = "example".into();
    assert_eq!(build(&asked, &inputs()).domainname, "example");
    asked.namespaces.uts = UtsMode::Host;
    let spec = build(&asked, &inputs());
    assert!(spec.hostname.is_empty() && spec.domainname.is_empty());
    // Shared memory and the files of the network come along.
    let mount = |asked: &ContainerConfig, inputs: &SpecInputs, at: &str| {
        let mounts = build(asked, inputs).mounts;
        let found = mounts.into_iter().find(|mount| mount.destination == at);
        found.map(|mount| mount.source.unwrap())
    };
    let mut asked = config();
    for (ipc, source) in [
        (IpcMode::Private, Some("shm")),
        (IpcMode::None, None),
        (IpcMode::Host, Some("/dev/shm")),
        (IpcMode::Shareable, Some("/run/berth/tasks/x/shm")),
        (IpcMode::Container(other()), Some("/their/shm")),
    ] {
        asked.namespaces.ipc = ipc;
        assert_eq!(mount(&asked, &joined, "/dev/shm").as_deref(), source);
    }
    let hosts = |inputs: &SpecInputs| mount(&config(), inputs, "/etc/hosts");
    assert_eq!(
        hosts(&inputs()).as_deref(),
        Some("/run/berth/tasks/x/hosts")
    );
    assert_eq!(hosts(&joined).as_deref(), Some("/their/hosts"));
}

#[test]
fn binds_take_what_is_below_or_not() {
    type Change = fn(&mut MountConfig);
    let table: [(Change, &[&str]); 4] = [
        (|_| {}, &["rbind", "rprivate"]),
        (|m| m.non_recursive = true, &["bind", "rprivate"]),
        (|m| m.read_only = true, &["rbind", "rprivate", "ro"]),
        (
            |m| (m.read_only, m.read_only_force_recursive) = (true, true),
            &["rbind", "rprivate", "rro"],
        ),
    ];
    for (change, options) in table {
        let mut mount = MountConfig {
            kind: MountKind::Bind,
            source: "/s".into(),
            destination: "/d".into(),
            ..MountConfig::default()
        };
        change(&mut mount);
        let mut asked = config();
        asked.mounts = vec![mount];
        assert_eq!(
            build(&asked, &inputs()).mounts.pop().unwrap().options,
            options
        );
    }
}

#[test]
fn paths_and_kernel_parameters_as_asked() {
    let mut asked = config();
    asked.security.masked_paths = Some(Vec::new());
    asked.security.readonly_paths = Some(vec!["/x".into()]);
    let sysctls = &mut asked.security.sysctls;
    sysctls.insert("net.ipv4.ip_unprivileged_port_start".into(), "80".into());
    sysctls.insert("kernel.msgmax".into(), "1".into());
    asked.resources.oom_score_adj = Some(500);
    asked.security.apparmor = Some("mine".into());
    asked.annotations.insert("a".into(), "b".into());
    let spec = build(&asked, &inputs());
    let linux = spec.linux.unwrap();
    assert_eq!(
        (linux.masked_paths.len(), linux.readonly_paths),
        (0, vec!["/x".to_owned()])
    );
    assert_eq!(linux.sysctl["net.ipv4.ip_unprivileged_port_start"], "80");
    assert_eq!(
        (linux.sysctl["kernel.msgmax"].as_str(), linux.sysctl.len()),
        ("1", 3)
    );
    assert_eq!(spec.annotations["a"], "b");
    let process = spec.process.unwrap();
    // As Docker: a profile is nothing to a host without AppArmor.
    assert_eq!(
        (process.oom_score_adj, process.apparmor_profile),
        (Some(500), None)
    );
    let with = SpecInputs {
        apparmor: true,
        ..inputs()
    };
    let process = build(&asked, &with).process.unwrap();
    assert_eq!(process.apparmor_profile.as_deref(), Some("mine"));
}

#[test]
fn devices_get_a_node_and_a_rule() {
    let device = |path: &str| Device {
        kind: "c".into(),
        path: path.into(),
        major: 10,
        minor: 200,
        file_mode: None,
        uid: None,
        gid: None,
    };
    let asked_for = SpecInputs {
        devices: vec![(device("/dev/net/tun"), "rw".into())],
        host_devices: vec![device("/dev/net/tun"), device("/dev/other")],
        ..inputs()
    };
    let linux = build(&config(), &asked_for).linux.unwrap();
    assert_eq!(linux.devices.len(), 1);
    let rules = linux.resources.unwrap().devices;
    let rule = rules.last().unwrap();
    assert_eq!(
        (rule.allow, rule.major, rule.minor, rule.access.as_deref()),
        (true, Some(10), Some(200), Some("rw"))
    );
    let mut asked = config();
    asked.security.privileged = true;
    let linux = build(&asked, &asked_for).linux.unwrap();
    assert_eq!(linux.devices.len(), 2, "each path once");
    asked.security.privileged = false;
    asked.resources.device_rules = vec!["everything".into()];
    assert!(matches!(
        build_spec(&asked, &inputs()),
        Err(Error::DeviceRule { .. })
    ));
}

#[test]
fn rootless_leaves_out_what_it_cannot_hold() {
    let rootless = SpecInputs {
        rootless: true,
        ..inputs()
    };
    let mut asked = config();
    asked.causes.insert("pids".into(), "default".into());
    asked.network = NetworkMode::Host;
    let spec = build(&asked, &rootless);
    let sys = spec
        .mounts
        .iter()
        .find(|mount| mount.destination == "/sys")
        .unwrap();
    assert_eq!(sys.kind.as_deref(), Some("bind"));
    let resources = spec.linux.unwrap().resources.unwrap();
    assert!(resources.pids.is_none() && resources.devices.is_empty());
    asked.causes.insert("pids".into(), "--pids-limit 9".into());
    let resources = build(&asked, &rootless).linux.unwrap().resources.unwrap();
    assert!(
        resources.pids.is_some(),
        "what was asked for must hold, or fail"
    );
}

#[test]
fn mounts_are_ordered_and_replace_defaults() {
    let mut asked = config();
    let wish = |kind, source: &str, destination: &str| MountConfig {
        kind,
        source: source.into(),
        destination: destination.into(),
        ..MountConfig::default()
    };
    asked.mounts = vec![
        wish(MountKind::Tmpfs, "", "/a/b"),
        wish(MountKind::Bind, "/host", "/a"),
        wish(MountKind::Tmpfs, "", "/dev/shm"),
    ];
    let mounts = build(&asked, &inputs()).mounts;
    let at = |destination: &str| {
        let found: Vec<usize> = (0..mounts.len())
            .filter(|at| mounts[*at].destination == destination)
            .collect();
        assert_eq!(found.len(), 1, "{destination}");
        found[0]
    };
    assert!(at("/a") < at("/a/b") && at("/dev") < at("/dev/shm"));
    assert!(mounts[at("/a")].options.contains(&"rprivate".into()));
    // R17: nothing rides along.
    asked.mounts[1].propagation = Some("shared,dev".into());
    assert!(matches!(
        build_spec(&asked, &inputs()),
        Err(Error::Propagation { .. })
    ));
}

#[test]
fn init_precedes_the_program() {
    let mut asked = config();
    asked.init = true;
    let spec = build(&asked, &inputs());
    assert_eq!(
        spec.process.unwrap().args[..3],
        [INIT_PATH, "--", "/bin/sh"]
    );
    let init = spec
        .mounts
        .iter()
        .find(|mount| mount.destination == INIT_PATH)
        .unwrap();
    assert!(init.options.contains(&"ro".into()));
}
