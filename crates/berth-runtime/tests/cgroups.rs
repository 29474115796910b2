//! A container's cgroups through the command line: limits, `update`, `events`, and what a container cannot
//! reach. As root on the real kernel.
#![allow(clippy::unwrap_used)]

mod rig;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rig::Bundle;
use serde_json::{Value, json};

/// A container that runs until it is killed.
struct Running(Bundle);

impl Running {
    fn new(set: impl FnOnce(&mut Bundle)) -> Running {
        let mut bundle = Bundle::new("exec sleep 1000");
        set(&mut bundle);
        bundle.start();
        Running(bundle)
    }

    fn limited(resources: Value) -> Running {
        Running::new(|bundle| bundle.config["linux"]["resources"] = resources)
    }

    /// `update` with these options; the text of the failure, if it was one.
    fn update(&self, options: &[&str]) -> Result<(), String> {
        let mut args = vec!["update"];
        args.extend(options);
        args.push("c");
        let done = self.0.call(&args);
        match done.status.success() {
            true => Ok(()),
            false => Err(done.stderr),
        }
    }

    /// `update -r -` with this on standard input.
    fn update_json(&self, resources: &Value) -> Result<(), String> {
        let done = testkit::Finished::run(
            &mut self.0.command(&["update", "-r", "-", "c"]),
            resources.to_string().as_bytes(),
            rig::LIMIT,
        );
        match done.status.success() {
            true => Ok(()),
            false => Err(done.stderr),
        }
    }

    /// What a file of the cgroup says; v1's name or v2's.
    fn value(&self, names: &[&str]) -> String {
        let record = std::fs::read_to_string(self.0.path().join("state/c/state.json")).unwrap();
        let record: Value = serde_json::from_str(&record).unwrap();
        let dirs = record["cgroups"].as_array().unwrap();
        let files = dirs.iter().flat_map(|dir| {
            let dir = Path::new(dir.as_str().unwrap());
            names.iter().map(move |name| dir.join(name))
        });
        let file = files.into_iter().find(|f| f.exists());
        let file = file.unwrap_or_else(|| panic!("{names:?} in {dirs:?}"));
        std::fs::read_to_string(file).unwrap().trim().to_owned()
    }

    fn recorded(&self) -> Value {
        let text = std::fs::read_to_string(self.0.path().join("state/c/config.json")).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["linux"]["resources"].clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.call(&["delete", "-f", "c"]);
    }
}

const MEMORY: &[&str] = &["memory.limit_in_bytes", "memory.max"];
const PIDS: &[&str] = &["pids.max"];

/// The steps of runc's own test of common limits.
#[test]
fn update_changes_limits_in_the_kernel_and_in_the_record() {
    let c = Running::limited(json!({
        "memory": { "limit": 33554432, "reservation": 25165824 },
        "cpu": { "shares": 100, "quota": 500000, "period": 1000000 },
        "pids": { "limit": 20 },
    }));
    assert_eq!(c.value(MEMORY), "33554432");
    c.update(&["--memory", "67108864"]).unwrap();
    assert_eq!(c.value(MEMORY), "67108864");
    c.update(&["--memory", "50M"]).unwrap();
    assert_eq!(c.value(MEMORY), "52428800");
    c.update(&["--memory-swap", "96468992"]).unwrap();
    assert_eq!(c.value(&["memory.memsw.limit_in_bytes"]), "96468992");
    c.update(&["--memory", "-1"]).unwrap();
    let unlimited = "9223372036854771712";
    assert_eq!(c.value(MEMORY), unlimited);
    assert_eq!(c.value(&["memory.memsw.limit_in_bytes"]), unlimited);
    for (limit, expected) in [("10", "10"), ("-1", "max"), ("0", "1")] {
        c.update(&["--pids-limit", limit]).unwrap();
        assert_eq!(c.value(PIDS), expected);
    }
    // Both at once, below and above what was there.
    for (memory, swap) in [(30u64, 50u64), (60, 80), (20, 25)] {
        let (m, s) = (format!("{memory}M"), format!("{swap}M"));
        c.update(&["--memory", &m, "--memory-swap", &s]).unwrap();
        assert_eq!(c.value(MEMORY), (memory << 20).to_string());
        let file = &["memory.memsw.limit_in_bytes"];
        assert_eq!(c.value(file), (swap << 20).to_string());
    }
    assert_eq!(c.recorded()["memory"]["limit"], 20 << 20);

    // One half of a pair leaves the other.
    c.update(&["--cpu-period", "900000"]).unwrap();
    c.update(&["--cpu-quota", "600000"]).unwrap();
    let cpu = |c: &Running| {
        let file = |name| c.value(&[name]);
        [
            file("cpu.cfs_quota_us"),
            file("cpu.cfs_period_us"),
            file("cpu.shares"),
        ]
    };
    assert_eq!(cpu(&c), ["600000", "900000", "100"]);
    c.update(&["--cpu-burst", "1000", "--cpu-share", "200"])
        .unwrap();
    assert_eq!(c.value(&["cpu.cfs_burst_us"]), "1000");
    c.update_json(&json!({ "cpu": { "shares": 100, "quota": 500000, "period": 1000000 } }))
        .unwrap();
    assert_eq!(cpu(&c), ["500000", "1000000", "100"]);
    let (recorded, cpu) = (
        c.recorded(),
        json!({ "quota": 500000, "period": 1000000, "shares": 100, "burst": 1000 }),
    );
    assert_eq!(recorded["cpu"], cpu);
    for idle in ["1", "0", "1"] {
        c.update(&["--cpu-idle", idle]).unwrap();
        assert_eq!(c.value(&["cpu.idle"]), idle);
    }
    c.update(&["--cpu-idle", "2"]).unwrap_err();
    c.update(&["--cpu-period", "10000", "--cpu-quota", "-1"])
        .unwrap();
    assert_eq!(c.value(&["cpu.idle"]), "1");
    c.update(&["--blkio-weight", "300"]).unwrap();
    assert_eq!(c.value(&["blkio.bfq.weight", "blkio.weight"]), "300");
    c.update(&["--kernel-memory", "1M", "--kernel-memory-tcp", "1M"])
        .unwrap();
}

#[test]
fn update_reaches_into_a_hierarchy_that_was_not_needed_before() {
    let c = Running::limited(json!({}));
    c.update(&["--cpuset-cpus", "0", "--cpuset-mems", "0"])
        .unwrap();
    assert_eq!(c.value(&["cpuset.cpus"]), "0");
    let pid = c.0.state()["pid"].as_i64().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains("Cpus_allowed_list:\t0\n"), "{status}");
    // And goes with the container: the rig looks for what is left.
}

#[test]
fn a_refused_update_changes_nothing() {
    let c = Running::limited(json!({ "pids": { "limit": 20 }, "memory": { "limit": 67108864 } }));
    let before = c.recorded();
    let refused = json!({
        "memory": { "limit": 33554432 }, "pids": { "limit": 9 },
        "hugepageLimits": [{ "pageSize": "3MB", "limit": 1 }],
    });
    let text = c.update_json(&refused).unwrap_err();
    assert!(text.contains("3MB"), "{text}");
    assert_eq!(
        (c.value(MEMORY), c.value(PIDS)),
        ("67108864".into(), "20".into())
    );
    assert_eq!(c.recorded(), before);
    // Source: config-linux.md, "Memory": checkBeforeUpdate MUST reject.
    let low = json!({ "memory": { "limit": 1024, "checkBeforeUpdate": true } });
    let text = c.update_json(&low).unwrap_err();
    assert!(
        text.contains("rejecting memory limit 1024 <= usage"),
        "{text}"
    );
    for (options, words) in [
        (["--memory", "x"], "invalid value for memory"),
        (["--cpu-share", "1"], "between 2 and 262144"),
        (
            ["--l3-cache-schema", "L3:0=f"],
            "find a mounted resctrl file system",
        ),
        (
            ["--mem-bw-schema", "MB:0=9"],
            "find a mounted resctrl file system",
        ),
        (["-r", "/nonexistent"], "/nonexistent"),
    ] {
        let text = c.update(&options).unwrap_err();
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(c.0.state()["status"], "running");
}

#[test]
fn a_paused_container_can_be_updated_and_stays_paused() {
    let c = Running::limited(json!({}));
    c.0.call(&["pause", "c"]).ok();
    c.update(&["--pids-limit", "30"]).unwrap();
    assert_eq!(c.value(PIDS), "30");
    assert_eq!(c.0.state()["status"], "paused");
    c.0.call(&["resume", "c"]).ok();
}

#[test]
fn a_stopped_container_is_not_updated() {
    let bundle = Bundle::new("true");
    bundle.start();
    bundle.stopped();
    for verb in [
        &["update", "--pids-limit", "3", "c"][..],
        &["events", "--stats", "c"],
    ] {
        let text = bundle.call(verb).stderr;
        assert!(text.contains("container not running"), "{text}");
    }
    bundle.call(&["delete", "c"]).ok();
}

/// An update that asks for nothing new of devices leaves them alone, even while they are used.
#[test]
fn updates_do_not_disturb_devices() {
    let mut bundle = Bundle::new("while :; do echo x > /dev/null || touch /failed; done");
    bundle.config["root"]["readonly"] = json!(false);
    bundle.start();
    let c = Running(bundle);
    let devices = json!([
        { "allow": false, "access": "rwm" },
        { "allow": true, "type": "c", "major": 10, "minor": 200, "access": "rwm" },
    ]);
    for round in 0..10 {
        c.update(&["--pids-limit", &(30 + round).to_string()])
            .unwrap();
        let some = if round % 2 == 0 {
            devices.clone()
        } else {
            json!([{ "allow": false }])
        };
        c.update_json(&json!({ "devices": some })).unwrap();
    }
    assert!(!c.0.rootfs("failed").exists());
    let list = c.value(&["devices.list"]);
    assert!(
        list.contains("c 1:3 rwm") && !list.contains("c 10:200"),
        "{list}"
    );
}

fn stats(bundle: &Bundle) -> Value {
    let done = bundle.call(&["events", "--stats", "c"]);
    serde_json::from_str(done.ok()).unwrap()
}

/// The fields that other programs' parsers know.
#[test]
fn stats_have_every_field() {
    let c = Running::limited(json!({
        "memory": { "limit": 67108864 }, "pids": { "limit": 20 }, "cpu": { "cpus": "0" },
        "hugepageLimits": [{ "pageSize": "2MB", "limit": 4194304 }],
    }));
    let event = stats(&c.0);
    assert_eq!(
        (&event["type"], &event["id"]),
        (&json!("stats"), &json!("c"))
    );
    let data = &event["data"];
    assert!(data["cpu"]["usage"]["total"].as_u64() > Some(0), "{data}");
    for field in ["kernel", "user"] {
        assert!(data["cpu"]["usage"][field].is_u64(), "{data}");
    }
    assert!(data["cpu"]["throttling"].is_object());
    assert_eq!(data["cpuset"]["cpus"], json!([0]));
    assert!(data["cpuset"]["sched_relax_domain_level"].is_i64());
    assert_eq!(data["memory"]["usage"]["limit"], 67108864);
    assert!(data["memory"]["usage"]["usage"].as_u64() > Some(0));
    for kind in ["usage", "swap", "kernel", "kernelTCP"] {
        assert!(data["memory"][kind]["failcnt"].is_u64(), "{kind}: {data}");
    }
    assert!(data["memory"]["raw"]["total_inactive_file"].is_u64());
    assert_eq!(data["pids"]["limit"], 20);
    assert!(data["pids"]["current"].as_u64() >= Some(1));
    assert!(data["blkio"].is_object() && data["intel_rdt"] == json!({}));
    assert!(data["hugetlb"]["2MB"]["failcnt"].is_u64(), "{data}");
    assert_eq!(
        data["network_interfaces"],
        json!([]),
        "a network of its own, and only lo in it"
    );
}

#[test]
fn events_tell_stats_again_and_again_and_end_with_the_container() {
    let c = Running::limited(json!({}));
    let mut events =
        c.0.command(&["events", "--interval", "50ms", "c"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
    let mut lines = BufReader::new(events.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(event["type"], "stats");
    }
    c.0.call(&["kill", "c", "KILL"]).ok();
    assert!(lines.all(|line| line.unwrap().contains("\"stats\"")));
    assert!(events.wait().unwrap().success());
    let text = c.0.call(&["events", "--interval", "0s", "c"]).stderr;
    assert!(
        text.contains("duration interval must be greater than 0"),
        "{text}"
    );
}

#[test]
fn events_tell_that_memory_ran_out() {
    let mut bundle = Bundle::new(
        "while [ ! -e /go ]; do sleep 0.02; done; head -c 104857600 /dev/zero | tail; sleep 0.2",
    );
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["linux"]["resources"]["memory"] = json!({ "limit": 16 << 20, "swap": 16 << 20 });
    bundle.start();
    let mut events = bundle
        .command(&["events", "--interval", "30ms", "c"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(events.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    std::fs::write(bundle.rootfs("go"), "").unwrap();
    let told = lines.any(|line| {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        event == json!({ "type": "oom", "id": "c" })
    });
    assert!(told);
    drop(lines);
    let _ = events.kill();
    events.wait().unwrap();
    bundle.call(&["delete", "-f", "c"]).ok();
}

/// Source: config-linux.md, "IntelRdt": without a mounted resctrl the runtime MUST generate an error.
#[test]
fn intel_rdt_is_refused_where_there_is_none() {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(
        !mounts.contains(" - resctrl "),
        "test the groups themselves here"
    );
    let mut bundle = Bundle::new("true");
    bundle.config["linux"]["intelRdt"] = json!({ "closID": "x" });
    let done = bundle.run();
    assert!(
        done.stderr.contains("find a mounted resctrl file system"),
        "{}",
        done.stderr
    );
}

/// Source: config-linux.md, "Network". Mounts v1's network controllers in a mount namespace of the runtime's caller:
/// the host's callers see none of it.
#[test]
fn network_classes_are_kept_where_the_controllers_are() {
    let _lock = testkit::hierarchies::changing();
    let mut bundle = Bundle::new("cat /proc/self/cgroup");
    bundle.config["linux"]["resources"]["network"] = json!({
        "classID": 1048577, "priorities": [{ "name": "lo", "priority": 5 }],
    });
    bundle.without_namespace("cgroup");
    let refused = bundle.run().stderr;
    assert!(refused.contains("net_cls"), "{refused}");
    let place = bundle.path().join("net");
    std::fs::create_dir(&place).unwrap();
    let command = bundle.command(&["run", "-d", "c"]);
    let script = format!(
        "mount -t cgroup -o net_cls,net_prio none {0} && {1} --root {2}/state run -b {2} c; \
         rmdir {0}/*/* {0}/* 2>/dev/null; umount {0}",
        place.display(),
        command.get_program().display(),
        bundle.path().display(),
    );
    drop(command);
    let done = testkit::Finished::run(
        std::process::Command::new("unshare").args(["-m", "sh", "-c", &script]),
        b"",
        rig::LIMIT,
    );
    let own = done
        .stdout
        .lines()
        .find(|l| l.contains(":net_cls,net_prio:"));
    assert!(
        own.is_some_and(|l| l.ends_with("/c")),
        "{}{}",
        done.stdout,
        done.stderr
    );
}

/// Where systemd runs, its named hierarchy has a leaf of the container, so that the container does not count
/// for the service that its caller is; elsewhere that directory would cost time for nothing.
#[test]
fn systemds_named_hierarchy_is_joined_where_it_runs() {
    let mut bundle = Bundle::new("grep :name=systemd: /proc/self/cgroup");
    bundle.without_namespace("cgroup");
    let place = bundle.config["linux"]["cgroupsPath"].clone();
    let place = place.as_str().unwrap();
    let command = bundle.command(&[]);
    // A /run of its own says that systemd runs.
    let script = format!(
        "mount -t tmpfs none /run && mkdir -p /run/systemd/system && \
         exec {} --root {}/state run -b {1} c",
        command.get_program().display(),
        bundle.path().display(),
    );
    let mut unshare = std::process::Command::new("unshare");
    let done = testkit::Finished::run(unshare.args(["-m", "sh", "-c", &script]), b"", rig::LIMIT);
    let line = done.ok();
    assert!(line.ends_with(&format!(":name=systemd:{place}")), "{line}");
    if !Path::new("/run/systemd/system").exists() {
        assert!(!bundle.run().ok().ends_with(place));
    }
}

fn host_cgroups() -> Vec<PathBuf> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let lines = text.lines().filter(|l| l.contains(" - cgroup"));
    lines.map(|l| l.split(' ').nth(4).unwrap().into()).collect()
}

/// D35, K4: no v1 hierarchy can be mounted from inside, and release_agent is out of reach.
#[test]
fn d35_k4_no_cgroup_is_mounted_or_escaped_from_inside() {
    let mut bundle = Bundle::new(
        "mkdir -p /tmp/m; \
         for o in memory pids devices name=x none,name=y; do \
           mount -t cgroup -o $o none /tmp/m 2>/dev/null && echo mounted $o; done; \
         mount -t cgroup2 none /tmp/m 2>/dev/null && echo mounted v2; \
         find /sys/fs/cgroup -name release_agent | while read f; do echo agent $f; done; \
         find /sys/fs/cgroup -name cgroup.procs | while read f; do \
           echo $$ > $f 2>/dev/null && echo wrote $f; done; \
         grep -v ':/$' /proc/self/cgroup; echo end",
    );
    bundle.mount(json!({ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs" }));
    bundle.mount(json!({
        "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
        "options": ["nosuid", "noexec", "nodev", "relatime", "ro"],
    }));
    assert_eq!(bundle.run().ok(), "end");
    assert!(!host_cgroups().is_empty());
}

/// R9: without a cgroup namespace of its own a container writes to no cgroup, its own included.
#[test]
fn r9_without_a_cgroup_namespace_no_cgroup_file_is_writable() {
    let mut bundle = Bundle::new(
        "find /sys/fs/cgroup -type f | while read f; do \
           ( : > $f ) 2>/dev/null && echo wrote $f; done; \
         find /sys/fs/cgroup -type d | while read d; do \
           mkdir $d/x 2>/dev/null && echo made $d; done; echo end",
    );
    bundle.mount(json!({
        "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
        "options": ["nosuid", "noexec", "nodev", "relatime", "ro"],
    }));
    bundle.without_namespace("cgroup");
    assert_eq!(bundle.run().ok(), "end");
}
