//! What is mounted from where to where: order, sources, destinations, links. Needs root and busybox-static.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod mount_rig;
mod rig;

use std::os::unix::fs::symlink;

use mount_rig::Info;
use rig::Bundle;
use serde_json::{Value, json};

/// Source: config.md, "Mounts": "The runtime MUST mount entries in the listed order."
#[test]
fn mounts_are_made_in_the_listed_order() {
    let mut bundle = Bundle::writable("");
    std::fs::create_dir_all(bundle.path().join("a/b")).unwrap();
    std::fs::write(bundle.path().join("a/b/file"), "a").unwrap();
    std::fs::create_dir(bundle.path().join("b")).unwrap();
    std::fs::write(bundle.path().join("b/file"), "b").unwrap();
    let a = json!({"destination": "/mnt", "source": "a", "options": ["bind"]});
    let b = json!({"destination": "/mnt/b", "source": "b", "options": ["bind"]});
    bundle.config["process"]["args"] = json!(["cat", "/mnt/b/file"]);
    for (order, want) in [([&a, &b], "b"), ([&b, &a], "a")] {
        for mount in order {
            bundle.mount(mount.clone());
        }
        assert_eq!(bundle.run().ok(), want);
        bundle.remove_mount("/mnt");
        bundle.remove_mount("/mnt/b");
    }
}

/// Source: config.md, "Mounts": `source` of a bind mount is a file or directory, absolute or relative to the
/// bundle; `destination` MAY be relative, and MUST then be interpreted as relative to "/".
#[test]
fn sources_and_destinations() {
    let mut bundle = Bundle::writable("");
    std::fs::create_dir(bundle.path().join("dir")).unwrap();
    std::fs::write(bundle.path().join("dir/file"), "text\n").unwrap();
    let absolute = bundle.path().join("dir/file");
    symlink("file", bundle.path().join("dir/link")).unwrap();
    let file = absolute.to_str().unwrap();
    for (source, destination, look) in [
        ("dir/file", "/new/file", "/new/file"),
        (file, "/etc/passwd", "/etc/passwd"),
        ("dir", "/deep/er/dir", "/deep/er/dir/file"),
        ("dir/link", "/new/link", "/new/link"),
        ("./dir/../dir", "relative/../place/", "/place/file"),
        ("dir", "//x/./y", "/x/y/file"),
    ] {
        let mount = json!({"destination": destination, "source": source, "options": ["rbind"]});
        bundle.mount(mount);
        bundle.config["process"]["args"] = json!(["cat", look]);
        assert_eq!(bundle.run().ok(), "text", "{source} {destination}");
        bundle.remove_mount(destination);
    }
    for (source, destination, want) in [
        (json!("missing"), "/x", "no such file"),
        (json!("dir/file/x"), "/x", "not a directory"),
        (json!(""), "/x", "needs a source"),
        (Value::Null, "/x", "needs a source"),
        (json!("dir"), "/etc/passwd", "not a directory"),
        (json!("dir/file"), "/tmp", "not a directory"),
    ] {
        let mount = json!({"destination": destination, "source": source, "options": ["bind"]});
        bundle.mount(mount);
        let run = bundle.run();
        assert!(
            run.fails(125).contains(want),
            "{source} {destination}: {}",
            run.stderr
        );
        bundle.remove_mount(destination);
    }
}

/// A descriptor that the runtime was started with can be a source.
#[test]
fn an_open_descriptor_is_a_source() {
    let mut bundle = Bundle::writable("");
    let secret = tempfile::tempdir().unwrap();
    std::fs::write(secret.path().join("file"), "text").unwrap();
    let directory = std::fs::File::open(secret.path()).unwrap();
    bundle.mount(json!({"destination": "/mnt", "source": "/proc/self/fd/9", "options": ["bind"]}));
    bundle.config["process"]["args"] = json!(["cat", "/mnt/file"]);
    let run = bundle.command(&["run", "c"]);
    let mut shell = std::process::Command::new("sh");
    let script = format!("exec 9<{}; exec \"$@\"", secret.path().display());
    shell
        .args(["-c", &script, "sh"])
        .arg(run.get_program())
        .args(run.get_args());
    let run = testkit::Finished::run(shell.current_dir(bundle.path()), b"", rig::LIMIT);
    assert_eq!(run.ok(), "text");
    drop(directory);
}

/// Links of the image are followed inside it, also when nothing is there yet; a link that a file is to
/// cover is covered itself.
#[test]
fn destinations_may_be_links_of_the_image() {
    let mut bundle = Bundle::writable("");
    let source = bundle.path().join("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("file"), "text").unwrap();
    std::fs::create_dir(bundle.rootfs("real")).unwrap();
    for (link, target) in [
        ("var/link", "/real"),
        ("var/up", "../../../../real"),
        ("var/run", "/run"),
        ("var/chain", "run/../run/lock"),
        ("etc/resolv.conf", "../run/systemd/resolve/stub.conf"),
        ("loop", "loop"),
        ("top", "/"),
        ("proc-link", "proc"),
        ("magic", "/proc/self/fd/7"),
    ] {
        symlink(target, bundle.rootfs(link)).unwrap();
    }
    for (destination, file, look) in [
        ("/var/link", false, "/real/file"),
        ("/var/up/deeper", false, "/real/deeper/file"),
        ("/var/run", false, "/run/file"),
        ("/var/chain/x", false, "/run/lock/x/file"),
        ("/var/run/new", true, "/run/new"),
        ("/etc/resolv.conf", true, "/etc/resolv.conf"),
    ] {
        let source = if file {
            source.join("file")
        } else {
            source.clone()
        };
        bundle.mount(json!({"destination": destination, "source": source, "options": ["bind"]}));
        bundle.config["process"]["args"] = json!(["cat", look]);
        assert_eq!(bundle.run().ok(), "text", "{destination}");
        bundle.remove_mount(destination);
    }
    assert!(!bundle.path().join("real").exists() && !bundle.path().join("run").exists());
    for (destination, want) in [
        ("/loop/x", "symbolic link"),
        ("/top", "cover the root"),
        ("/proc-link/sys", "not allowed"),
        ("/magic/x", "symbolic link"),
    ] {
        bundle.mount(json!({"destination": destination, "source": source, "options": ["bind"]}));
        let run = bundle.run();
        assert!(
            run.fails(125).contains(want),
            "{destination}: {}",
            run.stderr
        );
        bundle.remove_mount(destination);
    }
}

/// R2: in `/proc` and `/sys` goes only what has its place there, by whatever name one gets there.
#[test]
fn r2_what_has_its_place_in_proc_and_sys() {
    let mut bundle = Bundle::writable("");
    symlink("/sys", bundle.rootfs("link")).unwrap();
    let file = bundle.path().join("file");
    std::fs::write(&file, "").unwrap();
    for (mount, kind) in [
        (json!({"destination": "/sys/fs/bpf", "type": "bpf"}), "bpf"),
        (
            json!({"destination": "/sys/kernel/debug", "type": "debugfs", "options": ["ro"]}),
            "debugfs",
        ),
        (json!({"destination": "/link/fs/bpf", "type": "bpf"}), "bpf"),
        (
            json!({"destination": "/proc", "source": "/proc", "options": ["rbind"]}),
            "proc",
        ),
        (
            json!({"destination": "/sys", "source": "/sys", "options": ["rbind", "ro"]}),
            "sysfs",
        ),
    ] {
        let index = bundle.config["mounts"].as_array().unwrap().len();
        bundle.add_mount(mount.clone());
        let place = mount["destination"]
            .as_str()
            .unwrap()
            .replace("/link", "/sys");
        assert_eq!(Info::inside(&mut bundle, &place).kind, kind, "{mount}");
        bundle.config["mounts"]
            .as_array_mut()
            .unwrap()
            .remove(index);
    }
    for mount in [
        json!({"destination": "/link/kernel", "type": "tmpfs"}),
        json!({"destination": "/sys/kernel/security", "type": "tmpfs"}),
        json!({"destination": "/sys/fs", "type": "ramfs"}),
        json!({"destination": "/sys", "source": "/sys/fs/cgroup", "options": ["bind"]}),
        json!({"destination": "/proc", "source": "/proc/self", "options": ["bind"]}),
        json!({"destination": "/proc", "type": "sysfs"}),
        json!({"destination": "/proc/self/status", "source": file, "options": ["bind"]}),
        json!({"destination": "/proc", "type": "cgroup"}),
    ] {
        let index = bundle.config["mounts"].as_array().unwrap().len();
        bundle.add_mount(mount.clone());
        let run = bundle.run();
        assert!(
            run.fails(125).contains("not allowed"),
            "{mount}: {}",
            run.stderr
        );
        bundle.config["mounts"]
            .as_array_mut()
            .unwrap()
            .remove(index);
    }
}
