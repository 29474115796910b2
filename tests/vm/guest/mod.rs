//! Inside the whole guest: the tests, and what runs them there, each in a process of its own.

mod apparmor;
mod cgroups;
mod criu;
mod daemon;
mod journald;
mod limits;
mod networks;
mod resources;
mod rootless;
mod systemd;
mod systemd_hybrid;
mod systemd_user;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use testkit::Finished;
use testkit::harness::Test;

/// Files with tests.
const ALL: &[&[Test]] = &[
    limits::TESTS,
    journald::TESTS,
    networks::TESTS,
    apparmor::TESTS,
    resources::TESTS,
    cgroups::TESTS,
    criu::TESTS,
    daemon::TESTS,
    rootless::TESTS,
    systemd_hybrid::TESTS,
    systemd_user::TESTS,
    systemd::TESTS,
];

/// Of one test.
const LIMIT: Duration = Duration::from_secs(150);

/// How the names of tests begin that want cgroup v1, which is another boot.
pub const HYBRID: &str = "hybrid_";
/// And of those that begin so, which would make the first boot too long.
pub const NETWORK: &str = "network_";
/// And of those that have a boot each, one after the other on the same disk.
pub const REBOOT: &str = "reboot_";

/// The tests with `filter` in their names.
pub fn names(filter: &str) -> Vec<&'static str> {
    let all = ALL.iter().copied().flatten().map(|(name, _)| *name);
    let alike = |name: &str, apart: &str| name.starts_with(apart) == filter.starts_with(apart);
    let fits = |name: &str| {
        [HYBRID, NETWORK, REBOOT]
            .iter()
            .all(|apart| alike(name, apart))
    };
    all.filter(|name| name.contains(filter) && fits(name))
        .collect()
}

/// Runs them all, and tells of each.
pub fn run_all(filter: &str) -> ExitCode {
    println!(); // the firmware's line ends here
    for name in names(filter) {
        let command = std::env::var("BERTH_GUEST").unwrap();
        let mut words = command.split(' ');
        let mut test = Command::new(words.next().unwrap());
        test.args(words).args(["guest-test", name]);
        let begun = Instant::now();
        let run = catch_unwind(AssertUnwindSafe(|| Finished::run(&mut test, b"", LIMIT)));
        match run {
            Ok(run) if run.status.success() => println!("ok {name} {:.1?}", begun.elapsed()),
            Ok(run) => println!("FAIL {name}\n{run}"),
            Err(_) => println!("FAIL {name}: no end"),
        }
    }
    println!("end");
    ExitCode::SUCCESS
}

/// Runs the test of this name.
pub fn run_one(name: &str) -> ExitCode {
    let all = ALL.iter().copied().flatten();
    all.filter(|test| test.0 == name).for_each(|test| test.1());
    ExitCode::SUCCESS
}

/// A line of root's shell, which finds what is installed first.
pub fn shell(line: &str) -> Finished {
    let mut shell = Command::new("/bin/sh");
    let line = format!("PATH=/usr/local/bin:$PATH; {line}");
    // As slow as an emulated machine beside others is.
    Finished::run(shell.args(["-c", &line]), b"", Duration::from_secs(120))
}

/// A script of the user `berth-test`, in a scope-like unit of his own systemd with all its controllers delegated.
pub fn as_user(script: &str) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=1000", "--regid=1000", "--clear-groups"])
        .args([
            "env",
            "HOME=/home/berth-test",
            "XDG_RUNTIME_DIR=/run/user/1000",
        ])
        .args(["systemd-run", "--quiet", "--user", "--pipe", "--wait"])
        .args(["--property=Delegate=yes", "sh", "-euc", script]);
    command
}
