//! Where the programs under test are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The directory with berth, berth-runtime and berth-monitor: `BERTH_BIN_DIR`, or where `tools/build` puts
/// them.
///
/// # Panics
/// When they are not built.
pub fn directory() -> PathBuf {
    let directory = match std::env::var_os("BERTH_BIN_DIR") {
        Some(directory) => PathBuf::from(directory),
        None => target().join("berth"),
    };
    assert!(
        directory.join("berth").exists(),
        "{} has no berth: run tools/build",
        directory.display()
    );
    directory
}

/// The monitor's executable: the one in `BERTH_BIN_DIR`, or built by its own command.
///
/// # Panics
/// When it cannot be built.
pub fn monitor() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        if let Some(directory) = std::env::var_os("BERTH_BIN_DIR") {
            return Path::new(&directory).join("berth-monitor");
        }
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--profile", "runtime", "-p"])
            .args(["berth-monitor", "--features", "bin", "--bin"])
            .arg("berth-monitor")
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(built.success(), "the monitor builds");
        target().join("runtime/berth-monitor")
    })
}

/// A program of others that `tools/peers` brings: `skopeo`, `cosign`.
///
/// # Panics
/// When it is not there.
pub fn peer(name: &str) -> PathBuf {
    let path = target().join("peers").join(name);
    assert!(path.exists(), "no {}: run tools/peers", path.display());
    path
}

/// Private memory of a process in KiB.
///
/// # Panics
/// When there is no such process.
pub fn private_kib(pid: u32) -> u64 {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = std::fs::read_to_string(path).expect("the process runs");
    let private = text.lines().filter(|line| line.starts_with("Private_"));
    let kib = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    private.map(|line| kib(line).expect("a number")).sum()
}

pub(crate) fn target() -> PathBuf {
    let repository = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target"));
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(repository, PathBuf::from)
}

/// Fails the test unless it runs as root: containers of root need it, and so does becoming another user.
///
/// # Panics
/// When the effective user is not root.
pub fn need_root() {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test needs root: run `make test`"
    );
}
