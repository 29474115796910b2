//! Paths that the container must not see (masked) or change (read-only) (security: R13, R27).
//!
//! A file is covered by the host's `/dev/null`, opened and checked by us; a directory by an empty
//! read-only tmpfs, one for all. If a mask fails, the container does not start. What is in `/proc` and
//! `/sys` is found through what was mounted there, whatever the image's directories are by now
//! (security: R3).
//!
//! Source: config-linux.md "Masked Paths", "Readonly Paths".

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use berth_model::path::clean;
use berth_sys::mount::{self as sys_mount, Change, attr};

use crate::devices::open_null;
use crate::error::{Error, Result};
use crate::mounts::{Mounted, attach, detached, is_dir};
use crate::rootfs::Root;

/// Covers the paths that exist.
///
/// # Errors
/// [`Error::Mask`].
pub fn mask(root: &Root, mounted: &Mounted, paths: &[String]) -> Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    let null = open_null().map_err(|source| Error::Mask {
        path: "/dev/null".into(),
        source,
    })?;
    // The node is the host's own: the container's root, who owns it, must not change its mode.
    let read_only = Change {
        set: attr::RDONLY,
        ..Change::default()
    };
    let mut empty: Option<OwnedFd> = None;
    for path in paths {
        let fail = |source| Error::Mask {
            path: path.clone(),
            source,
        };
        let Some(target) = existing(root, mounted, path).map_err(fail)? else {
            continue;
        };
        let directory = is_dir(&target).map_err(fail)?;
        let cover = match &empty {
            _ if !directory => sys_mount::clone_with(&null, &read_only),
            Some(first) => sys_mount::clone_with(first, &Change::default()),
            None => empty_directory(),
        }
        .map_err(fail)?;
        attach(&cover, &target).map_err(fail)?;
        if directory && empty.is_none() {
            empty = Some(cover);
        }
    }
    Ok(())
}

/// Makes the paths that exist read-only, with all mounts below.
///
/// # Errors
/// [`Error::Mask`].
pub fn make_read_only(root: &Root, mounted: &Mounted, paths: &[String]) -> Result<()> {
    let change = Change {
        set: attr::RDONLY,
        recursive: true,
        ..Change::default()
    };
    for path in paths {
        let fail = |source| Error::Mask {
            path: path.clone(),
            source,
        };
        let Some(target) = existing(root, mounted, path).map_err(fail)? else {
            continue;
        };
        let copy = sys_mount::clone_with(target.as_fd(), &change).map_err(fail)?;
        attach(copy, target).map_err(fail)?;
    }
    Ok(())
}

fn existing(root: &Root, mounted: &Mounted, path: &str) -> io::Result<Option<OwnedFd>> {
    if clean(path) == "/" {
        let message = "it is the root file system: `root.readonly` makes that read-only";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    match mounted.open(root, path) {
        Ok(target) => Ok(Some(target)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // A file where a directory was expected: there is nothing behind it to hide.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
        Err(error) => Err(error),
    }
}

fn empty_directory() -> io::Result<OwnedFd> {
    let data = [
        ("ro", None),
        ("mode", Some("0555")),
        ("nr_inodes", Some("1")),
    ];
    Ok(detached("tmpfs", &data, attr::RDONLY)?)
}
