//! The spec against a golden file and row by row.

use std::path::Path;

use berth_model::config::{MountConfig, MountKind, NetworkMode, ProcessConfig, ResourceConfig};
use berth_model::{ContainerConfig, ContainerId};
use berth_oci::spec::{NamespaceKind, Spec};

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
