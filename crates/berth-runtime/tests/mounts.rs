//! What is mounted how: options, recursive ones, propagation, a remount. Needs root and busybox-static.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod mount_rig;
mod rig;

use mount_rig::{HostMount, Info, seen, tmpfs};
use rig::Bundle;
use serde_json::json;

/// Source: config.md, "Linux mount options": set, cleared and taken back, the last word counts.
#[test]
fn options_of_a_file_system_are_set() {
    let mut bundle = Bundle::writable("");
    for (options, has, has_not) in [
        (&[][..], "rw relatime", "nosuid nodev noexec"),
        (
            &["nosuid", "nodev", "noexec", "ro"],
            "nosuid nodev noexec ro",
            "rw",
        ),
        (
            &[
                "nosuid", "suid", "nodev", "dev", "noexec", "exec", "ro", "rw",
            ],
            "rw",
            "nosuid nodev noexec",
        ),
        (&["noatime", "nodiratime"], "noatime nodiratime", "relatime"),
        (&["strictatime"], "rw", "noatime relatime"),
        (
            &["noatime", "atime", "nodiratime", "diratime"],
            "relatime",
            "noatime nodiratime",
        ),
        (&["nosymfollow"], "nosymfollow", ""),
        (
            &["nosymfollow", "symfollow", "norelatime", "nostrictatime"],
            "relatime",
            "nosymfollow",
        ),
        (
            &["sync", "dirsync", "lazytime"],
            "sync dirsync lazytime",
            "",
        ),
        (
            &["sync", "async", "lazytime", "nolazytime"],
            "rw",
            "sync lazytime",
        ),
        (
            &[
                "defaults",
                "silent",
                "loud",
                "mand",
                "nomand",
                "noiversion",
                "iversion",
            ],
            "rw",
            "",
        ),
        (
            &["mode=751", "size=1m", "nr_inodes=50", "uid=3", "gid=4"],
            "mode=751 size=1024k nr_inodes=50 uid=3 gid=4",
            "",
        ),
    ] {
        let info = seen(&mut bundle, tmpfs(options));
        assert_eq!(info.kind, "tmpfs");
        info.assert(has, has_not, &format!("{options:?}"));
    }
    // What the kernel says about a word that it does not have is passed on.
    bundle.mount(tmpfs(&["colour=red"]));
    let run = bundle.run();
    assert!(
        run.fails(125).contains("nknown parameter 'colour'"),
        "{}",
        run.stderr
    );
    bundle.mount(json!({"destination": "/mnt", "type": "nosuchfs"}));
    assert!(
        bundle
            .run()
            .fails(125)
            .contains("no file system of this type")
    );
}

/// Source: config.md, "Linux mount options": a bind mount keeps the host's properties, but for those that
/// are asked for, either way.
#[test]
fn options_of_a_bind_mount_are_changed() {
    let mut bundle = Bundle::writable("");
    let all = "nosuid,nodev,noexec,noatime,nodiratime";
    let strict = HostMount::tmpfs(bundle.path(), "strict", all);
    let plain = HostMount::tmpfs(bundle.path(), "plain", "");
    let bind = |source: &HostMount, options: &[&str]| {
        let options = [&["bind"], options].concat();
        json!({"destination": "/mnt", "source": source.path, "options": options})
    };
    for (source, options, has, has_not) in [
        (
            &strict,
            &[][..],
            "nosuid nodev noexec noatime nodiratime",
            "relatime",
        ),
        (
            &strict,
            &["suid", "dev", "exec", "atime", "diratime"],
            "relatime",
            "nosuid nodev noexec noatime nodiratime",
        ),
        (
            &strict,
            &["relatime", "rw"],
            "relatime nosuid rw",
            "noatime",
        ),
        (
            &strict,
            &["strictatime", "ro"],
            "nosuid ro",
            "noatime relatime",
        ),
        (
            &plain,
            &["ro", "nosuid", "nodev", "noexec", "nosymfollow"],
            "ro nosuid nodev noexec nosymfollow",
            "",
        ),
        // Of the file system, which is the host's: they say nothing here.
        (
            &plain,
            &["sync", "dirsync", "lazytime", "iversion", "mand", "silent"],
            "rw",
            "sync dirsync lazytime",
        ),
    ] {
        let info = seen(&mut bundle, bind(source, options));
        info.assert(has, has_not, &format!("{options:?}"));
    }
    // A type beside `bind` is a dummy.
    bundle.mount(
        json!({"destination": "/mnt", "type": "ext4", "source": plain.path, "options": ["rbind"]}),
    );
    assert_eq!(Info::inside(&mut bundle, "/mnt").kind, "tmpfs");
}

/// Source: config.md, "Linux mount options", footnote 3: the recursive ones reach all mounts below.
#[test]
fn recursive_options_reach_what_is_below() {
    let mut bundle = Bundle::writable("");
    let strict = "nosuid,nodev,noexec,noatime,nodiratime";
    let plain = HostMount::tmpfs(bundle.path(), "plain", "");
    let plain_below = HostMount::tmpfs(&plain.path, "sub", "");
    let tight = HostMount::tmpfs(bundle.path(), "tight", strict);
    let tight_below = HostMount::tmpfs(&tight.path, "sub", strict);
    for (source, option, has, has_not) in [
        (&plain, "rro", "ro", ""),
        (&plain, "rnosuid", "nosuid", ""),
        (&plain, "rnodev", "nodev", ""),
        (&plain, "rnoexec", "noexec", ""),
        (&plain, "rnoatime", "noatime", "relatime"),
        (&plain, "rstrictatime", "rw", "relatime noatime"),
        (&plain, "rnodiratime", "nodiratime", ""),
        (&plain, "rnosymfollow", "nosymfollow", ""),
        (&tight, "rsuid", "nodev", "nosuid"),
        (&tight, "rdev", "nosuid", "nodev"),
        (&tight, "rexec", "nosuid", "noexec"),
        (&tight, "ratime", "relatime", "noatime"),
        (&tight, "rrelatime", "relatime", "noatime"),
        (&tight, "rnorelatime", "relatime", "noatime"),
        (&tight, "rnostrictatime", "relatime", "noatime"),
        (&tight, "rdiratime", "noatime", "nodiratime"),
        (&tight, "rrw", "rw", ""),
        (&tight, "rsymfollow", "rw", "nosymfollow"),
    ] {
        bundle.mount(
            json!({"destination": "/mnt", "source": source.path, "options": ["rbind", option]}),
        );
        let both = Info::all_inside(&mut bundle, &["/mnt", "/mnt/sub"]);
        for info in both {
            info.assert(has, has_not, option);
        }
    }
    // One without the `r` changes the one mount, beside one with it.
    let options = ["rbind", "ro", "rnosuid"];
    bundle.mount(json!({"destination": "/mnt", "source": plain.path, "options": options}));
    let [top, below] = &Info::all_inside(&mut bundle, &["/mnt", "/mnt/sub"])[..] else {
        panic!("two were asked for");
    };
    top.assert("ro nosuid", "", "own");
    below.assert("rw nosuid", "ro", "below");
    // Without `rbind` what is below stays out.
    bundle.mount(json!({"destination": "/mnt", "source": plain.path, "options": ["bind"]}));
    bundle.config["process"]["args"] = json!(["grep", "-c", " /mnt/sub ", "/proc/self/mountinfo"]);
    assert_eq!(bundle.run().stdout, "0\n");
    drop((plain_below, tight_below));
}

/// Source: config.md, "Linux mount options": propagation, each word in the order given.
#[test]
fn propagation_is_each_mounts_own() {
    let mut bundle = Bundle::writable("");
    let shared = HostMount::tmpfs(bundle.path(), "shared", "");
    shared.make_shared();
    let below = HostMount::tmpfs(&shared.path, "sub", "");
    below.make_shared();
    for (options, top, sub) in [
        (&[][..], "", ""),
        (&["rprivate"], "", ""),
        (&["private"], "", "shared master"),
        (&["rslave"], "master", "master"),
        (&["rslave", "shared"], "shared master", "master"),
        (&["rslave", "rshared"], "shared master", "shared master"),
        (&["runbindable"], "unbindable", "unbindable"),
        (&["unbindable", "rprivate"], "", ""),
    ] {
        let options = [&["rbind"], options].concat();
        bundle.mount(json!({"destination": "/mnt", "source": shared.path, "options": options}));
        let both = Info::all_inside(&mut bundle, &["/mnt", "/mnt/sub"]);
        assert_eq!(both[0].propagation, top, "{options:?}");
        // Left alone, it is what it is in a mount namespace that follows the host's.
        let sub = if options.contains(&"private") {
            "master"
        } else {
            sub
        };
        assert_eq!(both[1].propagation, sub, "{options:?}");
    }
    assert_eq!(seen(&mut bundle, tmpfs(&["shared"])).propagation, "shared");
    assert_eq!(
        seen(&mut bundle, tmpfs(&["unbindable"])).propagation,
        "unbindable"
    );
}

/// Source: mount(8): what is mounted is changed; a file system by data, one mount by properties.
#[test]
fn a_remount_changes_what_is_there() {
    let mut bundle = Bundle::writable("");
    bundle.add_mount(tmpfs(&["size=1m", "noexec"]));
    bundle.add_mount(
        json!({"destination": "/mnt", "options": ["remount", "size=2m", "nosuid", "exec"]}),
    );
    let info = Info::inside(&mut bundle, "/mnt");
    info.assert("size=2048k nosuid rw", "noexec", "remount");
    bundle.add_mount(json!({"destination": "/mnt", "options": ["remount", "bind", "ro"]}));
    Info::inside(&mut bundle, "/mnt").assert("ro nosuid size=2048k", "rw", "remount,bind");

    bundle.remove_mount("/mnt");
    let host = HostMount::tmpfs(bundle.path(), "host", "size=1m");
    bundle.add_mount(json!({"destination": "/mnt", "source": host.path, "options": ["bind"]}));
    bundle.add_mount(json!({"destination": "/mnt", "options": ["remount", "size=2m"]}));
    let run = bundle.run();
    assert!(run.fails(125).contains("not allowed"), "{}", run.stderr);
    bundle.remove_mount("/mnt");
    bundle.add_mount(json!({"destination": "/tmp", "options": ["remount", "ro"]}));
    // No mount, no change.
    assert!(bundle.run().fails(125).contains("invalid argument"));
}
