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
