//! SIGKILL at every step: wherever the runtime or init dies, `delete --force` finds what there is and
//! leaves nothing. Needs root, busybox-static and strace, which does the killing: at the n-th system call.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod rig;

use rig::Bundle;

/// Calls of the runtime that are tried: a spread, or all of them in the long run.
const SPREAD: usize = 24;

/// Kills `args` at one system call after another; `before` brings the container to where it starts from.
fn killed_everywhere(script: &str, before: &[&[&str]], args: &[&str]) {
    let bundle = Bundle::new(script);
    let prepare = || {
        for verb in before {
            bundle.leaving(verb);
        }
    };
    prepare();
    bundle.traced(&[], args);
    let calls = std::fs::read_to_string(bundle.path().join("trace")).unwrap();
    let calls = calls.lines().count();
    assert!(calls > 20, "{calls} calls");
    clean(&bundle, 0);
    let step = match std::env::var_os("BERTH_TEST_FULL") {
        Some(_) => 1,
        None => calls.div_ceil(SPREAD),
    };
    // Another spread each day.
    let days = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as usize / 86_400;
    for at in (1 + days % step..=calls).step_by(step) {
        prepare();
        let when = format!("inject=all:signal=KILL:when={at}");
        bundle.traced(&["-e", &when], args);
        clean(&bundle, at);
    }
}

fn clean(bundle: &Bundle, at: usize) {
    bundle.call(&["delete", "--force", "c"]).ok();
    let leaks = bundle.leaks();
    assert!(leaks.is_empty(), "killed at call {at}: {leaks:#?}");
}

#[test]
fn create_is_killed() {
    killed_everywhere("sleep 1000", &[], &["create", "c"]);
}

#[test]
fn run_is_killed() {
    killed_everywhere("sleep 0.01", &[], &["run", "c"]);
}

#[test]
fn start_is_killed() {
    killed_everywhere("sleep 1000", &[&["create", "c"]], &["start", "c"]);
}

#[test]
fn exec_is_killed() {
    killed_everywhere("sleep 1000", &[&["run", "-d", "c"]], &["exec", "c", "true"]);
}

#[test]
fn pause_is_killed() {
    killed_everywhere("sleep 1000", &[&["run", "-d", "c"]], &["pause", "c"]);
}

#[test]
fn delete_is_killed() {
    let args: &[&str] = &["delete", "-f", "c"];
    killed_everywhere("sleep 1000", &[&["run", "-d", "c"]], args);
}

/// Init dies at a step that only init takes: the runtime says so and leaves nothing.
#[test]
fn init_is_killed() {
    let calls = [
        "setsid",
        "umask",
        "sethostname",
        "fsmount",
        "pivot_root",
        "umount2",
        "capset",
        "execve",
    ];
    let bundle = Bundle::new("true");
    for call in calls {
        // The runtime's own first execve is not counted: init is another process to strace.
        let nth = if call == "execve" { "2+" } else { "1" };
        let when = format!("inject={call}:signal=KILL:when={nth}");
        bundle.traced(&["-f", "-e", &when], &["run", "c"]);
        let leaks = bundle.leaks();
        assert!(leaks.is_empty(), "killed at {call}: {leaks:#?}");
    }
}
