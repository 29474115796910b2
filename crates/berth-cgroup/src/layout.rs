//! Where the cgroup hierarchies are mounted on this host: v1, v2 (unified) or both (hybrid).
//!
//! Read once from `/proc/self/mountinfo`, whose lines are
//! `ID PARENT MAJ:MIN ROOT MOUNTPOINT OPTIONS [TAGS…] - TYPE SOURCE SUPEROPTIONS`;
//! a v1 hierarchy names its controllers in the super options.

use std::path::PathBuf;

use rustix::fs::{CWD, Mode, OFlags};

use crate::dir::read_fd;
use crate::error::{Error, Result};

/// The v1 controllers that a container's leaf may be made for, and systemd's hierarchy without one.
///
/// Which of them a container needs is for [`crate::Cgroup::begin`] to say; `perf_event` and `misc`
/// limit nothing that the specification knows by a v1 name.
pub(crate) const V1_CONTROLLERS: [&str; 13] = [
    "memory", "cpu", "cpuacct", "cpuset", "pids", "devices", "blkio", "freezer", "hugetlb",
    "net_cls", "net_prio", "rdma", SYSTEMD,
];

/// The hierarchy by which systemd tracks processes on v1 and hybrid hosts.
pub(crate) const SYSTEMD: &str = "name=systemd";

/// One mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// Which cgroup the mount shows as its root: `/` but for bind mounts.
    pub root: String,
    /// The v1 controllers (or `name=…`); empty for the unified hierarchy.
    pub controllers: Vec<String>,
}

impl Hierarchy {
    /// Whether it is the v1 hierarchy of a controller.
    pub(crate) fn is_of(&self, controller: &str) -> bool {
        self.controllers.iter().any(|c| c == controller)
    }
}

/// All mounted hierarchies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// cgroup v2.
    pub unified: Option<Hierarchy>,
    /// cgroup v1, in mount order, each with at least one controller.
    pub v1: Vec<Hierarchy>,
}

impl Layout {
    /// Reads this process's mounts.
    ///
    /// # Errors
    /// When `/proc` cannot be read or no hierarchy is mounted.
    pub fn detect() -> Result<Self> {
        let text = read_proc("/proc/self/mountinfo")?;
        let layout = Layout::parse(&text);
        if layout.unified.is_none() && layout.v1.is_empty() {
            return Err(Error::NoHierarchy);
        }
        Ok(layout)
    }

    /// Picks the hierarchies out of the text of a `mountinfo`. The first mount of each wins.
    pub fn parse(mountinfo: &str) -> Self {
        let mut layout = Layout::default();
        for line in mountinfo.lines() {
            // Cheap refusal of the many other mounts.
            let Some((head, tail)) = line.split_once(" - cgroup") else {
                continue;
            };
            let mut fields = head.split(' ').skip(3);
            let (Some(root), Some(mount)) = (fields.next(), fields.next()) else {
                continue;
            };
            let hierarchy = |controllers| Hierarchy {
                mount: PathBuf::from(unescape(mount)),
                root: unescape(root),
                controllers,
            };
            if tail.starts_with("2 ") {
                if layout.unified.is_none() {
                    layout.unified = Some(hierarchy(Vec::new()));
                }
                continue;
            }
            let options = tail.rsplit(' ').next().unwrap_or_default();
            let controllers: Vec<String> = options
                .split(',')
                .filter(|o| V1_CONTROLLERS.contains(o))
                .map(str::to_owned)
                .collect();
            let known = |c: &String| layout.v1.iter().any(|h| h.controllers.contains(c));
            if !controllers.is_empty() && !controllers.iter().any(known) {
                layout.v1.push(hierarchy(controllers));
            }
        }
        layout
    }

    /// All of them, the unified one last.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Hierarchy> {
        self.v1.iter().chain(&self.unified)
    }

    /// The v1 hierarchy of a controller.
    pub fn v1_of(&self, controller: &str) -> Option<&Hierarchy> {
        self.v1.iter().find(|h| h.is_of(controller))
    }

    /// Whether the kernel counts swap for cgroups: without it no limit on swap can be set.
    pub fn swap_accounting(&self) -> bool {
        match self.v1_of("memory") {
            Some(memory) => memory.mount.join("memory.memsw.limit_in_bytes").exists(),
            // The root of v2 has no limits to look at; the kernel's own switch tells.
            None => std::path::Path::new("/proc/swaps").exists(),
        }
    }
}

/// Reads a whole file of `/proc` as text.
pub(crate) fn read_proc(path: &'static str) -> Result<String> {
    let read = || {
        let fd = rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        read_fd(&fd)
    };
    read().map_err(|source| Error::ReadProc { path, source })
}

/// Undoes the kernel's `\040`-style escapes.
fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let octal = (first == b'\\')
            .then(|| after.get(..3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match octal {
            Some(byte) => {
                out.push(byte);
                rest = &after[3..];
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
23 1 254:0 / / rw,relatime - ext4 /dev/root rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu\\040set rw,relatime shared:4 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 /sub /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
99 23 0:32 / /mnt/memory rw,relatime - cgroup cgroup rw,memory
";

    #[test]
    fn hybrid_hosts_show_both_kinds() {
        let layout = Layout::parse(HYBRID);
        assert_eq!(
            layout.unified.as_ref().map(|u| u.mount.clone()),
            Some("/sys/fs/cgroup/unified".into())
        );
        assert_eq!(layout.v1.len(), 3, "the second memory is the same one");
        assert_eq!(layout.v1_of("cpuacct"), layout.v1_of("cpu"));
        assert_eq!(
            layout.v1_of("cpu").map(|h| h.mount.clone()),
            Some("/sys/fs/cgroup/cpu set".into())
        );
        assert_eq!(
            layout.v1_of("memory").map(|h| h.root.as_str()),
            Some("/sub")
        );
        assert_eq!(layout.v1_of("pids"), None);
        assert!(layout.v1_of(SYSTEMD).is_some());
    }

    #[test]
    fn a_pure_v2_host_has_no_v1() {
        let layout = Layout::parse(
            "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n",
        );
        assert!(layout.v1.is_empty());
        assert_eq!(
            layout.unified.map(|u| u.mount),
            Some("/sys/fs/cgroup".into())
        );
    }

    #[test]
    fn this_host_has_a_layout() {
        assert!(Layout::detect().is_ok());
    }
}
