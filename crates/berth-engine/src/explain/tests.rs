//! Parsers against the kernel's own text, and the reading against this very process.

use std::collections::BTreeMap;

use berth_cgroup::Limit;
use berth_model::config::{MountConfig, MountKind, NetworkMode};

use super::*;

fn config() -> ContainerConfig {
    let id = ContainerId::from_bytes([1; 32]);
    ContainerConfig {
        name: "web".into(),
        mounts: vec![MountConfig {
            kind: MountKind::Tmpfs,
            destination: "/tmp".into(),
            ..MountConfig::default()
        }],
        network: NetworkMode::Host,
        causes: BTreeMap::from([
            ("memory".into(), "--memory 64m".into()),
            ("network".into(), "--network host".into()),
            ("capabilities.NET_RAW".into(), "--cap-drop NET_RAW".into()),
            ("mounts./tmp".into(), "--tmpfs /tmp".into()),
        ]),
        ..ContainerConfig::new(id)
    }
}

fn limit(name: &'static str, raw: &str) -> Limit {
    Limit {
        name,
        file: name.into(),
        raw: raw.into(),
        value: raw.parse().ok(),
    }
}

#[test]
fn a_process_of_the_host_shares_everything() {
    let config = config();
    let causes = Causes {
        config: &config,
        rootless: false,
    };
    let process = kernel::Process::read(std::process::id() as i32).unwrap();
    let namespaces = process.namespaces(&causes).unwrap();
    assert!(
        namespaces
            .rows
            .iter()
            .all(|row| row.value.starts_with("shared with the host"))
    );
    let net = namespaces
        .rows
        .iter()
        .find(|row| row.name == "net")
        .unwrap();
    assert_eq!(net.cause, "--network host");
    let link = std::fs::read_link("/proc/self/ns/net").unwrap();
    let inode = net.value.rsplit(['(', ')']).nth(1).unwrap();
    assert!(link.to_string_lossy().contains(inode));
    assert_eq!(process.rlimits(&causes).unwrap().rows.len(), 16);
    let privileges = process.privileges(&causes);
    assert_eq!(privileges.rows[0].cause, "default, --cap-drop NET_RAW");
    assert!(
        privileges
            .rows
            .iter()
            .any(|row| row.name == "seccomp" && row.value.starts_with("off"))
    );
}

#[test]
fn capabilities_in_words() {
    assert_eq!(kernel::capabilities("0000000000000000"), "none");
    assert_eq!(kernel::capabilities("0000000000000021"), "chown kill");
    assert_eq!(kernel::capabilities("000001ffffffffff"), "all 41");
    assert_eq!(
        kernel::capabilities("000001fffeffffff"),
        "all but sys_resource"
    );
}

#[test]
fn id_maps_in_words() {
    assert_eq!(
        kernel::id_map("         0          0 4294967295\n"),
        "the host's own numbers"
    );
    assert_eq!(
        kernel::id_map("0 1000 1\n1 100000 65536\n"),
        "0 is 1000 outside, 1-65536 are 100000-165535 outside"
    );
}

#[test]
fn layers_are_split_as_overlay_does() {
    assert_eq!(mounts::split_layers("/a:/b"), ["/a", "/b"]);
    assert_eq!(mounts::split_layers("/a\\134:x:/b\\040c"), ["/a:x", "/b c"]);
}

#[test]
fn limits_are_the_kernels_and_causes_the_users() {
    let config = config();
    let causes = Causes {
        config: &config,
        rootless: false,
    };
    let limits = [
        limit("memory", "67108864"),
        limit("memory+swap", "134217728"),
        limit("pids", "max"),
        limit("cpu-quota", "50000"),
        limit("cpu-period", "100000"),
        limit("devices", "c 1:3 rwm\nc 1:5 rwm"),
    ];
    let rows = limits::rows(&limits, &causes);
    let of = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
    assert_eq!(of("memory").value, "64 MiB");
    assert_eq!(of("memory").cause, "--memory 64m");
    assert_eq!(of("memory+swap").value, "128 MiB");
    assert_eq!(of("pids").value, "no limit");
    assert_eq!(of("cpus").value, "0.5 (50000 µs of each 100000 µs)");
    assert_eq!(of("devices").value, "none but c 1:3 rwm, c 1:5 rwm");
    let v2 = limits::rows(
        &[limit("cpu-quota", "max 100000"), limit("swap", "0")],
        &causes,
    );
    assert_eq!(v2[0].value, "no limit");
    assert_eq!(v2.len(), 1);
}

#[test]
fn the_text_is_aligned_and_free_of_control_characters() {
    let row = |name: &str, value: &str, cause: &str| Row {
        name: name.into(),
        value: value.into(),
        source: String::new(),
        cause: cause.into(),
    };
    let explanation = Explanation {
        id: "a".repeat(64),
        name: "web".into(),
        image: "busybox".into(),
        status: "running".into(),
        pid: Some(7),
        groups: vec![Group {
            title: "limits".into(),
            source: format!("/x/{}/é", "0a".repeat(32)),
            rows: vec![
                row("memory", "64 MiB", "--memory 64m"),
                row("p\x1b[31m", "1\u{202e}", "default"),
            ],
        }],
    };
    let expected = "web (aaaaaaaaaaaa), running, process 7 on the host\nimage busybox\n\nLIMITS  [/x/0a0a0a0a0a0a…/é]\n  \
                    memory  64 MiB  --memory 64m\n  p\u{fffd}[31m  1\u{fffd}      default\n";
    assert_eq!(explanation.render_text(), expected);
}

#[test]
fn what_does_not_run_has_causes_only() {
    let group = asked(&config());
    assert_eq!(group.rows.len(), 4);
    assert!(group.rows.iter().all(|row| row.value == "not running"));
}
