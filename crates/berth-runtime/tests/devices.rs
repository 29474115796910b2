//! Devices, masked and read-only paths, the root file system and its propagation. Needs root and
//! busybox-static.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod mount_rig;
mod rig;

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};

use mount_rig::{HostMount, Info};
use rig::Bundle;
use serde_json::{Value, json};

/// Source: config-linux.md, "Default Devices"; runtime-linux.md, "Dev symbolic links".
#[test]
fn the_default_devices_and_links_are_there() {
    let look = "cd /dev; stat -c '%n %F %t:%T %a %u:%g' null zero full random urandom tty; \
        for l in ptmx fd stdin stdout stderr; do echo $l $(readlink $l); done; \
        for d in null zero full urandom tty pts/ptmx; do test -e $d || echo no $d; done; test -e console && echo console; true";
    let want = "null character special file 1:3 666 0:0\n\
        zero character special file 1:5 666 0:0\n\
        full character special file 1:7 666 0:0\n\
        random character special file 1:8 666 0:0\n\
        urandom character special file 1:9 666 0:0\n\
        tty character special file 5:0 666 0:0\n\
        ptmx pts/ptmx\nfd /proc/self/fd\nstdin /proc/self/fd/0\nstdout /proc/self/fd/1\nstderr /proc/self/fd/2";
    let mut bundle = Bundle::writable(look);
    assert_eq!(bundle.run().ok(), want);
    // With a `/dev` of the image, whose ptmx is not the container's.
    bundle.without_dev();
    std::fs::write(bundle.rootfs("dev/ptmx"), "").unwrap();
    let run = bundle.run();
    assert_eq!(run.ok(), format!("{want}\nno pts/ptmx"));
    // They are there already the next time.
    assert_eq!(bundle.run().ok(), format!("{want}\nno pts/ptmx"));
}

/// Source: config-linux.md, "Default Devices": `/dev/console` is the terminal.
#[test]
fn the_console_is_bound_with_a_terminal() {
    let mut bundle = Bundle::writable(
        "stat -c %t:%T /dev/console; tty; test /dev/console -ef $(tty) && echo same",
    );
    bundle.config["process"]["terminal"] = json!(true);
    let mut session = testkit::pty::Session::start(&bundle.command(&["run", "c"]));
    session.expect("88:0");
    session.expect("/dev/pts/0");
    assert!(session.wait().success());
}

/// Source: config-linux.md, "Devices": type, numbers, mode, owner; anywhere in the file system.
#[test]
fn devices_are_what_was_asked_for() {
    let mut bundle = Bundle::writable("");
    let show = |bundle: &mut Bundle, path: &str| {
        bundle.config["process"]["args"] = json!(["stat", "-c", "%F %t:%T %a %u:%g", path]);
        bundle.run().ok().to_owned()
    };
    symlink("/real", bundle.rootfs("link")).unwrap();
    for (device, path, want) in [
        (
            json!({"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}),
            "/dev/fuse",
            "character special file a:e5 666 0:0",
        ),
        (
            json!({"path": "/dev/fuse", "type": "u", "major": 10, "minor": 229, "fileMode": 384, "uid": 3, "gid": 4}),
            "/dev/fuse",
            "character special file a:e5 600 3:4",
        ),
        (
            json!({"path": "/dev/sub/disk", "type": "b", "major": 4095, "minor": 1_048_575, "fileMode": 0o60640}),
            "/dev/sub/disk",
            "block special file fff:fffff 640 0:0",
        ),
        (
            json!({"path": "/etc/pipe", "type": "p", "fileMode": 0o622, "uid": 5}),
            "/etc/pipe",
            "fifo 0:0 622 5:0",
        ),
        (
            json!({"path": "/link/below/null", "type": "c", "major": 1, "minor": 3}),
            "/real/below/null",
            "character special file 1:3 666 0:0",
        ),
        // It takes the place of the default one.
        (
            json!({"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600, "uid": 7}),
            "/dev/null",
            "character special file 1:3 600 7:0",
        ),
        // Always the link.
        (
            json!({"path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2}),
            "/dev/ptmx",
            "symbolic link 0:0 777 0:0",
        ),
    ] {
        bundle.config["linux"]["devices"] = json!([device]);
        assert_eq!(show(&mut bundle, path), want, "{device}");
    }
}

/// What no rule allows is denied, also when there is no rule.
///
/// Source: config-linux.md, "Allowed Device list".
#[test]
fn without_rules_only_the_default_devices_are_usable() {
    let mut bundle = Bundle::writable(
        "mknod /tmp/mem c 1 1 && mknod /tmp/zero c 1 5 && head -c 4 /tmp/zero | wc -c; head -c 1 /tmp/mem 2>&1",
    );
    bundle.caps(&["CAP_MKNOD", "CAP_SYS_RAWIO", "CAP_DAC_OVERRIDE"]);
    bundle.config["linux"]["resources"] = json!({});
    let said = bundle.run();
    assert_eq!(
        said.stdout, "4\nhead: /tmp/mem: Operation not permitted\n",
        "{}",
        said.stderr
    );
}

/// A file in a device's place that is another one MUST be an error.
///
/// Source: config-linux.md, "Devices".
#[test]
fn a_file_that_is_something_else_is_an_error() {
    let mut bundle = Bundle::writable("true");
    std::fs::write(bundle.rootfs("etc/file"), "").unwrap();
    symlink("/dev/null", bundle.rootfs("etc/link")).unwrap();
    let null = |path: &str, kind: &str, minor: i64| json!([{"path": path, "type": kind, "major": 1, "minor": minor}]);
    for (devices, want) in [
        (null("/etc/file", "c", 3), "something else is there"),
        (null("/etc/link", "c", 3), "something else is there"),
        (null("/tmp", "c", 3), "something else is there"),
        (null("/etc/file/x", "c", 3), "not a directory"),
        (null("etc/x", "c", 3), "bad type, number or path"),
        (null("/etc/x", "c", -1), "bad type, number or path"),
        (null("/etc/x", "c", 1 << 20), "bad type, number or path"),
        (null("/etc/x", "q", 3), "bad type, number or path"),
    ] {
        bundle.config["linux"]["devices"] = devices.clone();
        let run = bundle.run();
        assert!(run.fails(125).contains(want), "{devices}: {}", run.stderr);
    }
    // What matches may be there.
    bundle.config["linux"]["devices"] = null("/etc/null", "c", 3);
    bundle.run().ok();
    bundle.run().ok();
    assert!(
        std::fs::metadata(bundle.rootfs("etc/null"))
            .unwrap()
            .file_type()
            .is_char_device()
    );
    bundle.config["linux"]["devices"] = null("/etc/null", "c", 5);
    assert!(bundle.run().fails(125).contains("something else is there"));
}

/// In a user namespace nodes are the host's, bound: by path, else by number.
#[test]
fn devices_in_a_user_namespace_are_bound() {
    let mut bundle = Bundle::writable("");
    bundle.user_namespace();
    bundle.config["linux"]["devices"] = json!([
        {"path": "/dev/other-name", "type": "c", "major": 1, "minor": 5},
        {"path": "/etc/pipe", "type": "p", "fileMode": 0o640, "uid": 1, "gid": 2},
        {"path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2},
    ]);
    let look = "head -c 2 /dev/other-name | wc -c; stat -c '%F %t:%T' /dev/null /dev/other-name; \
        stat -c '%F %a %u:%g' /etc/pipe; readlink /dev/ptmx; echo x > /dev/null && echo written";
    bundle.config["process"]["args"] = json!(["sh", "-c", look]);
    let want = "2\ncharacter special file 1:3\ncharacter special file 1:5\nfifo 640 1:2\npts/ptmx\nwritten";
    assert_eq!(bundle.run().ok(), want);
    bundle.config["linux"]["devices"] =
        json!([{"path": "/dev/none", "type": "c", "major": 4000, "minor": 7}]);
    assert!(bundle.run().fails(125).contains("/dev/none"));
    bundle.config["linux"]["devices"] =
        json!([{"path": "/dev/zero", "type": "c", "major": 4000, "minor": 7}]);
    assert!(bundle.run().fails(125).contains("another device"));
}

/// A `/dev` of the host's is left as it is.
#[test]
fn a_bound_dev_is_left_alone() {
    let mut bundle = Bundle::writable("ls /dev; ls /etc/null");
    let dev = bundle.path().join("dev");
    std::fs::create_dir(&dev).unwrap();
    std::fs::write(dev.join("file"), "").unwrap();
    bundle.without_dev();
    bundle.config["linux"]["devices"] = json!([
        {"path": "/dev/zero", "type": "c", "major": 1, "minor": 5},
        {"path": "/etc/null", "type": "c", "major": 1, "minor": 3},
    ]);
    bundle.mount(json!({"destination": "/dev/", "source": dev, "options": ["rbind", "ro"]}));
    assert_eq!(bundle.run().ok(), "file\n/etc/null");
    assert_eq!(std::fs::read_dir(&dev).unwrap().count(), 1);
}

/// Source: config-linux.md, "Masked Paths": they "cannot be read"; absolute paths in the container.
#[test]
fn masked_paths_cannot_be_read() {
    let mut bundle = Bundle::writable("");
    std::fs::create_dir_all(bundle.rootfs("secret/dir/sub")).unwrap();
    std::fs::write(bundle.rootfs("secret/dir/sub/file"), "text").unwrap();
    std::fs::write(bundle.rootfs("secret/file"), "text").unwrap();
    symlink("secret", bundle.rootfs("link")).unwrap();
    let masks = [
        "/secret/dir",
        "/link/file",
        "/missing",
        "/secret/file/x",
        "/proc/keys",
        "/secret/dir",
        "/proc/self/../timer_list",
    ];
    bundle.config["linux"]["maskedPaths"] = json!(masks);
    let look = "ls -A /secret/dir; cat /secret/file /proc/keys; wc -c < /proc/timer_list; \
        touch /secret/dir/x 2>&1; echo x > /secret/file && cat /secret/file; \
        umount /secret/dir 2>/dev/null && echo undone; true";
    bundle.config["process"]["args"] = json!(["sh", "-c", look]);
    let run = bundle.run();
    assert_eq!(run.ok(), "0\ntouch: /secret/dir/x: Read-only file system");
    assert_eq!(
        std::fs::read_to_string(bundle.rootfs("secret/file")).unwrap(),
        "text"
    );
    for (paths, want) in [
        (json!(["proc/keys"]), "not absolute"),
        (json!(["/x/../"]), "hide /x/../"),
    ] {
        for field in ["maskedPaths", "readonlyPaths"] {
            bundle.config["linux"]["maskedPaths"] = json!([]);
            bundle.config["linux"][field] = paths.clone();
            assert!(bundle.run().fails(125).contains(want), "{field} {paths}");
            bundle.config["linux"][field] = json!([]);
        }
    }
}

/// Source: config-linux.md, "Readonly Paths": with all that is mounted below.
#[test]
fn read_only_paths_cannot_be_written() {
    let mut bundle = Bundle::writable("");
    std::fs::create_dir_all(bundle.rootfs("data/sub")).unwrap();
    std::fs::write(bundle.rootfs("data/file"), "text").unwrap();
    bundle.mount(json!({"destination": "/data/sub", "type": "tmpfs"}));
    bundle.config["linux"]["readonlyPaths"] =
        json!(["/data", "/etc/passwd", "/missing", "/proc/sys"]);
    let look = "for f in /data/file /data/x /data/sub/x /etc/passwd /proc/sys/kernel/domainname; do \
        (echo x > $f) 2>&1 | grep -o Read-only; done; cat /data/file; touch /etc/other";
    bundle.config["process"]["args"] = json!(["sh", "-c", look]);
    let read_only = "Read-only\n".repeat(5);
    assert_eq!(bundle.run().ok(), format!("{read_only}text"));
}

/// Source: config.md, "Root": `path` absolute or relative to the bundle; "A directory MUST exist"; `readonly`.
#[test]
fn the_root_file_system() {
    let mut bundle = Bundle::new("touch /x 2>/dev/null && echo written; pwd");
    for (path, readonly, want) in [
        (json!("rootfs"), true, "/"),
        (json!("./rootfs/"), false, "written\n/"),
        (json!(bundle.rootfs("")), true, "/"),
    ] {
        bundle.config["root"] = json!({"path": path, "readonly": readonly});
        assert_eq!(bundle.run().ok(), want, "{path}");
    }
    bundle.config.as_object_mut().unwrap().remove("root");
    assert!(bundle.run().fails(125).contains("there is no root"));
    std::fs::write(bundle.path().join("file"), "").unwrap();
    for (path, want) in [("missing", "no such file"), ("file", "not a directory")] {
        bundle.config["root"] = json!({"path": path});
        let run = bundle.run();
        assert!(run.fails(125).contains(want), "{path}: {}", run.stderr);
    }
}

/// What is seen of the root inside, and whether a mount that the host makes in it later is seen.
fn propagation(bundle: &mut Bundle, word: Value) -> (String, bool) {
    bundle.config["linux"]["rootfsPropagation"] = word;
    let info = Info::inside(bundle, "/");
    bundle.config["process"]["args"] = json!(["sleep", "1000"]);
    bundle.start();
    let later = HostMount::tmpfs(&bundle.rootfs(""), "later", "");
    std::fs::write(later.path.join("file"), "").unwrap();
    let seen = bundle
        .call(&["exec", "c", "test", "-e", "/later/file"])
        .code()
        == 0;
    bundle.call(&["delete", "-f", "c"]).ok();
    (info.propagation, seen)
}

/// Source: config-linux.md, "Rootfs Mount Propagation".
#[test]
fn the_roots_propagation() {
    let mut bundle = Bundle::writable("");
    // Its own peer group on the host, so that there is something to follow.
    let image = bundle.rootfs("");
    rustix::mount::mount_bind(&image, &image).unwrap();
    let host = HostMount { path: image };
    host.make_shared();
    for (word, want, follows) in [
        (Value::Null, "", false),
        (json!(""), "", false),
        (json!("private"), "", false),
        (json!("rprivate"), "", false),
        (json!("slave"), "master", true),
        (json!("rslave"), "master", true),
        (json!("shared"), "shared", false),
        (json!("rshared"), "shared", false),
        (json!("unbindable"), "unbindable", false),
        (json!("runbindable"), "unbindable", false),
    ] {
        let got = propagation(&mut bundle, word.clone());
        assert_eq!(got, (want.to_owned(), follows), "{word}");
    }
    // Mounts keep what they were told, whatever the root is.
    let shared = HostMount::tmpfs(bundle.path(), "shared", "");
    shared.make_shared();
    bundle.mount(
        json!({"destination": "/mnt", "source": shared.path, "options": ["rbind", "rshared"]}),
    );
    for (word, want) in [
        ("rslave", "shared master"),
        ("shared", "shared"),
        ("rprivate", "shared"),
    ] {
        bundle.config["linux"]["rootfsPropagation"] = json!(word);
        assert_eq!(
            Info::inside(&mut bundle, "/mnt").propagation,
            want,
            "{word}"
        );
    }
    bundle.config["linux"]["rootfsPropagation"] = json!("what");
    assert!(bundle.run().fails(125).contains("rootfsPropagation"));
}

/// R26: a set-user-ID file on a `nosuid` mount changes nobody; the file is the runtime's own, whose `spec`
/// leaves a file of whoever it ran as.
#[test]
fn r26_nosuid_mounts() {
    let mut bundle = Bundle::writable("");
    let volume = bundle.path().join("volume");
    std::fs::create_dir(&volume).unwrap();
    std::fs::copy(rig::runtime(), volume.join("suid")).unwrap();
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&volume, 0o777);
    mode(&volume.join("suid"), 0o4755);
    bundle.with_libraries();
    bundle.config["process"]["noNewPrivileges"] = json!(false);
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    bundle.config["process"]["args"] = json!(["/mnt/suid", "spec", "-b", "/mnt"]);
    for (options, owner) in [(json!(["bind", "nosuid"]), 1000), (json!(["bind"]), 0)] {
        bundle.mount(json!({"destination": "/mnt", "source": volume, "options": options}));
        bundle.run().ok();
        let made = volume.join("config.json");
        assert_eq!(std::fs::metadata(&made).unwrap().uid(), owner, "{options}");
        std::fs::remove_file(made).unwrap();
    }
}

/// R27: the paths that Docker hides.
#[test]
fn r27_dockers_masks() {
    let masked = [
        "/proc/acpi",
        "/proc/asound",
        "/proc/interrupts",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/sys/devices/virtual/powercap",
        "/sys/firmware",
        "/sys/devices/system/cpu/cpu0/thermal_throttle",
    ];
    let read_only = [
        "/proc/bus",
        "/proc/fs",
        "/proc/irq",
        "/proc/sys",
        "/proc/sysrq-trigger",
    ];
    let look = format!(
        "for f in {}; do if test -d $f; then test -z \"$(ls -A $f)\" || echo SEEN $f; \
         elif test -e $f; then test -z \"$(head -c 1 $f 2>/dev/null | tr '\\0' x)\" || echo SEEN $f; fi; done; \
         for f in {}; do test -e $f || continue; grep -q \" $f ro,\" /proc/self/mountinfo || echo WRITABLE $f; done; \
         for f in /proc/sys/kernel/core_pattern /sys/kernel/uevent_helper /sys/power/state; do test -e $f || continue; (echo > $f) 2>&1 | grep -q Read-only || echo WRITABLE $f; done; true",
        masked.join(" "),
        read_only.join(" ")
    );
    let mut bundle = Bundle::new(&look);
    bundle.config["linux"]["maskedPaths"] = json!(masked);
    bundle.config["linux"]["readonlyPaths"] = json!(read_only);
    bundle.caps(&["CAP_DAC_OVERRIDE", "CAP_CHOWN", "CAP_SYS_ADMIN"]);
    assert_eq!(bundle.run().ok(), "");
}

/// R15: sysctls are written through a procfs of the runtime's own; what the image and its mounts have at the
/// places is not touched. Also in a user namespace, where the masks hide the only procfs there is.
#[test]
fn r15_sysctls_reach_the_kernel() {
    let forward = "sys/net/ipv4/conf/all/forwarding";
    let host = std::fs::read_to_string(std::path::Path::new("/proc").join(forward)).unwrap();
    let flipped = if host.trim() == "1" { "0" } else { "1" };
    let mut bundle = Bundle::writable(&format!("cat /proc/{forward}"));
    bundle.config["linux"]["sysctl"] = json!({"net.ipv4.conf.all.forwarding": flipped});
    assert_eq!(bundle.run().ok(), flipped);
    for destination in ["/proc/self/attr", "/proc/sys/net", "/proc/thread-self"] {
        bundle.mount(json!({"destination": destination, "type": "tmpfs"}));
        assert!(
            bundle.run().fails(125).contains("not allowed"),
            "{destination}"
        );
        bundle.remove_mount(destination);
    }
    bundle.user_namespace();
    assert_eq!(bundle.run().ok(), flipped);
    // Without a procfs inside, a file of the image's stands in its place, and is left alone.
    bundle.remove_mount("/proc");
    bundle.config["linux"]["maskedPaths"] = json!([]);
    bundle.config["linux"]["readonlyPaths"] = json!([]);
    let fake = bundle.rootfs("proc").join(forward);
    std::fs::create_dir_all(fake.parent().unwrap()).unwrap();
    std::fs::write(&fake, "fake").unwrap();
    bundle.run();
    assert_eq!(std::fs::read_to_string(fake).unwrap(), "fake");
    assert_eq!(
        std::fs::read_to_string(std::path::Path::new("/proc").join(forward)).unwrap(),
        host
    );
}

/// What the runtime was given as `/dev/null` is the host's node: the container gets its own, so that its root
/// cannot change the host's.
#[test]
fn standard_streams_are_not_the_hosts_null() {
    let look = "for n in 0 1 2; do chmod 600 /proc/self/fd/$n 2>/dev/null; done; \
        stat -c %a /dev/null > /tmp/mode; chmod 666 /dev/null";
    let bundle = Bundle::writable(look);
    // A stand-in for the host's: the same device on another file system.
    let host = bundle.path().join("null");
    let device = rustix::fs::makedev(1, 3);
    let mode = rustix::fs::Mode::from_raw_mode(0o666);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &host,
        rustix::fs::FileType::CharacterDevice,
        mode,
        device,
    )
    .unwrap();
    let permit = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(&host, permit).unwrap();
    let open = || {
        std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&host)
            .unwrap()
    };
    let mut run = bundle.command(&["run", "c"]);
    run.stdin(open()).stdout(open()).stderr(open());
    assert!(run.status().unwrap().success());
    assert_eq!(
        std::fs::metadata(&host).unwrap().permissions().mode() & 0o777,
        0o666
    );
    assert_eq!(
        std::fs::read_to_string(bundle.rootfs("tmp/mode")).unwrap(),
        "600\n"
    );
}
