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

/// The value of each limit, as a kernel with cgroup v1 has it; what v2 makes of them is berth-cgroup's to show.
#[test]
fn each_limit_reaches_the_kernel() {
    let s = Sandbox::root().with_busybox();
    for (flags, controller, v1, value) in [
        (
            &["--memory-reservation", "32m"][..],
            "memory",
            "memory.soft_limit_in_bytes",
            "33554432",
        ),
        (
            &["--memory-swappiness", "7"],
            "memory",
            "memory.swappiness",
            "7",
        ),
        (&["--cpu-shares", "512"], "cpu", "cpu.shares", "512"),
        (
            &["--cpu-quota", "20000"],
            "cpu",
            "cpu.cfs_quota_us",
            "20000",
        ),
        (
            &["--cpu-period", "50000", "--cpu-quota", "25000"],
            "cpu",
            "cpu.cfs_period_us",
            "50000",
        ),
        (&["--cpuset-cpus", "0"], "cpuset", "cpuset.cpus", "0"),
        (&["--cpuset-mems", "0"], "cpuset", "cpuset.mems", "0"),
    ] {
        let id = sleeping(&s, flags);
        let file = cgroup_file(&s, &id, controller, v1, "not on this layout");
        assert_eq!(read(&file), value, "{flags:?}");
        s.berth(&["rm", "-f", &id]).ok();
    }
    let inside = |flags: &[&str], script: &str| {
        let words = [&["run", "--rm"], flags, &["busybox", "sh", "-c", script]].concat();
        s.berth(&words).ok().to_owned()
    };
    let score = inside(&["--oom-score-adj", "500"], "cat /proc/self/oom_score_adj");
    assert_eq!(score, "500");
    let sysctls = [
        "--sysctl",
        "net.core.somaxconn=77",
        "--sysctl",
        "kernel.msgmax=9000",
    ];
    let script = "cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax";
    assert_eq!(inside(&sysctls, script), "77\n9000");
    let groups = inside(&["--group-add", "tty", "--group-add", "777"], "id -G");
    let groups: Vec<&str> = groups.split(' ').collect();
    assert!(groups.contains(&"777") && groups.len() >= 3, "{groups:?}");
    let domain = inside(
        &["--domainname", "example"],
        "cat /proc/sys/kernel/domainname",
    );
    assert_eq!(domain, "example");
}

/// What the host's kernel, or the host, has not.
#[test]
fn what_contradicts_itself_or_the_host_is_refused() {
    let s = Sandbox::root().with_busybox();
    for flags in [
        &["--memory-swap", "1g"][..],
        &["-m", "64m", "--memory-swap", "32m"],
        &["-m", "64m", "--memory-reservation", "65m"],
        &["--cpus", "1", "--cpu-quota", "1000"],
        &["--cpus", "100000"],
        &["--cpuset-cpus", "4000"],
        &["--cpuset-cpus", "1-0"],
        &["--device", "/nonexistent"],
        &["--device", "/etc/passwd"],
        &["--device-read-bps", "/dev/null:1mb"],
        &["--sysctl", "kernel.panic=1"],
        &["--network", "host", "--sysctl", "net.core.somaxconn=5"],
        &["--group-add", "nobodyhasthis"],
        &["--runtime", "kata"],
        &["--storage-opt", "size=1g"],
        &["--rm", "--restart", "always"],
    ] {
        let words = [&["run"], flags, &["busybox", "true"]].concat();
        let done = s.berth(&words);
        assert_eq!(done.code(), 125, "{flags:?} {done}");
    }
}

#[test]
fn devices_are_given_with_what_may_be_done() {
    let s = Sandbox::root().with_busybox();
    let inside = |flags: &[&str], script: &str| {
        s.berth(&[&["run", "--rm"], flags, &["busybox", "sh", "-c", script]].concat())
    };
    // The node of another path, and only for reading.
    let zero = ["--device", "/dev/zero:/dev/nothing:r"];
    let done = inside(&zero, "head -c 3 /dev/nothing | wc -c; ls -l /dev/nothing");
    assert!(
        done.ok().starts_with('3') && done.stdout.contains("1,   5"),
        "{done}"
    );
    // fuse is nobody's by default.
    let open = "exec 3</dev/fuse && echo open";
    assert_eq!(inside(&["--device", "/dev/fuse:r"], open).ok(), "open");
    let write = "exec 3<>/dev/fuse && echo open";
    assert_ne!(inside(&["--device", "/dev/fuse:r"], write).code(), 0);
    let made = "mknod /tmp/k c 10 229 && exec 3</tmp/k && echo open";
    assert_ne!(inside(&[], made).code(), 0);
    let rule = ["--device-cgroup-rule", "c 10:229 r"];
    assert_eq!(inside(&rule, made).ok(), "open");
}

/// A real limit: what is read past it takes its time.
#[test]
fn block_devices_are_throttled() {
    let s = Sandbox::root().with_busybox();
    let device = fs::read_dir("/sys/block")
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name());
    let device = device.map(|name| format!("/dev/{}", name.to_str().unwrap()));
    let device = device
        .into_iter()
        .find(|path| Path::new(path).exists())
        .unwrap();
    let number = fs::read_to_string(device.replace("/dev/", "/sys/block/") + "/dev").unwrap();
    let id = sleeping(
        &s,
        &[
            "--device-read-bps",
            &format!("{device}:1mb"),
            "--device-write-iops",
            &format!("{device}:10"),
        ],
    );
    for (v1, v2, value) in [
        ("blkio.throttle.read_bps_device", "io.max", "1048576"),
        ("blkio.throttle.write_iops_device", "io.max", "10"),
    ] {
        let text = read(&cgroup_file(&s, &id, "blkio", v1, v2));
        assert!(
            text.contains(number.trim()) && text.contains(value),
            "{v1}: {text}"
        );
    }
}

#[test]
fn paths_can_be_unmasked() {
    let s = Sandbox::root().with_busybox();
    let script = "wc -c < /proc/timer_list; echo x > /proc/sys/kernel/domainname && echo written";
    let run = |flags: &[&str]| {
        s.berth(&[&["run", "--rm"], flags, &["busybox", "sh", "-c", script]].concat())
    };
    assert!(!run(&[]).stdout.contains("written"));
    let done = run(&["--security-opt", "systempaths=unconfined"]);
    assert!(done.stdout.contains("written"), "{done}");
}
