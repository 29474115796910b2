//! A virtual machine from power on to power off, and what it is made of.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use testkit::{Finished, programs};

/// Emulated, and beside other tests. nextest's own limit is above it.
const LIMIT: Duration = Duration::from_secs(840);

/// qemu by plain emulation with this kernel command line; the console's text. `more` are arguments of qemu.
pub fn boot(initramfs: &Path, command_line: &str, more: &[String]) -> String {
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "1024"])
        .args(["-nodefaults", "-no-user-config", "-nographic"])
        .args(["-serial", "stdio", "-no-reboot"])
        .arg("-kernel")
        .arg(file("vmlinuz"))
        .arg("-initrd")
        .arg(initramfs)
        .arg("-append")
        .arg(format!(
            "console=ttyS0 quiet panic=-1 reboot=t {command_line}"
        ))
        .args(more);
    Finished::run(&mut qemu, b"", LIMIT).stdout
}

/// A file that `tools/vm-kernel` or `tools/vm-image` has made.
pub fn file(name: &str) -> PathBuf {
    let target = programs::directory().join("../vm").join(name);
    assert!(
        target.exists(),
        "{} is missing: run tools/vm-kernel and tools/vm-image",
        target.display()
    );
    target
}

/// Packs a directory.
pub fn initramfs(root: &Path, packed: &Path) {
    let pack = "cd \"$1\" && find . | cpio --quiet -o -H newc >\"$2\"";
    shell(pack, &[root, packed]);
}

/// Runs a script of the shell, which must succeed.
pub fn shell(script: &str, arguments: &[&Path]) {
    let status = Command::new("sh")
        .args(["-euc", script, "sh"])
        .args(arguments)
        .status();
    assert!(status.unwrap().success(), "{script}");
}

/// Copies a file into a directory, which is made.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let target = to.join(from.file_name().unwrap());
    fs::copy(from, target).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
}

/// The shared libraries of a program, its loader among them.
pub fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let paths = text.split_whitespace().filter(|word| word.starts_with('/'));
    paths.map(PathBuf::from).collect()
}
