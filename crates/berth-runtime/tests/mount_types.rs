//! File systems that are mounted: tmpfs, the kernel's own, overlays, cgroups, a device's. Needs root,
//! busybox-static and e2fsprogs.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod mount_rig;
mod rig;

use std::os::unix::fs::PermissionsExt as _;

use mount_rig::{Info, seen, tmpfs};
use rig::Bundle;
use serde_json::json;

/// A tmpfs has the mode of what it covers, if it is not told another; it can be read-only and have mounts
/// and files in it; `tmpcopyup` fills it.
#[test]
fn tmpfs_over_a_directory() {
    let mut bundle = Bundle::writable("");
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
    let mut bundle = Bundle::writable("");
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

/// An overlay, also with more layers than fsconfig(2) takes in one value.
#[test]
fn overlays() {
    let mut bundle = Bundle::writable("");
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

/// The container's cgroups, read-only or not, with and without a cgroup namespace, and of v2 alone.
#[test]
fn cgroups_are_the_containers_own() {
    let mut bundle = Bundle::writable("");
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
            bundle.without_namespace("cgroup");
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
    let mut bundle = Bundle::writable("");
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
