//! What this host may lack, in virtual machines: cgroup v2 alone, and systemd.
//!
//! qemu boots Debian's cloud kernel (`tools/vm-kernel`) by plain emulation, so no /dev/kvm is needed.
//!
//! - [`small`]: an initramfs with busybox, the three programs and `small.sh`: the engine without systemd.
//! - [`system`]: Debian 12 with systemd 252 on a disk (`tools/vm-image`). This test program is on a second one and
//!   runs there as root, once for each test in [`guest`], then powers the machine off: one boot for all, one
//!   with the hierarchies of cgroup v1 for the tests whose names begin with `hybrid_`. In `make test-full` those of
//!   `network_` have another, and those of `reboot_` one each, on one disk.
//!
//! **A new test in the whole guest** is a function of no arguments in a file of `guest/`, in that file's `TESTS`.
//! It panics when something is not as it should be; what it prints is shown when it fails. The programs under test
//! are in `/share/bin`; [`rig::Bundle`] makes bundles for the runtime as in the runtime's own tests;
//! `guest::as_user` runs a command as the user `berth-test`, who has a systemd of his own (linger), subordinate
//! ids and all controllers delegated. The root file system is thrown away at power off: change what you like.
//!
//! By hand, as root:
//! ```text
//! tools/build && tools/vm-kernel && tools/vm-image
//! cargo nextest run -p vm-tests whole_system
//! BERTH_GUEST=limits cargo nextest run -p vm-tests whole_system --no-capture    only those named so
//! BERTH_RUNTIME=target/debug/berth-runtime …                                    another runtime than tools/build's
//! ```
#![cfg(target_arch = "x86_64")]
#![allow(clippy::unwrap_used, reason = "what is not as expected fails the test")]

mod guest;
mod machine;
#[path = "../../crates/berth-runtime/tests/rig/mod.rs"]
mod rig;
mod small;
mod system;

use std::process::ExitCode;

use small::cgroup_v2_alone;
use system::{whole_system, whole_system_hybrid, whole_system_networks, whole_system_reboots};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("guest") => guest::run_all(args.get(1).map_or("", String::as_str)),
        Some("guest-test") => guest::run_one(&args[1]),
        _ => {
            let tests = testkit::tests![cgroup_v2_alone, whole_system, whole_system_hybrid];
            // Minutes of emulation each.
            let long = testkit::tests![whole_system_networks, whole_system_reboots];
            testkit::harness::run(tests, long)
        }
    }
}
