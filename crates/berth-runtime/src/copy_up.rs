//! `tmpcopyup`: the content of the directory that a new tmpfs covers, copied into it.
//! Directories, regular files and links; what else there may be is left out. Nothing is followed.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};

/// Copies from the covered directory (O_PATH) into the root of the tmpfs.
///
/// # Errors
/// The kernel's.
pub fn copy(from: &OwnedFd, to: &OwnedFd) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // `.` from a descriptor that was opened before the mount stays below the mount.
    let from = rustix::fs::openat(from, ".", flags, Mode::empty())?;
    let to = rustix::fs::openat(to, ".", flags, Mode::empty())?;
    copy_dir(&from, &to)
}

fn copy_dir(from: &OwnedFd, to: &OwnedFd) -> io::Result<()> {
    let no_follow = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir_flags = OFlags::RDONLY | OFlags::DIRECTORY | no_follow;
    for entry in rustix::fs::Dir::read_from(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                rustix::fs::mkdirat(to, name, mode)?;
                let inner = rustix::fs::openat(to, name, dir_flags, Mode::empty())?;
                copy_dir(
                    &rustix::fs::openat(from, name, dir_flags, Mode::empty())?,
                    &inner,
                )?;
            }
            FileType::RegularFile => {
                let source =
                    rustix::fs::openat(from, name, OFlags::RDONLY | no_follow, Mode::empty())?;
                let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | no_follow;
                let target = rustix::fs::openat(to, name, new, mode)?;
                io::copy(
                    &mut std::fs::File::from(source),
                    &mut std::fs::File::from(target),
                )?;
            }
            FileType::Symlink => {
                rustix::fs::symlinkat(rustix::fs::readlinkat(from, name, Vec::new())?, to, name)?
            }
            _ => continue,
        }
        let (uid, gid) = (
            rustix::fs::Uid::from_raw(stat.st_uid),
            rustix::fs::Gid::from_raw(stat.st_gid),
        );
        rustix::fs::chownat(to, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
            // chown took the set-user-ID bit away.
            rustix::fs::chmodat(to.as_fd(), name, mode, AtFlags::empty())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn trees_are_copied_without_following() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::create_dir_all(a.join("sub")).unwrap();
        std::fs::create_dir(&b).unwrap();
        std::fs::write(a.join("sub/file"), "text").unwrap();
        std::fs::set_permissions(a.join("sub/file"), std::fs::Permissions::from_mode(0o4751))
            .unwrap();
        std::os::unix::fs::symlink("/etc/shadow", a.join("link")).unwrap();
        let open = |path| OwnedFd::from(std::fs::File::open(path).unwrap());
        copy(&open(&a), &open(&b)).unwrap();
        assert_eq!(std::fs::read_to_string(b.join("sub/file")).unwrap(), "text");
        assert_eq!(
            std::fs::metadata(b.join("sub/file"))
                .unwrap()
                .permissions()
                .mode()
                & 0o7777,
            0o4751
        );
        assert_eq!(
            std::fs::read_link(b.join("link")).unwrap().to_str(),
            Some("/etc/shadow")
        );
    }
}
