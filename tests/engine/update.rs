//! `update`: limits of containers that are there.

use testkit::Sandbox;

#[test]
fn limits_change_at_once_and_stay_over_a_restart() {
    let s = Sandbox::root().with_busybox();
    s.berth(&[
        "run", "-d", "--name", "cc", "-m", "64m", "busybox", "sleep", "1000",
    ])
    .ok();
    let update = [
        "update",
        "-m",
        "32m",
        "--memory-swap",
        "64m",
        "--pids-limit",
        "33",
        "--cpu-shares",
        "512",
        "--restart",
        "on-failure:3",
        "cc",
    ];
    assert_eq!(s.berth(&update).ok(), "cc");
    let inside = |file: &str| {
        let line = format!("cat /sys/fs/cgroup/{file} 2>/dev/null || cat /sys/fs/cgroup/*/{file}");
        s.berth(&["exec", "cc", "sh", "-c", &line]).ok().to_owned()
    };
    let memory = || match std::path::Path::new("/sys/fs/cgroup/memory").exists() {
        true => inside("memory.limit_in_bytes"),
        false => inside("memory.max"),
    };
    for round in ["at once", "restarted"] {
        assert_eq!(memory(), (32 << 20).to_string(), "{round}");
        assert_eq!(inside("pids.max"), "33", "{round}");
        let told = "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}";
        assert_eq!(
            s.berth(&["inspect", "-f", told, "cc"]).ok(),
            format!("{} 33", 32 << 20),
            "{round}"
        );
        s.berth(&["restart", "-t", "0", "cc"]).ok();
    }
}

#[test]
fn what_is_refused_changes_nothing() {
    let s = Sandbox::root().with_busybox();
    s.berth(&[
        "run", "-d", "--rm", "--name", "cc", "-m", "64m", "--cpus", "1", "busybox", "sleep", "1000",
    ])
    .ok();
    let before = s
        .berth(&["inspect", "-f", "{{json .HostConfig}}", "cc"])
        .ok()
        .to_owned();
    for (flags, words) in [
        (&["--restart", "always"][..], "AutoRemove is enabled"),
        (&["--cpu-quota", "5000"], "NanoCPUs has already been set"),
        (&["--blkio-weight", "5"], ""),
        (&["--pids-limit", "44", "--cpuset-cpus", "900-901"], ""),
    ] {
        let done = s.berth(&[&["update"], flags, &["cc"]].concat());
        assert!(done.fails(1).contains(words), "{done}");
        assert_eq!(
            s.berth(&["inspect", "-f", "{{json .HostConfig}}", "cc"])
                .ok(),
            before,
            "{done}"
        );
    }
    s.berth(&["update", "cc"]).fails(1);
    s.berth(&["update", "-m", "32m", "none"]).fails(1);
}

both! {
    fn a_stopped_container_starts_with_them(s) {
        let kept = "{{.HostConfig.CpuShares}} {{.HostConfig.MemoryReservation}} {{.HostConfig.RestartPolicy.Name}}";
        let kept = || s.berth(&["inspect", "-f", kept, "cc"]).ok().to_owned();
        s.berth(&["create", "--name", "cc", "busybox", "true"]).ok();
        s.berth(&["update", "--cpu-shares", "300", "--restart", "unless-stopped", "cc"]).ok();
        s.berth(&["update", "--memory-reservation", "16m", "cc"]).ok();
        assert_eq!(kept(), "300 16777216 unless-stopped");
        s.berth(&["update", "--restart", "no", "cc"]).ok();
        // An ordinary user's cgroup holds none of them here.
        if !s.is_rootless() {
            s.berth(&["start", "-a", "cc"]).ok();
        }
        assert_eq!(kept(), "300 16777216 no");
        // Said to be nothing, they are nothing.
        s.berth(&["update", "--cpu-shares", "0", "--memory-reservation", "0", "cc"]).ok();
        assert_eq!(kept(), "0 0 no");
    }
}
