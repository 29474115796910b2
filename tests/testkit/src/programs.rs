//! Where the programs under test are.

use std::path::PathBuf;

/// The directory with berth, berth-runtime and berth-monitor: `BERTH_BIN_DIR`, or where `tools/build` puts
/// them.
///
/// # Panics
/// When they are not built.
pub fn directory() -> PathBuf {
    let directory = match std::env::var_os("BERTH_BIN_DIR") {
        Some(directory) => PathBuf::from(directory),
        None => {
            let target =
                std::env::var_os("CARGO_TARGET_DIR").map_or_else(repository_target, PathBuf::from);
            target.join("berth")
        }
    };
    assert!(
        directory.join("berth").exists(),
        "{} has no berth: run tools/build",
        directory.display()
    );
    directory
}

fn repository_target() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target"))
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
