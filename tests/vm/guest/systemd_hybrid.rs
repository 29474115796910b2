//! `--systemd-cgroup` where controllers are hierarchies of cgroup v1, and v2 has none.

use serde_json::json;
use testkit::harness::Test;

use super::systemd::{Scope, systemctl};

pub const TESTS: &[Test] = testkit::tests![hybrid_systemd_scope_is_in_each_hierarchy];

fn hybrid_systemd_scope_is_in_each_hierarchy() {
    let scope = Scope::new(
        "hybrid",
        "exec sleep 1000",
        json!({
            "memory": {"limit": 64 << 20, "reservation": 1 << 20},
            "cpu": {"shares": 512, "quota": 20000, "period": 50000, "cpus": "0"},
            "pids": {"limit": 20},
        }),
    );
    scope.start();
    scope.has(&[
        ("MemoryMax", "67108864"),
        ("CPUShares", "512"),
        ("CPUQuotaPerSecUSec", "400ms"),
        ("TasksMax", "20"),
        ("AllowedCPUs", "0"),
        ("DevicePolicy", "strict"),
        ("DeviceAllow", "/dev/char/1:3 rwm"),
    ]);
    let read = |controller: &str, file: &str| {
        let path = format!(
            "/sys/fs/cgroup/{controller}/berth.slice/berth-test.slice/rt-hybrid.scope/{file}"
        );
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        text.trim().to_owned()
    };
    let as_asked = |pids: &str| {
        assert_eq!(read("memory", "memory.limit_in_bytes"), "67108864");
        assert_eq!(read("memory", "memory.soft_limit_in_bytes"), "1048576");
        assert_eq!(read("cpu", "cpu.shares"), "512");
        assert_eq!(read("cpu", "cpu.cfs_quota_us"), "20000");
        assert_eq!(read("cpuset", "cpuset.cpus"), "0");
        assert_eq!(read("pids", "pids.max"), pids);
        let devices = read("devices", "devices.list");
        assert!(
            devices.contains("c 1:3 rwm") && !devices.contains("a *:*"),
            "{devices}"
        );
    };
    as_asked("20");
    let pid = scope.bundle.state()["pid"].to_string();
    for (controller, file) in [
        ("memory", "cgroup.procs"),
        ("cpuset", "tasks"),
        ("blkio", "cgroup.procs"),
        ("systemd", "cgroup.procs"),
        ("unified", "cgroup.procs"),
    ] {
        assert_eq!(read(controller, file), pid, "{controller}");
    }
    // Without rules of its own for the unit systemd would allow all devices now.
    systemctl(&["daemon-reload"]);
    as_asked("20");
    scope
        .bundle
        .call(&["update", "--pids-limit", "30", "c"])
        .ok();
    as_asked("30");
    scope.delete();
    for controller in ["memory", "cpuset", "systemd", "unified"] {
        let path =
            format!("/sys/fs/cgroup/{controller}/berth.slice/berth-test.slice/rt-hybrid.scope");
        assert!(!std::path::Path::new(&path).exists(), "{path}");
    }
}
