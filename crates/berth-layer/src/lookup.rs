//! Opening things beneath a directory: no link is followed, no mount is entered, nothing above is reached.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

/// How every path that an archive can influence is resolved. Source: openat2(2), Linux 5.6.
const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// As [`open`], but what is mounted on the way is entered.
///
/// # Errors
/// Likewise.
pub(crate) fn open_across(
    root: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    open_with(root, path, flags, BENEATH.difference(ResolveFlags::NO_XDEV))
}

/// Opens a directory at a clean path beneath `root`.
///
/// # Errors
/// `NOENT`, `NOTDIR`; `LOOP` for a link on the way; else as openat2.
pub(crate) fn open_dir(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    open(root, path, flags | OFlags::DIRECTORY)
}

/// Opens anything but a link at a clean path beneath `root`.
///
/// # Errors
/// As [`open_dir`].
pub(crate) fn open(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    open_with(root, path, flags, BENEATH)
}

fn open_with(
    root: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    resolve: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    loop {
        match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
            // The kernel asks to try again if a rename elsewhere might have disturbed the walk.
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
}

/// `stat` of one component; `None` if it does not exist.
///
/// # Errors
/// As fstatat.
pub(crate) fn stat(dir: impl AsFd, name: &[u8]) -> Result<Option<Stat>, Errno> {
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// A component for a system call; a clean path has no NUL.
pub(crate) fn c_name(name: &[u8]) -> Result<CString, Errno> {
    CString::new(name).map_err(|_| Errno::INVAL)
}
