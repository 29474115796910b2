//! `checkpoint` and `restore` where CRIU is missing or of no use: what is said, and that nothing changes. What
//! works is shown in a virtual machine (tests/vm). Needs root and busybox-static.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod rig;

use std::os::unix::fs::PermissionsExt as _;

use rig::Bundle;
use testkit::Finished;

/// Runs a verb with `criu` from `bin` alone.
fn call(bundle: &Bundle, args: &[&str]) -> Finished {
    let mut command = bundle.command(args);
    command.env("PATH", bundle.path().join("bin"));
    Finished::run(&mut command, b"", rig::LIMIT)
}

#[test]
fn a_missing_criu_is_told() {
    let bundle = Bundle::new("exec sleep 1000");
    bundle.start();
    let run = call(&bundle, &["checkpoint", "--image-path", "image", "c"]);
    let said = run.fails(125);
    assert!(said.contains("criu failed: it is not installed"), "{run}");
    assert!(said.contains("hint: install criu"), "{run}");
    assert_eq!(bundle.state()["status"], "running");
    assert!(!bundle.path().join("image").exists(), "nothing was made");
    bundle.call(&["delete", "-f", "c"]).ok();

    let run = call(&bundle, &["restore", "-d", "--image-path", "image", "c"]);
    assert!(run.fails(125).contains("it is not installed"), "{run}");
    assert_eq!(bundle.leaks(), [""; 0]);
}

#[test]
fn a_criu_that_gives_up_is_told_in_its_own_words() {
    let bundle = Bundle::new("exec sleep 1000");
    let bin = bundle.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(bin.join("criu"), "#!/bin/sh\necho no luck >&2\nexit 3\n").unwrap();
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(bin.join("criu"), mode).unwrap();
    bundle.start();
    let run = call(&bundle, &["checkpoint", "c"]);
    let wanted = "no answer (exit status: 3) no luck";
    assert!(run.fails(125).contains(wanted), "{run}");
    assert_eq!(bundle.state()["status"], "running");
    bundle.call(&["delete", "-f", "c"]).ok();
}

#[test]
fn only_what_runs_is_checkpointed() {
    let bundle = Bundle::new("exec sleep 1000");
    let run = bundle.call(&["checkpoint", "c"]);
    assert!(run.fails(125).contains("does not exist"), "{run}");
    bundle.create();
    let run = bundle.call(&["checkpoint", "c"]);
    assert!(run.fails(125).contains("created"), "{run}");
    bundle.call(&["delete", "-f", "c"]).ok();
}
