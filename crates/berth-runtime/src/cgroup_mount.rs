//! `/sys/fs/cgroup` of a container: its own cgroups, and nobody else's (security: R9, D35).
//!
//! ```text
//! v1, hybrid   tmpfs with one directory a hierarchy, on which the container's leaf is bound
//! v2           the container's leaf
//! ```
//! A hierarchy in which the container has no leaf is not shown: its root would list all others.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use berth_sys::mount::attr;
use rustix::fs::{Mode, OFlags};

use crate::mount_options::{Attributes, Options};
use crate::mount_source::{configure_rest, copy};
use crate::mounts::{Context, attach as attach_mount, detached, magic, make_read_only};

/// Where hosts mount their cgroups.
const HOST: &str = "/sys/fs/cgroup";
/// `f_type` of cgroup v2. Source: linux/magic.h.
const CGROUP2_MAGIC: u64 = 0x6367_7270;

/// Makes the mounts at `target`, with directories of the names `below` for further mounts where the top is
/// ours; returns the top one.
///
/// # Errors
/// The kernel's.
pub(crate) fn attach(
    kind: &str,
    target: impl AsFd,
    options: &Options,
    context: &Context<'_>,
    below: &[String],
) -> io::Result<OwnedFd> {
    if let Some((word, _)) = options.data.iter().find(|(word, _)| !is_of_all(word)) {
        let message = format!("unknown option `{word}`: what the host mounted is shown");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let set = options.own.set;
    let (leaves, unified) = (context.entry.paths(), host_is_unified());
    let top = if kind != "cgroup2" && !unified {
        attach_hierarchies(&target, set, leaves, below)?
    } else {
        // Of type `cgroup2` it is that hierarchy alone, also on a host that has others.
        match leaves.iter().find(|leaf| unified || is_unified(leaf)) {
            Some(leaf) => attached(leaf_mount(leaf, set)?, &target)?,
            None if context.own_cgroup_namespace => attached(new("cgroup2", &[], set)?, &target)?,
            // Nothing of the container's to show.
            None => attach_hierarchies(&target, set, &[], below)?,
        }
    };
    configure_rest(&top, options, true)?;
    Ok(top)
}

/// Options of the whole hierarchy, which only its first mount on a host decides about.
fn is_of_all(word: &str) -> bool {
    word == "nsdelegate" || word.starts_with("memory_")
}

/// Whether the host has cgroup v2 alone.
pub(crate) fn host_is_unified() -> bool {
    is_unified(Path::new(HOST))
}

fn is_unified(directory: &Path) -> bool {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, Mode::empty())
        .is_ok_and(|directory| magic(directory).is_ok_and(|found| found == CGROUP2_MAGIC))
}

fn attached(mount: OwnedFd, target: impl AsFd) -> io::Result<OwnedFd> {
    attach_mount(&mount, target)?;
    Ok(mount)
}

fn attach_hierarchies(
    target: impl AsFd,
    set: u64,
    leaves: &[PathBuf],
    below: &[String],
) -> io::Result<OwnedFd> {
    let data = [("mode", Some("755")), ("size", Some("64k"))];
    let top = new("tmpfs", &data, set & !attr::RDONLY)?;
    attach_mount(&top, target)?;
    for (name, leaf) in by_hierarchy(leaves) {
        rustix::fs::mkdirat(&top, &name, Mode::from_raw_mode(0o755))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = rustix::fs::openat(&top, &name, flags, Mode::empty())?;
        attach_mount(leaf_mount(leaf, set)?, place)?;
        // `cpu,cpuacct` is also known as `cpu` and as `cpuacct`.
        for part in name.split(',').filter(|part| *part != name) {
            rustix::fs::symlinkat(&name, &top, part)?;
        }
    }
    for name in below {
        match rustix::fs::mkdirat(&top, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    if set & attr::RDONLY != 0 {
        make_read_only(&top)?;
    }
    Ok(top)
}

/// Leaves by the name of their hierarchy's mount.
fn by_hierarchy(leaves: &[PathBuf]) -> BTreeMap<String, &PathBuf> {
    let named = leaves.iter().filter_map(|leaf| {
        let name = leaf.strip_prefix(HOST).ok()?.components().next()?;
        Some((name.as_os_str().to_str()?.to_owned(), leaf))
    });
    named.collect()
}

fn leaf_mount(leaf: &Path, set: u64) -> io::Result<OwnedFd> {
    let options = Options {
        own: Attributes { set, clear: 0 },
        bind: true,
        ..Options::default()
    };
    copy(leaf, &options)
}

fn new(kind: &str, data: &[(&str, Option<&str>)], set: u64) -> io::Result<OwnedFd> {
    Ok(detached(
        kind,
        &[&[("source", Some("cgroup"))], data].concat(),
        set,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_named_by_their_hierarchy() {
        let leaves = [
            "/sys/fs/cgroup/memory/berth/x",
            "/sys/fs/cgroup/cpu,cpuacct/x",
            "/elsewhere/x",
        ]
        .map(PathBuf::from);
        let names: Vec<_> = by_hierarchy(&leaves).into_keys().collect();
        assert_eq!(names, ["cpu,cpuacct", "memory"]);
    }
}
