//! Directories, and the durable steps on their entries.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::{Durability, Error, failpoint};

/// Opens a directory for reading; the last component may not be a symbolic link.
///
/// # Errors
/// [`Error::Open`].
pub fn open_dir(path: &Path) -> Result<OwnedFd, Error> {
    open_dir_at(rustix::fs::CWD, path)
}

/// As [`open_dir`], relative to `dir`.
///
/// # Errors
/// [`Error::Open`].
pub fn open_dir_at(dir: BorrowedFd<'_>, path: impl AsRef<Path>) -> Result<OwnedFd, Error> {
    let path = path.as_ref();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, path, flags, Mode::empty()).map_err(|source| Error::Open {
        path: path.to_owned(),
        source,
    })
}

/// Makes sure that `path` is a directory of the calling user with exactly `mode`, and opens it.
/// A missing one is created (its parent must exist), a wrong mode is repaired (security: D3).
///
/// # Errors
/// [`Error::BadDirectory`] if it is a link, a file, or another user's.
pub fn ensure_dir(path: &Path, mode: u32) -> Result<OwnedFd, Error> {
    let bad = |reason| Error::BadDirectory {
        path: path.to_owned(),
        reason,
    };
    match rustix::fs::mkdir(path, Mode::from_raw_mode(mode)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(source) => {
            return Err(Error::Create {
                path: path.to_owned(),
                source,
            });
        }
    }
    let dir = open_dir(path).map_err(|error| match error.errno() {
        Some(Errno::LOOP) => bad("it is a symbolic link"),
        Some(Errno::NOTDIR) => bad("it is not a directory"),
        _ => error,
    })?;
    let stat = rustix::fs::fstat(&dir).map_err(|source| Error::Open {
        path: path.to_owned(),
        source,
    })?;
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(bad("it belongs to another user"));
    }
    if stat.st_mode & 0o7777 != mode {
        rustix::fs::fchmod(&dir, Mode::from_raw_mode(mode)).map_err(|source| Error::Create {
            path: path.to_owned(),
            source,
        })?;
    }
    Ok(dir)
}

/// Makes the entries of `dir` durable. `path` is for the message.
///
/// # Errors
/// [`Error::Sync`].
pub fn fsync_dir(dir: BorrowedFd<'_>, path: &Path) -> Result<(), Error> {
    failpoint!("dir.fsync");
    rustix::fs::fsync(dir).map_err(|source| Error::Sync {
        path: path.to_owned(),
        source,
    })
}

/// Renames, replacing what is there.
///
/// # Errors
/// [`Error::Rename`], [`Error::Sync`].
pub fn rename(from: &Path, to: &Path, durability: Durability) -> Result<(), Error> {
    rename_with(from, to, RenameFlags::empty(), durability)
}

/// Renames to a name that must be free (kind `AlreadyExists` otherwise).
///
/// # Errors
/// [`Error::Rename`], [`Error::Sync`].
pub fn rename_new(from: &Path, to: &Path, durability: Durability) -> Result<(), Error> {
    rename_with(from, to, RenameFlags::NOREPLACE, durability)
}

fn rename_with(
    from: &Path,
    to: &Path,
    flags: RenameFlags,
    durability: Durability,
) -> Result<(), Error> {
    failpoint!("dir.rename");
    rustix::fs::renameat_with(rustix::fs::CWD, from, rustix::fs::CWD, to, flags).map_err(
        |source| Error::Rename {
            from: from.to_owned(),
            to: to.to_owned(),
            source,
        },
    )?;
    if durability == Durability::Durable {
        let (to_parent, _) = split(to)?;
        let (from_parent, _) = split(from)?;
        // The new name first: better twice than never.
        fsync_dir(open_dir(to_parent)?.as_fd(), to_parent)?;
        if from_parent != to_parent {
            fsync_dir(open_dir(from_parent)?.as_fd(), from_parent)?;
        }
    }
    failpoint!("dir.renamed");
    Ok(())
}

/// Removes a file (or link); that it is gone already is fine.
///
/// # Errors
/// [`Error::Remove`], [`Error::Sync`].
pub fn remove_file(path: &Path, durability: Durability) -> Result<(), Error> {
    let (parent, name) = split(path)?;
    failpoint!("dir.unlink");
    let dir = match open_dir(parent) {
        Ok(dir) => dir,
        Err(error) if error.errno() == Some(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error),
    };
    match rustix::fs::unlinkat(&dir, name, AtFlags::empty()) {
        Ok(()) => {}
        Err(Errno::NOENT) => return Ok(()),
        Err(source) => {
            return Err(Error::Remove {
                path: path.to_owned(),
                source,
            });
        }
    }
    if durability == Durability::Durable {
        fsync_dir(dir.as_fd(), parent)?;
    }
    Ok(())
}

/// The names in `dir` (a fresh reading, `.` and `..` left out), in no order.
///
/// # Errors
/// [`Error::Read`].
pub fn names(dir: BorrowedFd<'_>) -> Result<Vec<OsString>, Error> {
    let error = |source| Error::Read {
        path: PathBuf::from("."),
        source,
    };
    let mut names = Vec::new();
    for entry in Dir::read_from(dir).map_err(error)? {
        let entry = entry.map_err(error)?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    Ok(names)
}

/// Parent and last component; the parent of a bare name is `.`.
pub(crate) fn split(path: &Path) -> Result<(&Path, &OsStr), Error> {
    let name = path.file_name().ok_or_else(|| Error::BadDirectory {
        path: path.to_owned(),
        reason: "it has no last component",
    })?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => Ok((parent, name)),
        _ => Ok((Path::new("."), name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// D3.
    #[test]
    fn directories_are_private_and_repaired() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("d");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        ensure_dir(&path, 0o700).unwrap();
        assert_eq!(mode(), 0o700);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o1755)).unwrap();
        ensure_dir(&path, 0o700).unwrap();
        assert_eq!(mode(), 0o700);

        let link = root.path().join("l");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(
            ensure_dir(&link, 0o700),
            Err(Error::BadDirectory { .. })
        ));
        let file = root.path().join("f");
        std::fs::write(&file, "").unwrap();
        assert!(matches!(
            ensure_dir(&file, 0o700),
            Err(Error::BadDirectory { .. })
        ));
    }

    #[test]
    fn renames_and_removals() {
        let root = tempfile::tempdir().unwrap();
        let (a, b) = (root.path().join("a"), root.path().join("b"));
        std::fs::write(&a, "a").unwrap();
        std::fs::write(&b, "b").unwrap();
        let error = rename_new(&a, &b, Durability::Durable).unwrap_err();
        assert_eq!(error.kind(), berth_model::ErrorKind::AlreadyExists);
        rename(&a, &b, Durability::Durable).unwrap();
        assert_eq!(std::fs::read_to_string(&b).unwrap(), "a");
        remove_file(&b, Durability::Durable).unwrap();
        remove_file(&b, Durability::Durable).unwrap();
        remove_file(&root.path().join("no/such"), Durability::Durable).unwrap();
        assert!(
            names(open_dir(root.path()).unwrap().as_fd())
                .unwrap()
                .is_empty()
        );
    }
}
