//! The trash: what is removed is first renamed here (one step, so it is there or gone), then
//! deleted; what a crash leaves here the next emptying deletes.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::RenameFlags;
use rustix::io::Errno;

use crate::dirs::{open_dir, split};
use crate::{Durability, Error, ensure_dir, failpoint, fsync_dir, remove_tree_at};

/// A trash directory. It must be on the same file system as what is thrown into it.
#[derive(Debug)]
pub struct Trash {
    dir: OwnedFd,
    path: PathBuf,
}

impl Trash {
    /// Opens (or creates, 0700) the trash at `path`.
    ///
    /// # Errors
    /// As [`ensure_dir`].
    pub fn open(path: &Path) -> Result<Trash, Error> {
        Ok(Trash {
            dir: ensure_dir(path, 0o700)?,
            path: path.to_owned(),
        })
    }

    /// Renames `path` into the trash and returns its name there; `None`: it was gone already.
    ///
    /// # Errors
    /// [`Error::Rename`], [`Error::Sync`].
    pub fn throw(&self, path: &Path, durability: Durability) -> Result<Option<String>, Error> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let (parent, name) = split(path)?;
        let parent_dir = match open_dir(parent) {
            Ok(dir) => dir,
            Err(error) if error.errno() == Some(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error),
        };
        loop {
            let n = COUNTER.fetch_add(1, Ordering::Relaxed);
            let pid = rustix::process::getpid().as_raw_pid();
            let target = format!("{pid}-{n}");
            failpoint!("trash.rename");
            match rustix::fs::renameat_with(
                &parent_dir,
                name,
                &self.dir,
                &target,
                RenameFlags::NOREPLACE,
            ) {
                Ok(()) => {
                    if durability == Durability::Durable {
                        // The old name must be gone; that it came to the trash need not last.
                        fsync_dir(parent_dir.as_fd(), parent)?;
                    }
                    failpoint!("trash.thrown");
                    return Ok(Some(target));
                }
                Err(Errno::NOENT) => return Ok(None),
                Err(Errno::EXIST) => {}
                Err(source) => {
                    let (from, to) = (path.to_owned(), self.path.join(target));
                    return Err(Error::Rename { from, to, source });
                }
            }
        }
    }

    /// Throws `path` away and deletes it at once.
    ///
    /// # Errors
    /// As [`Trash::throw`]; failure to delete is none: it stays for the next emptying.
    pub fn discard(&self, path: &Path, durability: Durability) -> Result<(), Error> {
        if let Some(name) = self.throw(path, durability)? {
            let _ = remove_tree_at(self.dir.as_fd(), &name);
        }
        Ok(())
    }

    /// Deletes all that is in the trash.
    ///
    /// # Errors
    /// The first failure, after all else was deleted.
    pub fn empty(&self) -> Result<(), Error> {
        let mut first = Ok(());
        for name in crate::dirs::names(self.dir.as_fd())? {
            failpoint!("trash.delete");
            let removed = remove_tree_at(self.dir.as_fd(), &name);
            if first.is_ok() {
                first = removed;
            }
        }
        first
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thrown_away_is_gone_at_once_and_emptied_later() {
        let dir = tempfile::tempdir().unwrap();
        let trash = Trash::open(&dir.path().join("trash")).unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        for path in [&a, &b] {
            std::fs::create_dir(path).unwrap();
            std::fs::write(path.join("f"), "").unwrap();
        }
        let name = trash.throw(&a, Durability::Durable).unwrap().unwrap();
        assert!(!a.exists() && trash.path().join(&name).join("f").exists());
        assert_eq!(trash.throw(&a, Durability::Durable).unwrap(), None);
        trash.discard(&b, Durability::Volatile).unwrap();
        assert_eq!(std::fs::read_dir(trash.path()).unwrap().count(), 1);
        trash.empty().unwrap();
        assert_eq!(std::fs::read_dir(trash.path()).unwrap().count(), 0);
    }
}
