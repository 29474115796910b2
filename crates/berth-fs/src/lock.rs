//! Locks: `flock` on a file or directory, free when the last descriptor of it is closed, however
//! its holder ends. Descriptors are close-on-exec, so no child keeps one by accident.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::Error;

/// With whom a lock can be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// With others that are shared.
    Shared,
    /// With nobody.
    Exclusive,
}

/// A lock held; dropping it releases it.
#[derive(Debug)]
pub struct Lock {
    file: OwnedFd,
}

impl Lock {
    /// Locks the directory at `path`; waits.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Lock`].
    pub fn dir(path: &Path, mode: LockMode) -> Result<Lock, Error> {
        Lock::take(crate::open_dir(path)?, path, mode)
    }

    /// Locks the directory at `path` if nobody is in the way, else `None`.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Lock`].
    pub fn try_dir(path: &Path, mode: LockMode) -> Result<Option<Lock>, Error> {
        Lock::try_take(crate::open_dir(path)?, path, mode)
    }

    /// Locks the file at `path`, which is created if missing (0600); waits.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Lock`].
    pub fn file(path: &Path, mode: LockMode) -> Result<Lock, Error> {
        Lock::take(open_lock_file(path)?, path, mode)
    }

    /// Locks the file at `path`, which is created if missing, if nobody is in the way.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Lock`].
    pub fn try_file(path: &Path, mode: LockMode) -> Result<Option<Lock>, Error> {
        Lock::try_take(open_lock_file(path)?, path, mode)
    }

    /// Locks an open file; waits. `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Lock`].
    pub fn take(file: OwnedFd, path: &Path, mode: LockMode) -> Result<Lock, Error> {
        let operation = match mode {
            LockMode::Shared => FlockOperation::LockShared,
            LockMode::Exclusive => FlockOperation::LockExclusive,
        };
        loop {
            match rustix::fs::flock(&file, operation) {
                Ok(()) => return Ok(Lock { file }),
                Err(Errno::INTR) => {}
                Err(source) => {
                    return Err(Error::Lock {
                        path: path.to_owned(),
                        source,
                    });
                }
            }
        }
    }

    /// Locks an open file if nobody is in the way.
    ///
    /// # Errors
    /// [`Error::Lock`].
    pub fn try_take(file: OwnedFd, path: &Path, mode: LockMode) -> Result<Option<Lock>, Error> {
        let operation = match mode {
            LockMode::Shared => FlockOperation::NonBlockingLockShared,
            LockMode::Exclusive => FlockOperation::NonBlockingLockExclusive,
        };
        match rustix::fs::flock(&file, operation) {
            Ok(()) => Ok(Some(Lock { file })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(source) => Err(Error::Lock {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Whether `path` still names what is locked: it may have been renamed or removed meanwhile.
    pub fn still_at(&self, path: &Path) -> bool {
        let same =
            |a: rustix::fs::Stat, b: rustix::fs::Stat| (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino);
        match (rustix::fs::fstat(&self.file), rustix::fs::lstat(path)) {
            (Ok(ours), Ok(theirs)) => same(ours, theirs),
            _ => false,
        }
    }

    /// The locked file or directory.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn open_lock_file(path: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(|source| Error::Open {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_with_shared_exclusive_with_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        let one = Lock::dir(path, LockMode::Shared).unwrap();
        let two = Lock::try_dir(path, LockMode::Shared).unwrap();
        assert!(two.is_some());
        assert!(Lock::try_dir(path, LockMode::Exclusive).unwrap().is_none());
        drop((one, two));
        let held = Lock::try_dir(path, LockMode::Exclusive).unwrap().unwrap();
        assert!(Lock::try_dir(path, LockMode::Shared).unwrap().is_none());
        assert!(held.still_at(path));
    }

    #[test]
    fn a_renamed_directory_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::create_dir(&a).unwrap();
        let lock = Lock::dir(&a, LockMode::Exclusive).unwrap();
        std::fs::rename(&a, &b).unwrap();
        assert!(!lock.still_at(&a));
        std::fs::create_dir(&a).unwrap();
        assert!(!lock.still_at(&a));
        assert!(lock.still_at(&b));
    }

    #[test]
    fn descriptors_are_close_on_exec() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::file(&dir.path().join("l"), LockMode::Exclusive).unwrap();
        let flags = rustix::io::fcntl_getfd(lock.as_fd()).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }
}
