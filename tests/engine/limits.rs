//! Limits: what the cgroup files on the host hold, what the container feels, and what cannot be had.

use std::fs;
use std::path::{Path, PathBuf};

use testkit::Sandbox;

/// The file of a running container's cgroup: v1's name, or v2's.
fn cgroup_file(s: &Sandbox, id: &str, controller: &str, v1: &str, v2: &str) -> PathBuf {
    let leaf = Path::new(s.cgroup_parent()).join(id);
    let v1 = Path::new("/sys/fs/cgroup")
        .join(controller)
        .join(&leaf)
        .join(v1);
    if v1.exists() {
        v1
    } else {
        Path::new("/sys/fs/cgroup").join(leaf).join(v2)
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path)
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        .trim()
        .to_owned()
}

fn sleeping(s: &Sandbox, flags: &[&str]) -> String {
    s.berth(&[&["run", "-d"], flags, &["busybox", "sleep", "100"]].concat())
        .ok()
        .to_owned()
}

#[test]
fn memory_is_limited() {
    let s = Sandbox::root().with_busybox();
    let id = sleeping(&s, &["--memory", "64m"]);
    assert_eq!(
        read(&cgroup_file(
            &s,
            &id,
            "memory",
            "memory.limit_in_bytes",
            "memory.max"
        )),
        "67108864"
    );
    // What exceeds it is killed, and inspect tells why.
    let eat = s.berth(&[
        "run",
        "--name",
        "eater",
        "-m",
        "16m",
        "busybox",
        "sh",
        "-c",
        "x=a; while :; do x=$x$x; done",
    ]);
    assert_eq!(eat.code(), 137, "{eat}");
    assert_eq!(
        s.berth(&["inspect", "-f", "{{.State.OOMKilled}}", "eater"])
            .ok(),
        "true"
    );
}

#[test]
fn cpus_are_limited() {
    let s = Sandbox::root().with_busybox();
    let id = sleeping(&s, &["--cpus", "0.5"]);
    let v1 = cgroup_file(&s, &id, "cpu", "cpu.cfs_quota_us", "cpu.max");
    let text = read(&v1);
    assert!(text == "50000" || text == "50000 100000", "{text}");
}

#[test]
fn processes_are_limited_by_default_too() {
    let s = Sandbox::root().with_busybox();
    let limit = |id: &str| read(&cgroup_file(&s, id, "pids", "pids.max", "pids.max"));
    assert_eq!(limit(&sleeping(&s, &["--pids-limit", "7"])), "7");
    assert_eq!(limit(&sleeping(&s, &["--pids-limit", "-1"])), "max");
    assert_eq!(limit(&sleeping(&s, &[])), "4096");
    let bomb = "i=0; while [ $i -lt 20 ]; do sleep 1 & i=$((i+1)); done; wait";
    let done = s.berth(&[
        "run",
        "--rm",
        "--pids-limit",
        "7",
        "busybox",
        "sh",
        "-c",
        bomb,
    ]);
    assert!(
        done.stderr.contains("can't fork") || done.stderr.contains("Resource temporarily"),
        "{done}"
    );
}

#[test]
fn the_container_sits_in_its_own_cgroup_in_every_hierarchy_and_sees_it_as_root() {
    let s = Sandbox::root().with_busybox();
    let id = sleeping(&s, &["--name", "cc"]);
    let pid = s
        .berth(&["inspect", "-f", "{{.State.Pid}}", "cc"])
        .ok()
        .to_owned();
    let host = read(Path::new(&format!("/proc/{pid}/cgroup")));
    let wanted = format!("/{}/{id}", s.cgroup_parent());
    for line in host.lines().filter(|l| {
        ["memory", "pids", "cpu", "devices"]
            .iter()
            .any(|c| l.contains(&format!(":{c}:")))
    }) {
        assert!(line.ends_with(&wanted), "{host}");
    }
    assert!(host.contains(&wanted), "{host}");
    let inside = s
        .berth(&["exec", "cc", "cat", "/proc/self/cgroup"])
        .ok()
        .to_owned();
    assert!(inside.lines().all(|line| line.ends_with(":/")), "{inside}");
}

both! {
    fn ulimits_are_set(s) {
        let done = s.berth(&["run", "--rm", "--ulimit", "nofile=100:200", "--ulimit", "core=0", "busybox",
            "sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -c"]);
        assert_eq!(done.ok(), "100\n200\n0");
        s.berth(&["run", "--rm", "--ulimit", "nonsense=1", "busybox", "true"]).fails(125);
        s.berth(&["run", "--rm", "--ulimit", "nofile=2:1", "busybox", "true"]).fails(125);
    }
}

#[test]
fn without_a_delegated_cgroup_a_limit_is_refused_and_its_absence_is_not() {
    let s = Sandbox::rootless().with_busybox();
    s.berth(&["run", "--rm", "busybox", "true"]).ok();
    for flags in [["--memory", "64m"], ["--cpus", "1"], ["--pids-limit", "10"]] {
        let done = s.berth(&["run", "--rm", flags[0], flags[1], "busybox", "true"]);
        assert!(done.fails(125).contains("hint: "), "{done}");
    }
}

both! {
    fn nonsense_is_refused(s) {
        for flags in [["--memory", "lots"], ["--memory", "-1m"], ["--memory", "1k"], ["--cpus", "0.0001"],
            ["--cpus", "-2"], ["--cpus", "x"], ["--pids-limit", "x"], ["--memory", "99999999999999999999g"]] {
            let done = s.berth(&["run", "--rm", &format!("{}={}", flags[0], flags[1]), "busybox", "true"]);
            assert_eq!(done.code(), 125, "{done}");
        }
    }
}
