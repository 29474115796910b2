//! What is and what is not a configuration: versions, unknown properties, values that nothing can follow, and where
//! it lies. Needs root and busybox-static.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod rig;

use std::path::Path;

use rig::Bundle;
use serde_json::{Value, json};

/// Sets what a JSON pointer leads to; objects on the way are made.
fn set(config: &mut Value, pointer: &str, value: Value) {
    let mut place = config;
    for key in pointer.split('/').skip(1) {
        place = match key.parse::<usize>() {
            Ok(index) if place.is_array() => &mut place[index],
            _ => &mut place[key],
        };
    }
    *place = value;
}

/// Source: bundle.md, "Container Format": it MUST be in the bundle's root and MUST be named `config.json`; the
/// directory itself is no part of the bundle.
#[test]
fn a_bundle_is_its_directorys_content() {
    let bundle = Bundle::new("echo ran");
    let run = |place: &Path| bundle.call(&["run", "-b", place.to_str().unwrap(), "c"]);
    assert_eq!(run(bundle.path()).ok(), "ran");
    let moved = bundle.path().join("elsewhere");
    std::fs::create_dir(&moved).unwrap();
    for name in ["rootfs", "config.json"] {
        std::fs::rename(bundle.path().join(name), moved.join(name)).unwrap();
    }
    // `call` writes the configuration anew, into the first place.
    let start = || {
        let mut command = std::process::Command::new(rig::runtime());
        command.arg("--root").arg(bundle.path().join("state"));
        command.args(["run", "-b", moved.to_str().unwrap(), "c"]);
        testkit::Finished::run(&mut command, b"", rig::LIMIT)
    };
    assert_eq!(start().ok(), "ran");
    std::fs::rename(moved.join("config.json"), moved.join("Config.json")).unwrap();
    assert!(start().fails(125).contains("config.json"));
    std::fs::create_dir(moved.join("etc")).unwrap();
    std::fs::rename(moved.join("Config.json"), moved.join("etc/config.json")).unwrap();
    assert!(start().fails(125).contains("config.json"));
    assert_eq!(bundle.leaks(), [""; 0]);
}

/// Source: config.md, "Specification version": it MUST be in the format of SemVer 2.0.0.
#[test]
fn versions_are_semantic_ones() {
    let mut bundle = Bundle::new("true");
    for good in [
        "1.0.0",
        "1.0.2-dev",
        "1.0.0-rc.5+git.01",
        "1.2.1",
        "1.3.0",
        "1.10.0",
    ] {
        bundle.config["ociVersion"] = json!(good);
        bundle.run().ok();
    }
    for bad in [
        "", "1", "1.0", "1.0.x", "1.0.0.0", "1.00.0", "1.0.0-", "1.0.0-01", "1.0.0+", "1.0.0 ",
        "v1.0.0", "0.9.0", "2.0.0",
    ] {
        bundle.config["ociVersion"] = json!(bad);
        let run = bundle.run();
        assert!(run.fails(125).contains("ociVersion"), "{bad}: {run}");
    }
    bundle.config.as_object_mut().unwrap().remove("ociVersion");
    assert!(bundle.run().fails(125).contains("ociVersion"));
}

/// Source: config.md, "Extensibility", "Annotations": unknown properties and annotation keys MUST be ignored.
#[test]
fn unknown_properties_are_ignored() {
    let mut bundle = Bundle::new("echo ran");
    let unknown = json!({"a": [1, {"b": null}], "c": "d"});
    for place in [
        "",
        "/root",
        "/process",
        "/process/user",
        "/process/capabilities",
        "/process/rlimits/0",
        "/mounts/0",
        "/hooks",
        "/linux",
        "/linux/namespaces/0",
        "/linux/resources",
        "/linux/resources/memory",
        "/linux/resources/devices/0",
    ] {
        let pointer = format!("{place}/berthTestUnknown");
        set(&mut bundle.config, &pointer, unknown.clone());
    }
    bundle.config["annotations"] = json!({"org.berth.test.unknown": "x", "empty": ""});
    let run = bundle.run();
    assert_eq!((run.ok(), run.stderr.as_str()), ("ran", ""));
}

/// Source: config.md, "Annotations": a map; keys MUST be strings and MUST NOT be empty, values MUST be strings.
#[test]
fn annotations_are_a_map_of_strings() {
    let mut bundle = Bundle::new("echo ran");
    for good in [json!({}), json!({"com.example.key": ""})] {
        bundle.config["annotations"] = good;
        assert_eq!(bundle.run().ok(), "ran");
    }
    for bad in [
        json!([]),
        json!("a"),
        json!({"": "x"}),
        json!({"a": 1}),
        json!({"a": {"b": "c"}}),
        json!({"a": null}),
    ] {
        bundle.config["annotations"] = bad.clone();
        let run = bundle.run();
        assert_eq!((run.code(), run.stdout.as_str()), (125, ""), "{bad}");
    }
}

/// Source: config.md, "Valid values", runtime.md, "Errors": an invalid or unsupported value MUST be an error, which
/// leaves nothing behind.
#[test]
fn invalid_values_are_errors() {
    let bundle = Bundle::new("echo ran");
    let plain = bundle.config.clone();
    let mut bundle = bundle;
    for (pointer, value) in [
        ("/ociVersion", json!(1)),
        ("/root/path", json!("")),
        ("/root/path", json!("missing")),
        ("/root/readonly", json!("yes")),
        ("/hostname", json!("x".repeat(65))),
        ("/mounts", json!({})),
        ("/mounts/0/destination", json!("")),
        ("/mounts/0/options", json!("ro")),
        ("/mounts/0/type", json!("berth-test-none")),
        ("/mounts/1/options", json!(["berth-test-none"])),
        ("/process/cwd", json!("relative")),
        ("/process/args", json!([])),
        ("/process/args", json!("sh")),
        ("/process/terminal", json!(1)),
        ("/process/env", json!(["=x"])),
        ("/process/user/uid", json!(-1)),
        ("/process/user/uid", json!("root")),
        ("/process/rlimits/0/type", json!("RLIMIT_NONE")),
        ("/process/scheduler", json!({"policy": "SCHED_NONE"})),
        (
            "/process/ioPriority",
            json!({"class": "IOPRIO_CLASS_NONE_SUCH", "priority": 0}),
        ),
        (
            "/process/ioPriority",
            json!({"class": "IOPRIO_CLASS_BE", "priority": 8}),
        ),
        ("/process/execCPUAffinity", json!({"initial": "a-b"})),
        ("/hooks", json!({"prestart": [{"path": "bin/true"}]})),
        (
            "/hooks",
            json!({"poststop": [{"path": "/bin/true", "timeout": 0}]}),
        ),
        ("/linux/namespaces/0/type", json!("berth-test-none")),
        ("/linux/namespaces/0/path", json!("relative")),
        (
            "/linux/namespaces",
            json!([{"type": "mount"}, {"type": "mount"}]),
        ),
        (
            "/linux/devices",
            json!([{"type": "x", "path": "/dev/x", "major": 1, "minor": 3}]),
        ),
        (
            "/linux/devices",
            json!([{"type": "c", "path": "", "major": 1, "minor": 3}]),
        ),
        ("/linux/resources/devices/0/type", json!("x")),
        ("/linux/resources/devices/0/access", json!("rx")),
        (
            "/linux/resources/hugepageLimits",
            json!([{"pageSize": "2M", "limit": 0}]),
        ),
        (
            "/linux/resources/blockIO",
            json!({"weightDevice": [{"major": 8, "minor": 0}]}),
        ),
        ("/linux/resources/rdma", json!({"mlx5_1": {}})),
        ("/linux/resources/cpu", json!({"cpus": "none"})),
        ("/linux/cgroupsPath", json!("/../x")),
        ("/linux/sysctl", json!({"kernel.none_such": "1"})),
        ("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_NONE"})),
        ("/linux/rootfsPropagation", json!("none")),
        ("/linux/maskedPaths", json!(["relative"])),
        ("/linux/readonlyPaths", json!(["relative"])),
        ("/linux/personality", json!({"domain": "BSD"})),
        (
            "/linux/personality",
            json!({"domain": "LINUX", "flags": ["X"]}),
        ),
        (
            "/linux/memoryPolicy",
            json!({"mode": "MPOL_NONE", "nodes": "0"}),
        ),
        ("/linux/intelRdt", json!({"closID": "../x"})),
        ("/linux/netDevices", json!({"lo": {"name": "a/b"}})),
        ("/linux/timeOffsets", json!({"realtime": {"secs": 1}})),
        ("/windows", json!({"layerFolders": ["c:\\"]})),
    ] {
        bundle.config = plain.clone();
        set(&mut bundle.config, pointer, value.clone());
        let run = bundle.run();
        assert_eq!(
            (run.code(), run.stdout.as_str()),
            (125, ""),
            "{pointer} {value}: {run}"
        );
        assert!(
            run.stderr.starts_with("error: "),
            "{pointer} {value}: {run}"
        );
        assert_eq!(bundle.leaks(), [""; 0], "{pointer} {value}");
    }
}

/// Source: config-linux.md, "Cgroups Path": absolute or relative; absolute it MUST be taken below the mount point;
/// the same value MUST lead to the same place each time, and an invalid one MUST be an error.
#[test]
fn the_same_cgroups_path_is_the_same_place() {
    let mut bundle = Bundle::new("cat /proc/self/cgroup");
    bundle.without_namespace("cgroup");
    let absolute = bundle.config["linux"]["cgroupsPath"].clone();
    let relative = json!(absolute.as_str().unwrap().trim_start_matches('/'));
    for path in [absolute, relative] {
        bundle.config["linux"]["cgroupsPath"] = path.clone();
        let first = bundle.run().ok().to_owned();
        let end = format!("/{}", path.as_str().unwrap().trim_start_matches('/'));
        let memory = |line: &&str| line.contains(":memory:") || line.starts_with("0::/");
        let mut places = first.lines().filter(memory);
        assert!(
            places.clone().count() > 0 && places.all(|l| l.ends_with(&end)),
            "{first}"
        );
        if path.as_str().unwrap().starts_with('/') {
            let line = first.lines().find(memory).unwrap();
            assert!(line.ends_with(&format!(":{end}")), "{line}");
        }
        assert_eq!(bundle.run().ok(), first, "{path}");
    }
    for bad in ["/../x", "/a/../../x", "/a\n"] {
        bundle.config["linux"]["cgroupsPath"] = json!(bad);
        bundle.run().fails(125);
    }
}
