//! The leak ledger: what a berth has made on the host, and may not leave behind.
//!
//! Tests run side by side, so an entry counts only when it names the sandbox: its directory (in a mount, a
//! command line, an environment, a loop device), its cgroup parent or its bridge. Other network links carry no such
//! mark: they are compared with what was there before.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

/// Everything found that belongs to one sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    entries: BTreeSet<String>,
}

/// By which an entry is known to be ours.
#[derive(Debug, Clone)]
pub struct Mark {
    /// The sandbox's directory.
    pub directory: PathBuf,
    /// Last component of its cgroup parent.
    pub cgroup: String,
    /// Its bridge.
    pub bridge: String,
}

impl Ledger {
    /// Looks at the host.
    pub fn take(mark: &Mark) -> Ledger {
        let mut entries = BTreeSet::new();
        let directory = mark.directory.to_string_lossy();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        entries.extend(
            mounts
                .lines()
                .filter(|l| l.contains(&*directory))
                .map(|l| format!("mount: {l}")),
        );
        entries.extend(
            cgroups(mark)
                .iter()
                .map(|path| format!("cgroup: {}", path.display())),
        );
        for pid in processes(mark) {
            entries.insert(format!("process: {pid} {}", command_line(pid)));
        }
        entries.extend(loop_devices(&directory));
        let links = names("/sys/class/net").filter(|name| !is_anothers(name, &mark.bridge));
        entries.extend(links.map(|name| format!("link: {name}")));
        Ledger { entries }
    }

    /// What is in `self` and not in `before`.
    pub fn since(&self, before: &Ledger) -> Vec<String> {
        self.entries.difference(&before.entries).cloned().collect()
    }
}

/// Ends and removes all that is marked, so that one failed test does not disturb the next.
pub fn sweep(mark: &Mark) {
    for _ in 0..50 {
        let pids = processes(mark);
        if pids.is_empty() {
            break;
        }
        for pid in pids {
            if let Some(pid) = Pid::from_raw(pid) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let directory = mark.directory.to_string_lossy();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let targets = mounts
        .lines()
        .filter(|l| l.contains(&*directory))
        .filter_map(|l| l.split(' ').nth(4));
    for target in targets.collect::<Vec<_>>().into_iter().rev() {
        let _ = rustix::mount::unmount(target, rustix::mount::UnmountFlags::DETACH);
    }
    // Deepest first.
    for cgroup in cgroups(mark).into_iter().rev() {
        let _ = fs::remove_dir(cgroup);
    }
}

/// All directories at and below the cgroup parent, in each hierarchy; parents first.
pub fn cgroups(mark: &Mark) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    for line in mounts.lines().filter(|line| line.contains(" - cgroup")) {
        if let Some(hierarchy) = line.split(' ').nth(4) {
            let parent = Path::new(hierarchy).join(&mark.cgroup);
            if parent.is_dir() {
                found.push(parent.clone());
                directories_below(&parent, &mut found);
            }
        }
    }
    found
}

fn directories_below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            found.push(entry.path());
            directories_below(&entry.path(), found);
        }
    }
}

/// Processes that name the sandbox in their command line, environment or cgroup, or whose root is mounted
/// from it; never this one, nor process 1.
pub fn processes(mark: &Mark) -> Vec<i32> {
    let needle = mark.directory.to_string_lossy();
    let own = std::process::id().to_string();
    let marked = |pid: &String| {
        let has = |file: &str, needle: &str| {
            let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            String::from_utf8_lossy(&bytes).contains(needle)
        };
        *pid != own
            && pid != "1"
            && (has("cmdline", &needle)
                || has("environ", &needle)
                || has("cgroup", &mark.cgroup)
                || root_is_mounted_from(pid, &needle))
            && !is_zombie(pid)
    };
    let numbers = names("/proc").filter(|name| name.bytes().all(|b| b.is_ascii_digit()));
    numbers
        .filter(marked)
        .flat_map(|name| name.parse())
        .collect()
}

/// A container without a cgroup still has a root file system of layers in the sandbox.
fn root_is_mounted_from(pid: &str, needle: &str) -> bool {
    let mounts = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
    mounts
        .lines()
        .any(|line| line.split(' ').nth(4) == Some("/") && line.contains(needle))
}

/// Dead, and its parent has not looked yet.
fn is_zombie(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ")
        .next()
        .is_none_or(|rest| rest.starts_with(['Z', 'X']))
}

fn command_line(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// Whether a device is another sandbox's bridge, or a container's in it. Of networks that tests make (`br-…`) each sandbox
/// looks for its own.
fn is_anothers(name: &str, bridge: &str) -> bool {
    let link = fs::read_link(format!("/sys/class/net/{name}/master")).unwrap_or_default();
    let ours = name == bridge || link.file_name().is_some_and(|master| master == bridge);
    !ours && ["bt", "bv", "br-"].iter().any(|of| name.starts_with(of))
}

fn loop_devices(directory: &str) -> Vec<String> {
    let devices = names("/sys/block").filter(|name| name.starts_with("loop"));
    let backed = devices.filter_map(|name| {
        let file = fs::read_to_string(format!("/sys/block/{name}/loop/backing_file")).ok()?;
        file.contains(directory)
            .then(|| format!("loop device: {name} {}", file.trim()))
    });
    backed.collect()
}

fn names(directory: &str) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::programs::need_root;
    use crate::wait::eventually;

    #[test]
    fn what_is_left_is_found_and_swept() {
        need_root();
        let directory = tempfile::Builder::new()
            .prefix("berth-ledger.")
            .tempdir()
            .unwrap();
        let mark = Mark {
            directory: directory.path().to_owned(),
            cgroup: "berth-ledger-test".into(),
            bridge: "btledger".into(),
        };
        let before = Ledger::take(&mark);

        let mut child = Command::new("sleep")
            .arg("60")
            .env("LEAK", directory.path())
            .spawn()
            .unwrap();
        let mounted = directory.path().join("m");
        fs::create_dir(&mounted).unwrap();
        assert!(
            Command::new("mount")
                .args(["-t", "tmpfs", "none"])
                .arg(&mounted)
                .status()
                .unwrap()
                .success()
        );
        let hierarchy = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"]
            .iter()
            .find(|p| Path::new(p).is_dir())
            .unwrap();
        fs::create_dir_all(Path::new(hierarchy).join(&mark.cgroup).join("leaf")).unwrap();

        let kinds: Vec<String> = eventually("the process has its environment", || {
            let after = Ledger::take(&mark);
            let kinds: Vec<String> = after
                .since(&before)
                .iter()
                .map(|e| e.split(':').next().unwrap().to_owned())
                .collect();
            (kinds.len() == 4).then_some(kinds)
        });
        assert_eq!(kinds, ["cgroup", "cgroup", "mount", "process"]);

        sweep(&mark);
        child.wait().unwrap();
        assert_eq!(Ledger::take(&mark).since(&before), Vec::<String>::new());
    }
}
