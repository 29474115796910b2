//! Changing limits on cgroup v2, what it has no word for, and what it counts.
//!
//! Source: runtime-spec config-linux.md, "Control groups"; Documentation/admin-guide/cgroup-v2.rst.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::process::Stdio;

use serde_json::{Value, json};
use testkit::harness::Test;

use super::limits::{end, started};
use crate::rig::Bundle;

pub const TESTS: &[Test] = testkit::tests![
    v2_what_has_no_word_is_refused,
    v2_a_refused_update_is_taken_back,
    v2_update_of_memory_and_swap,
    v2_update_switches_controllers_on,
    v2_update_of_rates_and_unified_files,
    v2_stats_have_every_field,
    v2_events_tell_that_memory_ran_out,
    v2_device_rules_have_no_hole,
    v2_update_replaces_device_rules,
    v2_a_writable_cgroup_is_its_users,
    r9_d35_v2_no_cgroup_file_is_writable,
];

const SLEEP: &str = "exec sleep 1000";

/// `update -r -`; the text of the failure, if it was one.
fn update(bundle: &Bundle, resources: &Value) -> Result<(), String> {
    let mut command = bundle.command(&["update", "-r", "-", "c"]);
    let limit = std::time::Duration::from_secs(60);
    let done = testkit::Finished::run(&mut command, resources.to_string().as_bytes(), limit);
    match done.status.success() {
        true => Ok(()),
        false => Err(done.stderr),
    }
}

/// What has no counterpart in v2 MUST be an error.
fn v2_what_has_no_word_is_refused() {
    let mut bundle = Bundle::new("true");
    for resources in [
        json!({"memory": {"disableOOMKiller": true}}),
        json!({"memory": {"swappiness": 10}}),
        json!({"memory": {"kernelTCP": 1048576}}),
        json!({"cpu": {"realtimeRuntime": 1000, "realtimePeriod": 10000}}),
        json!({"blockIO": {"leafWeight": 10}}),
        json!({"network": {"classID": 7}}),
    ] {
        bundle.config["linux"]["resources"] = resources;
        let run = bundle.run();
        let told = run.stderr.contains("cgroup v2 has no such limit");
        assert!(!run.status.success() && told, "{run}");
    }
    drop(bundle);
    let (bundle, leaf) = started(SLEEP, json!({"memory": {"disableOOMKiller": false}}));
    assert_eq!(leaf.read("memory.max"), "max");
    end(&bundle);
}

fn v2_a_refused_update_is_taken_back() {
    let limits = json!({"memory": {"limit": 64 << 20}, "pids": {"limit": 20},
        "cpu": {"quota": 50000, "period": 100_000, "shares": 512}});
    let (bundle, leaf) = started(SLEEP, limits);
    let files = [
        "memory.max",
        "memory.swap.max",
        "pids.max",
        "cpu.max",
        "cpu.weight",
        "io.max",
    ];
    let values = || files.map(|file| leaf.read(file));
    let before = values();
    let asked = json!({
        "memory": {"limit": 32 << 20, "swap": 48 << 20}, "pids": {"limit": 9},
        "cpu": {"quota": 20000, "period": 50000, "shares": 2},
        "blockIO": {"throttleReadBpsDevice": [{"major": 254, "minor": 0, "rate": 4096}]},
        "unified": {"memory.high": "nonsense"},
    });
    let text = update(&bundle, &asked).unwrap_err();
    assert!(text.contains("memory.high"), "{text}");
    assert_eq!(values(), before);
    end(&bundle);
}

fn v2_update_of_memory_and_swap() {
    let (bundle, leaf) = started(SLEEP, json!({"memory": {"limit": 32 << 20}}));
    let call = |words: &[&str]| {
        let words = [&["update"], words, &["c"]].concat();
        bundle.call(&words)
    };
    // On v2, swap is counted alone.
    for (memory, swap) in [(50u64, 92u64), (30, 50), (60, 80)] {
        let (m, s) = (format!("{memory}M"), format!("{swap}M"));
        call(&["--memory", &m, "--memory-swap", &s]).ok();
        assert_eq!(leaf.read("memory.max"), (memory << 20).to_string());
        assert_eq!(
            leaf.read("memory.swap.max"),
            ((swap - memory) << 20).to_string()
        );
    }
    call(&["--memory", "70M"]).ok();
    assert_eq!(
        leaf.read("memory.swap.max"),
        (10u64 << 20).to_string(),
        "80M in all stay"
    );
    let low = json!({"memory": {"limit": 1024, "checkBeforeUpdate": true}});
    let text = update(&bundle, &low).unwrap_err();
    assert!(
        text.contains("rejecting memory limit 1024 <= usage"),
        "{text}"
    );
    let low = json!({"memory": {"limit": 1024, "swap": 2048, "checkBeforeUpdate": true}});
    let text = update(&bundle, &low).unwrap_err();
    assert!(
        text.contains("rejecting memory+swap limit 2048 <= usage"),
        "{text}"
    );
    call(&["--memory", "-1"]).ok();
    assert_eq!(leaf.read("memory.max"), "max");
    assert_eq!(leaf.read("memory.swap.max"), "max");
    let run = call(&["--memory-swap", "1G"]);
    assert!(
        run.status.success(),
        "with unlimited memory it is swap alone: {run}"
    );
    end(&bundle);
}

fn v2_update_switches_controllers_on() {
    let (bundle, leaf) = started(SLEEP, json!({}));
    bundle
        .call(&["update", "--cpuset-cpus", "1", "--cpuset-mems", "0", "c"])
        .ok();
    assert_eq!(leaf.read("cpuset.cpus"), "1");
    assert_eq!(leaf.read("cpuset.mems"), "0");
    let huge = json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 2 << 20}]});
    update(&bundle, &huge).unwrap();
    assert_eq!(leaf.read("hugetlb.2MB.max"), (2 << 20).to_string());
    for idle in ["1", "0"] {
        bundle.call(&["update", "--cpu-idle", idle, "c"]).ok();
        assert_eq!(leaf.read("cpu.idle"), idle);
    }
    // Neither quota nor burst may come first in both directions.
    for (quota, burst) in [("50000", "40000"), ("10000", "5000"), ("90000", "80000")] {
        let words = ["update", "--cpu-quota", quota, "--cpu-burst", burst, "c"];
        bundle.call(&words).ok();
        assert_eq!(leaf.read("cpu.max"), format!("{quota} 100000"));
        assert_eq!(leaf.read("cpu.max.burst"), burst);
    }
    bundle
        .call(&["update", "--cpu-period", "50000", "--cpu-burst", "0", "c"])
        .ok();
    assert_eq!(leaf.read("cpu.max"), "90000 50000");
    end(&bundle);
}

fn v2_update_of_rates_and_unified_files() {
    let rate = |rate: u64| json!([{"major": 254, "minor": 0, "rate": rate}]);
    let (bundle, leaf) = started(
        SLEEP,
        json!({"blockIO": {"throttleReadBpsDevice": rate(485_760)}}),
    );
    let block = json!({
        "throttleReadBpsDevice": rate(10_485_760), "throttleWriteBpsDevice": rate(9_437_184),
        "throttleReadIOPSDevice": rate(1000), "throttleWriteIOPSDevice": rate(900),
    });
    update(&bundle, &json!({"blockIO": block})).unwrap();
    assert_eq!(
        leaf.read("io.max"),
        "254:0 rbps=10485760 wbps=9437184 riops=1000 wiops=900"
    );
    let gone = json!({"blockIO": {"throttleReadBpsDevice": rate(0)}});
    update(&bundle, &gone).unwrap();
    assert!(leaf.read("io.max").contains("rbps=max"));
    // Neither BFQ nor blk-iocost is at work on this disk.
    let weights = json!({"blockIO": {"weightDevice": [{"major": 254, "minor": 0, "weight": 500}]}});
    let text = update(&bundle, &weights).unwrap_err();
    assert!(text.contains("254:0 4950"), "{text}");
    update(&bundle, &json!({"blockIO": {"weight": 500}})).unwrap();
    assert_eq!(leaf.read("io.weight"), "default 4950");
    let unified = json!({"unified": {
        "memory.high": "50331648", "cgroup.max.descendants": "5", "io.max": "254:0 rbps=7\n254:0 wbps=8",
    }});
    update(&bundle, &unified).unwrap();
    assert_eq!(leaf.read("memory.high"), "50331648");
    assert_eq!(leaf.read("cgroup.max.descendants"), "5");
    assert!(leaf.read("io.max").starts_with("254:0 rbps=7 wbps=8"));
    for file in ["net_cls.classid", "cgroup.procs"] {
        update(&bundle, &json!({"unified": {file: "1"}})).unwrap_err();
    }
    end(&bundle);
}

fn v2_stats_have_every_field() {
    let limits = json!({"memory": {"limit": 64 << 20}, "pids": {"limit": 20},
        "hugepageLimits": [{"pageSize": "2MB", "limit": 4 << 20}]});
    let (bundle, _leaf) = started(SLEEP, limits);
    let event: Value = serde_json::from_str(bundle.call(&["events", "--stats", "c"]).ok()).unwrap();
    let data = &event["data"];
    assert!(data["cpu"]["usage"]["total"].as_u64() > Some(0), "{data}");
    assert_eq!(data["memory"]["usage"]["limit"], 64 << 20);
    assert!(
        data["memory"]["usage"]["usage"].as_u64() > Some(0),
        "{data}"
    );
    assert!(data["memory"]["raw"]["inactive_file"].is_u64(), "{data}");
    assert!(data["memory"]["swap"]["limit"].is_u64(), "{data}");
    assert_eq!(data["pids"], json!({"current": 1, "limit": 20}));
    assert!(data["hugetlb"]["2MB"]["failcnt"].is_u64(), "{data}");
    assert!(
        data["blkio"].is_object() && data["cpuset"].is_object(),
        "{data}"
    );
    end(&bundle);
}

fn v2_events_tell_that_memory_ran_out() {
    let eat = "while [ ! -e /tmp/go ]; do sleep 0.1; done; \
        sh -c 'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done'; exec sleep 1000";
    let mut bundle = Bundle::writable(eat);
    bundle.config["linux"]["resources"]["memory"] = json!({"limit": 32 << 20, "swap": 32 << 20});
    bundle.start();
    let mut events = bundle
        .command(&["events", "--interval", "200ms", "c"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(events.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    std::fs::write(bundle.rootfs("tmp/go"), "").unwrap();
    let oom = |line: String| -> bool {
        let event: Value = serde_json::from_str(&line).unwrap();
        event == json!({"type": "oom", "id": "c"})
    };
    assert!(lines.any(|line| oom(line.unwrap())));
    end(&bundle);
    // With the container it ends.
    assert!(lines.all(|line| line.is_ok()));
    assert!(events.wait().unwrap().success());
}

/// A denying rule takes one device out of a range, which v1 cannot do.
fn v2_device_rules_have_no_hole() {
    let mut bundle = Bundle::new(
        "head -c1 /tmp/kmsg >/dev/null 2>&1 && echo kmsg; \
         head -c1 /tmp/mem >/dev/null 2>&1 || echo no mem",
    );
    bundle.mount(
        json!({"destination": "/tmp", "type": "bind", "source": "dev", "options": ["bind"]}),
    );
    let dev = bundle.path().join("dev");
    std::fs::create_dir(&dev).unwrap();
    for (name, minor) in [("kmsg", "9"), ("mem", "1")] {
        let node = dev.join(name);
        let made = std::process::Command::new("mknod")
            .arg(node)
            .args(["c", "1", minor])
            .status();
        assert!(made.unwrap().success());
    }
    bundle.config["linux"]["resources"]["devices"] = json!([
        {"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 1, "access": "rw"},
        {"allow": false, "type": "c", "major": 1, "minor": 1, "access": "r"},
    ]);
    assert_eq!(bundle.run().ok(), "kmsg\nno mem");
}

fn v2_update_replaces_device_rules() {
    let (bundle, _leaf) = started(SLEEP, json!({}));
    let reads = || {
        let run = bundle.call(&["exec", "c", "sh", "-c", "head -c1 /dev/full >/dev/null"]);
        run.status.success()
    };
    assert!(reads());
    // The runtime's own devices stay, whatever is asked for; another program takes the first one's place.
    let rules =
        json!([{"allow": false, "access": "rwm"}, {"allow": true, "type": "b", "access": "r"}]);
    update(&bundle, &json!({"devices": rules})).unwrap();
    assert!(reads());
    end(&bundle);
}

/// Source: config-linux.md, "Cgroup ownership". With a cgroup namespace of its own and a writable mount the cgroup is
/// the user's who runs in it; on v2 that is no way to raise its limits.
fn v2_a_writable_cgroup_is_its_users() {
    // A kernel that does not say which files has those three.
    let hidden = "mount -t tmpfs none /sys/kernel/cgroup && exec \"$@\"";
    for (options, owner, hide) in [
        (json!(["rw"]), 4321, "exec \"$@\""),
        (json!(["rw"]), 4321, hidden),
        (json!(["ro"]), 0, "exec \"$@\""),
    ] {
        let mut bundle = Bundle::new(SLEEP);
        bundle.config["process"]["user"] = json!({"uid": 4321, "gid": 4321});
        bundle.mount(
            json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
            "options": options}),
        );
        let run = bundle.command(&["run", "-d", "c"]);
        let mut command = std::process::Command::new("unshare");
        command.args(["-m", "sh", "-c", hide, "sh"]);
        command.arg(run.get_program()).args(run.get_args());
        let quiet = std::process::Stdio::null;
        command.current_dir(bundle.path()).stdin(quiet());
        assert!(command.stdout(quiet()).status().unwrap().success());
        let path = bundle.config["linux"]["cgroupsPath"].as_str().unwrap();
        let dir = std::path::PathBuf::from(format!("/sys/fs/cgroup{path}"));
        let uid = |file: &str| std::fs::metadata(dir.join(file)).unwrap().uid();
        for file in [
            "",
            "cgroup.procs",
            "cgroup.subtree_control",
            "cgroup.threads",
        ] {
            assert_eq!(uid(file), owner, "{file}");
        }
        for file in ["memory.max", "pids.max", "cgroup.kill", "../cgroup.procs"] {
            assert_eq!(uid(file), 0, "{file}");
        }
        end(&bundle);
    }
}

/// R9, D35: with a read-only mount, and in the host's cgroup namespace, nothing is writable.
fn r9_d35_v2_no_cgroup_file_is_writable() {
    for own in [true, false] {
        let mut bundle = Bundle::new(
            "find /sys/fs/cgroup -type f | while read f; do ( : > $f ) 2>/dev/null && echo wrote $f; done; \
             mkdir /sys/fs/cgroup/x 2>/dev/null && echo made x; \
             mount -t cgroup2 none /mnt 2>/dev/null && echo mounted; echo end",
        );
        bundle.mount(
            json!({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
            "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}),
        );
        if !own {
            bundle.without_namespace("cgroup");
        }
        assert_eq!(bundle.run().ok(), "end", "own namespace: {own}");
    }
}
