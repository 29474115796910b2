//! The spec's mounts: each made detached, then attached to a descriptor inside the root.
//!
//! `/proc` and `/sys` are what programs trust: they must be real directories of the image, get the
//! real file systems, and nothing else is mounted in or over them (security: R2, R3, R10).
//!
//! Source: config.md "Mounts"; fsopen(2), open_tree(2), move_mount(2).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use berth_oci::spec::Mount;
use berth_sys::mount::{self as sys_mount, Change, Propagation};
use rustix::fs::{CWD, FileType, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

use crate::cgroup_mount;
use crate::error::{Error, Result};
use crate::mount_options::Options;
use crate::rootfs::Root;

/// `f_type` of procfs. Source: linux/magic.h.
pub const PROC_MAGIC: u64 = 0x9fa0;
/// `f_type` of sysfs.
const SYSFS_MAGIC: u64 = 0x6265_6572;

/// Files of procfs that may be covered (by lxcfs, mostly): they only tell about the system.
const PROC_FILES: [&str; 10] = [
    "cpuinfo",
    "diskstats",
    "meminfo",
    "stat",
    "swaps",
    "uptime",
    "loadavg",
    "slabinfo",
    "sys/kernel/ns_last_pid",
    "sys/crypto/fips_enabled",
];

/// What the mounts depend on.
#[derive(Debug)]
pub struct Context<'a> {
    /// Relative bind sources start here.
    pub bundle: &'a Path,
    /// The container's cgroup directories.
    pub cgroups: &'a [PathBuf],
    /// It has a cgroup namespace of its own.
    pub own_cgroup_namespace: bool,
}

/// Makes all mounts, in the spec's order.
///
/// # Errors
/// [`Error::Mount`], [`Error::MountNotAllowed`].
pub fn make_all(root: &Root, mounts: &[Mount], context: &Context<'_>) -> Result<()> {
    mounts
        .iter()
        .try_for_each(|mount| make(root, mount, context))
}

fn make(root: &Root, mount: &Mount, context: &Context<'_>) -> Result<()> {
    let options = Options::parse(mount)?;
    let kind = if options.bind {
        "bind"
    } else {
        mount.kind.as_deref().unwrap_or("none")
    };
    let destination = clean(&mount.destination);
    let what = describe(kind, mount);
    let fail = |source| Error::Mount {
        destination: destination.clone(),
        what: what.clone(),
        source,
    };
    let refuse = |reason| Error::MountNotAllowed {
        destination: destination.clone(),
        what: what.clone(),
        reason,
    };
    if destination == "/" {
        return Err(refuse("it would cover the root file system"));
    }
    if !mount.uid_mappings.is_empty() || !mount.gid_mappings.is_empty() {
        return Err(Error::Unsupported {
            what: "an id-mapped mount",
        });
    }

    let made = match kind {
        "bind" => Some(bind(mount, &options, context).map_err(fail)?),
        "cgroup" | "cgroup2" => None,
        _ => Some(file_system(root, kind, &destination, mount, &options).map_err(fail)?),
    };
    let trusted = trusted_magic(&destination);
    if let Some(wanted) = trusted {
        match &made {
            Some(made) if magic(made).map_err(fail)? == wanted => {}
            _ => return Err(refuse("only the kernel's own file system may be there")),
        }
    }
    let target = match &made {
        Some(made) if !is_dir(made).map_err(fail)? => root.make_file(&destination),
        _ => make_target(root, &destination, trusted.is_some()),
    }
    .map_err(fail)?;
    let inside_proc = trusted.is_none() && magic(&target).map_err(fail)? == PROC_MAGIC;
    if inside_proc && !(kind == "bind" && is_known_proc_file(&destination)) {
        return Err(refuse("it would cover a part of /proc"));
    }
    if inside_trusted(&destination, "/sys") && kind == "tmpfs" && destination != "/sys/fs/cgroup" {
        return Err(refuse("it would cover a part of /sys"));
    }
    match made {
        None => cgroup_mount::attach(&target, &options, context).map_err(fail)?,
        Some(made) => {
            attach(&made, &target).map_err(fail)?;
            if options.copy_up {
                crate::copy_up::copy(&target, &made).map_err(fail)?;
            }
            finish(&made, &options).map_err(fail)?;
        }
    }
    if let Some(wanted) = trusted {
        verify_on_top(root, &destination, wanted).map_err(fail)?;
    }
    Ok(())
}

/// What must be at the places that programs trust.
fn trusted_magic(destination: &str) -> Option<u64> {
    match destination {
        "/proc" => Some(PROC_MAGIC),
        "/sys" => Some(SYSFS_MAGIC),
        _ => None,
    }
}

/// The directory to mount on.
fn make_target(root: &Root, destination: &str, no_links: bool) -> io::Result<OwnedFd> {
    if !no_links {
        return root.make_dir(destination);
    }
    match root.open_no_links(destination, OFlags::PATH | OFlags::DIRECTORY) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            root.make_dir(destination)?;
            root.open_no_links(destination, OFlags::PATH | OFlags::DIRECTORY)
        }
        other => other,
    }
}

/// Looks again from the root: what is seen at the place now is the kernel's file system.
fn verify_on_top(root: &Root, destination: &str, wanted: u64) -> io::Result<()> {
    let seen = root.open_no_links(destination, OFlags::PATH | OFlags::DIRECTORY)?;
    if magic(&seen)? == wanted {
        Ok(())
    } else {
        Err(io::Error::other("something else is there now"))
    }
}

/// Attaches a detached mount to a directory or file.
pub(crate) fn attach(mount: impl AsFd, target: impl AsFd) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    let is_dir = |fd| rustix::fs::fstat(fd).map(|s| FileType::from_raw_mode(s.st_mode).is_dir());
    match move_mount(mount.as_fd(), "", target.as_fd(), "", flags) {
        // What mount(2) says of a file on a directory, or the reverse: Docker has advice for it.
        Err(Errno::INVAL) if is_dir(mount.as_fd())? != is_dir(target.as_fd())? => {
            Err(Errno::NOTDIR.into())
        }
        other => Ok(other?),
    }
}

/// A bind mount, detached, with its properties.
fn bind(mount: &Mount, options: &Options, context: &Context<'_>) -> io::Result<OwnedFd> {
    let source = mount.source.as_deref().filter(|s| !s.is_empty());
    let source = source.ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "a bind mount needs a source")
    })?;
    let made = clone_tree(&context.bundle.join(source), options.recursive)?;
    let change = Change {
        set: options.set,
        clear: options.clear,
        ..Change::default()
    };
    match sys_mount::set(&made, &change) {
        // Properties that the host locked stay: the mount is then stricter than asked, never laxer.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && options.clear != 0 => {
            sys_mount::set(&made, &Change { clear: 0, ..change })?;
        }
        other => other?,
    }
    if options.propagation.is_none() {
        sys_mount::set(&made, &Change::to(Propagation::Private, true))?;
    }
    Ok(made)
}

/// Copies the mount at a path of the host, detached.
pub(crate) fn clone_tree(source: &Path, recursive: bool) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let all = flags | OpenTreeFlags::AT_RECURSIVE;
    match open_tree(CWD, source, if recursive { all } else { flags }) {
        // In a user namespace mounts below may be locked, as they hide something: take them along.
        Err(Errno::INVAL) if !recursive => Ok(open_tree(CWD, source, all)?),
        other => Ok(other?),
    }
}

/// Sets what can only be set on an attached mount, or on all mounts below.
fn finish(mount: &OwnedFd, options: &Options) -> io::Result<()> {
    if options.recursive_set | options.recursive_clear != 0 {
        let change = Change {
            set: options.recursive_set,
            clear: options.recursive_clear,
            recursive: true,
            ..Change::default()
        };
        sys_mount::set(mount, &change)?;
    }
    if let Some((kind, recursive)) = options.propagation {
        sys_mount::set(mount, &Change::to(kind, recursive))?;
    }
    Ok(())
}

/// A new file system, detached.
fn file_system(
    root: &Root,
    kind: &str,
    destination: &str,
    mount: &Mount,
    options: &Options,
) -> io::Result<OwnedFd> {
    match new_file_system(root, kind, destination, mount, options) {
        // Without a namespace of its own to show, the kernel gives none to a user namespace: then the
        // host's, as far as the host shows it to this user.
        Err(Errno::PERM) => {
            let host = match kind {
                "proc" => "/proc",
                "sysfs" => "/sys",
                "mqueue" => "/dev/mqueue",
                _ => return Err(Errno::PERM.into()),
            };
            let made = clone_tree(Path::new(host), true)?;
            sys_mount::set(
                &made,
                &Change {
                    set: options.set,
                    ..Change::default()
                },
            )?;
            sys_mount::set(&made, &Change::to(Propagation::Private, true))?;
            Ok(made)
        }
        other => Ok(other?),
    }
}

fn new_file_system(
    root: &Root,
    kind: &str,
    destination: &str,
    mount: &Mount,
    options: &Options,
) -> std::result::Result<OwnedFd, Errno> {
    let mut data = vec![("source", Some(mount.source.as_deref().unwrap_or(kind)))];
    let pairs = options.data.iter();
    data.extend(pairs.map(|(key, value)| (key.as_str(), value.as_deref())));
    let mode;
    if kind == "tmpfs" && !data.iter().any(|(key, _)| *key == "mode") {
        // The mode of the directory that it covers.
        let covered = root.open(destination, OFlags::PATH).ok();
        if let Some(stat) = covered.and_then(|d| rustix::fs::fstat(d).ok()) {
            mode = format!("{:o}", stat.st_mode & 0o7777);
            data.push(("mode", Some(&mode)));
        }
    }
    match detached(kind, &data, options.set) {
        // The group of terminals may have no number in this user namespace.
        Err(Errno::INVAL) if kind == "devpts" => {
            data.retain(|(key, value)| *key != "gid" || value.is_none());
            detached(kind, &data, options.set)
        }
        other => other,
    }
}

/// A new file system, detached: `data` are its options, flags without a value; `set` are
/// [`sys_mount::attr`] bits.
pub(crate) fn detached(
    kind: &str,
    data: &[(&str, Option<&str>)],
    set: u64,
) -> std::result::Result<OwnedFd, Errno> {
    let fs = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in data {
        match value {
            Some(value) => fsconfig_set_string(&fs, *key, *value)?,
            None => fsconfig_set_flag(&fs, *key)?,
        }
    }
    fsconfig_create(&fs)?;
    let attributes = MountAttrFlags::from_bits_retain(set as u32);
    fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// `f_type` of the file system behind a descriptor.
pub(crate) fn magic(fd: impl AsFd) -> io::Result<u64> {
    Ok(rustix::fs::fstatfs(fd)?.f_type as u64)
}

pub(crate) fn is_dir(fd: &OwnedFd) -> io::Result<bool> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode) == FileType::Directory)
}

fn is_known_proc_file(destination: &str) -> bool {
    destination
        .strip_prefix("/proc/")
        .is_some_and(|file| PROC_FILES.contains(&file))
}

fn inside_trusted(destination: &str, directory: &str) -> bool {
    destination
        .strip_prefix(directory)
        .is_some_and(|rest| rest.starts_with('/'))
}

fn describe(kind: &str, mount: &Mount) -> String {
    match (kind, &mount.source) {
        ("bind", Some(source)) => source.clone(),
        _ => kind.to_owned(),
    }
}

/// The path with `.`, `..` and doubled slashes taken out, from `/`.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => parts.push(name.to_str().unwrap_or_default()),
            Component::ParentDir => drop(parts.pop()),
            _ => {}
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_cleaned() {
        for (path, want) in [
            ("/a/../proc", "/proc"),
            ("proc/", "/proc"),
            ("/..", "/"),
            ("//x/./y", "/x/y"),
            ("", "/"),
        ] {
            assert_eq!(clean(path), want, "{path}");
        }
        assert!(is_known_proc_file("/proc/meminfo"));
        assert!(!is_known_proc_file("/proc/sys/kernel/core_pattern"));
        assert!(!inside_trusted("/sys", "/sys") && !inside_trusted("/system/x", "/sys"));
    }
}
