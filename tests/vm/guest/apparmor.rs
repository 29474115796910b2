//! AppArmor: a container's processes are confined by the profile that is named, or do not run.
//!
//! Source: runtime-spec config.md, "Linux Process", `apparmorProfile`; apparmor.d(5).

use serde_json::json;
use testkit::harness::Test;

use super::limits::end;
use crate::rig::Bundle;

pub const TESTS: &[Test] = testkit::tests![
    apparmor_confines_init_and_execs,
    apparmor_profile_that_is_not_loaded_is_refused,
];

/// All is allowed but to write one file.
const PROFILE: &str = "profile berth-test flags=(attach_disconnected,mediate_deleted) {
  capability,
  file,
  mount,
  umount,
  network,
  ptrace,
  signal,
  unix,
  deny /tmp/secret w,
}
";

/// Enters the profile into the kernel; it is gone with the machine.
fn load() {
    assert_eq!(
        std::fs::read_to_string("/sys/module/apparmor/parameters/enabled").unwrap(),
        "Y\n"
    );
    if !std::path::Path::new("/sys/kernel/security/apparmor").exists() {
        testkit::Finished::run(
            std::process::Command::new("mount").args([
                "-t",
                "securityfs",
                "none",
                "/sys/kernel/security",
            ]),
            b"",
            std::time::Duration::from_secs(60),
        )
        .ok();
    }
    let mut parser = std::process::Command::new("apparmor_parser");
    parser.args(["--replace", "--skip-cache"]);
    testkit::Finished::run(
        &mut parser,
        PROFILE.as_bytes(),
        std::time::Duration::from_secs(60),
    )
    .ok();
}

/// Who one is, and what one may write.
const SHOW: &str = "cat /proc/self/attr/current; \
    for f in secret open; do echo x 2>/dev/null >/tmp/$f && echo wrote $f; done; true";

fn apparmor_confines_init_and_execs() {
    load();
    let confined = "berth-test (enforce)\nwrote open";
    let free = "unconfined\nwrote secret\nwrote open";
    for (profile, no_new_privileges, says) in [
        (json!("berth-test"), true, confined),
        (json!("berth-test"), false, confined),
        (json!("unconfined"), true, free),
        (json!(null), false, free),
    ] {
        let mut bundle = Bundle::new(SHOW);
        bundle.mount(json!({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}));
        bundle.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        bundle.config["process"]["apparmorProfile"] = profile.clone();
        assert_eq!(bundle.run().ok(), says, "{profile}");

        bundle.config["process"]["args"] = json!(["sleep", "1000"]);
        bundle.start();
        let exec = bundle.call(&["exec", "c", "sh", "-c", SHOW]);
        assert_eq!(exec.ok(), says, "exec, {profile}");
        let exec = ["exec", "--apparmor", "berth-test", "c", "sh", "-c", SHOW];
        assert_eq!(bundle.call(&exec).ok(), confined, "exec --apparmor");
        let init = bundle.state()["pid"].to_string();
        let init = std::fs::read_to_string(format!("/proc/{init}/attr/current")).unwrap();
        assert_eq!(init.trim(), says.lines().next().unwrap());
        end(&bundle);
    }
}

fn apparmor_profile_that_is_not_loaded_is_refused() {
    load();
    let mut bundle = Bundle::new("sleep 1000");
    bundle.start();
    let exec = bundle.call(&["exec", "--apparmor", "no-such", "c", "true"]);
    let told = |said: &str| said.contains("no-such") && said.contains("must be loaded");
    assert!(told(exec.fails(125)), "{exec}");
    end(&bundle);
    bundle.config["process"]["apparmorProfile"] = json!("no-such");
    let run = bundle.run();
    assert!(told(run.fails(125)), "{run}");
    assert_eq!(bundle.leaks(), [""; 0]);
}
