//! A container's cgroup: v1, v2 and hybrid layouts behind one interface. Synchronous, no unsafe.
//!
//! ```text
//!   v1 / hybrid                                   v2
//!   /sys/fs/cgroup/memory/berth/<id>   limits     /sys/fs/cgroup/berth/<id>   limits, kill, freeze,
//!   /sys/fs/cgroup/pids/berth/<id>     limits                                 device program
//!   …one leaf per controller
//!   /sys/fs/cgroup/unified/berth/<id>  kill, freeze
//! ```
//!
//! [`Cgroup::begin`] makes the unified leaf, into which init is cloned straight ([`Cgroup::unified_fd`],
//! CLONE_INTO_CGROUP), [`Cgroup::complete`] the others, with the limits; on v1 init joins those itself
//! ([`Cgroup::join_v1_of`]) before it unshares its cgroup namespace: a namespace's root is the
//! cgroup that its maker is in, and whoever sat in the real root would see other containers'
//! names (security: D35). Where [`systemd`] makes the leaf, [`Cgroup::adopt`] takes it over.

mod apply;
mod begin;
mod create;
mod delegation;
mod device_program;
mod devices;
mod dir;
mod error;
mod find;
mod freeze;
mod kill;
mod layout;
mod limits;
mod oom;
mod owner;
mod remove;
mod stats;
pub mod systemd;
mod update;
mod usage;
mod v1;
mod v2;
mod words;

#[cfg(test)]
mod tests;

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

pub use begin::Rest;
pub use error::{Error, Result};
pub use freeze::FrozenFile;
pub use layout::{Hierarchy, Layout};
pub use limits::Limit;
pub use oom::OomWatch;
pub use stats::Stats;
pub use usage::{Counters, CpuSet, CpuUse, Io, IoEntry, MemoryUse, Pressure, Stall, Usage};

use dir::Dir;

/// How to make a cgroup, beside its limits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The caller is an ordinary user (or root of a user namespace): the leaf goes below the
    /// caller's own cgroup in each hierarchy where it may write, and nowhere else. A limit that
    /// needs another hierarchy is refused as unsupported; device rules are left to the user
    /// namespace, which cannot make device nodes anyway.
    pub rootless: bool,
}

/// A container's cgroup directories, one in each hierarchy.
#[derive(Debug, Default)]
pub struct Cgroup {
    dirs: Vec<Dir>,
}

impl Cgroup {
    /// Opens the directories that [`Cgroup::paths`] once gave. Those that are gone are left out.
    ///
    /// # Errors
    /// When one is there and cannot be opened.
    pub fn open(paths: &[PathBuf]) -> Result<Self> {
        let mut dirs = Vec::with_capacity(paths.len());
        for path in paths {
            match Dir::open(path) {
                Ok(dir) => dirs.push(dir),
                Err(Error::OpenDir {
                    source: Errno::NOENT,
                    ..
                }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(Cgroup { dirs })
    }

    /// As [`Cgroup::open`]; `None` if the first directory is not the one that [`Cgroup::inode`] was asked
    /// for: a cgroup that was empty may have made way for somebody else's of the same name.
    ///
    /// # Errors
    /// Likewise.
    pub fn open_same(paths: &[PathBuf], number: Option<u64>) -> Result<Option<Self>> {
        let cgroup = Self::open(paths)?;
        // One that is gone is nobody's.
        let first = cgroup
            .dirs
            .first()
            .filter(|dir| paths.first() == Some(&dir.path));
        let same = match (number, first) {
            (Some(_), Some(_)) => cgroup.inode() == number,
            _ => true,
        };
        Ok(same.then_some(cgroup))
    }

    /// The number of its first directory, which the kernel gives no other one while it runs.
    pub fn inode(&self) -> Option<u64> {
        let stat = rustix::fs::fstat(self.dirs.first()?).ok()?;
        Some(stat.st_ino)
    }

    /// The directories, as absolute paths.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.dirs.iter().map(|d| d.path.clone()).collect()
    }

    /// Whether no hierarchy has a leaf (rootless without delegation, or all removed).
    pub fn is_empty(&self) -> bool {
        self.dirs.is_empty()
    }

    /// The leaf for CLONE_INTO_CGROUP; none on a pure v1 host.
    pub fn unified_fd(&self) -> Option<BorrowedFd<'_>> {
        self.unified().map(Dir::as_fd)
    }

    /// Moves the calling thread into the v1 leaves. For init's paused child, right after it was
    /// cloned and while it has one thread: the kernel then needs no lock against forks, whose
    /// taking would wait for an RCU grace period (milliseconds).
    ///
    /// # Errors
    /// The refused write.
    pub fn join_v1(&self) -> Result<()> {
        // `tasks` and 0, not `cgroup.procs` and a pid: see above. Source: cgroup_procs_write_start().
        self.v1().try_for_each(|dir| dir.write("tasks", "0"))
    }

    /// Moves a process into the v1 leaves.
    ///
    /// # Errors
    /// The refused write.
    pub fn add_v1(&self, pid: i32) -> Result<()> {
        self.v1()
            .try_for_each(|dir| dir.write("cgroup.procs", &pid.to_string()))
    }

    /// Moves a process into all leaves.
    ///
    /// # Errors
    /// The refused write.
    pub fn add(&self, pid: i32) -> Result<()> {
        self.dirs
            .iter()
            .try_for_each(|dir| dir.write("cgroup.procs", &pid.to_string()))
    }

    /// The processes in the cgroup and below it, as pids of the caller's pid namespace, ascending.
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub fn procs(&self) -> Result<Vec<i32>> {
        let mut pids = Vec::new();
        if let Some(dir) = self
            .unified()
            .or(self.dir_with("freezer.state"))
            .or(self.dirs.first())
        {
            kill::collect(dir, &mut pids)?;
        }
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    fn unified(&self) -> Option<&Dir> {
        self.dirs.iter().find(|d| d.unified)
    }

    fn v1(&self) -> impl Iterator<Item = &Dir> {
        self.dirs.iter().filter(|d| !d.unified)
    }

    /// The v1 directory of a controller, one of whose files is `file`.
    fn v1_of(&self, controller: &str, file: &str) -> Option<&Dir> {
        self.v1().find(|dir| dir.is_of(controller, file))
    }

    /// The directory that has a certain file: which controller a v1 directory belongs to shows
    /// in its files.
    fn dir_with(&self, file: &str) -> Option<&Dir> {
        self.dirs.iter().find(|d| d.has(file))
    }
}

/// Splits an absolute cgroup path into its components.
fn components(path: &str) -> Result<Vec<String>> {
    let bad = || Error::BadPath {
        path: path.to_owned(),
    };
    let parts: Vec<String> = path
        .strip_prefix('/')
        .ok_or_else(bad)?
        .split('/')
        .filter(|p| !p.is_empty())
        .map(str::to_owned)
        .collect();
    let climbs = |p: &String| p == "." || p == ".." || p.contains(['\0', '\n']);
    if parts.is_empty() || parts.iter().any(climbs) {
        Err(bad())
    } else {
        Ok(parts)
    }
}

/// `mount` and the components of a cgroup below it.
fn join(mount: &Path, parts: &[String]) -> PathBuf {
    let mut path = mount.to_owned();
    path.extend(parts);
    path
}
