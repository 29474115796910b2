//! `features`: what it lists is what the code takes. Needs root.
//!
//! Source: features.md, features-linux.md, schema/features-schema.json.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod rig;

use rig::Bundle;
use serde_json::{Value, json};

fn features() -> Value {
    let output = std::process::Command::new(rig::runtime())
        .arg("features")
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn strings(list: &Value) -> Vec<String> {
    let strings = list
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s.as_str().unwrap().to_owned());
    strings.collect()
}

/// Source: features.md, "Features Structure", "Annotations": the schema's types, lists of strings, objects of booleans;
/// nothing is null.
#[test]
fn the_output_has_the_schemas_form() {
    let features = features();
    for version in ["ociVersionMin", "ociVersionMax"] {
        assert!(features[version].as_str().unwrap().starts_with("1."));
    }
    for list in [
        "hooks",
        "mountOptions",
        "potentiallyUnsafeConfigAnnotations",
    ] {
        strings(&features[list]);
    }
    assert!(
        features["annotations"]
            .as_object()
            .unwrap()
            .values()
            .all(Value::is_string)
    );
    let linux = &features["linux"];
    for list in ["namespaces", "capabilities"] {
        assert!(!strings(&linux[list]).is_empty());
    }
    for list in [
        "actions",
        "operators",
        "archs",
        "knownFlags",
        "supportedFlags",
    ] {
        assert!(!strings(&linux["seccomp"][list]).is_empty());
    }
    for list in ["modes", "flags"] {
        assert!(!strings(&linux["memoryPolicy"][list]).is_empty());
    }
    for (group, fields) in [
        (
            "cgroup",
            &["v1", "v2", "systemd", "systemdUser", "rdma"][..],
        ),
        ("seccomp", &["enabled"]),
        ("apparmor", &["enabled"]),
        ("selinux", &["enabled"]),
        ("intelRdt", &["enabled"]),
        ("netDevices", &["enabled"]),
    ] {
        for field in fields {
            assert!(linux[group][field].is_boolean(), "{group}.{field}");
        }
    }
    assert!(linux["mountExtensions"]["idmap"]["enabled"].is_boolean());
}

/// Source: features.md, "Hooks", features-linux.md, "Capabilities", "Seccomp", "MemoryPolicy": the runtime MUST
/// recognize the elements of each list in its place.
#[test]
fn every_word_is_recognized_in_its_place() {
    let features = features();
    let linux = &features["linux"];
    let mut bundle = Bundle::new("true");
    let caps = linux["capabilities"].clone();
    assert!(strings(&caps).iter().all(|c| c.starts_with("CAP_")));
    bundle.config["process"]["capabilities"] = json!({"bounding": caps});
    let seccomp = &linux["seccomp"];
    let rules: Vec<Value> = strings(&seccomp["actions"])
        .into_iter()
        .filter(|action| action != "SCMP_ACT_NOTIFY")
        .map(|action| json!({"names": ["swapoff"], "action": action}))
        .collect();
    let compared = strings(&seccomp["operators"]).into_iter().map(|op| {
        json!({"names": ["swapon"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 1, "valueTwo": 1, "op": op}]})
    });
    let rules: Vec<Value> = rules.into_iter().chain(compared).collect();
    bundle.config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": seccomp["archs"],
        "flags": seccomp["knownFlags"], "syscalls": rules});
    for stage in strings(&features["hooks"]) {
        bundle.config["hooks"][stage] = json!([{"path": "/bin/true"}]);
    }
    let run = bundle.run();
    assert_eq!((run.ok(), run.stderr.as_str()), ("", ""));
    assert_eq!(
        strings(&seccomp["knownFlags"]),
        strings(&seccomp["supportedFlags"]),
        "this kernel has them all"
    );
    for mode in strings(&linux["memoryPolicy"]["modes"]) {
        for flag in strings(&linux["memoryPolicy"]["flags"]) {
            let nodes = if matches!(mode.as_str(), "MPOL_DEFAULT" | "MPOL_LOCAL") {
                ""
            } else {
                "0"
            };
            bundle.config["linux"]["memoryPolicy"] =
                json!({"mode": mode, "nodes": nodes, "flags": [flag]});
            let run = bundle.run();
            // The kernel may not have the pair; the words are known.
            assert!(!run.stderr.contains("is not known"), "{}", run.stderr);
        }
    }
}

/// Source: features.md, "Specification version": both MUST be accepted, the latter MUST NOT be less; there MUST NOT be
/// properties that the specification does not define.
#[test]
fn versions_are_accepted_and_properties_are_the_specifications() {
    let features = features();
    let numbers = |version: &Value| -> Vec<u32> {
        let numbers = version.as_str().unwrap().split('.');
        numbers.map(|n| n.parse().unwrap()).collect()
    };
    let (least, most) = (&features["ociVersionMin"], &features["ociVersionMax"]);
    assert!(numbers(most) >= numbers(least));
    let mut bundle = Bundle::new("true");
    for version in [least, most] {
        bundle.config["ociVersion"] = version.clone();
        bundle.run().ok();
    }
    let known = |object: &Value, properties: &str| {
        let unknown = |key: &&String| !properties.split(' ').any(|known| known == *key);
        let unknown: Vec<_> = object.as_object().unwrap().keys().filter(unknown).collect();
        assert_eq!(unknown, [""; 0]);
        assert!(object.as_object().unwrap().values().all(|v| !v.is_null()));
    };
    known(
        &features,
        "ociVersionMin ociVersionMax hooks mountOptions linux annotations potentiallyUnsafeConfigAnnotations",
    );
    let linux = &features["linux"];
    known(
        linux,
        "namespaces capabilities cgroup seccomp apparmor selinux intelRdt memoryPolicy mountExtensions netDevices",
    );
    for (group, properties) in [
        ("cgroup", "v1 v2 systemd systemdUser rdma"),
        (
            "seccomp",
            "enabled actions operators archs knownFlags supportedFlags",
        ),
        ("apparmor", "enabled"),
        ("selinux", "enabled"),
        ("intelRdt", "enabled schemata monitoring"),
        ("memoryPolicy", "modes flags"),
        ("mountExtensions", "idmap"),
        ("netDevices", "enabled"),
    ] {
        known(&linux[group], properties);
    }
    assert!(
        features["annotations"]
            .as_object()
            .unwrap()
            .keys()
            .all(|key| !key.is_empty())
    );
}

/// Source: features.md, "Mount Options", features-linux.md, "Namespaces": MUST be recognized, as options of a mount and
/// as types of namespaces.
#[test]
fn every_mount_option_and_namespace_is_recognized() {
    let features = features();
    let mut bundle = Bundle::new("true");
    for option in strings(&features["mountOptions"]) {
        let destination = format!("/mnt/{option}");
        // A bind mount takes no word that it does not know; a remount needs what was mounted before.
        let mut options = vec!["bind", &option];
        if option == "remount" {
            options = vec!["remount", "ro"];
        }
        let mut mount = json!({"destination": destination, "source": "/tmp", "options": options});
        if option.ends_with("idmap") {
            let map = json!([{"containerID": 0, "hostID": 1000, "size": 100}]);
            (mount["uidMappings"], mount["gidMappings"]) = (map.clone(), map);
        }
        bundle.mount(json!({"destination": "/mnt", "type": "tmpfs"}));
        if option == "remount" {
            let first = json!({"destination": destination, "type": "tmpfs"});
            bundle.add_mount(first);
            bundle.add_mount(mount);
        } else {
            bundle.mount(mount);
        }
    }
    let run = bundle.run();
    assert_eq!((run.ok(), run.stderr.as_str()), ("", ""));
    let mut bundle = Bundle::new("true");
    bundle.config["linux"]["namespaces"] = strings(&features["linux"]["namespaces"])
        .into_iter()
        .map(|kind| json!({"type": kind}))
        .collect();
    let map = json!([{"containerID": 0, "hostID": 0, "size": 65536}]);
    (
        bundle.config["linux"]["uidMappings"],
        bundle.config["linux"]["gidMappings"],
    ) = (map.clone(), map);
    let run = bundle.run();
    assert_eq!((run.ok(), run.stderr.as_str()), ("", ""));
}
