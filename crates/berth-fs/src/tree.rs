//! Removing whole trees by descriptors: no link is followed, no mount is entered, any depth.
//!
//! A directory deeper than a bound is first renamed up to the top, so that neither the stack nor
//! the table of descriptors limits the depth (security: T6).

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::Error;

/// Directories open at once.
const MAX_OPEN: usize = 64;

/// How often a directory is emptied: a helper of a command that was killed may still be writing into it.
/// It soon ends, for it loses its directories.
const MAX_PASSES: usize = 1000;

/// Removes `name` (one component) in `dir` with all below it; that it is gone already is fine.
///
/// # Errors
/// [`Error::Remove`] for what could not be removed, after all else was.
pub fn remove_tree_at(dir: BorrowedFd<'_>, name: impl AsRef<OsStr>) -> Result<(), Error> {
    let name = CString::new(name.as_ref().as_bytes()).map_err(|_| Error::Remove {
        path: name.as_ref().into(),
        source: Errno::INVAL,
    })?;
    let mut remover = Remover {
        top: dir,
        moved_up: Vec::new(),
        serial: 0,
        failed: None,
    };
    remover.remove(dir, &name, 0);
    while let Some(name) = remover.moved_up.pop() {
        remover.remove(dir, &name, 0);
    }
    match remover.failed {
        Some((path, source)) => Err(Error::Remove { path, source }),
        None => Ok(()),
    }
}

struct Remover<'a> {
    top: BorrowedFd<'a>,
    moved_up: Vec<CString>,
    serial: u64,
    /// The first failure.
    failed: Option<(PathBuf, Errno)>,
}

impl Remover<'_> {
    fn remove(&mut self, dir: BorrowedFd<'_>, name: &CStr, depth: usize) {
        match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return,
            // Linux says ISDIR for a directory; POSIX has PERM.
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(error) => return self.fail(name, error),
        }
        match rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return,
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(error) => return self.fail(name, error),
        }
        if depth >= MAX_OPEN {
            return self.move_up(dir, name);
        }
        for pass in 1.. {
            match open_below(dir, name).and_then(|below| self.remove_entries(&below, depth)) {
                Ok(()) => {}
                Err(Errno::NOENT) => return,
                Err(error) => return self.fail(name, error),
            }
            match rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => return,
                Err(Errno::NOTEMPTY | Errno::EXIST)
                    if pass < MAX_PASSES && self.failed.is_none() => {}
                Err(error) => return self.fail(name, error),
            }
        }
    }

    fn remove_entries(&mut self, dir: &OwnedFd, depth: usize) -> Result<(), Errno> {
        for entry in Dir::read_from(dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            // Saves a call for the many plain files; the type is a hint only.
            if entry.file_type() == FileType::RegularFile
                && rustix::fs::unlinkat(dir, name, AtFlags::empty()).is_ok()
            {
                continue;
            }
            self.remove(dir.as_fd(), name, depth + 1);
        }
        Ok(())
    }

    fn move_up(&mut self, dir: BorrowedFd<'_>, name: &CStr) {
        loop {
            self.serial += 1;
            let pid = rustix::process::getpid().as_raw_pid();
            let text = format!(
                "{}rm-{pid}-{}",
                crate::atomic::TEMPORARY_PREFIX,
                self.serial
            );
            // It holds no NUL byte.
            let Ok(target) = CString::new(text) else {
                return;
            };
            let flags = rustix::fs::RenameFlags::NOREPLACE;
            match rustix::fs::renameat_with(dir, name, self.top, &target, flags) {
                Ok(()) => return self.moved_up.push(target),
                Err(Errno::EXIST) => {}
                Err(error) => return self.fail(name, error),
            }
        }
    }

    fn fail(&mut self, name: &CStr, error: Errno) {
        let path = || Path::new(OsStr::from_bytes(name.to_bytes())).to_owned();
        self.failed.get_or_insert_with(|| (path(), error));
    }
}

/// Opens a directory to empty it: not through a link, not onto another mount; made accessible first
/// if its mode keeps even its owner out (overlay's work directory has mode 000).
fn open_below(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    let open = |flags| rustix::fs::openat2(dir, name, flags, Mode::empty(), resolve);
    let writable = Mode::RUSR | Mode::WUSR | Mode::XUSR;
    match open(flags | OFlags::RDONLY) {
        Ok(below) if rustix::process::geteuid().is_root() => Ok(below),
        Ok(below) => {
            let mode = Mode::from_raw_mode(rustix::fs::fstat(&below)?.st_mode);
            if !mode.contains(writable) {
                rustix::fs::fchmod(&below, writable)?;
            }
            Ok(below)
        }
        Err(Errno::ACCESS) => {
            let found = open(flags | OFlags::PATH)?;
            // chmod has no form for O_PATH descriptors but this one.
            rustix::fs::chmod(format!("/proc/self/fd/{}", found.as_raw_fd()), writable)?;
            open(flags | OFlags::RDONLY)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn links_are_removed_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (canary, tree) = (dir.path().join("canary"), dir.path().join("tree"));
        std::fs::create_dir_all(canary.join("sub")).unwrap();
        std::fs::write(canary.join("f"), "").unwrap();
        std::fs::create_dir_all(tree.join("a/b")).unwrap();
        std::fs::write(tree.join("a/b/f"), "").unwrap();
        symlink(&canary, tree.join("link")).unwrap();
        symlink(&canary, tree.join("a/link")).unwrap();
        std::fs::set_permissions(tree.join("a"), std::fs::Permissions::from_mode(0o000)).unwrap();
        let fd = crate::open_dir(dir.path()).unwrap();
        remove_tree_at(fd.as_fd(), "tree").unwrap();
        assert!(!tree.exists());
        assert!(canary.join("f").exists() && canary.join("sub").exists());
        symlink(&canary, &tree).unwrap();
        remove_tree_at(fd.as_fd(), "tree").unwrap();
        assert!(canary.join("f").exists() && tree.symlink_metadata().is_err());
        remove_tree_at(fd.as_fd(), "tree").unwrap();
    }

    #[test]
    fn depth_has_no_limit() {
        let dir = tempfile::tempdir().unwrap();
        let fd = crate::open_dir(dir.path()).unwrap();
        let mut below = rustix::io::dup(&fd).unwrap();
        for _ in 0..5000 {
            rustix::fs::mkdirat(&below, "d", Mode::RWXU).unwrap();
            below = crate::dirs::open_dir_at(below.as_fd(), "d").unwrap();
        }
        remove_tree_at(fd.as_fd(), "d").unwrap();
        assert!(crate::dirs::names(fd.as_fd()).unwrap().is_empty());
    }

    /// Runs as root: it mounts.
    #[test]
    fn mounts_are_not_entered() {
        assert!(rustix::process::geteuid().is_root(), "this test needs root");
        let dir = tempfile::tempdir().unwrap();
        let (canary, tree) = (dir.path().join("canary"), dir.path().join("tree"));
        std::fs::create_dir_all(tree.join("m")).unwrap();
        std::fs::create_dir(&canary).unwrap();
        std::fs::write(canary.join("f"), "").unwrap();
        rustix::mount::mount_bind(&canary, tree.join("m")).unwrap();
        let fd = crate::open_dir(dir.path()).unwrap();
        let result = remove_tree_at(fd.as_fd(), "tree");
        rustix::mount::unmount(tree.join("m"), rustix::mount::UnmountFlags::DETACH).unwrap();
        assert!(result.is_err());
        assert!(canary.join("f").exists());
        remove_tree_at(fd.as_fd(), "tree").unwrap();
    }
}
