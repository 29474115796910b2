//! The spec's mounts: options, types, sources, destinations. Needs root and busybox-static.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod mount_rig;
mod rig;

use std::os::unix::fs::{PermissionsExt as _, symlink};

use mount_rig::{HostMount, Info, open_to_all};
use rig::Bundle;
use serde_json::{Value, json};

/// A container with one more mount, at `/mnt`; how it is seen inside.
fn seen(bundle: &mut Bundle, mount: Value) -> Info {
    bundle.mount(mount);
    Info::inside(bundle, "/mnt")
}

fn tmpfs(options: &[&str]) -> Value {
    json!({"destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": options})
}

fn writable() -> Bundle {
    let mut bundle = Bundle::new("");
    bundle.config["root"]["readonly"] = json!(false);
    bundle
}

/// Source: config.md, "Linux mount options": set, cleared and taken back, the last word counts.
#[test]
fn options_of_a_file_system_are_set() {
    let mut bundle = writable();
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
    let mut bundle = writable();
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
    let mut bundle = writable();
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
    let mut bundle = writable();
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

/// Source: config.md, "Mounts": "The runtime MUST mount entries in the listed order."
#[test]
fn mounts_are_made_in_the_listed_order() {
    let mut bundle = writable();
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
    let mut bundle = writable();
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
    let mut bundle = writable();
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
    let run = testkit::Finished::run(
        shell.current_dir(bundle.path()),
        b"",
        std::time::Duration::from_secs(60),
    );
    assert_eq!(run.ok(), "text");
    drop(directory);
}

/// Links of the image are followed inside it, also when nothing is there yet; a link that a file is to
/// cover is covered itself.
#[test]
fn destinations_may_be_links_of_the_image() {
    let mut bundle = writable();
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

/// A tmpfs has the mode of what it covers, if it is not told another; it can be read-only and have mounts
/// and files in it; `tmpcopyup` fills it.
#[test]
fn tmpfs_over_a_directory() {
    let mut bundle = writable();
    std::fs::create_dir(bundle.rootfs("mnt")).unwrap();
    std::fs::write(bundle.rootfs("mnt/file"), "text").unwrap();
    std::fs::set_permissions(
        bundle.rootfs("mnt"),
        std::fs::Permissions::from_mode(0o1731),
    )
    .unwrap();
    bundle.config["process"]["args"] =
        json!(["sh", "-c", "stat -c %a /mnt; ls -A /mnt; touch /mnt/x"]);
    for (options, code, want) in [
        (&[][..], 0, "1731\n"),
        (&["mode=700"], 0, "700\n"),
        (&["tmpcopyup"], 0, "1731\nfile\n"),
        (&["tmpcopyup", "ro"], 1, "1731\nfile\n"),
    ] {
        bundle.mount(tmpfs(options));
        let run = bundle.run();
        assert_eq!(
            (run.code(), run.stdout.as_str()),
            (code, want),
            "{options:?} {}",
            run.stderr
        );
    }
    bundle.mount(tmpfs(&["ro"]));
    bundle.mount(json!({"destination": "/mnt/in/it", "type": "tmpfs", "options": ["size=1m"]}));
    bundle.config["process"]["args"] = json!(["sh", "-c", "touch /mnt/in/it/x && touch /mnt/x"]);
    assert!(bundle.run().fails(1).contains("/mnt/x: Read-only"));
    // So can `/dev`, once the devices are there.
    bundle.remove_mount("/mnt/in/it");
    bundle.remove_mount("/mnt");
    let list = bundle.config["mounts"].as_array_mut().unwrap();
    let dev = list
        .iter_mut()
        .find(|mount| mount["destination"] == "/dev")
        .unwrap();
    dev["options"].as_array_mut().unwrap().push(json!("ro"));
    bundle.config["process"]["args"] = json!([
        "sh",
        "-c",
        "ls /dev/null /dev/pts/ptmx /dev/fd/0; touch /dev/x"
    ]);
    let run = bundle.run();
    assert!(run.fails(1).contains("/dev/x: Read-only"), "{}", run.stderr);
    assert_eq!(run.stdout, "/dev/fd/0\n/dev/null\n/dev/pts/ptmx\n");
}

/// Source: config-linux.md, "Default Filesystems"; proc(5).
#[test]
fn the_kernels_file_systems() {
    let mut bundle = writable();
    let kinds = [
        ("/proc", "proc"),
        ("/sys", "sysfs"),
        ("/dev/pts", "devpts"),
        ("/dev/shm", "tmpfs"),
        ("/dev/mqueue", "mqueue"),
    ];
    for (info, (path, kind)) in Info::all_inside(&mut bundle, &kinds.map(|(path, _)| path))
        .iter()
        .zip(kinds)
    {
        assert_eq!(info.kind, kind, "{path}");
    }
    let proc =
        |options: &[&str]| json!({"destination": "/proc", "type": "proc", "options": options});
    let index = bundle.config["mounts"]
        .as_array()
        .unwrap()
        .iter()
        .position(|m| m["destination"] == "/proc")
        .unwrap();
    bundle.config["mounts"][index] = proc(&["nosuid", "hidepid=invisible"]);
    bundle.config["process"]["args"] = json!(["grep", " /proc ", "/proc/self/mountinfo"]);
    assert!(bundle.run().ok().contains("hidepid=invisible"));
    bundle.config["mounts"][index] = proc(&["subset=pid"]);
    bundle.config["linux"]["maskedPaths"] = json!([]);
    bundle.config["linux"]["readonlyPaths"] = json!([]);
    bundle.config["process"]["args"] =
        json!(["sh", "-c", "test -e /proc/self && ! test -e /proc/kcore"]);
    bundle.run().ok();
}

/// Source: mount(8): what is mounted is changed; a file system by data, one mount by properties.
#[test]
fn a_remount_changes_what_is_there() {
    let mut bundle = writable();
    let add = |bundle: &mut Bundle, mount: Value| {
        bundle.config["mounts"].as_array_mut().unwrap().push(mount);
    };
    add(&mut bundle, tmpfs(&["size=1m", "noexec"]));
    add(
        &mut bundle,
        json!({"destination": "/mnt", "options": ["remount", "size=2m", "nosuid", "exec"]}),
    );
    let info = Info::inside(&mut bundle, "/mnt");
    info.assert("size=2048k nosuid rw", "noexec", "remount");
    add(
        &mut bundle,
        json!({"destination": "/mnt", "options": ["remount", "bind", "ro"]}),
    );
    Info::inside(&mut bundle, "/mnt").assert("ro nosuid size=2048k", "rw", "remount,bind");

    bundle.remove_mount("/mnt");
    let host = HostMount::tmpfs(bundle.path(), "host", "size=1m");
    add(
        &mut bundle,
        json!({"destination": "/mnt", "source": host.path, "options": ["bind"]}),
    );
    add(
        &mut bundle,
        json!({"destination": "/mnt", "options": ["remount", "size=2m"]}),
    );
    let run = bundle.run();
    assert!(run.fails(125).contains("not allowed"), "{}", run.stderr);
    bundle.remove_mount("/mnt");
    add(
        &mut bundle,
        json!({"destination": "/tmp", "options": ["remount", "ro"]}),
    );
    // No mount, no change.
    assert!(bundle.run().fails(125).contains("invalid argument"));
}

/// An overlay, also with more layers than fsconfig(2) takes in one value.
#[test]
fn overlays() {
    let mut bundle = writable();
    let top = bundle.path().to_owned();
    let layer = |number: usize| top.join(format!("layer-{number:040}"));
    for number in 0..8 {
        std::fs::create_dir(layer(number)).unwrap();
        std::fs::write(layer(number).join(format!("file{number}")), "").unwrap();
    }
    for name in ["upper", "work"] {
        std::fs::create_dir(bundle.path().join(name)).unwrap();
    }
    let path = |name: &str| top.join(name).display().to_string();
    let mount = |layers: usize| {
        let lower: Vec<_> = (0..layers)
            .map(|n| layer(n).display().to_string())
            .collect();
        let options = [
            format!("lowerdir={}", lower.join(":")),
            format!("upperdir={}", path("upper")),
            format!("workdir={}", path("work")),
            "nosuid".to_owned(),
        ];
        json!({"destination": "/mnt", "type": "overlay", "source": "overlay", "options": options})
    };
    for (layers, want) in [(1, "1"), (8, "8")] {
        let mount = mount(layers);
        bundle.mount(mount);
        bundle.config["process"]["args"] =
            json!(["sh", "-c", "ls /mnt | grep -c file; touch /mnt/new"]);
        assert_eq!(bundle.run().ok(), want);
        assert!(bundle.path().join("upper/new").exists());
        Info::inside(&mut bundle, "/mnt").assert("nosuid rw", "ro", "overlay");
    }
}

/// Source: config.md, "Linux mount options", features-linux.md, "MountExtensions": an id-mapped mount has its own
/// maps, else the user namespace's.
#[test]
fn id_mapped_mounts() {
    let mut bundle = writable();
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
    bundle.map_ids(&json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]));
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
    let mut bundle = writable();
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
    let mut bundle = writable();
    let host = HostMount::tmpfs(bundle.path(), "host", "nosuid,nodev,noexec,noatime");
    let below = HostMount::tmpfs(&host.path, "sub", "");
    open_to_all(bundle.path());
    bundle.map_ids(&json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]));
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
    let mut bundle = writable();
    open_to_all(bundle.path());
    bundle.map_ids(&json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]));
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|n| n["type"] != "network");
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

/// The container's cgroups, read-only or not, with and without a cgroup namespace, and of v2 alone.
#[test]
fn cgroups_are_the_containers_own() {
    let mut bundle = writable();
    let parent = bundle.config["linux"]["cgroupsPath"]
        .as_str()
        .unwrap()
        .to_owned();
    let name = parent
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let look = format!(
        "find /sys/fs/cgroup -name {name} | wc -l; \
         cat $(find /sys/fs/cgroup -name cgroup.procs -maxdepth 2) | grep -c '^1$' >/dev/null && echo mine; \
         d=$(find /sys/fs/cgroup -name cgroup.procs -maxdepth 2 | head -1); \
         mkdir ${{d%/*}}/x 2>/dev/null && rmdir ${{d%/*}}/x && echo writable; true"
    );
    bundle.config["process"]["args"] = json!(["sh", "-c", look]);
    for own_namespace in [true, false] {
        if !own_namespace {
            let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
            namespaces.retain(|n| n["type"] != "cgroup");
        }
        for (kind, access) in [
            ("cgroup", "ro"),
            ("cgroup", "rw"),
            ("cgroup2", "ro"),
            ("cgroup2", "rw"),
        ] {
            let options = ["nosuid", "noexec", "nodev", "relatime", access];
            bundle.mount(json!({"destination": "/sys/fs/cgroup", "type": kind, "source": "cgroup", "options": options}));
            let want = match access {
                "ro" => "0\nmine",
                _ => "0\nmine\nwritable",
            };
            assert_eq!(bundle.run().ok(), want, "{kind} {access} {own_namespace}");
        }
    }
    let info = {
        bundle.mount(json!({"destination": "/sys/fs/cgroup", "type": "cgroup2", "source": "cgroup", "options": ["ro"]}));
        Info::inside(&mut bundle, "/sys/fs/cgroup")
    };
    assert_eq!(info.kind, "cgroup2");
    bundle.mount(json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "options": ["what"]}));
    assert!(bundle.run().fails(125).contains("unknown option `what`"));
}

/// R2: in `/proc` and `/sys` goes only what has its place there, by whatever name one gets there.
#[test]
fn r2_what_has_its_place_in_proc_and_sys() {
    let mut bundle = writable();
    symlink("/sys", bundle.rootfs("link")).unwrap();
    let file = bundle.path().join("file");
    std::fs::write(&file, "").unwrap();
    let add = |bundle: &mut Bundle, mount: &Value| {
        bundle.config["mounts"]
            .as_array_mut()
            .unwrap()
            .push(mount.clone());
    };
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
        add(&mut bundle, &mount);
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
        add(&mut bundle, &mount);
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

/// A loop device, let go when it goes.
struct Loop(String);

impl Loop {
    fn read_only(image: &std::path::Path) -> Loop {
        let made = std::process::Command::new("losetup")
            .args(["--read-only", "--show", "-f"])
            .arg(image)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        Loop(String::from_utf8(made.stdout).unwrap().trim().to_owned())
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let mut detach = std::process::Command::new("losetup");
        let _ = detach.args(["-d", &self.0]).status();
    }
}

/// Source: config.md, "Mounts": `source` is "a device name". `ro` is the file system's, too: a device that
/// cannot be written is not tried. Owners are mapped on it as on any other.
#[test]
fn the_file_system_of_a_device() {
    let mut bundle = writable();
    let image = bundle.path().join("image");
    std::fs::File::create(&image)
        .unwrap()
        .set_len(4 << 20)
        .unwrap();
    let made = std::process::Command::new("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-E", "root_owner=7:8"])
        .arg(&image)
        .status()
        .unwrap();
    assert!(made.success());
    let device = Loop::read_only(&image);
    let mount = |options: &[&str]| json!({"destination": "/mnt", "type": "ext4", "source": device.0, "options": options});
    seen(&mut bundle, mount(&["ro", "nosuid", "errors=continue"])).assert("ro nosuid", "rw", "ro");
    let mut mapped = mount(&["ro", "idmap"]);
    for field in ["uidMappings", "gidMappings"] {
        mapped[field] = json!([{"containerID": 0, "hostID": 1000, "size": 100}]);
    }
    bundle.mount(mapped);
    bundle.config["process"]["args"] = json!(["stat", "-c", "%u %g", "/mnt"]);
    assert_eq!(bundle.run().ok(), "1007 1008");
    bundle.mount(mount(&["rw"]));
    let run = bundle.run();
    assert_eq!(run.code(), 125, "{}", run.stdout);
}
