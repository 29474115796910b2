//! What separates a container: namespaces, its own process tree, its own mounts, and nothing on the host.

use std::fs;
use std::path::Path;

use testkit::Sandbox;

both! {
    fn every_namespace_is_its_own(s) {
        for namespace in ["pid", "mnt", "ipc", "uts", "net", "cgroup"] {
            let path = format!("/proc/self/ns/{namespace}");
            let inside = s.berth(&["run", "--rm", "busybox", "readlink", &path]).ok().to_owned();
            assert_ne!(inside, fs::read_link(&path).unwrap().to_str().unwrap(), "{namespace}");
        }
    }
}

both! {
    fn only_its_own_processes_are_seen(s) {
        let done = s.berth(&["run", "--rm", "busybox", "sh", "-c", "ls /proc | grep -E '^[0-9]+$' | head -n 5 | sort -n | head -n 1; ls /proc | grep -cE '^[0-9]+$'"]);
        let lines: Vec<&str> = done.ok().lines().collect();
        assert_eq!(lines[0], "1");
        assert!(lines[1].parse::<u32>().unwrap() < 6, "{done}");
    }
}

both! {
    fn the_root_never_shows_on_the_host(s) {
        s.berth(&["run", "-d", "--name", "cc", "busybox", "sleep", "100"]).ok();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let ours = s.path().to_str().unwrap();
        assert!(!mounts.lines().any(|line| line.contains(ours)), "{mounts}");
        // And no other container sees it either.
        let inside = s.berth(&["run", "--rm", "busybox", "cat", "/proc/self/mountinfo"]).ok().to_owned();
        assert_eq!(inside.lines().filter(|l| l.split(' ').nth(4) == Some("/")).count(), 1, "{inside}");
        assert!(!inside.contains("/oldroot") && !inside.contains("put_old"), "{inside}");
    }
}

#[test]
fn rootless_runs_as_the_user_on_the_host() {
    let s = Sandbox::rootless().with_busybox();
    s.berth(&["run", "-d", "--name", "cc", "busybox", "sleep", "100"])
        .ok();
    s.berth(&[
        "run", "-d", "--name", "dd", "-u", "1000", "busybox", "sleep", "100",
    ])
    .ok();
    let uid_of = |name: &str| {
        let pid = s
            .berth(&["inspect", "-f", "{{.State.Pid}}", name])
            .ok()
            .to_owned();
        let status = fs::read_to_string(Path::new("/proc").join(pid).join("status")).unwrap();
        let line = status
            .lines()
            .find(|l| l.starts_with("Uid:"))
            .unwrap()
            .to_owned();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u32>()
            .unwrap()
    };
    assert_eq!(uid_of("cc"), s.user().unwrap().uid);
    assert!(uid_of("dd") >= 100_000, "{}", uid_of("dd"));
    // Files made as another user inside belong to a subordinate id, and rm removes them all the same.
    s.berth(&[
        "exec",
        "-u",
        "0",
        "cc",
        "sh",
        "-c",
        "mkdir /d && touch /d/f && chown -R 1000:1000 /d && chmod 700 /d",
    ])
    .ok();
    s.berth(&["rm", "-f", "cc", "dd"]).ok();
}

#[test]
fn nothing_of_berth_is_run_by_root_for_an_ordinary_user() {
    let s = Sandbox::rootless().with_busybox();
    s.berth(&["run", "-d", "busybox", "sleep", "100"]).ok();
    let pids = s.processes();
    assert!(!pids.is_empty());
    for pid in pids {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let uid = status
            .lines()
            .find(|l| l.starts_with("Uid:"))
            .unwrap_or_default()
            .to_owned();
        assert!(
            !uid.split_whitespace().any(|field| field == "0"),
            "{pid}: {uid}"
        );
    }
}

#[test]
fn state_directories_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let s = Sandbox::root().with_busybox();
    fs::set_permissions(s.state(), fs::Permissions::from_mode(0o755)).unwrap();
    s.berth(&["run", "--rm", "busybox", "true"]).ok();
    for directory in [
        s.state(),
        s.run_dir(),
        s.state().join("containers"),
        s.state().join("blobs"),
    ] {
        let mode = fs::metadata(&directory).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", directory.display());
    }
}

#[test]
fn two_engines_do_not_see_each_other() {
    let (a, b) = (Sandbox::root().with_busybox(), Sandbox::root());
    a.berth(&["run", "-d", "--name", "cc", "busybox", "sleep", "100"])
        .ok();
    assert_eq!(b.berth(&["ps", "-aq"]).ok(), "");
    assert_eq!(b.berth(&["images", "-q"]).ok(), "");
    // Flags before the verb win over the environment.
    let (root, run) = (a.state(), a.run_dir());
    let line = [
        "--root",
        root.to_str().unwrap(),
        "--run-dir",
        run.to_str().unwrap(),
        "ps",
        "--format",
        "{{.Names}}",
    ];
    assert_eq!(b.berth(&line).ok(), "cc");
}

/// N27: what a container that is being made holds is nobody's yet, and is not taken for garbage.
#[test]
fn repairs_leave_containers_alone_that_are_being_made() {
    use std::sync::atomic::{AtomicBool, Ordering};

    let s = Sandbox::root().with_busybox();
    let done = AtomicBool::new(false);
    let finished = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                s.berth(&["fsck", "--repair"]);
            }
        });
        let mut finished = Vec::new();
        for round in 0..60 {
            let name = format!("made{round}");
            let create = ["create", "--name", &name, "-v", "/data", "busybox", "true"];
            finished.push(s.berth(&create));
            finished.push(s.berth(&["start", "-a", &name]));
            finished.push(s.berth(&["rm", "-v", &name]));
        }
        done.store(true, Ordering::Relaxed);
        finished
    });
    for one in finished {
        one.ok();
    }
}
