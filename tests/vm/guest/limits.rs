//! Limits on cgroup v2: what the kernel has after `run`, and that it keeps to it.
//!
//! Source: runtime-spec config-linux.md, "Control groups"; Documentation/admin-guide/cgroup-v2.rst.

use std::path::PathBuf;

use serde_json::{Value, json};
use testkit::eventually;
use testkit::harness::Test;

use crate::rig::Bundle;

pub const TESTS: &[Test] = testkit::tests![
    v2_cpu_is_limited,
    v2_memory_is_limited_and_oom_is_told,
    v2_pids_are_limited,
    v2_io_is_limited,
    v2_huge_pages_are_limited,
    v2_cpuset_is_kept,
    v2_unified_files_are_written,
    v2_rdma_without_a_device_is_refused,
    v2_update_changes_limits,
];

const SLEEP: &str = "exec sleep 1000";

/// The container's cgroup on v2.
pub struct Leaf(PathBuf);

impl Leaf {
    pub fn of(bundle: &Bundle) -> Leaf {
        let path = bundle.config["linux"]["cgroupsPath"].as_str().unwrap();
        Leaf(PathBuf::from(format!("/sys/fs/cgroup{path}")))
    }

    #[track_caller]
    pub fn read(&self, file: &str) -> String {
        let text = std::fs::read_to_string(self.0.join(file));
        let text = text.unwrap_or_else(|e| panic!("{file}: {e}"));
        text.trim().to_owned()
    }

    /// The number behind a key, such as `oom_kill 1`.
    #[track_caller]
    pub fn count(&self, file: &str, key: &str) -> u64 {
        let text = self.read(file);
        let mut words = text.split_whitespace().skip_while(|word| *word != key);
        let value = words.nth(1).unwrap_or_else(|| panic!("{key}: {text}"));
        value.parse().unwrap()
    }
}

/// A container that runs `script` with these resources.
pub fn started(script: &str, resources: Value) -> (Bundle, Leaf) {
    let bundle = with(script, resources);
    bundle.start();
    let leaf = Leaf::of(&bundle);
    (bundle, leaf)
}

fn with(script: &str, resources: Value) -> Bundle {
    let mut bundle = Bundle::new(script);
    let all = bundle.config["linux"]["resources"].as_object_mut().unwrap();
    all.extend(resources.as_object().unwrap().clone());
    bundle
}

pub fn end(bundle: &Bundle) {
    bundle.call(&["delete", "-f", "c"]).ok();
}

fn v2_cpu_is_limited() {
    let cpu = json!({"quota": 10000, "period": 100_000, "shares": 2048, "burst": 5000});
    let (bundle, leaf) = started("while :; do :; done", json!({"cpu": cpu}));
    assert_eq!(leaf.read("cpu.max"), "10000 100000");
    assert_eq!(leaf.read("cpu.max.burst"), "5000");
    let weight: u32 = leaf.read("cpu.weight").parse().unwrap();
    assert!(
        (50..200).contains(&weight),
        "twice the usual shares: {weight}"
    );
    eventually("it is throttled", || {
        (leaf.count("cpu.stat", "nr_throttled") > 0).then_some(())
    });
    end(&bundle);

    let (bundle, leaf) = started(SLEEP, json!({"cpu": {"idle": 1}}));
    assert_eq!(leaf.read("cpu.idle"), "1");
    end(&bundle);
}

fn v2_memory_is_limited_and_oom_is_told() {
    let memory = json!({"limit": 32 << 20, "reservation": 16 << 20, "swap": 48 << 20});
    // Its root process survives the one that is killed.
    let eat =
        "sh -c 'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done'; echo $? >/tmp/code; exec sleep 1000";
    let mut bundle = with(eat, json!({"memory": memory}));
    bundle.mount(json!({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}));
    bundle.start();
    let leaf = Leaf::of(&bundle);
    assert_eq!(leaf.read("memory.max"), (32 << 20).to_string());
    assert_eq!(leaf.read("memory.low"), (16 << 20).to_string());
    assert_eq!(leaf.read("memory.swap.max"), (16 << 20).to_string());
    eventually("the kernel kills for memory", || {
        (leaf.count("memory.events", "oom_kill") > 0).then_some(())
    });
    let code = || {
        let cat = bundle.call(&["exec", "c", "cat", "/tmp/code"]);
        cat.status.success().then(|| cat.stdout.trim().to_owned())
    };
    assert_eq!(eventually("the shell ends", code), "137");
    assert_eq!(bundle.state()["status"], "running");
    end(&bundle);
}

fn v2_pids_are_limited() {
    let (bundle, leaf) = started(SLEEP, json!({"pids": {"limit": 5}}));
    assert_eq!(leaf.read("pids.max"), "5");
    let bomb = "for i in 1 2 3 4 5 6 7; do sleep 9 & done";
    let run = bundle.call(&["exec", "c", "sh", "-c", bomb]);
    assert!(run.stderr.contains("can't fork"), "{run}");
    assert!(leaf.count("pids.events", "max") > 0);
    end(&bundle);
}

fn v2_io_is_limited() {
    let device = json!([{"major": 254, "minor": 0, "rate": 1 << 20}]);
    let block = json!({"weight": 500, "throttleReadBpsDevice": device,
        "throttleWriteIOPSDevice": device});
    let (bundle, leaf) = started(SLEEP, json!({"blockIO": block}));
    let limits = leaf.read("io.max");
    let limits: Vec<&str> = limits.split(' ').collect();
    assert_eq!(
        limits,
        [
            "254:0",
            "rbps=1048576",
            "wbps=max",
            "riops=max",
            "wiops=1048576"
        ]
    );
    let weight = leaf.read("io.weight");
    assert!(
        weight.starts_with("default ") && weight != "default 100",
        "{weight}"
    );
    end(&bundle);
}

fn v2_huge_pages_are_limited() {
    let limit = json!([{"pageSize": "2MB", "limit": 4 << 20}]);
    let (bundle, leaf) = started(SLEEP, json!({"hugepageLimits": limit}));
    assert_eq!(leaf.read("hugetlb.2MB.max"), (4 << 20).to_string());
    assert_eq!(leaf.read("hugetlb.2MB.rsvd.max"), (4 << 20).to_string());
    end(&bundle);
}

fn v2_cpuset_is_kept() {
    let mut bundle = with("", json!({"cpu": {"cpus": "1", "mems": "0"}}));
    bundle.config["process"]["args"] = json!(["grep", "_allowed_list", "/proc/self/status"]);
    let run = bundle.run();
    assert_eq!(run.ok(), "Cpus_allowed_list:\t1\nMems_allowed_list:\t0");
    bundle.config["linux"]["resources"]["cpu"]["cpus"] = json!("17");
    assert!(!bundle.run().status.success());
}

fn v2_unified_files_are_written() {
    let unified = json!({"memory.high": "50331648", "pids.max": "9", "cpu.weight.nice": "5"});
    let (bundle, leaf) = started(SLEEP, json!({"unified": unified}));
    assert_eq!(leaf.read("memory.high"), "50331648");
    assert_eq!(leaf.read("pids.max"), "9");
    assert_eq!(leaf.read("cpu.weight.nice"), "5");
    end(&bundle);
    // misc and rdma are there, but no device that they count.
    let bundle = with(SLEEP, json!({"unified": {"nothing.max": "1"}}));
    let run = bundle.run();
    assert!(
        !run.status.success() && run.stderr.contains("nothing.max"),
        "{run}"
    );
}

fn v2_rdma_without_a_device_is_refused() {
    let bundle = with(SLEEP, json!({"rdma": {"mlx5_1": {"hcaHandles": 3}}}));
    let run = bundle.run();
    assert!(
        !run.status.success() && run.stderr.contains("rdma.max"),
        "{run}"
    );
}

fn v2_update_changes_limits() {
    let (bundle, leaf) = started(SLEEP, json!({"pids": {"limit": 50}}));
    let words = [
        "update",
        "--memory",
        "67108864",
        "--pids-limit",
        "7",
        "--cpu-quota",
        "20000",
        "c",
    ];
    bundle.call(&words).ok();
    assert_eq!(leaf.read("memory.max"), "67108864");
    assert_eq!(leaf.read("pids.max"), "7");
    assert_eq!(leaf.read("cpu.max"), "20000 100000");
    end(&bundle);
}
