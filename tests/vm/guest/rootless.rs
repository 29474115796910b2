//! Containers of an ordinary user whose systemd has delegated a cgroup to him.

use std::time::Duration;

use testkit::Finished;
use testkit::harness::Test;

use super::as_user;

pub const TESTS: &[Test] = testkit::tests![rootless_has_delegated_controllers];

const LIMIT: Duration = Duration::from_secs(60);

fn rootless_has_delegated_controllers() {
    let script = "id -u; cat /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/cgroup.controllers";
    let run = Finished::run(&mut as_user(script), b"", LIMIT);
    assert_eq!(run.ok(), "1000\ncpuset cpu io memory pids");
}
