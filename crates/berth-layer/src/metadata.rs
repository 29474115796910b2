//! Owner, extended attributes, mode and time of one inode, read and set through descriptors.
//!
//! They are set in this order, because each step can undo the later ones: `chown` clears setuid and
//! `security.capability`; setting attributes and mode changes no time that matters (ctime only).

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, FileType, Gid, Mode, Stat, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use crate::limits::{XATTR_BYTES, XATTRS};
use crate::tar::{Entry, Time, Xattrs};

/// Extended attributes that layers may carry: `user.*` without overlay's own, and file capabilities.
/// A planted `trusted.overlay.redirect` would make overlay look elsewhere (row T11).
fn xattr_is_allowed(name: &[u8]) -> bool {
    (name.starts_with(b"user.")
        && name.len() > b"user.".len()
        && !name.starts_with(b"user.overlay."))
        || name == CAPABILITY
}

const CAPABILITY: &[u8] = b"security.capability";

/// Version bits of a `security.capability` value. Source: linux/capability.h.
const CAP_REVISION_MASK: u32 = 0xff00_0000;
const CAP_REVISION_2: u32 = 0x0200_0000;
const CAP_REVISION_3: u32 = 0x0300_0000;
const CAP_V2_BYTES: usize = 20;
const CAP_V3_BYTES: usize = 24;

/// Metadata of one inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub uid: u32,
    pub gid: u32,
    /// 0 … 0o7777.
    pub mode: u32,
    pub mtime: Time,
    pub xattrs: Xattrs,
}

impl From<&Entry> for Metadata {
    /// What an entry asks for.
    fn from(entry: &Entry) -> Metadata {
        Metadata {
            uid: entry.uid,
            gid: entry.gid,
            mode: entry.mode,
            mtime: entry.mtime,
            xattrs: entry.xattrs.clone(),
        }
    }
}

impl Metadata {
    /// What a directory gets that no layer describes.
    pub fn default_dir() -> Metadata {
        Metadata {
            uid: 0,
            gid: 0,
            mode: 0o755,
            mtime: Time::default(),
            xattrs: Vec::new(),
        }
    }

    /// Reads the metadata of an open file or directory (not `O_PATH`).
    ///
    /// # Errors
    /// As the system calls.
    pub fn of(fd: BorrowedFd<'_>) -> Result<Metadata, Errno> {
        let stat = rustix::fs::fstat(fd)?;
        Ok(Metadata {
            xattrs: read_xattrs(fd)?,
            ..Metadata::from_stat(&stat)
        })
    }

    /// The part of the metadata that `stat` knows.
    pub fn from_stat(stat: &Stat) -> Metadata {
        Metadata {
            uid: stat.st_uid,
            gid: stat.st_gid,
            mode: stat.st_mode & 0o7777,
            mtime: mtime(stat),
            xattrs: Vec::new(),
        }
    }
}

/// Last modification in a `stat`.
pub(crate) fn mtime(stat: &Stat) -> Time {
    #[allow(
        clippy::unnecessary_cast,
        clippy::useless_conversion,
        reason = "the types differ by architecture"
    )]
    Time {
        secs: stat.st_mtime as i64,
        nanos: stat.st_mtime_nsec as u32,
    }
}

/// Whether a `stat` is an overlay whiteout: a character device 0:0.
pub(crate) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// Whether overlay hides what is below a directory: the mark of root's mounts, or of those in a user namespace.
pub(crate) fn is_opaque(dir: impl AsFd) -> Result<bool, Errno> {
    for name in [c"trusted.overlay.opaque", c"user.overlay.opaque"] {
        let mut value = [0u8; 2];
        match rustix::fs::fgetxattr(&dir, name, &mut value[..]) {
            Ok(1) if value[0] == b'y' => return Ok(true),
            Ok(_) | Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE | Errno::PERM) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(false)
}

/// Whether overlay takes content of it from elsewhere (`redirect_dir`, `metacopy`): then the upper directory alone
/// does not say what it is.
pub(crate) fn is_redirected(fd: impl AsFd) -> Result<bool, Errno> {
    for name in [
        c"trusted.overlay.redirect",
        c"trusted.overlay.metacopy",
        c"user.overlay.redirect",
        c"user.overlay.metacopy",
    ] {
        match rustix::fs::fgetxattr(&fd, name, &mut [0u8; 0][..]) {
            Ok(_) | Err(Errno::RANGE) => return Ok(true),
            Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::PERM) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(false)
}

/// Which step failed, for the message.
pub(crate) type Step = &'static str;

/// Sets everything on an open file or directory. Returns the number of attributes that were not set,
/// because layers may not carry them or the file system cannot hold them.
///
/// # Errors
/// The step and the system call's error.
pub(crate) fn set(fd: BorrowedFd<'_>, metadata: &Metadata) -> Result<u64, (Step, Errno)> {
    let dropped = set_owner_xattrs_mode(fd, metadata)?;
    set_time(fd, metadata.mtime)?;
    Ok(dropped)
}

/// As [`set`], without the time.
pub(crate) fn set_owner_xattrs_mode(
    fd: BorrowedFd<'_>,
    metadata: &Metadata,
) -> Result<u64, (Step, Errno)> {
    rustix::fs::fchown(
        fd,
        Some(Uid::from_raw(metadata.uid)),
        Some(Gid::from_raw(metadata.gid)),
    )
    .map_err(|errno| ("set the owner of", errno))?;
    set_xattrs_mode(fd, metadata)
}

/// As [`set`], but that it stays whose it is.
pub(crate) fn set_but_owner(fd: BorrowedFd<'_>, metadata: &Metadata) -> Result<u64, (Step, Errno)> {
    let dropped = set_xattrs_mode(fd, metadata)?;
    set_time(fd, metadata.mtime)?;
    Ok(dropped)
}

fn set_xattrs_mode(fd: BorrowedFd<'_>, metadata: &Metadata) -> Result<u64, (Step, Errno)> {
    let mut dropped = 0;
    for (name, value) in &metadata.xattrs {
        if !set_xattr(fd, name, value).map_err(|errno| ("set an extended attribute of", errno))? {
            dropped += 1;
        }
    }
    rustix::fs::fchmod(fd, Mode::from_raw_mode(metadata.mode))
        .map_err(|errno| ("set the mode of", errno))?;
    Ok(dropped)
}

/// Sets the times of an open file or directory.
pub(crate) fn set_time(fd: BorrowedFd<'_>, time: Time) -> Result<(), (Step, Errno)> {
    rustix::fs::futimens(fd, &timestamps(time)).map_err(|errno| ("set the time of", errno))
}

/// Owner and time of something that is not opened (a link, a device), by its directory and name.
pub(crate) fn set_nofollow(
    dir: BorrowedFd<'_>,
    name: &CStr,
    metadata: &Metadata,
) -> Result<(), (Step, Errno)> {
    let (uid, gid) = (Uid::from_raw(metadata.uid), Gid::from_raw(metadata.gid));
    rustix::fs::chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|errno| ("set the owner of", errno))?;
    rustix::fs::utimensat(
        dir,
        name,
        &timestamps(metadata.mtime),
        AtFlags::SYMLINK_NOFOLLOW,
    )
    .map_err(|errno| ("set the time of", errno))
}

fn timestamps(time: Time) -> Timestamps {
    let time = Timespec {
        tv_sec: time.secs,
        tv_nsec: time.nanos.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// False if the attribute may not or cannot be set.
fn set_xattr(fd: BorrowedFd<'_>, name: &[u8], value: &[u8]) -> Result<bool, Errno> {
    if !xattr_is_allowed(name) {
        return Ok(false);
    }
    let Ok(c_name) = CString::new(name) else {
        return Ok(false);
    };
    let value = if name == CAPABILITY {
        match capability_v2(value) {
            Some(value) => value,
            None => return Ok(false),
        }
    } else {
        value.to_vec()
    };
    match rustix::fs::fsetxattr(fd, &c_name, &value, XattrFlags::empty()) {
        Ok(()) => Ok(true),
        // No room in the inode's block, or a file system without attributes: as other engines do.
        Err(Errno::OPNOTSUPP | Errno::PERM | Errno::NAMETOOLONG | Errno::RANGE) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// A capability value without the root id of version 3, which names a user of the builder's host. The
/// kernel adds ours when we set it inside a user namespace.
fn capability_v2(value: &[u8]) -> Option<Vec<u8>> {
    let magic = u32::from_le_bytes(value.get(..4)?.try_into().ok()?);
    match (magic & CAP_REVISION_MASK, value.len()) {
        (CAP_REVISION_2, CAP_V2_BYTES) => Some(value.to_vec()),
        (CAP_REVISION_3, CAP_V3_BYTES) => {
            let magic = magic & !CAP_REVISION_MASK | CAP_REVISION_2;
            Some([&magic.to_le_bytes()[..], &value[4..CAP_V2_BYTES]].concat())
        }
        _ => None,
    }
}

/// The allowed attributes of an open file or directory, sorted by name.
pub(crate) fn read_xattrs(fd: BorrowedFd<'_>) -> Result<Xattrs, Errno> {
    let mut names = [0u8; 4096];
    let mut long_names;
    let names = match rustix::fs::flistxattr(fd, &mut names[..]) {
        Ok(length) => &names[..length],
        Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Err(Errno::RANGE) => {
            long_names = vec![0u8; XATTR_BYTES];
            let length = rustix::fs::flistxattr(fd, &mut long_names[..])?;
            &long_names[..length]
        }
        Err(errno) => return Err(errno),
    };
    let mut found = Vec::new();
    for name in names
        .split(|byte| *byte == 0)
        .filter(|name| xattr_is_allowed(name))
        .take(XATTRS)
    {
        // The name came from the kernel and was cut at its NUL.
        let Ok(c_name) = CString::new(name) else {
            continue;
        };
        let mut value = vec![0u8; XATTR_BYTES];
        match rustix::fs::fgetxattr(fd, &c_name, &mut value[..]) {
            Ok(length) => value.truncate(length),
            Err(Errno::NODATA) => continue,
            Err(errno) => return Err(errno),
        }
        found.push((name.to_vec(), value));
    }
    found.sort();
    Ok(found)
}

/// Copies data and metadata of one open regular file into another.
pub(crate) fn copy_file(from: impl AsFd, to: impl AsFd) -> Result<u64, (Step, Errno)> {
    let mut copied = 0;
    loop {
        match rustix::fs::copy_file_range(&from, None, &to, None, 1 << 30) {
            Ok(0) => break,
            Ok(length) => copied += length as u64,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(("copy", errno)),
        }
    }
    let metadata = Metadata::of(from.as_fd()).map_err(|errno| ("read the metadata of", errno))?;
    set(to.as_fd(), &metadata)?;
    Ok(copied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t11_xattr_names() {
        for (name, allowed) in [
            (&b"user.a"[..], true),
            (b"security.capability", true),
            (b"user.", false),
            (b"user.overlay.opaque", false),
            (b"user.overlay.redirect", false),
            (b"trusted.overlay.opaque", false),
            (b"trusted.overlay.redirect", false),
            (b"trusted.overlay.metacopy", false),
            (b"trusted.a", false),
            (b"security.selinux", false),
            (b"security.ima", false),
            (b"system.posix_acl_access", false),
            (b"system.posix_acl_default", false),
        ] {
            assert_eq!(
                xattr_is_allowed(name),
                allowed,
                "{:?}",
                String::from_utf8_lossy(name)
            );
        }
    }

    #[test]
    fn t11_capabilities_lose_their_root_id() {
        let v2 = [&0x0200_0001u32.to_le_bytes()[..], &[1; 16]].concat();
        let v3 = [&0x0300_0001u32.to_le_bytes()[..], &[1; 16], &[9; 4]].concat();
        assert_eq!(capability_v2(&v2).as_deref(), Some(&v2[..]));
        assert_eq!(capability_v2(&v3).as_deref(), Some(&v2[..]));
        assert_eq!(capability_v2(&v3[..20]), None);
        assert_eq!(capability_v2(b""), None);
        assert_eq!(capability_v2(&[0; 20]), None);
    }
}
