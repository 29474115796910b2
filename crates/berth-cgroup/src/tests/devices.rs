//! Device rules, kept by the v1 controller and by a program.

use super::*;

fn devices_are_enforced(cgroup: &Cgroup) {
    assert!(succeeds(cgroup, "echo x > /dev/null"), "1:3 rwm");
    assert!(succeeds(cgroup, "head -c1 /dev/zero"), "1:5 r");
    assert!(!succeeds(cgroup, "echo x > /dev/zero"), "1:5 has no w");
    assert!(
        !succeeds(cgroup, "head -c1 /dev/urandom"),
        "1:9 has no rule"
    );
    let node = std::env::temp_dir().join(format!("berth-node-{}", std::process::id()));
    let node = node.display();
    assert!(succeeds(
        cgroup,
        &format!("mknod {node} c 1 3 && rm {node}")
    ));
    assert!(!succeeds(cgroup, &format!("mknod {node} c 1 5")));
}

#[test]
fn device_rules_hold_whichever_version_keeps_them() {
    let resources = Resources {
        devices: docker_devices(),
        ..Resources::default()
    };
    let parent = Parent::new();
    let cgroup = create(&parent, &resources).unwrap();
    devices_are_enforced(&cgroup);
    cgroup.remove().unwrap();

    // The eBPF program, on the unified hierarchy alone.
    let mut layout = Layout::detect().unwrap();
    layout.v1.clear();
    let parent = Parent::new();
    let cgroup = create_in(&layout, &parent.leaf(), &resources, &Options::default()).unwrap();
    devices_are_enforced(&cgroup);
    let more = DeviceRule {
        allow: true,
        kind: Some("c".into()),
        major: Some(1),
        minor: Some(9),
        access: Some("r".into()),
    };
    let mut devices = docker_devices();
    devices.push(more);
    let update = Resources {
        devices,
        ..Resources::default()
    };
    cgroup.update(&update, &Options::default()).unwrap();
    assert!(
        succeeds(&cgroup, "head -c1 /dev/urandom"),
        "the old program is gone"
    );
    cgroup.remove().unwrap();
}

/// Source: config-linux.md, "Allowed Device list": the runtime MUST apply entries in the listed order.
#[test]
fn a_later_rule_takes_back_what_an_earlier_gave() {
    let mut rules = docker_devices();
    rules.push(DeviceRule {
        allow: false,
        kind: Some("c".into()),
        major: Some(1),
        minor: None,
        access: Some("w".into()),
    });
    let resources = Resources {
        devices: rules,
        ..Resources::default()
    };
    let full = Layout::detect().unwrap();
    let unified = Layout {
        v1: Vec::new(),
        ..full.clone()
    };
    for layout in [full, unified] {
        let parent = Parent::new();
        let cgroup = create_in(&layout, &parent.leaf(), &resources, &Options::default()).unwrap();
        assert!(!succeeds(&cgroup, "echo x > /dev/null"));
        assert!(succeeds(&cgroup, "head -c1 /dev/zero"));
        cgroup.remove().unwrap();
    }
}
