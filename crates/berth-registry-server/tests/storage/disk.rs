//! Disks of one's own: a small ext4 in a file, or a tmpfs; unmounted at the end, however that comes.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Something mounted.
pub struct Disk {
    at: PathBuf,
}

impl Disk {
    /// A tmpfs of this size.
    pub fn memory(at: &Path, bytes: u64) -> Disk {
        Disk::mount(
            at,
            &["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"],
        )
    }

    /// The ext4 in a file. Nothing reaches it but by a sync (or when memory is short).
    pub fn file(at: &Path, file: &Path, data: &str) -> Disk {
        let options = format!("loop,commit=300,data={data}");
        Disk::mount(at, &["-t", "ext4", "-o", &options, file.to_str().unwrap()])
    }

    fn mount(at: &Path, args: &[&str]) -> Disk {
        std::fs::create_dir_all(at).unwrap();
        run(Command::new("mount").args(args).arg(at));
        Disk { at: at.to_owned() }
    }

    /// Where the registry is on it.
    pub fn root(&self) -> PathBuf {
        self.at.join("registry")
    }

    pub fn at(&self) -> &Path {
        &self.at
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Where a test has failed, somebody may still be in it.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

/// Makes an empty ext4 in a file.
pub fn format(file: &Path, bytes: u64) {
    std::fs::File::create(file).unwrap().set_len(bytes).unwrap();
    run(Command::new("mkfs.ext4")
        .args([
            "-q",
            "-m",
            "0",
            "-E",
            "lazy_itable_init=0,lazy_journal_init=0",
        ])
        .arg(file));
}

pub fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
}
