//! Flags of `run` about privileges, as `/proc/self/status` and the kernel's answers show them.

use testkit::Sandbox;

/// A field of `/proc/self/status` in a container started with `flags`.
fn status(s: &Sandbox, flags: &[&str], field: &str) -> String {
    let pattern = format!("^{field}:");
    let line = [
        &["run", "--rm"],
        flags,
        &["busybox", "grep", &pattern, "/proc/self/status"],
    ]
    .concat();
    s.berth(&line)
        .ok()
        .split_whitespace()
        .nth(1)
        .expect("a value")
        .to_owned()
}

both! {
    fn the_fourteen_default_capabilities(s) {
        for field in ["CapEff", "CapPrm", "CapBnd"] {
            assert_eq!(status(s, &[], field), "00000000a80425fb", "{field}");
        }
        for field in ["CapInh", "CapAmb"] {
            assert_eq!(status(s, &[], field), "0000000000000000", "{field}");
        }
    }
}

both! {
    fn capabilities_are_added_and_dropped(s) {
        assert_eq!(status(s, &["--cap-drop", "ALL"], "CapEff"), "0000000000000000");
        assert_eq!(status(s, &["--cap-drop", "all", "--cap-add", "CHOWN"], "CapEff"), "0000000000000001");
        assert_eq!(status(s, &["--cap-add", "cap_sys_time"], "CapEff"), "00000000aa0425fb");
        assert_eq!(status(s, &["--cap-drop", "NET_RAW"], "CapBnd"), "00000000a80405fb");
        s.berth(&["run", "--rm", "--cap-add", "NONSENSE", "busybox", "true"]).fails(125);
    }
}

both! {
    fn seccomp_filters_by_default(s) {
        assert_eq!(status(s, &[], "Seccomp"), "2");
        assert_eq!(status(s, &["--security-opt", "seccomp=unconfined"], "Seccomp"), "0");
        // A new user namespace is what the default profile keeps from a container.
        let unshare = |flags: &[&str]| s.berth(&[&["run", "--rm"], flags, &["busybox", "unshare", "-U", "true"]].concat());
        assert!(unshare(&[]).fails(1).contains("Operation not permitted"));
        unshare(&["--security-opt", "seccomp=unconfined"]).ok();
    }
}

both! {
    fn a_profile_of_ones_own_is_used_or_refused(s) {
        let profile = s.file("p.json", r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
            {"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]}"#);
        let option = format!("seccomp={}", profile.display());
        let done = s.berth(&["run", "--rm", "--security-opt", &option, "busybox", "mkdir", "/x"]);
        assert!(done.fails(1).contains("Function not implemented"), "{done}");
        let broken = s.file("broken.json", r#"{"defaultAction":"SCMP_ACT_NONSENSE"}"#);
        for option in [format!("seccomp={}", broken.display()), "seccomp=/no/such/file".into(), "seccomp=".into()] {
            s.berth(&["run", "--rm", "--security-opt", &option, "busybox", "true"]).fails(125);
        }
    }
}

both! {
    fn no_new_privileges_is_set_when_asked_for(s) {
        assert_eq!(status(s, &[], "NoNewPrivs"), "0");
        assert_eq!(status(s, &["--security-opt", "no-new-privileges"], "NoNewPrivs"), "1");
        assert_eq!(status(s, &["--security-opt=no-new-privileges:true"], "NoNewPrivs"), "1");
    }
}

both! {
    fn labels_that_nobody_enforces_are_refused(s) {
        for option in ["apparmor=some-profile", "label=type:container_t", "nonsense"] {
            let done = s.berth(&["run", "--rm", "--security-opt", option, "busybox", "true"]);
            assert_eq!(done.code(), 125, "{option}: {done}");
        }
    }
}

both! {
    fn masked_paths_are_empty_and_read_only_paths_are(s) {
        let masked = "for f in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts; do \
            [ -e $f ] && [ -n \"$(head -c 1 $f 2>/dev/null)\" ] && echo open: $f; done; \
            for d in /proc/acpi /proc/scsi /sys/firmware; do [ -n \"$(ls $d 2>/dev/null)\" ] && echo open: $d; done; true";
        assert_eq!(s.berth(&["run", "--rm", "busybox", "sh", "-c", masked]).ok(), "");
        for file in ["/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity"] {
            // Some kernels have no sysrq.
            let write = format!("[ ! -e {file} ] || echo 1 >{file}");
            let done = s.berth(&["run", "--rm", "busybox", "sh", "-c", &write]);
            let there = std::path::Path::new(file).exists();
            assert!(!there || done.code() != 0 && done.stderr.contains("Read-only"), "{file}: {done}");
        }
        let done = s.berth(&["run", "--rm", "busybox", "sh", "-c", "mkdir /sys/fs/cgroup/x"]);
        assert_ne!(done.code(), 0, "{done}");
    }
}

#[test]
fn privileged_has_everything() {
    let s = Sandbox::root().with_busybox();
    let all = std::fs::read_to_string("/proc/self/status").unwrap();
    let ours = all
        .lines()
        .find_map(|l| l.strip_prefix("CapPrm:\t"))
        .unwrap();
    assert_eq!(status(&s, &["--privileged"], "CapEff"), ours);
    assert_eq!(status(&s, &["--privileged"], "Seccomp"), "0");
    let devices = s.berth(&["run", "--rm", "--privileged", "busybox", "ls", "/dev"]);
    assert!(
        devices.ok().contains("loop-control") || devices.ok().contains("kmsg"),
        "{devices}"
    );
    // And a mount works, which the default forbids.
    let mount = ["busybox", "sh", "-c", "mkdir /m && mount -t tmpfs none /m"];
    s.berth(&[&["run", "--rm", "--privileged"][..], &mount].concat())
        .ok();
    assert_ne!(s.berth(&[&["run", "--rm"][..], &mount].concat()).code(), 0);
}

#[test]
fn devices_are_the_default_ones_only() {
    let s = Sandbox::root().with_busybox();
    let list = s
        .berth(&["run", "--rm", "busybox", "ls", "/dev"])
        .ok()
        .to_owned();
    for device in [
        "null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "fd", "stdin",
    ] {
        assert!(
            list.lines().any(|line| line == device),
            "{device} in {list}"
        );
    }
    // The node may be made (CAP_MKNOD), but the cgroup does not let it be opened.
    let done = s.berth(&[
        "run",
        "--rm",
        "busybox",
        "sh",
        "-c",
        "mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem",
    ]);
    assert!(done.stderr.contains("Operation not permitted"), "{done}");
    s.berth(&[
        "run",
        "--rm",
        "busybox",
        "sh",
        "-c",
        "echo x >/dev/null && head -c 1 /dev/zero >/dev/full || true",
    ])
    .ok();
}

both! {
    /// 2024-21626: no descriptor of the host is open, and none can be the working directory.
    fn no_descriptor_leaks_and_none_is_a_working_directory(s) {
        let done = s.berth(&["run", "--rm", "busybox", "sh", "-c", "ls /proc/self/fd | tr '\\n' ' '"]);
        // The fourth is `ls` reading the directory.
        assert_eq!(done.ok().trim(), "0 1 2 3", "{done}");
        for n in 3..16 {
            let directory = format!("/proc/self/fd/{n}");
            assert_ne!(s.berth(&["run", "--rm", "-w", &directory, "busybox", "cat", "/etc/shadow"]).code(), 0);
        }
    }
}

both! {
    /// D35, CVE-2022-0492: no way to a cgroup hierarchy that one could write to.
    fn a_container_cannot_mount_or_write_cgroups(s) {
        let inside = |script: &str| s.berth(&["run", "--rm", "busybox", "sh", "-c", script]);
        for script in ["mount -t cgroup -o memory none /tmp", "mount -t cgroup2 none /tmp"] {
            let done = inside(script);
            assert!(done.code() != 0 && done.stderr.contains("permission denied"), "{done}");
        }
        let files = inside("find /sys/fs/cgroup -name release_agent").ok().to_owned();
        assert_eq!(files, "", "only the root of a hierarchy has one");
        let writable = inside("find /sys/fs/cgroup -type f -name 'cgroup.procs' | while read f; do \
            (echo 0 >$f) 2>/dev/null && echo $f; done; true");
        assert_eq!(writable.ok(), "", "{writable}");
    }
}

/// R4, R12, CVE-2021-30465 and CVE-2024-45310: somebody exchanges a directory of a volume for a link while
/// mounts are made below it. Nothing appears outside, and nothing is mounted on the host.
#[test]
fn a_volume_that_changes_under_the_mounts_leads_nowhere() {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use std::sync::atomic::{AtomicBool, Ordering};

    let s = Sandbox::root().with_busybox();
    let (volume, canary) = (s.folder("volume"), s.folder("canary"));
    let (real, link) = (volume.join("a"), volume.join("link"));
    std::fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&canary, &link).unwrap();
    let mounts = || std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let ours = |text: String| {
        let mark = s.path().display().to_string();
        text.lines().filter(|line| line.contains(&mark)).count()
    };
    let before = ours(mounts());
    let rounds = if std::env::var_os("BERTH_TEST_FULL").is_some() {
        2000
    } else {
        100
    };
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, &real, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let bind = format!("{}:/v", volume.display());
        for round in 0..rounds {
            // Succeeding and failing are both right; a mount that goes astray is not.
            let fresh = format!("/v/a/new{round}");
            s.berth(&[
                "run", "--rm", "-v", &bind, "--tmpfs", &fresh, "busybox", "true",
            ]);
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(
        std::fs::read_dir(&canary).unwrap().count(),
        0,
        "made through the link"
    );
    assert_eq!(ours(mounts()), before, "mounted on the host");
}
