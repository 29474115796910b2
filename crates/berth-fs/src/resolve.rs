//! Paths that others influence, resolved to a descriptor inside a root and never by string again
//! (security: P1).
//!
//! Source: openat2(2): RESOLVE_IN_ROOT treats `/`, `..` and absolute links as of the root;
//! RESOLVE_NO_MAGICLINKS refuses `/proc/…/fd` links.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::Error;

/// The kernel asks to try again when a rename happened meanwhile; a racer must not hold us for ever.
const MAX_TRIES: u32 = 128;

/// Opens `path` as a process whose root directory is `root` would, close-on-exec.
///
/// # Errors
/// [`Error::Open`].
pub fn resolve_in_root(
    root: BorrowedFd<'_>,
    path: impl AsRef<Path>,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Error> {
    open_at(root, path.as_ref(), flags, mode, ResolveFlags::empty())
}

/// As [`resolve_in_root`], where no component may be a symbolic link (`ELOOP`).
///
/// # Errors
/// [`Error::Open`].
pub fn open_in_root_no_links(
    root: BorrowedFd<'_>,
    path: impl AsRef<Path>,
    flags: OFlags,
) -> Result<OwnedFd, Error> {
    let mode = Mode::empty();
    open_at(root, path.as_ref(), flags, mode, ResolveFlags::NO_SYMLINKS)
}

fn open_at(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    mode: Mode,
    more: ResolveFlags,
) -> Result<OwnedFd, Error> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | more;
    let mut tries = 0;
    loop {
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, mode, resolve) {
            Ok(file) => return Ok(file),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if tries < MAX_TRIES => tries += 1,
            Err(source) => {
                return Err(Error::Open {
                    path: path.to_owned(),
                    source,
                });
            }
        }
    }
}

/// Opens the directory `path` in `root` (O_PATH), creating what is missing with `mode`; links are
/// followed inside the root, a dangling one is an error.
///
/// # Errors
/// [`Error::Open`], [`Error::Create`].
pub fn create_dir_all_in_root(
    root: BorrowedFd<'_>,
    path: impl AsRef<Path>,
    mode: Mode,
) -> Result<OwnedFd, Error> {
    let path = path.as_ref();
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    match resolve_in_root(root, path, flags, Mode::empty()) {
        Err(error) if error.errno() == Some(Errno::NOENT) => {}
        done => return done,
    }
    // `..` is resolved by the kernel from the root each time, so the prefix is walked as a path.
    let mut walked = std::path::PathBuf::new();
    let mut dir = resolve_in_root(root, ".", flags, Mode::empty())?;
    for component in path.components() {
        match component {
            Component::Normal(name) => {
                walked.push(name);
                dir = match resolve_in_root(root, &walked, flags, Mode::empty()) {
                    Err(error) if error.errno() == Some(Errno::NOENT) => {
                        make_dir(dir.as_fd(), name, mode, path)?
                    }
                    done => done?,
                };
            }
            Component::ParentDir => {
                walked.push("..");
                dir = resolve_in_root(root, &walked, flags, Mode::empty())?;
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Ok(dir)
}

fn make_dir(
    parent: BorrowedFd<'_>,
    name: &std::ffi::OsStr,
    mode: Mode,
    path: &Path,
) -> Result<OwnedFd, Error> {
    match rustix::fs::mkdirat(parent, name, mode) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(source) => {
            return Err(Error::Create {
                path: path.to_owned(),
                source,
            });
        }
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::empty()).map_err(|source| Error::Open {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_leads_out_of_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("etc")).unwrap();
        std::fs::write(root.join("etc/passwd"), "inside").unwrap();
        std::fs::write(dir.path().join("canary"), "outside").unwrap();
        symlink("/etc", root.join("abs")).unwrap();
        symlink("../../canary", root.join("out")).unwrap();
        symlink("/proc/self/root", root.join("magic")).unwrap();
        let fd = crate::open_dir(&root).unwrap();
        let read = |path: &str| {
            let file = resolve_in_root(fd.as_fd(), path, OFlags::RDONLY, Mode::empty())?;
            Ok::<_, Error>(std::io::read_to_string(std::fs::File::from(file)).unwrap())
        };
        assert_eq!(read("/abs/passwd").unwrap(), "inside");
        assert_eq!(read("../../../../etc/passwd").unwrap(), "inside");
        assert!(read("out").is_err());
        assert!(read("magic/etc/passwd").is_err());
        let plain = |path| open_in_root_no_links(fd.as_fd(), path, OFlags::RDONLY);
        plain("etc/passwd").unwrap();
        assert_eq!(plain("abs/passwd").unwrap_err().errno(), Some(Errno::LOOP));
    }

    #[test]
    fn missing_directories_are_made_inside() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        let canary = dir.path().join("canary");
        std::fs::create_dir_all(&root).unwrap();
        std::fs::create_dir_all(&canary).unwrap();
        symlink(&canary, root.join("link")).unwrap();
        symlink("../canary", root.join("up")).unwrap();
        let fd = crate::open_dir(&root).unwrap();
        let mode = Mode::from_raw_mode(0o755);
        create_dir_all_in_root(fd.as_fd(), "/a/b/../c", mode).unwrap();
        assert!(root.join("a/c").is_dir());
        assert!(create_dir_all_in_root(fd.as_fd(), "link/x", mode).is_err());
        assert!(create_dir_all_in_root(fd.as_fd(), "up/x", mode).is_err());
        assert_eq!(std::fs::read_dir(&canary).unwrap().count(), 0);
        std::fs::write(root.join("file"), "").unwrap();
        assert!(create_dir_all_in_root(fd.as_fd(), "file/x", mode).is_err());
    }
}
