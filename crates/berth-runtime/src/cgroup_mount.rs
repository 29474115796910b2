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

use berth_sys::mount::{self as sys_mount, Change, Propagation, attr};
use rustix::fs::{Mode, OFlags};

use crate::mount_options::Options;
use crate::mounts::{Context, attach as attach_mount, clone_tree, detached, magic};

/// Where hosts mount their cgroups.
const HOST: &str = "/sys/fs/cgroup";
/// `f_type` of cgroup v2. Source: linux/magic.h.
const CGROUP2_MAGIC: u64 = 0x6367_7270;

/// Makes the mounts at `target`.
///
/// # Errors
/// The kernel's.
pub(crate) fn attach(
    target: impl AsFd,
    options: &Options,
    context: &Context<'_>,
) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let unified = rustix::fs::open(HOST, flags, Mode::empty())
        .ok()
        .and_then(|host| magic(host).ok())
        == Some(CGROUP2_MAGIC);
    match context.cgroups.first() {
        Some(leaf) if unified => attach_mount(leaf_mount(leaf, options.set)?, target),
        None if unified && context.own_cgroup_namespace => {
            attach_mount(new("cgroup2", &[], options.set)?, target)
        }
        _ => attach_hierarchies(target, options, context.cgroups),
    }
}

fn attach_hierarchies(target: impl AsFd, options: &Options, leaves: &[PathBuf]) -> io::Result<()> {
    let top = new(
        "tmpfs",
        &[("mode", Some("755")), ("size", Some("64k"))],
        options.set & !attr::RDONLY,
    )?;
    attach_mount(&top, target)?;
    for (name, leaf) in by_hierarchy(leaves) {
        rustix::fs::mkdirat(&top, &name, Mode::from_raw_mode(0o755))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = rustix::fs::openat(&top, &name, flags, Mode::empty())?;
        attach_mount(leaf_mount(leaf, options.set)?, place)?;
        // `cpu,cpuacct` is also known as `cpu` and as `cpuacct`.
        for part in name.split(',').filter(|part| *part != name) {
            rustix::fs::symlinkat(&name, &top, part)?;
        }
    }
    sys_mount::set(
        &top,
        &Change {
            set: options.set & attr::RDONLY,
            ..Change::default()
        },
    )
}

/// Leaves by the name of their hierarchy's mount.
fn by_hierarchy(leaves: &[PathBuf]) -> BTreeMap<String, &PathBuf> {
    let named = leaves.iter().filter_map(|leaf| {
        let name = Path::new(leaf)
            .strip_prefix(HOST)
            .ok()?
            .components()
            .next()?;
        Some((name.as_os_str().to_str()?.to_owned(), leaf))
    });
    named.collect()
}

fn leaf_mount(leaf: &Path, set: u64) -> io::Result<OwnedFd> {
    let made = clone_tree(leaf, false)?;
    sys_mount::set(
        &made,
        &Change {
            set,
            propagation: Some(Propagation::Private),
            ..Change::default()
        },
    )?;
    Ok(made)
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
