//! `--systemd-cgroup` against systemd 252 on cgroup v2: the unit as systemd shows it, the cgroup as the kernel
//! has it, and that nothing of either stays.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::harness::Test;
use testkit::{Finished, eventually};

use crate::rig::Bundle;

pub const TESTS: &[Test] = testkit::tests![
    systemd_scope_has_the_limits,
    systemd_update_reaches_unit_and_cgroup,
    systemd_processes_are_in_the_scope,
    systemd_reload_changes_nothing,
    systemd_failures_leave_no_unit,
    systemd_killed_for_memory_leaves_no_unit,
    systemd_units_of_others_are_left_alone,
    systemd_killed_runtime_leaves_nothing,
    r23_systemd_takes_no_annotation_as_property,
    // The last: others' systemd wants the bus.
    systemd_without_a_bus,
];

const SLEEP: &str = "exec sleep 1000";

/// A container that is to have a scope of its own.
pub struct Scope {
    pub bundle: Bundle,
    unit: String,
    leaf: PathBuf,
}

impl Scope {
    pub fn new(name: &str, script: &str, resources: Value) -> Scope {
        let mut bundle = Bundle::new(script);
        bundle.config["linux"]["cgroupsPath"] = json!(format!("berth-test.slice:rt:{name}"));
        let all = bundle.config["linux"]["resources"].as_object_mut().unwrap();
        all.extend(resources.as_object().unwrap().clone());
        let unit = format!("rt-{name}.scope");
        let leaf = Path::new("/sys/fs/cgroup/berth.slice/berth-test.slice").join(&unit);
        Scope { bundle, unit, leaf }
    }

    /// Calls the runtime with `--systemd-cgroup`.
    fn call(&self, args: &[&str]) -> Finished {
        self.bundle.call(&[&["--systemd-cgroup"], args].concat())
    }

    pub fn start(&self) {
        self.bundle.leaving(&["--systemd-cgroup", "run", "-d", "c"]);
    }

    fn read(&self, file: &str) -> String {
        let text = std::fs::read_to_string(self.leaf.join(file));
        text.unwrap_or_else(|e| panic!("{file}: {e}"))
            .trim()
            .to_owned()
    }

    fn property(&self, name: &str) -> String {
        property(&self.unit, name)
    }

    /// Many at once: here each command takes its time.
    #[track_caller]
    pub fn has(&self, properties: &[(&str, &str)]) {
        let names: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
        let mut show = Command::new("systemctl");
        show.args(["show", "-p", &names.join(","), &self.unit]);
        let shown = Finished::run(&mut show, b"", Duration::from_secs(30));
        let lines: Vec<&str> = shown.ok().lines().collect();
        for (name, value) in properties {
            assert!(
                lines.contains(&&*format!("{name}={value}")),
                "{name}: {shown}"
            );
        }
    }

    #[track_caller]
    pub fn delete(&self) {
        // Without the flag: the record knows.
        self.bundle.call(&["delete", "-f", "c"]).ok();
        self.is_gone();
    }

    #[track_caller]
    fn is_gone(&self) {
        assert_eq!(self.property("LoadState"), "not-found");
        assert!(!self.leaf.exists(), "{}", self.leaf.display());
    }
}

fn property(unit: &str, name: &str) -> String {
    let mut show = Command::new("systemctl");
    show.args(["show", "--value", "-p", name, unit]);
    Finished::run(&mut show, b"", Duration::from_secs(30))
        .ok()
        .to_owned()
}

pub fn systemctl(args: &[&str]) {
    Finished::run(
        Command::new("systemctl").args(args),
        b"",
        Duration::from_secs(60),
    )
    .ok();
}

fn systemd_scope_has_the_limits() {
    let scope = Scope::new(
        "limits",
        SLEEP,
        json!({
            "memory": {"limit": 64 << 20, "swap": 96 << 20, "reservation": 1 << 20},
            "cpu": {"shares": 512, "quota": 12345, "period": 50000, "cpus": "0", "mems": "0"},
            "pids": {"limit": 20},
            "blockIO": {"weight": 500},
            "unified": {"memory.high": "50331648"},
        }),
    );
    scope.start();
    scope.has(&[
        ("ActiveState", "active"),
        ("Slice", "berth-test.slice"),
        ("Delegate", "yes"),
        ("DefaultDependencies", "no"),
        ("CollectMode", "inactive-or-failed"),
        ("Description", "berth container limits"),
        ("MemoryMax", "67108864"),
        ("MemorySwapMax", "33554432"),
        ("MemoryLow", "1048576"),
        ("MemoryHigh", "50331648"),
        ("CPUWeight", &scope.read("cpu.weight")),
        ("CPUQuotaPerSecUSec", "250ms"),
        ("CPUQuotaPeriodUSec", "50ms"),
        ("AllowedCPUs", "0"),
        ("AllowedMemoryNodes", "0"),
        ("TasksMax", "20"),
        ("IOWeight", "4950"),
        ("DevicePolicy", "auto"),
    ]);
    for (file, value) in [
        ("memory.max", "67108864"),
        ("memory.swap.max", "33554432"),
        ("memory.low", "1048576"),
        ("memory.high", "50331648"),
        ("cpu.max", "12345 50000"),
        ("cpuset.cpus", "0"),
        ("pids.max", "20"),
        ("io.weight", "default 4950"),
    ] {
        assert_eq!(scope.read(file), value, "{file}");
    }
    scope.delete();
}

fn systemd_update_reaches_unit_and_cgroup() {
    let limits = json!({"memory": {"limit": 64 << 20}, "pids": {"limit": 20}});
    let scope = Scope::new("update", SLEEP, limits);
    scope.start();
    scope
        .bundle
        .call(&["update", "--pids-limit", "30", "--memory", "33554432", "c"])
        .ok();
    scope
        .bundle
        .call(&[
            "update",
            "--cpu-quota",
            "12345",
            "--cpu-period",
            "50000",
            "c",
        ])
        .ok();
    scope.has(&[
        ("TasksMax", "30"),
        ("MemoryMax", "33554432"),
        ("CPUQuotaPerSecUSec", "250ms"),
    ]);
    assert_eq!(scope.read("pids.max"), "30");
    assert_eq!(scope.read("memory.max"), "33554432");
    assert_eq!(scope.read("cpu.max"), "12345 50000");
    // What the kernel refuses does not reach systemd either.
    let refused = scope
        .bundle
        .call(&["update", "--pids-limit", "40", "--cpuset-cpus", "77", "c"]);
    assert!(!refused.status.success(), "{refused}");
    assert_eq!(scope.property("TasksMax"), "30");
    assert_eq!(scope.read("pids.max"), "30");
    scope.delete();
}

fn systemd_processes_are_in_the_scope() {
    let scope = Scope::new("in", "sleep 1000 & exec sleep 1000", json!({}));
    scope.start();
    let pid = scope.bundle.state()["pid"].to_string();
    let is_in = |pid: &str| {
        let cgroup = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        assert!(cgroup.trim().ends_with("/rt-in.scope"), "{cgroup}");
    };
    is_in(&pid);
    let inside = "cat /proc/self/cgroup; ls /sys/fs/cgroup/cgroup.procs";
    let run = scope.bundle.call(&["exec", "c", "sh", "-c", inside]);
    assert_eq!(run.ok(), "0::/\n/sys/fs/cgroup/cgroup.procs");
    eventually("both sleep", || {
        (scope.read("cgroup.procs").lines().count() == 2).then_some(())
    });
    scope.bundle.call(&["pause", "c"]).ok();
    assert_eq!(scope.read("cgroup.freeze"), "1");
    assert_eq!(scope.bundle.state()["status"], "paused");
    scope.bundle.call(&["resume", "c"]).ok();
    let stats = scope.bundle.call(&["events", "--stats", "c"]);
    assert!(stats.ok().contains("\"pids\":{\"current\":2"), "{stats}");
    scope.bundle.call(&["kill", "-a", "c", "KILL"]).ok();
    scope.bundle.stopped();
    scope.bundle.call(&["delete", "c"]).ok();
    scope.is_gone();
}

/// systemd writes again what it knows: that must be the same. The device rules are a program of ours; it has none
/// for the unit, and takes ours not away.
fn systemd_reload_changes_nothing() {
    let limits = json!({"memory": {"limit": 64 << 20}, "cpu": {"cpus": "0"}});
    let mut scope = Scope::new("devices", SLEEP, limits);
    scope.bundle.caps(&["CAP_MKNOD"]);
    scope
        .bundle
        .mount(json!({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}));
    scope.start();
    let open =
        "[ -e /tmp/mem ] || mknod /tmp/mem c 1 1; head -c1 /dev/zero | wc -c; head -c1 /tmp/mem";
    let refused = || {
        let run = scope.bundle.call(&["exec", "c", "sh", "-c", open]);
        assert!(
            run.stdout.trim() == "1" && run.stderr.contains("not permitted"),
            "{run}"
        );
    };
    systemctl(&["daemon-reload"]);
    assert_eq!(scope.read("memory.max"), "67108864");
    assert_eq!(scope.read("cpuset.cpus"), "0");
    scope
        .bundle
        .call(&["update", "--pids-limit", "30", "c"])
        .ok();
    refused();
    scope.delete();
}

fn systemd_failures_leave_no_unit() {
    let mut scope = Scope::new("fails", SLEEP, json!({}));
    scope.bundle.config["process"]["args"] = json!(["nosuch"]);
    let run = scope.call(&["run", "c"]);
    assert!(run.fails(127).contains("nosuch"), "{run}");
    scope.is_gone();
    // After the unit is there: a limit that the kernel refuses.
    scope.bundle.config["linux"]["resources"]["unified"] = json!({"pids.nosuch": "1"});
    let run = scope.call(&["run", "c"]);
    assert!(run.stderr.contains("pids.nosuch"), "{run}");
    scope.is_gone();
    scope.bundle.config["linux"]["cgroupsPath"] = json!("/berth/x");
    let run = scope.call(&["run", "c"]);
    assert!(
        run.stderr.contains("to be of format \"slice:prefix:name\""),
        "{run}"
    );
}

fn systemd_killed_for_memory_leaves_no_unit() {
    let eat = "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done";
    let scope = Scope::new(
        "eats",
        eat,
        json!({"memory": {"limit": 16 << 20, "swap": 16 << 20}}),
    );
    let run = scope.call(&["run", "c"]);
    assert_eq!(run.code(), 137, "{run}");
    scope.is_gone();
}

fn systemd_units_of_others_are_left_alone() {
    let scope = Scope::new("taken", SLEEP, json!({}));
    let mut other = Command::new("systemd-run");
    other.args(["--quiet", "--scope", "--unit", &scope.unit, "sleep", "1000"]);
    let mut other = other.spawn().unwrap();
    eventually("the other's unit is there", || {
        (scope.property("ActiveState") == "active").then_some(())
    });
    let run = scope.call(&["run", "c"]);
    assert!(
        run.stderr
            .contains("make the unit rt-taken.scope: it exists already"),
        "{run}"
    );
    assert_eq!(scope.property("ActiveState"), "active");
    other.kill().unwrap();
    other.wait().unwrap();
    eventually("it goes", || {
        (scope.property("LoadState") == "not-found").then_some(())
    });
}

/// Killed at any moment, the runtime leaves what `delete --force` removes, and the name free.
fn systemd_killed_runtime_leaves_nothing() {
    let scope = Scope::new("killed", SLEEP, json!({"pids": {"limit": 20}}));
    let create = ["--systemd-cgroup", "create", "c"];
    let begun = Instant::now();
    let spawn = || {
        let mut command = scope.bundle.command(&create);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().unwrap()
    };
    assert!(spawn().wait().unwrap().success());
    let whole = begun.elapsed();
    scope.delete();
    const ROUNDS: u32 = 6;
    for round in 1..=ROUNDS {
        let mut create = spawn();
        std::thread::sleep(whole * round / ROUNDS);
        let _ = create.kill();
        create.wait().unwrap();
        scope.bundle.call(&["delete", "-f", "c"]).ok();
        // systemd learns of the death a moment after the kernel.
        eventually("the unit goes", || {
            (scope.property("LoadState") == "not-found").then_some(())
        });
        assert!(!scope.leaf.exists(), "round {round}");
    }
    // At once after a kill, when systemd may not have looked yet.
    let mut create = spawn();
    std::thread::sleep(whole * 2 / 3);
    let _ = create.kill();
    create.wait().unwrap();
    scope.bundle.call(&["delete", "-f", "c"]).ok();
    scope.start();
    scope.delete();
}

/// Straight to systemd, as before the bus is up.
fn systemd_without_a_bus() {
    systemctl(&["stop", "dbus.socket", "dbus.service"]);
    let _ = std::fs::remove_file("/run/dbus/system_bus_socket");
    let scope = Scope::new("nobus", SLEEP, json!({"pids": {"limit": 20}}));
    scope.start();
    assert_eq!(scope.property("TasksMax"), "20");
    scope
        .bundle
        .call(&["update", "--pids-limit", "30", "c"])
        .ok();
    assert_eq!(scope.property("TasksMax"), "30");
    scope.delete();
    systemctl(&["start", "dbus.socket"]);
}

/// Whoever may name annotations (a user of a cluster) would otherwise command the host's systemd.
fn r23_systemd_takes_no_annotation_as_property() {
    let mut scope = Scope::new("notes", SLEEP, json!({}));
    scope.bundle.config["annotations"] = json!({
        "org.systemd.property.Description": "'taken'",
        "org.systemd.property.TasksMax": "uint64 7",
        "org.systemd.property.ExecStopPost": "[('/bin/sh', ['sh', '-c', 'touch /run/taken'], false)]",
        "org.systemd.property.CollectMode": "'inactive'",
    });
    scope.start();
    scope.has(&[
        ("Description", "berth container notes"),
        ("CollectMode", "inactive-or-failed"),
    ]);
    assert_ne!(scope.property("TasksMax"), "7");
    scope.delete();
    assert!(!Path::new("/run/taken").exists());
}
