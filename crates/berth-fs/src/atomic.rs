//! Whole files or none: temporary file in the same directory, fsync, rename, fsync of the directory.
//!
//! Temporary files are called `.tmp-PID-N`; [`sweep_temporary`] removes what crashes left.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::dirs::{open_dir, split};
use crate::{Error, failpoint, fsync_dir};

/// What temporary files' names begin with.
pub const TEMPORARY_PREFIX: &str = ".tmp-";

/// Whether a change must outlive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// fsync file and directory.
    Durable,
    /// Atomic only: for what a reboot clears anyway.
    Volatile,
}

/// Replaces the file at `path` by one with these bytes and mode 0600.
///
/// # Errors
/// Then the old file, or none, is still there.
pub fn atomic_write(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), Error> {
    let (parent, name) = split(path)?;
    atomic_write_at(open_dir(parent)?.as_fd(), name, bytes, durability)
}

/// As [`atomic_write`], for `name` (one component) in an open directory.
///
/// # Errors
/// Likewise.
pub fn atomic_write_at(
    dir: BorrowedFd<'_>,
    name: impl AsRef<OsStr>,
    bytes: &[u8],
    durability: Durability,
) -> Result<(), Error> {
    let name = name.as_ref();
    let (temporary, file) = create_temporary(dir)?;
    let written = write_and_rename(dir, &file, &temporary, name, bytes, durability);
    if written.is_err() {
        // The first error is the one to report.
        let _ = rustix::fs::unlinkat(dir, &temporary, AtFlags::empty());
    }
    written
}

fn write_and_rename(
    dir: BorrowedFd<'_>,
    file: &OwnedFd,
    temporary: &Path,
    name: &OsStr,
    bytes: &[u8],
    durability: Durability,
) -> Result<(), Error> {
    let path = || PathBuf::from(name);
    failpoint!("atomic.write");
    write_all(file, bytes).map_err(|source| Error::Write {
        path: path(),
        source,
    })?;
    if durability == Durability::Durable {
        failpoint!("atomic.fsync");
        rustix::fs::fsync(file).map_err(|source| Error::Sync {
            path: path(),
            source,
        })?;
    }
    failpoint!("atomic.rename");
    rustix::fs::renameat(dir, temporary, dir, name).map_err(|source| Error::Rename {
        from: temporary.to_owned(),
        to: path(),
        source,
    })?;
    if durability == Durability::Durable {
        fsync_dir(dir, &path())?;
    }
    failpoint!("atomic.done");
    Ok(())
}

/// Creates an empty file (0600) under a new temporary name in `dir`, open for reading and writing.
///
/// # Errors
/// [`Error::Create`].
pub fn create_temporary(dir: BorrowedFd<'_>) -> Result<(PathBuf, OwnedFd), Error> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    loop {
        let n = COUNTER.fetch_add(1, Ordering::Relaxed);
        let pid = rustix::process::getpid().as_raw_pid();
        let name = PathBuf::from(format!("{TEMPORARY_PREFIX}{pid}-{n}"));
        match rustix::fs::openat(dir, &name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => return Ok((name, file)),
            // Left by a process of the same pid that was killed.
            Err(Errno::EXIST) => {}
            Err(source) => return Err(Error::Create { path: name, source }),
        }
    }
}

/// Removes the temporary files in `dir` that dead processes left.
///
/// # Errors
/// [`Error::Read`], [`Error::Remove`].
pub fn sweep_temporary(dir: BorrowedFd<'_>) -> Result<usize, Error> {
    let mut removed = 0;
    for name in crate::dirs::names(dir)?
        .iter()
        .filter(|name| is_abandoned(name))
    {
        crate::remove_tree_at(dir, name)?;
        removed += 1;
    }
    Ok(removed)
}

/// Whether this is the name of a temporary file whose process is gone.
fn is_abandoned(name: &OsStr) -> bool {
    let text = name
        .to_str()
        .and_then(|name| name.strip_prefix(TEMPORARY_PREFIX));
    let pid = text.and_then(|text| text.split('-').find_map(|part| part.parse::<i32>().ok()));
    match pid.and_then(rustix::process::Pid::from_raw) {
        Some(pid) => rustix::process::test_kill_process(pid) == Err(Errno::SRCH),
        None => false,
    }
}

/// Writes all of `bytes`.
///
/// # Errors
/// The kernel's.
pub fn write_all(file: impl AsFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(&file, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(n) => bytes = &bytes[n..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        for (text, durability) in [("one", Durability::Durable), ("two", Durability::Volatile)] {
            atomic_write(&path, text.as_bytes(), durability).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_in_the_way_is_replaced_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (canary, link) = (dir.path().join("canary"), dir.path().join("link"));
        std::fs::write(&canary, "safe").unwrap();
        std::os::unix::fs::symlink(&canary, &link).unwrap();
        atomic_write(&link, b"new", Durability::Durable).unwrap();
        assert_eq!(std::fs::read_to_string(&canary).unwrap(), "safe");
        assert!(link.symlink_metadata().unwrap().is_file());
    }

    #[test]
    fn failure_leaves_nothing_and_says_where() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("taken")).unwrap();
        let error = atomic_write(&dir.path().join("taken"), b"", Durability::Durable).unwrap_err();
        assert!(matches!(error, Error::Rename { .. }), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        let error = atomic_write(&dir.path().join("no/x"), b"", Durability::Durable).unwrap_err();
        assert_eq!(error.kind(), berth_model::ErrorKind::NotFound);
    }

    #[test]
    fn leftovers_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let fd = open_dir(dir.path()).unwrap();
        let (living, _) = create_temporary(fd.as_fd()).unwrap();
        // No process has so high a number.
        for name in [
            "kept",
            ".tmp-kept",
            ".tmp-999999999-1",
            ".tmp-rm-999999999-1",
        ] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(sweep_temporary(fd.as_fd()).unwrap(), 2);
        assert!(dir.path().join(living).exists());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
    }

    #[test]
    fn full_disk_has_a_hint() {
        let error = Error::Write {
            path: "x".into(),
            source: Errno::NOSPC,
        };
        assert_eq!(error.kind(), berth_model::ErrorKind::Unavailable);
        assert!(error.hint().unwrap().contains("full"));
    }
}
