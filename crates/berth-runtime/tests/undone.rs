//! What a failed creation could not undo is kept until `delete --force` can; a killed `start` can be repeated.
//! Needs root, busybox-static and strace.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod rig;

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rig::Bundle;
use serde_json::json;

/// A mount on the container's cgroup, which the kernel does not remove meanwhile.
struct Mounted(PathBuf);

impl Mounted {
    /// Where the test's cgroup will be.
    fn place(bundle: &Bundle) -> PathBuf {
        let path = bundle.config["linux"]["cgroupsPath"].as_str().unwrap();
        let unified = Path::new("/sys/fs/cgroup/unified");
        let root = if unified.exists() {
            unified
        } else {
            unified.parent().unwrap()
        };
        root.join(path.trim_start_matches('/'))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn what_is_left_is_kept(args: &[&str]) {
    let mut bundle = Bundle::new("true");
    let place = Mounted::place(&bundle);
    let script = format!("mount --bind {0} {0}; exit 7", place.display());
    bundle.config["hooks"]["createRuntime"] =
        json!([{"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"]}]);
    let mounted = Mounted(place.clone());
    let failed = bundle.call(args);
    assert_ne!(failed.code(), 0);
    assert!(failed.stderr.contains("createRuntime"), "{}", failed.stderr);
    assert!(
        failed.stderr.contains("delete --force c"),
        "{}",
        failed.stderr
    );
    assert!(place.exists() && bundle.path().join("state/c").exists());
    drop(mounted);
    bundle.call(&["delete", "--force", "c"]).ok();
    let leaks = bundle.leaks();
    assert!(leaks.is_empty(), "{leaks:#?}");
}

#[test]
fn create_keeps_the_claim_of_what_it_cannot_remove() {
    what_is_left_is_kept(&["create", "c"]);
}

#[test]
fn run_keeps_the_claim_of_what_it_cannot_remove() {
    what_is_left_is_kept(&["run", "c"]);
}

/// Killed at every call from the fifo's opening on, the container runs by a second `start`, or does already.
#[test]
fn a_killed_start_can_be_repeated() {
    let mut bundle = Bundle::new("touch /ran; sleep 1000");
    bundle.config["root"]["readonly"] = json!(false);
    let (ran, trace) = (bundle.rootfs("ran"), bundle.path().join("trace"));
    let create = || {
        let status = quiet(&mut bundle.command(&["create", "c"])).status();
        assert!(status.unwrap().success());
    };
    let traced = |options: &[&str]| {
        let plain = bundle.command(&["start", "c"]);
        let mut strace = Command::new("strace");
        strace.args(["-qq", "-o"]).arg(&trace).args(options);
        strace.arg(plain.get_program()).args(plain.get_args());
        quiet(&mut strace).status().expect("strace is installed")
    };
    create();
    assert!(traced(&[]).success() && comes(&ran));
    let calls = std::fs::read_to_string(&trace).unwrap();
    let first = calls.lines().position(|line| line.contains("exec.fifo"));
    let name = |line: &str| line.split('(').next().unwrap().to_owned();
    let names: Vec<_> = calls.lines().map(name).collect();
    for (at, call) in names.iter().enumerate().skip(first.unwrap()) {
        // Each call is counted by itself.
        let nth = names[..=at].iter().filter(|name| *name == call).count();
        let when = format!("inject={call}:signal=KILL:when={nth}");
        bundle.call(&["delete", "--force", "c"]).ok();
        std::fs::remove_file(&ran).unwrap();
        create();
        assert_eq!(traced(&["-e", &when]).signal(), Some(9), "{when}");
        let again = bundle.call(&["start", "c"]);
        let runs = again.code() == 0 || again.stderr.contains("already running");
        assert!(runs, "{when}: {}", again.stderr);
        assert!(comes(&ran), "{when}: the program does not run");
        assert_eq!(bundle.state()["status"], "running", "{when}");
    }
    bundle.call(&["delete", "--force", "c"]).ok();
}

fn quiet(command: &mut Command) -> &mut Command {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null())
}

fn comes(file: &Path) -> bool {
    (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        file.exists()
    })
}
