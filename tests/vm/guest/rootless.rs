//! Containers of an ordinary user whose systemd has delegated cgroups to him.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::Finished;
use testkit::harness::Test;

use super::as_user;

pub const TESTS: &[Test] = testkit::tests![
    rootless_has_delegated_controllers,
    rootless_limits_apply_in_a_delegated_cgroup,
    rootless_without_delegation_is_told,
];

const LIMIT: Duration = Duration::from_secs(60);

/// A bundle in the user's home, with all his subordinate ids in it; the text that names it on a command line.
pub fn bundle(name: &str, script: &str, resources: &Value) -> String {
    let dir = format!("/home/berth-test/{name}");
    testkit::busybox::make_rootfs(&Path::new(&dir).join("rootfs"));
    let owned = Command::new("chown")
        .args(["-R", "berth-test:", &dir])
        .status();
    assert!(owned.unwrap().success());
    let spec = format!("/share/bin/berth-runtime spec --rootless -b {dir}");
    Finished::run(&mut as_user(&spec), b"", LIMIT).ok();
    let path = Path::new(&dir).join("config.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config["process"]["terminal"] = json!(false);
    config["process"]["args"] = json!(["sh", "-c", script]);
    config["linux"]["resources"] = resources.clone();
    for maps in ["uidMappings", "gidMappings"] {
        config["linux"][maps] = json!([
            {"containerID": 0, "hostID": 1000, "size": 1},
            {"containerID": 1, "hostID": 100_000, "size": 65535},
        ]);
    }
    std::fs::write(&path, config.to_string()).unwrap();
    dir
}

fn rootless_has_delegated_controllers() {
    let script = "id -u; cat /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/cgroup.controllers";
    let run = Finished::run(&mut as_user(script), b"", LIMIT);
    assert_eq!(run.ok(), "1000\ncpuset cpu io memory pids");
}

fn rootless_limits_apply_in_a_delegated_cgroup() {
    let resources = json!({"memory": {"limit": 32 << 20}, "pids": {"limit": 6},
        "cpu": {"quota": 50000, "period": 100_000}});
    let dir = bundle("limits", "exec sleep 1000", &resources);
    // The files of its cgroup, from its state.
    let script = format!(
        "rt=\"/share/bin/berth-runtime --root {dir}/state\"
        $rt run -d -b {dir} c </dev/null >/dev/null 2>{dir}/said || {{ cat {dir}/said >&2; exit 1; }}
        leaf=$(grep -o '/sys/fs/cgroup[^\"]*' {dir}/state/c/state.json)
        for file in memory.max pids.max cpu.max; do cat $leaf/$file; done
        $rt exec c id -u
        $rt exec c sh -c 'for i in 1 2 3 4 5 6; do sleep 9 & done' 2>&1 | grep -o \"can't fork\"
        $rt pause c; cat $leaf/cgroup.freeze; $rt resume c
        $rt delete -f c
        ls -d $leaf 2>/dev/null || echo gone"
    );
    let run = Finished::run(&mut as_user(&script), b"", LIMIT);
    let wanted = "33554432\n6\n50000 100000\n0\ncan't fork\n1\ngone";
    assert_eq!(run.ok(), wanted, "{run}");
}

/// Outside any cgroup of his own he may have containers, but no limits.
fn rootless_without_delegation_is_told() {
    let script = |dir: &str| {
        format!("/share/bin/berth-runtime --root {dir}/state run -b {dir} c </dev/null")
    };
    let as_plain_user = |script: &str| {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid=1000",
            "--regid=1000",
            "--clear-groups",
            "sh",
            "-euc",
            script,
        ]);
        Finished::run(&mut command, b"", LIMIT)
    };
    let limited = bundle("refused", "id -u", &json!({"pids": {"limit": 6}}));
    let run = as_plain_user(&script(&limited));
    assert!(run.fails(125).contains("pids"), "{run}");
    let free = bundle("free", "id -u", &json!({}));
    assert_eq!(as_plain_user(&script(&free)).ok(), "0");
}
