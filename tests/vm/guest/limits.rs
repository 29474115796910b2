//! Limits on cgroup v2, as the kernel has them after `run`.

use testkit::harness::Test;

use crate::rig::Bundle;

pub const TESTS: &[Test] = testkit::tests![hello];

fn hello() {
    let bundle = Bundle::new("cat /proc/self/cgroup; cat /sys/fs/cgroup/cgroup.controllers");
    let run = bundle.run();
    println!("{run}");
    assert!(run.ok().starts_with("0::/"));
}
