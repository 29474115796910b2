//! The Debian package that `make deb` makes: it is installed, upgraded while a container runs, removed and purged, in a
//! copy of this machine's root that nobody else sees.

use std::process::Command;
use std::time::Duration;

use testkit::{Finished, Sandbox, programs};

/// Building an archive of a program with debug information, and dpkg's own work.
const PATIENCE: Duration = Duration::from_secs(300);

fn package(sandbox: &Sandbox, version: &str) -> String {
    let repository = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let mut build = Command::new(format!("{repository}/tools/deb"));
    build
        .arg(sandbox.home())
        .env("BERTH_BIN_DIR", programs::directory())
        .env("BERTH_DEB_VERSION", version)
        .env("BERTH_DEB_COMPRESSION", "none");
    Finished::run(&mut build, b"", PATIENCE).ok().to_owned()
}

#[test]
fn the_package_is_installed_upgraded_removed_and_purged() {
    let s = Sandbox::root();
    let (one, two) = (package(&s, "1"), package(&s, "2"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/package.sh");
    let mut life = s.command("unshare");
    life.args(["--mount", "--net", "--propagation", "private", "sh", script]);
    life.arg(s.folder("copy")).args([&one, &two]);
    life.arg(format!("/{}", s.cgroup_parent()));
    let ended = Finished::run(&mut life, b"", PATIENCE);
    assert!(ended.ok().ends_with("== done"), "{ended}");
}
