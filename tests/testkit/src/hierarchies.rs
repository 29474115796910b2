//! Which cgroup hierarchies the kernel has is the same for all: a test that needs them to stay as they are
//! takes a lock, and one that makes some takes another.

use std::fs::{self, File};
use std::process::Command;

/// Until this is dropped no test makes a hierarchy, and each that there is is mounted. containerd measures
/// nothing while `/proc/self/cgroup` names one that is not.
///
/// # Panics
/// Without `/run/lock`.
pub fn steady() -> File {
    // What a test that was killed has left goes before.
    drop(changing());
    let file = lock_file();
    file.lock_shared().expect("the lock");
    file
}

/// Until this is dropped the test that has it may make hierarchies; those that are mounted no more go then.
///
/// # Panics
/// Without `/run/lock`.
pub fn changing() -> Changing {
    let file = lock_file();
    file.lock().expect("the lock");
    Changing { _lock: file }
}

/// The lock of one who makes hierarchies.
#[derive(Debug)]
pub struct Changing {
    _lock: File,
}

impl Drop for Changing {
    fn drop(&mut self) {
        // One that was emptied just now needs a moment more.
        for _ in 0..50 {
            let Some(controllers) = unmounted().pop() else {
                break;
            };
            remove(&controllers);
        }
    }
}

fn lock_file() -> File {
    File::create("/run/lock/berth-test-hierarchies").expect("a lock file")
}

/// Hierarchies of v1 that are not mounted here: they outlive an unmount by which they were not empty.
fn unmounted() -> Vec<String> {
    let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut all = Vec::new();
    for line in cgroups.lines() {
        let controllers = line.split(':').nth(1).unwrap_or_default();
        let is_mounted = mounts.lines().any(|mount| {
            mount.contains(" - cgroup ") && mount.ends_with(&format!(",{controllers}"))
        });
        if !controllers.is_empty() && !controllers.starts_with("name=") && !is_mounted {
            all.push(controllers.to_owned());
        }
    }
    all
}

/// One that is empty goes with its last mount.
fn remove(controllers: &str) {
    let place = tempfile::tempdir().expect("a directory");
    let script = "mount -t cgroup -o \"$1\" none \"$2\" && { rmdir \"$2\"/*/* \"$2\"/*; umount \"$2\"; sleep 0.1; }";
    let _ = Command::new("sh")
        .args(["-c", script, "sh", controllers])
        .arg(place.path())
        .output();
}
