//! `checkpoint` and `restore`: a container that counts goes on counting from where it was.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use testkit::eventually;
use testkit::harness::Test;

use crate::rig::Bundle;

pub const TESTS: &[Test] = testkit::tests![
    criu_restore_goes_on_counting,
    criu_leave_running_and_pre_dump,
    criu_streams_and_bind_mounts_are_given_again,
    criu_network_namespace_is_joined_again,
    criu_terminal_goes_to_the_console_socket,
    criu_restores_into_a_scope,
    criu_failure_is_told_with_its_log,
];

/// Counts into a file, from 1 on, whatever the file says.
const COUNT: &str = "n=0; while :; do n=$((n+1)); echo $n >/tmp/new; mv /tmp/new /tmp/n; done";

/// A container that counts, with a writable root, on the host's network.
fn counter() -> Bundle {
    Bundle::writable(COUNT)
}

fn number(bundle: &Bundle) -> u64 {
    let text = std::fs::read_to_string(bundle.rootfs("tmp/n")).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

#[track_caller]
fn counts_beyond(bundle: &Bundle, least: u64) {
    eventually("it counts", || (number(bundle) > least).then_some(()));
}

/// Restores it in the background.
#[track_caller]
fn restore(bundle: &Bundle, more: &[&str]) {
    restore_by(bundle, &[], more);
}

/// As [`restore`], with options before the verb.
#[track_caller]
fn restore_by(bundle: &Bundle, global: &[&str], more: &[&str]) {
    let verb = ["restore", "-d", "--image-path", "image"];
    let words = [global, &verb, more, &["c"]].concat();
    let mut command = bundle.command(&words);
    let errors = bundle.path().join("errors");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&errors).unwrap());
    let status = command.status().unwrap();
    let errors = std::fs::read_to_string(errors).unwrap();
    let log = std::fs::read_to_string(bundle.path().join("image/restore.log")).unwrap_or_default();
    assert!(status.success(), "{errors}\n{log}");
}

#[track_caller]
fn checkpoint(bundle: &Bundle, more: &[&str]) {
    let words = [&["checkpoint", "--image-path", "image"], more, &["c"]].concat();
    let run = bundle.call(&words);
    let log = std::fs::read_to_string(bundle.path().join("image/dump.log")).unwrap_or_default();
    assert!(run.status.success(), "{run}\n{log}");
}

fn criu_restore_goes_on_counting() {
    let bundle = counter();
    bundle.start();
    counts_beyond(&bundle, 20);
    checkpoint(&bundle, &[]);
    // Gone, but for the image.
    let gone = bundle.call(&["state", "c"]);
    assert!(gone.stderr.contains("does not exist"), "{gone}");
    assert_eq!(bundle.leaks(), [""; 0]);
    let before = number(&bundle);
    assert!(before > 20);

    restore(&bundle, &["--pid-file", "pid"]);
    counts_beyond(&bundle, before);
    let state = bundle.state();
    assert_eq!(state["status"], "running");
    let pid = std::fs::read_to_string(bundle.path().join("pid")).unwrap();
    assert_eq!(state["pid"].to_string(), pid);
    // Limits, exec and delete are as of any other.
    let exec = bundle.call(&["exec", "c", "cat", "/proc/self/cgroup", "/proc/1/comm"]);
    assert_eq!(exec.ok(), "0::/\nsh");
    // A second time, from what was restored.
    checkpoint(&bundle, &[]);
    let before = number(&bundle);
    restore(&bundle, &[]);
    counts_beyond(&bundle, before);
    bundle.call(&["delete", "-f", "c"]).ok();
}

fn criu_leave_running_and_pre_dump() {
    let bundle = counter();
    bundle.start();
    counts_beyond(&bundle, 10);
    bundle
        .call(&["checkpoint", "--pre-dump", "--image-path", "first", "c"])
        .ok();
    std::fs::create_dir(bundle.path().join("image")).unwrap();
    checkpoint(
        &bundle,
        &[
            "--leave-running",
            "--parent-path",
            "../first",
            "--work-path",
            "work",
        ],
    );
    assert_eq!(bundle.state()["status"], "running");
    assert!(bundle.path().join("work/dump.log").exists());
    counts_beyond(&bundle, number(&bundle));
    bundle.call(&["delete", "-f", "c"]).ok();
    let before = number(&bundle);
    std::fs::remove_file(bundle.rootfs("tmp/n")).unwrap();
    restore(&bundle, &[]);
    counts_beyond(&bundle, 0);
    assert!(number(&bundle) > 10 && before > 10);
    bundle.call(&["delete", "-f", "c"]).ok();
}

/// A log, whose size CRIU does not mind.
fn log(path: &Path) -> File {
    let append = File::options().append(true).create(true).open(path);
    append.unwrap()
}

fn criu_streams_and_bind_mounts_are_given_again() {
    let script = "n=0; while read -r line </data/in; do echo $((n+=1)) $line; sleep 1; done";
    let mut bundle = Bundle::new(script);
    // As long as each other: CRIU looks at the size of what is open.
    for name in ["first", "other"] {
        let dir = bundle.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("in"), format!("{name}\n")).unwrap();
    }
    let data = bundle.path().join("first");
    bundle.mount(json!({"destination": "/data", "source": data, "options": ["bind", "ro"]}));
    let output = |name: &str| bundle.path().join(name);
    let mut run = bundle.command(&["run", "-d", "c"]);
    run.stdin(Stdio::null())
        .stdout(log(&output("1")))
        .stderr(log(&output("2")));
    assert!(run.status().unwrap().success());
    let read = |name: &str| std::fs::read_to_string(output(name)).unwrap();
    eventually("it writes", || read("1").contains("2 first").then_some(()));
    checkpoint(&bundle, &[]);

    // The standard streams and the source of the mount are whatever the restore has.
    bundle.config["mounts"]
        .as_array_mut()
        .unwrap()
        .last_mut()
        .unwrap()["source"] = json!(bundle.path().join("other"));
    let output = |name: &str| bundle.path().join(name);
    let mut command = bundle.command(&["restore", "-d", "--image-path", "image", "c"]);
    command
        .stdin(Stdio::null())
        .stdout(log(&output("3")))
        .stderr(log(&output("4")));
    let restored = command.status().unwrap();
    let read = |name: &str| std::fs::read_to_string(output(name)).unwrap();
    assert!(restored.success(), "{}", read("4"));
    eventually("it goes on", || read("3").contains("other").then_some(()));
    let first = read("3");
    let first = first.split(' ').next().unwrap();
    assert!(first.parse::<u32>().unwrap() > 2, "it began anew: {first}");
    bundle.call(&["delete", "-f", "c"]).ok();
}

fn criu_network_namespace_is_joined_again() {
    let ip = |words: &[&str]| {
        let status = Command::new("ip").args(words).status();
        assert!(status.unwrap().success(), "ip {words:?}");
    };
    ip(&["netns", "add", "criu"]);
    let mut bundle = counter();
    bundle.without_namespace("network");
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.push(json!({"type": "network", "path": "/run/netns/criu"}));
    bundle.start();
    counts_beyond(&bundle, 10);
    checkpoint(&bundle, &[]);
    let before = number(&bundle);
    restore(&bundle, &[]);
    counts_beyond(&bundle, before);
    let inode = |path: &str| std::fs::metadata(path).unwrap().ino();
    let joined = format!("/proc/{}/ns/net", bundle.state()["pid"]);
    assert_eq!(inode(&joined), inode("/run/netns/criu"));
    bundle.call(&["delete", "-f", "c"]).ok();
    ip(&["netns", "del", "criu"]);
}

fn criu_terminal_goes_to_the_console_socket() {
    let mut bundle = Bundle::new("while read -r line; do echo got $line; done");
    bundle.config["process"]["terminal"] = json!(true);
    let path = bundle.path().join("console");
    let listener = UnixListener::bind(&path).unwrap();
    let socket = path.to_str().unwrap();
    let master = || {
        let (socket, _) = listener.accept().unwrap();
        let mut got = berth_sys::fdpass::receive(&socket, &mut [0; 64], 1).unwrap();
        File::from(got.fds.pop().unwrap())
    };
    let echoes = |mut master: &File, word: &str| {
        writeln!(master, "{word}").unwrap();
        let (mut said, mut buffer) = (String::new(), [0; 256]);
        while !said.contains(&format!("got {word}")) {
            let length = master.read(&mut buffer).unwrap();
            said.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    };
    bundle
        .call(&["run", "-d", "--console-socket", socket, "c"])
        .ok();
    let first = master();
    echoes(&first, "before");
    checkpoint(&bundle, &[]);
    drop(first);
    restore(&bundle, &["--console-socket", socket]);
    echoes(&master(), "after");
    bundle.call(&["delete", "-f", "c"]).ok();
}

fn criu_restores_into_a_scope() {
    let mut bundle = counter();
    bundle.config["linux"]["cgroupsPath"] = json!("system.slice:berth:criu");
    bundle.config["linux"]["resources"]["pids"] = json!({"limit": 33});
    bundle.leaving(&["--systemd-cgroup", "run", "-d", "c"]);
    counts_beyond(&bundle, 10);
    checkpoint(&bundle, &[]);
    let before = number(&bundle);
    restore_by(&bundle, &["--systemd-cgroup"], &[]);
    counts_beyond(&bundle, before);
    let cgroup = format!("/proc/{}/cgroup", bundle.state()["pid"]);
    let cgroup = std::fs::read_to_string(cgroup).unwrap();
    assert_eq!(cgroup, "0::/system.slice/berth-criu.scope\n");
    let limit = "/sys/fs/cgroup/system.slice/berth-criu.scope/pids.max";
    assert_eq!(std::fs::read_to_string(limit).unwrap(), "33\n");
    bundle.call(&["delete", "-f", "c"]).ok();
    assert!(!Path::new(limit).exists());
}

fn criu_failure_is_told_with_its_log() {
    let mut bundle = counter();
    bundle.start();
    counts_beyond(&bundle, 10);
    checkpoint(&bundle, &[]);
    // An image of nothing.
    std::fs::create_dir(bundle.path().join("empty")).unwrap();
    std::fs::write(bundle.path().join("empty/descriptors.json"), "[]").unwrap();
    let run = bundle.call(&["restore", "-d", "--image-path", "empty", "c"]);
    assert_eq!(run.code(), 125, "{run}");
    assert!(
        run.stderr.contains("criu failed: type RESTORE errno"),
        "{run}"
    );
    assert!(run.stderr.contains("its log ends: ("), "{run}");
    assert_eq!(bundle.leaks(), [""; 0]);
    // No container of that state, no image.
    let run = bundle.call(&["checkpoint", "c"]);
    assert!(run.stderr.contains("does not exist"), "{run}");
    let run = bundle.call(&["restore", "-d", "--image-path", "nosuch", "c"]);
    assert!(run.stderr.contains("read nosuch"), "{run}");
    bundle.config["process"]["terminal"] = json!(true);
    let run = bundle.call(&["restore", "-d", "--image-path", "image", "c"]);
    assert!(run.stderr.contains("--console-socket"), "{run}");
}
