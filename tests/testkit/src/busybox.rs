//! A root file system from busybox-static, without any engine: for tests of the runtime alone.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// Where Debian's busybox-static puts it.
const BUSYBOX: &str = "/bin/busybox";

/// Makes `root` with busybox, its commands, and the usual directories and files.
///
/// # Panics
/// When busybox-static is not installed, or on a file system error.
pub fn make_rootfs(root: &Path) {
    for directory in ["bin", "dev", "etc", "proc", "root", "sys", "tmp", "var"] {
        fs::create_dir_all(root.join(directory)).expect("a directory");
    }
    fs::copy(BUSYBOX, root.join("bin/busybox")).expect("busybox-static is installed");
    for applet in applets() {
        let link = root.join("bin").join(applet);
        if link.symlink_metadata().is_err() {
            symlink("busybox", link).expect("a link");
        }
    }
    fs::write(
        root.join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n",
    )
    .expect("a file");
    fs::write(
        root.join("etc/group"),
        "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n",
    )
    .expect("a file");
}

fn applets() -> Vec<String> {
    let output = Command::new(BUSYBOX)
        .arg("--list")
        .output()
        .expect("busybox-static is installed");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}
