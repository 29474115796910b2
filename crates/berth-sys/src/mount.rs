//! mount_setattr(2) and open_tree_attr(2), which rustix lacks.
//!
//! Source: mount_setattr(2), linux/mount.h.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::check;

/// `MOUNT_ATTR_*`: properties of a mount (not of the file system behind it).
pub mod attr {
    /// Read-only.
    pub const RDONLY: u64 = 0x1;
    /// Set-user-ID bits have no effect.
    pub const NOSUID: u64 = 0x2;
    /// Device nodes have no effect.
    pub const NODEV: u64 = 0x4;
    /// Nothing can be executed.
    pub const NOEXEC: u64 = 0x8;
    /// The three values of access times, as a mask.
    pub const ATIME: u64 = 0x70;
    /// Access times are kept relative to changes (the kernel's default).
    pub const RELATIME: u64 = 0x0;
    /// No access times.
    pub const NOATIME: u64 = 0x10;
    /// Access times always.
    pub const STRICTATIME: u64 = 0x20;
    /// No access times for directories.
    pub const NODIRATIME: u64 = 0x80;
    /// Owners are mapped by a user namespace.
    pub const IDMAP: u64 = 0x10_0000;
    /// Symbolic links are not followed.
    pub const NOSYMFOLLOW: u64 = 0x20_0000;
}

/// What happens to mounts and unmounts below, in peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// Nothing is passed on.
    Private,
    /// Passed both ways.
    Shared,
    /// Received only.
    Slave,
    /// Nothing is passed on, and it cannot be bound elsewhere.
    Unbindable,
}

impl Propagation {
    fn bits(self) -> u64 {
        match self {
            Propagation::Private => libc::MS_PRIVATE,
            Propagation::Shared => libc::MS_SHARED,
            Propagation::Slave => libc::MS_SLAVE,
            Propagation::Unbindable => libc::MS_UNBINDABLE,
        }
    }
}

/// What [`set`] changes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change<'a> {
    /// [`attr`] bits to set.
    pub set: u64,
    /// [`attr`] bits to clear.
    pub clear: u64,
    /// Propagation, if it changes.
    pub propagation: Option<Propagation>,
    /// The user namespace of an ID-mapped mount (with [`attr::IDMAP`] in `set`).
    pub user_namespace: Option<BorrowedFd<'a>>,
    /// All mounts below, too.
    pub recursive: bool,
}

impl Change<'_> {
    /// A change of propagation alone.
    pub fn to(propagation: Propagation, recursive: bool) -> Self {
        Change {
            propagation: Some(propagation),
            recursive,
            ..Change::default()
        }
    }
}

/// `struct mount_attr`, version 0.
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

impl MountAttr {
    fn new(change: &Change<'_>) -> Self {
        let atime = if change.set & attr::ATIME != 0 {
            attr::ATIME
        } else {
            0
        };
        MountAttr {
            set: change.set,
            // The kernel wants the whole field cleared when one of its values is set.
            clear: change.clear | atime,
            propagation: change.propagation.map_or(0, Propagation::bits),
            userns: change.user_namespace.map_or(0, |fd| fd.as_raw_fd() as u64),
        }
    }
}

const SIZE: usize = std::mem::size_of::<MountAttr>();

fn flags(recursive: bool) -> libc::c_int {
    let flags = libc::AT_EMPTY_PATH;
    if recursive {
        flags | libc::AT_RECURSIVE
    } else {
        flags
    }
}

/// Changes the mount whose root `mount` refers to.
///
/// # Errors
/// The kernel's: `EINVAL` when `mount` is not the root of a mount, `EPERM` when a locked property
/// would change.
pub fn set(mount: impl AsFd, change: &Change<'_>) -> io::Result<()> {
    set_at(mount, c"", change)
}

/// As [`set`], with a path below `dir` (an empty one means `dir` itself). For trusted paths.
///
/// # Errors
/// Likewise.
pub fn set_at(dir: impl AsFd, path: &CStr, change: &Change<'_>) -> io::Result<()> {
    let attr = MountAttr::new(change);
    let flags = flags(change.recursive);
    let dir = dir.as_fd().as_raw_fd();
    // SAFETY: `path` is NUL-terminated, `attr` is a whole mount_attr and SIZE its length.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dir,
            path.as_ptr(),
            flags,
            &raw const attr,
            SIZE,
        )
    };
    check(result).map(drop)
}

/// Copies the mount at `source` (O_PATH or the root of a mount) as a detached one and changes the
/// copy: one step with open_tree_attr (Linux 6.15), two before.
///
/// # Errors
/// The kernel's.
pub fn clone_with(source: impl AsFd, change: &Change<'_>) -> io::Result<OwnedFd> {
    let source = source.as_fd().as_raw_fd();
    match open_tree_attr(source, c"", change) {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {}
        done => return done,
    }
    let flags = flags(change.recursive) | OPEN_TREE_CLONE | libc::O_CLOEXEC;
    // SAFETY: the path is a NUL-terminated empty string.
    let copy = unsafe { libc::syscall(libc::SYS_open_tree, source, c"".as_ptr(), flags) };
    let copy = check(copy)?;
    // SAFETY: the kernel just made this descriptor for us.
    let copy = unsafe { OwnedFd::from_raw_fd(copy as i32) };
    set(&copy, change)?;
    Ok(copy)
}

/// As [`clone_with`], of the mount at a path, whose links are followed. For trusted paths.
///
/// # Errors
/// The kernel's; `ENOSYS` before Linux 6.15.
pub fn clone_at(path: &CStr, change: &Change<'_>) -> io::Result<OwnedFd> {
    open_tree_attr(libc::AT_FDCWD, path, change)
}

const OPEN_TREE_CLONE: libc::c_int = 1;

fn open_tree_attr(dir: libc::c_int, path: &CStr, change: &Change<'_>) -> io::Result<OwnedFd> {
    const SYS_OPEN_TREE_ATTR: libc::c_long = 467;
    /// An older kernel is asked once.
    static MISSING: AtomicBool = AtomicBool::new(false);
    if MISSING.load(Ordering::Relaxed) {
        return Err(io::Error::from_raw_os_error(libc::ENOSYS));
    }
    let attr = MountAttr::new(change);
    let flags = flags(change.recursive) | OPEN_TREE_CLONE | libc::O_CLOEXEC;
    // SAFETY: as for `set_at`.
    let copy = unsafe {
        libc::syscall(
            SYS_OPEN_TREE_ATTR,
            dir,
            path.as_ptr(),
            flags,
            &raw const attr,
            SIZE,
        )
    };
    let copy = check(copy).inspect_err(|error| {
        if error.raw_os_error() == Some(libc::ENOSYS) {
            MISSING.store(true, Ordering::Relaxed);
        }
    })?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(copy as i32) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_read_only_and_leaves_the_source_alone() {
        let dir = tempfile::tempdir().unwrap();
        let source = std::fs::File::open(dir.path()).unwrap();
        let change = Change {
            set: attr::RDONLY | attr::NOATIME,
            recursive: true,
            ..Change::default()
        };
        let copy = clone_with(&source, &change).expect("tests run as root");
        let flags = rustix::fs::fstatvfs(&copy).unwrap().f_flag;
        assert!(flags.contains(
            rustix::fs::StatVfsMountFlags::RDONLY | rustix::fs::StatVfsMountFlags::NOATIME
        ));
        set(
            &copy,
            &Change {
                clear: attr::RDONLY,
                ..Change::default()
            },
        )
        .unwrap();
        assert!(
            !rustix::fs::fstatvfs(&copy)
                .unwrap()
                .f_flag
                .contains(rustix::fs::StatVfsMountFlags::RDONLY)
        );
        std::fs::write(dir.path().join("still-writable"), "").unwrap();
    }

    #[test]
    fn a_copy_is_made_by_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = std::ffi::CString::new(dir.path().to_str().unwrap()).unwrap();
        let change = Change {
            set: attr::NOSUID,
            ..Change::to(Propagation::Private, false)
        };
        match clone_at(&path, &change) {
            Ok(copy) => {
                let flags = rustix::fs::fstatvfs(&copy).unwrap().f_flag;
                assert!(flags.contains(rustix::fs::StatVfsMountFlags::NOSUID));
            }
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ENOSYS)),
        }
        let missing = clone_at(c"/no/such", &change).unwrap_err();
        assert!(matches!(
            missing.raw_os_error(),
            Some(libc::ENOENT | libc::ENOSYS)
        ));
    }

    #[test]
    fn only_the_root_of_a_mount_can_be_changed() {
        let dir = tempfile::tempdir().unwrap();
        let source = std::fs::File::open(dir.path()).unwrap();
        let change = Change::to(Propagation::Private, false);
        assert_eq!(
            set(&source, &change).unwrap_err().raw_os_error(),
            Some(libc::EINVAL)
        );
    }
}
