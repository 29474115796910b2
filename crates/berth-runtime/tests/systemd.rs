//! `--systemd-cgroup` where there is no systemd, as on most machines that build this. With one: tests/vm.
#![allow(clippy::unwrap_used, reason = "what is not as expected fails the test")]

mod rig;

use rig::Bundle;
use serde_json::json;

#[test]
fn without_systemd_it_is_refused_with_a_hint() {
    let mut bundle = Bundle::new("true");
    bundle.config["linux"]["cgroupsPath"] = json!("system.slice:berth:rt-none");
    let run = bundle.call(&["--systemd-cgroup", "run", "c"]);
    if std::path::Path::new("/run/systemd/system").is_dir() {
        run.ok();
        return;
    }
    let told = run.stderr.as_str();
    assert!(!run.status.success());
    assert!(
        told.contains("--systemd-cgroup needs a running systemd: there is no /run/systemd/system"),
        "{told}"
    );
    assert!(told.contains("hint: leave it out"), "{told}");
}
