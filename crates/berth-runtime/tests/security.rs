//! Rows of the security catalogue that the runtime alone can show, by their ids. Needs root and
//! busybox-static.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod rig;

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Stdio;

use rig::{Bundle, runtime};
use serde_json::json;

fn reports(output: &str) -> Vec<&str> {
    output.lines().collect()
}

/// R1: whoever executes the runtime's file from inside (`#!/proc/self/exe`) cannot write it, by any path.
#[test]
fn r1_the_runtimes_file_cannot_be_overwritten() {
    let hunter = r#"
        while ! test -e /tmp/stop; do
            for p in /proc/[0-9]*; do
                case "$(readlink $p/exe 2>/dev/null)" in /bin/busybox|"") continue;; esac
                command exec 3< $p/exe || continue
                echo caught >> /tmp/log
                (echo x >> $p/exe) 2>/dev/null && echo OPENED >> /tmp/log
                while test -d $p; do :; done
                (echo x >> /proc/self/fd/3) 2>/dev/null && echo OPENED >> /tmp/log
                exec 3<&-
            done
        done"#;
    let mut bundle = Bundle::writable(hunter);
    bundle.config["process"]["noNewPrivileges"] = json!(false);
    bundle.config["linux"]["resources"]["pids"] = json!({"limit": 24});
    bundle.caps(&["CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE", "CAP_KILL"]);
    // Each level executes the runtime again until the limit of processes stops it.
    bundle.executable("evil", "#!/proc/self/exe init\n");
    bundle.with_libraries();
    // Its own copy: nobody builds another one over it meanwhile.
    bundle.program = bundle.path().join("berth-runtime");
    std::fs::copy(runtime(), &bundle.program).unwrap();
    let before = std::fs::read(&bundle.program).unwrap();
    bundle.start();
    for _ in 0..30 {
        let _ = bundle
            .command(&["exec", "c", "/evil"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
    }
    std::fs::write(bundle.rootfs("tmp/stop"), "").unwrap();
    bundle.call(&["delete", "-f", "c"]).ok();
    let log = std::fs::read_to_string(bundle.rootfs("tmp/log")).unwrap_or_default();
    assert!(
        log.contains("caught"),
        "the hunter never saw the runtime: the test shows nothing"
    );
    assert!(!log.contains("OPENED"), "opened for writing");
    assert!(std::fs::read(&bundle.program).unwrap() == before);
}

/// R2: nothing but procfs at `/proc`, nothing in it.
#[test]
fn r2_proc_and_sys_are_the_kernels() {
    let cases = [
        json!({"destination": "/proc", "type": "tmpfs", "source": "tmpfs"}),
        json!({"destination": "/proc/", "source": "/tmp", "options": ["bind"]}),
        json!({"destination": "/x/../proc", "type": "tmpfs"}),
        json!({"destination": "/proc/self", "type": "tmpfs"}),
        json!({"destination": "/proc/sys/kernel", "source": "/tmp", "options": ["bind"]}),
        json!({"destination": "/proc/version", "source": "/dev/null", "options": ["bind"]}),
        json!({"destination": "/sys", "type": "tmpfs"}),
        json!({"destination": "/sys", "source": "/tmp", "options": ["bind"]}),
        json!({"destination": "/sys/kernel", "type": "tmpfs"}),
        json!({"destination": "/", "type": "tmpfs"}),
        json!({"destination": "/link/self", "type": "tmpfs"}),
    ];
    for case in cases {
        let mut bundle = Bundle::new("true");
        symlink("/proc", bundle.rootfs("link")).unwrap();
        bundle.add_mount(case.clone());
        let run = bundle.run();
        assert!(
            run.fails(125).contains("not allowed"),
            "{case}: {}",
            run.stderr
        );
    }
    let mut bundle = Bundle::new("cat /proc/uptime");
    std::fs::write(bundle.path().join("uptime"), "fake\n").unwrap();
    let source = bundle.path().join("uptime");
    bundle.mount(json!({"destination": "/proc/uptime", "source": source, "options": ["bind"]}));
    assert_eq!(bundle.run().ok(), "fake");
}

/// R5, R6: nothing inherited or ambient; another user than root has no capabilities but those asked for.
#[test]
fn r5_r6_capabilities_are_exactly_the_specs() {
    let show = "grep ^Cap /proc/self/status | cut -f2";
    let mut bundle = Bundle::new(show);
    bundle.caps(&["CAP_CHOWN", "CAP_NET_RAW"]);
    let zero = "0000000000000000";
    let two = "0000000000002001";
    assert_eq!(reports(bundle.run().ok()), [zero, two, two, two, zero]);
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    bundle.config["process"]["capabilities"]["effective"] = json!([]);
    bundle.config["process"]["capabilities"]["permitted"] = json!([]);
    assert_eq!(reports(bundle.run().ok()), [zero, zero, zero, two, zero]);
    for set in ["effective", "permitted", "inheritable", "ambient"] {
        bundle.config["process"]["capabilities"][set] = json!(["CAP_NET_RAW"]);
    }
    let raw = "0000000000002000";
    assert_eq!(reports(bundle.run().ok()), [raw, raw, raw, two, raw]);

    bundle.config["process"]["args"] = json!(["sleep", "1000"]);
    bundle.config["process"]["user"] = json!({"uid": 0, "gid": 0});
    for set in ["inheritable", "ambient"] {
        bundle.config["process"]["capabilities"][set] = json!([]);
    }
    bundle.start();
    let exec = bundle.call(&["exec", "-u", "1000", "c", "sh", "-c", show]);
    assert_eq!(reports(exec.ok()), [zero, zero, zero, two, zero]);
    bundle.call(&["delete", "-f", "c"]).ok();
}

/// R7: a container that may trace sees nothing of the host through a process that is entering.
#[test]
fn r7_an_entering_process_shows_nothing_of_the_host() {
    let spy = r#"
        while ! test -e /tmp/stop; do
            for p in /proc/[0-9]*; do
                case $p in /proc/1|/proc/$$) continue;; esac
                test -e $p/root/canary-of-the-host && echo LEAK root >> /tmp/log
                test -e $p/cwd/canary-of-the-host && echo LEAK cwd >> /tmp/log
                for f in $p/fd/*; do test -d $f/. && test -e $f/canary-of-the-host && echo LEAK $f >> /tmp/log; done
                echo seen >> /tmp/log
            done
        done"#;
    let mut bundle = Bundle::writable(spy);
    bundle.caps(&["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_KILL"]);
    bundle.start();
    // The runtime works in this directory of the host.
    std::fs::write(bundle.path().join("canary-of-the-host"), "").unwrap();
    for _ in 0..40 {
        let _ = bundle
            .command(&["exec", "c", "true"])
            .stdout(Stdio::null())
            .status()
            .unwrap();
    }
    std::fs::write(bundle.rootfs("tmp/stop"), "").unwrap();
    bundle.call(&["delete", "-f", "c"]).ok();
    let log = std::fs::read_to_string(bundle.rootfs("tmp/log")).unwrap_or_default();
    assert!(
        log.contains("seen"),
        "the spy never saw a process: the test shows nothing"
    );
    assert!(!log.contains("LEAK"), "{log}");
}

/// R10, R16: directories of the image that are links move nothing on the host.
#[test]
fn r10_r16_links_in_the_image_are_refused_or_stay_inside() {
    for (name, target) in [("proc", "/x/proc"), ("sys", ".."), ("proc", "tmp")] {
        let bundle = Bundle::new("true");
        std::fs::remove_dir(bundle.rootfs(name)).unwrap();
        symlink(target, bundle.rootfs(name)).unwrap();
        let run = bundle.run();
        assert_eq!(run.code(), 125, "{name} -> {target}: {}", run.stderr);
    }
    let mut bundle = Bundle::writable("true");
    let canary = bundle.path().join("canary");
    std::fs::create_dir(&canary).unwrap();
    std::fs::write(canary.join("ptmx"), "untouched").unwrap();
    std::fs::remove_dir(bundle.rootfs("dev")).unwrap();
    symlink(&canary, bundle.rootfs("dev")).unwrap();
    bundle.without_dev();
    let _ = bundle.run();
    assert_eq!(
        std::fs::read_to_string(canary.join("ptmx")).unwrap(),
        "untouched"
    );
    assert_eq!(std::fs::read_dir(&canary).unwrap().count(), 1);
}

/// R11: no descriptor but the three, and no working directory outside.
#[test]
fn r11_no_leaked_descriptors() {
    let mut bundle = Bundle::new("ls /proc/self/fd");
    // 3 is the one that ls reads the directory with.
    assert_eq!(reports(bundle.run().ok()), ["0", "1", "2", "3"]);
    for number in 0..32 {
        bundle.config["process"]["cwd"] = json!(format!("/proc/self/fd/{number}"));
        let run = bundle.run();
        assert_eq!(run.code(), 125, "{number}: {}", run.stdout);
    }
    bundle.config["process"]["cwd"] = json!("/");
    bundle.config["process"]["args"] = json!(["sleep", "1000"]);
    bundle.start();
    assert_eq!(
        reports(bundle.call(&["exec", "c", "ls", "/proc/self/fd"]).ok()),
        ["0", "1", "2", "3"]
    );
    for number in 0..32 {
        let cwd = format!("/proc/self/fd/{number}");
        let exec = bundle.call(&["exec", "--cwd", &cwd, "c", "pwd"]);
        assert_eq!(exec.code(), 125, "{number}: {}", exec.stdout);
    }
    bundle.call(&["delete", "-f", "c"]).ok();
}

/// R13: what the image has at `/dev/null` covers nothing.
#[test]
fn r13_masks_do_not_use_the_images_null() {
    let mut bundle =
        Bundle::new("cat /proc/keys | wc -c; test -w /proc/sys/kernel/core_pattern || echo closed");
    bundle.without_dev();
    bundle.config["root"]["readonly"] = json!(false);
    symlink("/proc/sys/kernel/core_pattern", bundle.rootfs("dev/null")).unwrap();
    let before = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let run = bundle.run();
    // A device that is something else is refused; were it not, the masks would still be real.
    if run.code() == 0 {
        assert_eq!(run.ok(), "0\nclosed\n");
    }
    assert_eq!(
        std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(),
        before
    );
}

/// R14: the console is the terminal that was opened, whatever the image has there.
#[test]
fn r14_the_console_is_the_terminal() {
    let mut bundle = Bundle::new("stat -c %t:%T /dev/console; tty");
    bundle.config["process"]["terminal"] = json!(true);
    let mut session = testkit::pty::Session::start(&bundle.command(&["run", "c"]));
    session.expect("88:0");
    session.expect("/dev/pts/0");
    assert!(session.wait().success());
    bundle.without_dev();
    bundle.config["root"]["readonly"] = json!(false);
    symlink("/canary", bundle.rootfs("dev/console")).unwrap();
    let mut session = testkit::pty::Session::start(&bundle.command(&["run", "c"]));
    // The link itself is covered: nothing is followed.
    session.wait();
    assert!(!bundle.rootfs("canary").exists());
}

/// R17: the host's mounts are as before, and a propagation is one of eight words. The host is played by a
/// mount namespace in which all is shared, where nobody else mounts anything.
#[test]
fn r17_mounts_do_not_propagate() {
    let mut bundle = Bundle::new("true");
    let shared = bundle.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    bundle.mount(json!({"destination": "/mnt", "source": shared, "options": ["rbind", "rw"]}));
    bundle.config["root"]["readonly"] = json!(false);
    // Mounts of other tests that were copied along may vanish with their directories; none may appear.
    let count = "mount --make-rshared /; a=$(cut -d' ' -f5 /proc/self/mountinfo); \
        for i in 1 2 3 4 5; do \"$@\" || exit 1; done; \
        ! cut -d' ' -f5 /proc/self/mountinfo | grep -vxF \"$a\" || exit 2";
    for propagation in [
        "", "private", "rprivate", "slave", "rslave", "shared", "rshared",
    ] {
        bundle.config["linux"]["rootfsPropagation"] = json!(propagation);
        let run = bundle.command(&["run", "c"]);
        let mut host = std::process::Command::new("unshare");
        host.args(["-m", "--propagation", "private", "sh", "-c", count, "sh"]);
        host.arg(run.get_program())
            .args(run.get_args())
            .current_dir(bundle.path());
        assert_eq!(host.status().unwrap().code(), Some(0), "{propagation}");
    }
    bundle.config["linux"]["rootfsPropagation"] = json!("shared,dev");
    bundle.run().fails(125);
    bundle.config["linux"]["rootfsPropagation"] = json!("");
    bundle.mount(
        json!({"destination": "/mnt", "source": shared, "options": ["rbind", "shared,dev"]}),
    );
    bundle.run().fails(125);
}

/// R18: `rro` reaches the mounts below, `ro` does not (as documented).
#[test]
fn r18_recursively_read_only() {
    let write =
        "touch /mnt/a 2>/dev/null && echo top; touch /mnt/sub/b 2>/dev/null && echo sub; true";
    let mut bundle = Bundle::writable(write);
    let source = bundle.path().join("source");
    std::fs::create_dir_all(source.join("sub")).unwrap();
    let unmount = Unmount(source.join("sub"));
    rustix::mount::mount(
        "tmpfs",
        &unmount.0,
        "tmpfs",
        rustix::mount::MountFlags::empty(),
        None,
    )
    .unwrap();
    for (option, seen) in [("rro", ""), ("ro", "sub"), ("rw", "top\nsub")] {
        bundle
            .mount(json!({"destination": "/mnt", "source": source, "options": ["rbind", option]}));
        assert_eq!(bundle.run().ok(), seen, "{option}");
    }
}

struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

/// R19: the groups are the spec's, so a group that is denied stays denied.
#[test]
fn r19_groups_are_exactly_the_specs() {
    let mut bundle = Bundle::new("id -u; id -G; cat /secret 2>/dev/null || echo denied");
    std::fs::write(bundle.rootfs("secret"), "secret\n").unwrap();
    std::fs::set_permissions(
        bundle.rootfs("secret"),
        std::fs::Permissions::from_mode(0o604),
    )
    .unwrap();
    let secret = std::fs::File::open(bundle.rootfs("secret")).unwrap();
    rustix::fs::fchown(&secret, None, Some(rustix::fs::Gid::from_raw(2000))).unwrap();
    bundle.config["process"]["user"] =
        json!({"uid": 1000, "gid": 1000, "additionalGids": [2000, 3000]});
    assert_eq!(bundle.run().ok(), "1000\n1000 2000 3000\ndenied");
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    assert_eq!(bundle.run().ok(), "1000\n1000\nsecret");
    std::fs::set_permissions(
        bundle.rootfs("secret"),
        std::fs::Permissions::from_mode(0o060),
    )
    .unwrap();
    assert_eq!(bundle.run().ok(), "1000\n1000\ndenied");
}

/// R20: a number beyond 31 bits is an error, never root.
#[test]
fn r20_large_ids_are_refused() {
    let mut bundle = Bundle::new("id -u");
    for id in ["4294967296", "2147483648", "-1", "4294967295"] {
        let number: serde_json::Value = serde_json::from_str(id).unwrap();
        bundle.config["process"]["user"] = json!({"uid": number, "gid": 0});
        let run = bundle.run();
        assert_eq!((run.code(), run.stdout.as_str()), (125, ""), "{id}");
    }
    bundle.config["process"]["user"] = json!({"uid": 2147483647, "gid": 0});
    assert_eq!(bundle.run().ok(), "2147483647");
}

/// Source: config-linux.md, "Sysctl". R22: sysctls of the host are refused, those of the container's namespaces are
/// set there only.
#[test]
fn r22_only_namespaced_sysctls() {
    let forward = "/proc/sys/net/ipv4/conf/all/forwarding";
    let host = std::fs::read_to_string(forward).unwrap();
    let mut bundle = Bundle::new(&format!("cat {forward} /proc/sys/kernel/shmmni"));
    let flipped = if host.trim() == "1" { "0" } else { "1" };
    bundle.config["linux"]["sysctl"] =
        json!({"net.ipv4.conf.all.forwarding": flipped, "kernel.shmmni": "99"});
    assert_eq!(bundle.run().ok(), format!("{flipped}\n99"));
    assert_eq!(std::fs::read_to_string(forward).unwrap(), host);
    for key in [
        "kernel.core_pattern",
        "vm.swappiness",
        "kernel.shm_rmid_forced+kernel.core_pattern",
        "net/../kernel/core_pattern",
    ] {
        bundle.config["linux"]["sysctl"] = json!({key: "1"});
        let run = bundle.run();
        assert!(
            run.fails(125).contains("not allowed"),
            "{key}: {}",
            run.stderr
        );
    }
    bundle.config["linux"]["sysctl"] = json!({"net.ipv4.conf.all.forwarding": flipped});
    bundle.without_namespace("network");
    assert!(bundle.run().fails(125).contains("host's network"));
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.push(json!({"type": "network", "path": "/proc/self/ns/net"}));
    assert!(bundle.run().fails(125).contains("host's network"));
}

/// R26: under no_new_privs a set-user-ID file changes nobody. The file is the runtime's own, whose `spec`
/// leaves a file of whoever it ran as.
#[test]
fn r26_no_new_privileges() {
    let mut bundle = Bundle::new("");
    std::fs::copy(runtime(), bundle.rootfs("suid")).unwrap();
    std::fs::set_permissions(
        bundle.rootfs("suid"),
        std::fs::Permissions::from_mode(0o4755),
    )
    .unwrap();
    bundle.with_libraries();
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    for (directory, protected, owner) in [("tmp/a", true, 1000), ("tmp/b", false, 0)] {
        std::fs::create_dir(bundle.rootfs(directory)).unwrap();
        std::fs::set_permissions(
            bundle.rootfs(directory),
            std::fs::Permissions::from_mode(0o777),
        )
        .unwrap();
        bundle.config["process"]["noNewPrivileges"] = json!(protected);
        bundle.config["process"]["args"] = json!(["/suid", "spec", "-b", format!("/{directory}")]);
        bundle.run().ok();
        let made = std::fs::metadata(bundle.rootfs(directory).join("config.json")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&made), owner);
    }
}

/// R27: what must not be seen or changed is not.
#[test]
fn r27_masked_and_read_only_paths() {
    let look = r#"
        for f in /proc/kcore /proc/keys /proc/timer_list /proc/latency_stats /proc/sched_debug; do
            test -e $f && test -n "$(head -c 1 $f 2>/dev/null)" && echo SEEN $f
        done
        for d in /proc/acpi /proc/asound /proc/scsi /sys/firmware; do
            test -d $d && test -n "$(ls -A $d)" && echo SEEN $d
            test -d $d && touch $d/x 2>/dev/null && echo WRITTEN $d
        done
        for f in /proc/sys/kernel/domainname /proc/sysrq-trigger; do
            test -e $f || continue
            (echo > $f) 2>&1 | grep -q 'Read-only' || echo WRITABLE $f
        done
        touch /proc/bus/x /proc/fs/x /proc/irq/x /sys/x /sys/fs/cgroup/x 2>&1 | grep -vc 'Read-only\|No such' | grep -v ^0
        (umount /proc/keys || umount /sys/firmware || mount -o remount,rw /proc/sys) 2>/dev/null && echo UNDONE
        true"#;
    let mut bundle = Bundle::new(look);
    bundle.caps(&["CAP_DAC_OVERRIDE", "CAP_CHOWN"]);
    assert_eq!(bundle.run().ok(), "");
}

/// R28: a signal goes to the container's process or to none.
#[test]
fn r28_a_reused_pid_is_not_signalled() {
    let bundle = Bundle::new("sleep 1000");
    bundle.start();
    let state = bundle.path().join("state/c/state.json");
    let mut record: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&state).unwrap()).unwrap();
    let real = record.clone();
    // Start times count in ticks of 10 ms; a number cannot come round again within one.
    std::thread::sleep(std::time::Duration::from_millis(30));
    let mut decoy = std::process::Command::new("sleep")
        .arg("1000")
        .spawn()
        .unwrap();
    record["pid"] = json!(decoy.id());
    std::fs::write(&state, record.to_string()).unwrap();
    assert_eq!(bundle.state()["status"], "stopped");
    bundle.call(&["kill", "c", "KILL"]).fails(125);
    bundle.call(&["exec", "c", "true"]).fails(125);
    assert!(decoy.try_wait().unwrap().is_none(), "the decoy lives");
    decoy.kill().unwrap();
    decoy.wait().unwrap();
    std::fs::write(&state, real.to_string()).unwrap();
    bundle.call(&["delete", "-f", "c"]).ok();
}

/// R29: an exec into a container that ends lands in it or nowhere.
#[test]
fn r29_exec_into_an_ending_container() {
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    for round in 0..25u64 {
        let bundle = Bundle::new("sleep 1000");
        bundle.start();
        let exec = bundle
            .command(&["exec", "c", "hostname"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_micros(round * 200));
        bundle.call(&["kill", "c", "KILL"]).ok();
        let output = exec.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            matches!(said.trim(), "" | "berth"),
            "said {said}, the host is {host}"
        );
        bundle.stopped();
        bundle.call(&["delete", "c"]).ok();
    }
}

/// R25: a profile with a word that is not known is an error, never a process without a filter.
#[test]
fn r25_seccomp_fails_closed() {
    let mut bundle = Bundle::new(
        "grep ^Seccomp: /proc/self/status; mkdir /tmp/x 2>&1 | grep -o 'not permitted'",
    );
    let arches = json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
    let rule =
        |names: &[&str], action: &str| json!([{"names": names, "action": action, "errnoRet": 1}]);
    let good = json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": arches, "syscalls": rule(&["mkdir", "mkdirat"], "SCMP_ACT_ERRNO")});
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["linux"]["seccomp"] = good.clone();
    for protected in [true, false] {
        bundle.config["process"]["noNewPrivileges"] = json!(protected);
        assert_eq!(bundle.run().ok(), "Seccomp:\t2\nnot permitted");
    }
    bundle.config["process"]["args"] = json!(["sleep", "1000"]);
    bundle.start();
    let exec = bundle.call(&["exec", "c", "grep", "^Seccomp:", "/proc/self/status"]);
    assert_eq!(exec.ok(), "Seccomp:\t2");
    bundle.call(&["delete", "-f", "c"]).ok();

    for (field, value) in [
        ("defaultAction", json!("SCMP_ACT_WHAT")),
        ("defaultAction", json!("")),
        ("architectures", json!(["SCMP_ARCH_WHAT"])),
        ("flags", json!(["SECCOMP_FILTER_FLAG_WHAT"])),
        ("syscalls", rule(&["mkdir"], "SCMP_ACT_WHAT")),
    ] {
        let mut bad = good.clone();
        bad[field] = value.clone();
        bundle.config["linux"]["seccomp"] = bad;
        let run = bundle.run();
        assert_eq!(
            (run.code(), run.stdout.as_str()),
            (125, ""),
            "{field} {value}"
        );
    }
}

/// The filter is the last step before the program: a profile need not know what the runtime calls.
#[test]
fn a_profile_allows_only_what_the_program_calls() {
    let mut bundle = Bundle::new("");
    // What a static busybox calls to print a word; no faccessat2, capset, setresuid, chdir, poll ….
    let names = [
        "arch_prctl",
        "brk",
        "execve",
        "exit_group",
        "fstat",
        "getrandom",
        "getuid",
        "ioctl",
        "mmap",
        "mprotect",
        "munmap",
        "newfstatat",
        "prctl",
        "prlimit64",
        "readlink",
        "readlinkat",
        "rseq",
        "set_robust_list",
        "set_tid_address",
        "uname",
        "write",
    ];
    bundle.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"],
        "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}],
    });
    bundle.config["process"]["args"] = json!(["echo", "allowed"]);
    for (uid, protected) in [(0, false), (0, true), (1000, false), (1000, true)] {
        bundle.config["process"]["user"] = json!({"uid": uid, "gid": uid});
        bundle.config["process"]["noNewPrivileges"] = json!(protected);
        assert_eq!(bundle.run().ok(), "allowed", "{uid} {protected}");
    }
    // What is kept to install the filter ends with the exec.
    bundle.config["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW"});
    bundle.config["process"]["noNewPrivileges"] = json!(false);
    bundle.config["process"]["args"] = json!(["grep", "^Cap", "/proc/self/status"]);
    for uid in [0, 1000] {
        bundle.config["process"]["user"] = json!({"uid": uid, "gid": uid});
        bundle.caps(&["CAP_CHOWN"]);
        let run = bundle.run();
        let sets = run
            .ok()
            .lines()
            .map(|line| line.split_once(":\t").unwrap().1);
        let sets: Vec<u64> = sets
            .map(|set| u64::from_str_radix(set, 16).unwrap())
            .collect();
        // Inheritable, permitted, effective, bounding, ambient.
        let own = if uid == 0 { 1 } else { 0 };
        assert_eq!(sets, [0, own, own, 1, 0], "{uid}");
    }
}
