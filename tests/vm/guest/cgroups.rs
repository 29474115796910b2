//! What else a cgroup v2 does for a container: devices, freezing, killing, its own view.

use serde_json::json;
use testkit::eventually;
use testkit::harness::Test;

use super::limits::{Leaf, end, started};
use crate::rig::Bundle;

pub const TESTS: &[Test] = testkit::tests![
    v2_device_program_allows_what_is_listed,
    v2_pause_freezes,
    v2_kill_reaches_all,
    v2_container_sees_its_own_cgroup_only,
    v2_exec_is_in_the_cgroup,
];

fn v2_device_program_allows_what_is_listed() {
    let script = "mknod /tmp/mem c 1 1; mknod /tmp/disk b 254 0; \
        head -c1 /dev/zero >/dev/null && echo zero; \
        head -c1 /tmp/mem >/dev/null || echo no mem; \
        (: </tmp/disk) && echo disk; (: >/tmp/disk) || echo not written";
    let mut bundle = Bundle::new(script);
    bundle.caps(&["CAP_MKNOD", "CAP_DAC_OVERRIDE"]);
    bundle.mount(
        json!({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]}),
    );
    bundle.config["linux"]["resources"]["devices"] = json!([
        {"allow": false, "access": "rwm"},
        {"allow": true, "type": "a", "access": "m"},
        {"allow": true, "type": "b", "major": 254, "minor": 0, "access": "r"},
    ]);
    let run = bundle.run();
    assert_eq!(run.stdout, "zero\nno mem\ndisk\nnot written\n", "{run}");
    assert!(run.stderr.contains("not permitted"), "{run}");
}

fn v2_pause_freezes() {
    let script = "n=0; while :; do n=$((n+1)); echo $n >/tmp/n; done";
    let bundle = Bundle::writable(script);
    bundle.start();
    let leaf = Leaf::of(&bundle);
    let number = || std::fs::read_to_string(bundle.rootfs("tmp/n")).unwrap_or_default();
    eventually("it counts", || (!number().is_empty()).then_some(()));
    bundle.call(&["pause", "c"]).ok();
    assert_eq!(leaf.read("cgroup.freeze"), "1");
    assert_eq!(leaf.count("cgroup.events", "frozen"), 1);
    assert_eq!(bundle.state()["status"], "paused");
    let before = number();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(number(), before);
    bundle.call(&["resume", "c"]).ok();
    eventually("it goes on", || (number() != before).then_some(()));
    // A frozen one can be removed as well.
    bundle.call(&["pause", "c"]).ok();
    end(&bundle);
}

fn v2_kill_reaches_all() {
    let script = "sleep 1000 & sleep 1000 & exec sleep 1000";
    let mut bundle = Bundle::new(script);
    // Nobody but the cgroup knows who belongs to it.
    bundle.without_namespace("pid");
    bundle.start();
    let leaf = Leaf::of(&bundle);
    eventually("three run", || {
        (leaf.read("cgroup.procs").lines().count() == 3).then_some(())
    });
    bundle.call(&["kill", "--all", "c", "KILL"]).ok();
    eventually("none runs", || {
        (leaf.count("cgroup.events", "populated") == 0).then_some(())
    });
    end(&bundle);
}

fn v2_container_sees_its_own_cgroup_only() {
    let script = "cat /proc/self/cgroup; cat /sys/fs/cgroup/pids.max; \
        mkdir /sys/fs/cgroup/x || echo read-only; ls -d /sys/fs/cgroup/system.slice || echo alone";
    let mut bundle = Bundle::new(script);
    bundle.config["linux"]["resources"]["pids"] = json!({"limit": 77});
    let run = bundle.run();
    assert_eq!(run.stdout, "0::/\n77\nread-only\nalone\n", "{run}");
}

fn v2_exec_is_in_the_cgroup() {
    let (bundle, leaf) = started("exec sleep 1000", json!({"pids": {"limit": 10}}));
    let run = bundle.call(&["exec", "c", "cat", "/proc/self/cgroup"]);
    assert_eq!(run.ok(), "0::/");
    bundle.leaving(&["exec", "-d", "c", "sleep", "1000"]);
    assert_eq!(leaf.read("pids.current"), "2");
    end(&bundle);
}
