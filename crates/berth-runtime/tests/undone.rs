//! What a failed creation could not undo is kept until `delete --force` can; a killed `start` can be repeated.
//! Needs root, busybox-static and strace.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod rig;

use std::path::{Path, PathBuf};
use std::process::Command;

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
