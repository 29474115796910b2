//! Places inside the root that links lead to, made where they are missing: images have links that dangle
//! (`/var/run` → `/run` without a `/run`), and the directory that one names is made inside, where a process
//! there would look for it. Step by step, each from the descriptor of the one before (security: P1, R12).
//!
//! Source: path_resolution(7).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::mount_target::PROC_MAGIC;
use crate::mounts::magic;
use crate::rootfs::{Root, split};

/// As the kernel has it.
const MAX_LINKS: u32 = 40;

/// Opens the directory `path` inside (O_PATH), made with its parents where missing.
///
/// # Errors
/// The kernel's; `ELOOP` for a magic link.
pub(crate) fn make_dir(root: &Root, path: &str) -> io::Result<OwnedFd> {
    match root.make_dir(path) {
        Err(error) if dangles(&error) => walk(root.as_fd(), Path::new(path)),
        done => done,
    }
}

/// Opens the file `path` inside (O_PATH), made empty where missing. A link there that dangles is opened
/// itself: what covers it is seen in its stead.
///
/// # Errors
/// Likewise.
pub(crate) fn make_file(root: &Root, path: &str) -> io::Result<OwnedFd> {
    match root.make_file(path) {
        Err(error) if dangles(&error) => {
            let (parent, name) = split(path)?;
            let parent = walk(root.as_fd(), Path::new(parent))?;
            open_or_make(parent.as_fd(), OsStr::new(name), || {
                let mode = Mode::from_raw_mode(0o644);
                rustix::fs::mknodat(&parent, name, FileType::RegularFile, mode, 0)
            })
        }
        done => done,
    }
}

/// What a walk may do better.
fn dangles(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP))
}

fn walk(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let mut names = Vec::new();
    push(&mut names, path);
    let mut above = vec![root.try_clone_to_owned()?];
    let mut links = 0;
    while let Some(name) = names.pop() {
        if name == ".." {
            // There is nothing above the root.
            if above.len() > 1 {
                above.pop();
            }
            continue;
        }
        let here = above.last().map_or(root, AsFd::as_fd);
        let next = open_or_make(here, &name, || {
            rustix::fs::mkdirat(here, &name, Mode::from_raw_mode(0o755))
        })?;
        match FileType::from_raw_mode(rustix::fs::fstat(&next)?.st_mode) {
            FileType::Directory => above.push(next),
            FileType::Symlink => {
                links += 1;
                if links > MAX_LINKS || magic(&next)? == PROC_MAGIC {
                    return Err(Errno::LOOP.into());
                }
                let to = rustix::fs::readlinkat(&next, "", Vec::new())?;
                let to = OsString::from_vec(to.into_bytes());
                if to.as_bytes().starts_with(b"/") {
                    above.truncate(1);
                }
                push(&mut names, Path::new(&to));
            }
            _ => return Err(Errno::NOTDIR.into()),
        }
    }
    above.pop().ok_or_else(|| Errno::NOENT.into())
}

/// Adds the names of a path, the first one last.
fn push(names: &mut Vec<OsString>, path: &Path) {
    let parts = path.components().rev();
    names.extend(parts.filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    }));
}

fn open_or_make(
    parent: BorrowedFd<'_>,
    name: &OsStr,
    make: impl FnOnce() -> Result<(), Errno>,
) -> io::Result<OwnedFd> {
    let open = || {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(parent, name, flags, Mode::empty())
    };
    match open() {
        Err(Errno::NOENT) => {}
        done => return Ok(done?),
    }
    match make() {
        Ok(()) | Err(Errno::EXIST) => Ok(open()?),
        Err(errno) => Err(errno.into()),
    }
}
