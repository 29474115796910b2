//! Owners of what is mounted: id-mapped mounts, and mounts in a user namespace. Needs root and busybox-static.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod mount_rig;
mod rig;

use std::os::unix::fs::PermissionsExt as _;

use mount_rig::{HostMount, Info, seen, tmpfs};
use rig::Bundle;
use serde_json::json;

/// Source: config.md, "Linux mount options", features-linux.md, "MountExtensions": an id-mapped mount has its own
/// maps, else the user namespace's.
#[test]
fn id_mapped_mounts() {
    let mut bundle = Bundle::writable("");
    let host = HostMount::tmpfs(bundle.path(), "host", "");
    let below = HostMount::tmpfs(&host.path, "sub", "");
    for directory in [&host.path, &below.path] {
        std::fs::write(directory.join("file"), "").unwrap();
        std::os::unix::fs::lchown(directory.join("file"), Some(5), Some(6)).unwrap();
    }
    let map = |host: u32| json!([{"containerID": 0, "hostID": host, "size": 100}]);
    let mount = |options: &[&str], uid: u32, gid: u32| {
        json!({"destination": "/mnt", "source": host.path, "options": options,
            "uidMappings": map(uid), "gidMappings": map(gid)})
    };
    bundle.config["process"]["args"] = json!(["stat", "-c", "%u %g", "/mnt/file", "/mnt/sub/file"]);
    for (options, want) in [
        (&["rbind", "idmap"][..], "1005 2006\n5 6"),
        // Without a word it is the one mount.
        (&["rbind"], "1005 2006\n5 6"),
        (&["rbind", "ridmap"], "1005 2006\n1005 2006"),
    ] {
        bundle.mount(mount(options, 1000, 2000));
        assert_eq!(bundle.run().ok(), want, "{options:?}");
    }
    // What is written is kept under the owner that the file system knows.
    bundle.config["process"]["user"] = json!({"uid": 1007, "gid": 2008});
    bundle.config["process"]["args"] = json!(["touch", "/mnt/new"]);
    std::fs::set_permissions(&host.path, std::fs::Permissions::from_mode(0o777)).unwrap();
    bundle.mount(mount(&["bind", "idmap"], 1000, 2000));
    bundle.run().ok();
    let made = std::fs::metadata(host.path.join("new")).unwrap();
    let owner = (
        std::os::unix::fs::MetadataExt::uid(&made),
        std::os::unix::fs::MetadataExt::gid(&made),
    );
    assert_eq!(owner, (7, 8));
    bundle.config["process"]["user"] = json!({"uid": 0, "gid": 0});

    // A new file system, too, where it can be.
    let mut fresh = tmpfs(&["idmap", "mode=755"]);
    (fresh["uidMappings"], fresh["gidMappings"]) = (map(1000), map(2000));
    bundle.config["process"]["args"] = json!(["stat", "-c", "%u %g", "/mnt"]);
    bundle.mount(fresh);
    assert_eq!(bundle.run().ok(), "1000 2000");

    // The container's maps.
    bundle.config["process"]["args"] = json!(["stat", "-c", "%u %g", "/mnt/file", "/mnt/sub/file"]);
    bundle.user_namespace();
    bundle
        .mount(json!({"destination": "/mnt", "source": host.path, "options": ["rbind", "ridmap"]}));
    assert_eq!(bundle.run().ok(), "5 6\n5 6");
    bundle
        .mount(json!({"destination": "/mnt", "source": host.path, "options": ["rbind", "idmap"]}));
    assert_eq!(bundle.run().ok(), "5 6\n65534 65534");
    // The mount's own go before them.
    bundle.mount(mount(&["rbind", "ridmap"], 100_010, 100_020));
    assert_eq!(bundle.run().ok(), "15 26\n15 26");
}

/// Source: config.md, "Linux mount options" (`idmap`: "an error MUST be returned"). Source: config.md,
/// "POSIX-platform Mounts": of uidMappings and gidMappings each "MUST be specified along with" the other.
#[test]
fn what_cannot_be_id_mapped_is_refused() {
    let mut bundle = Bundle::writable("");
    let map = json!([{"containerID": 0, "hostID": 1000, "size": 100}]);
    let mount = |kind: &str, source: &str, options: &[&str]| {
        json!({"destination": "/mnt", "type": kind, "source": source, "options": options,
            "uidMappings": map, "gidMappings": map})
    };
    let mut half = mount("none", "/tmp", &["bind", "idmap"]);
    half["gidMappings"] = json!([]);
    let mut bad = mount("none", "/tmp", &["bind", "idmap"]);
    bad["uidMappings"][0]["size"] = json!(0);
    for (mount, want) in [
        (
            json!({"destination": "/mnt", "source": "/tmp", "options": ["bind", "idmap"]}),
            "needs uidMappings",
        ),
        (half, "come together"),
        (
            mount("none", "/sys/fs", &["bind", "idmap"]),
            "cannot be id-mapped",
        ),
        (mount("proc", "proc", &["idmap"]), "cannot be id-mapped"),
        (
            mount("none", "/missing", &["bind", "idmap"]),
            "no such file",
        ),
        (bad, ""),
    ] {
        bundle.mount(mount.clone());
        let run = bundle.run();
        assert!(run.fails(125).contains(want), "{mount}: {}", run.stderr);
    }
}

/// In a user namespace the host's locked properties stay: they are kept without a word, and refused by name
/// when they are to go. A source that the container's root may not reach is opened by the runtime.
#[test]
fn bind_mounts_in_a_user_namespace() {
    let mut bundle = Bundle::writable("");
    let host = HostMount::tmpfs(bundle.path(), "host", "nosuid,nodev,noexec,noatime");
    let below = HostMount::tmpfs(&host.path, "sub", "");
    bundle.user_namespace();
    let bind =
        |options: &[&str]| json!({"destination": "/mnt", "source": host.path, "options": options});
    seen(&mut bundle, bind(&["bind", "ro"])).assert("ro nosuid nodev noexec noatime", "rw", "kept");
    seen(&mut bundle, bind(&["rbind", "rw"])).assert("rw nosuid nodev noexec noatime", "", "kept");
    for (options, want) in [
        (
            &["bind", "suid"][..],
            "`nosuid` of the host's mount is locked",
        ),
        (
            &["rbind", "dev", "exec"],
            "`nodev`, `noexec` of the host's mount is locked",
        ),
        (&["bind", "relatime"], "locked"),
    ] {
        bundle.mount(bind(options));
        let run = bundle.run();
        assert!(run.fails(125).contains(want), "{options:?}: {}", run.stderr);
    }
    std::fs::create_dir(bundle.path().join("closed")).unwrap();
    std::fs::write(bundle.path().join("closed/file"), "text").unwrap();
    let closed = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(bundle.path().join("closed"), closed).unwrap();
    bundle.mount(
        json!({"destination": "/closed", "source": "closed/file", "options": ["bind", "ro"]}),
    );
    bundle.remove_mount("/mnt");
    bundle.config["process"]["args"] = json!(["cat", "/closed"]);
    assert_eq!(bundle.run().ok(), "text");
    drop(below);
}

/// What a user namespace may not mount anew it gets from the host; of another pid namespace that would show
/// the host's processes.
#[test]
fn the_hosts_file_systems_in_a_user_namespace() {
    let mut bundle = Bundle::writable("");
    bundle.user_namespace();
    bundle.without_namespace("network");
    let infos = Info::all_inside(&mut bundle, &["/sys", "/proc", "/sys/fs/cgroup"]);
    infos[0].assert("ro nosuid nodev noexec", "rw", "/sys");
    assert_eq!(
        (infos[0].kind.as_str(), infos[1].kind.as_str()),
        ("sysfs", "proc")
    );
    // R9: nothing below is writable either.
    bundle.remove_mount("/sys/fs/cgroup");
    bundle.config["process"]["args"] = json!([
        "sh",
        "-c",
        "grep ' /sys' /proc/self/mountinfo | grep -v ' ro,' | cut -d' ' -f5"
    ]);
    assert_eq!(bundle.run().ok(), "");
}
