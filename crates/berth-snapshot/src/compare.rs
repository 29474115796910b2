//! Two trees that should be the same: a snapshot, and its layer unpacked once more.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, openat, readlinkat, statat};
use rustix::io::Errno;

use crate::Error;
use crate::snapshotter::open_dir;

/// Bytes of an extended attribute's value, and of the list of names.
const MAX_XATTR_BYTES: usize = 64 << 10;

/// The first path at which two trees differ: in names, kind, owner, mode, content, link, device or extended
/// attributes. Times count for files and links alone: a directory has them from what was made in it. How many names a
/// file has does not count: snapshots share files.
///
/// # Errors
/// `Dir`: something cannot be read.
pub fn first_difference(one: &Path, other: &Path) -> Result<Option<PathBuf>, Error> {
    let tops = (open_dir(one)?, open_dir(other)?);
    let failed = |path: &Path| {
        let path = one.join(path);
        move |source| Error::Dir {
            operation: "compare",
            path,
            source,
        }
    };
    let mut directories = vec![PathBuf::new()];
    while let Some(path) = directories.pop() {
        let open = |top: &OwnedFd| open_below(top.as_fd(), &path).map_err(failed(&path));
        let (a, b) = (open(&tops.0)?, open(&tops.1)?);
        let names = sorted(&a).map_err(failed(&path))?;
        let others = sorted(&b).map_err(failed(&path))?;
        if let Some(name) = names.symmetric_difference(&others).next() {
            return Ok(Some(path.join(OsStr::from_bytes(name))));
        }
        if !same_attributes(&a, &b).map_err(failed(&path))? {
            return Ok(Some(path));
        }
        for name in names {
            let name = OsStr::from_bytes(&name);
            let at = path.join(name);
            match same_entry(a.as_fd(), b.as_fd(), name).map_err(failed(&at))? {
                None => return Ok(Some(at)),
                Some(true) => directories.push(at),
                Some(false) => {}
            }
        }
    }
    Ok(None)
}

fn open_below(top: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    let opened = berth_fs::open_in_root_no_links(top, path, OFlags::RDONLY | OFlags::DIRECTORY);
    opened.map_err(|error| error.errno().unwrap_or(Errno::IO))
}

fn sorted(dir: &OwnedFd) -> Result<BTreeSet<Vec<u8>>, Errno> {
    let names = berth_fs::dirs::names(dir.as_fd());
    let names = names.map_err(|error| error.errno().unwrap_or(Errno::IO))?;
    Ok(names.iter().map(|name| name.as_bytes().to_vec()).collect())
}

/// `None`: they differ; else whether it is a directory, whose content is to be compared.
fn same_entry(a: BorrowedFd<'_>, b: BorrowedFd<'_>, name: &OsStr) -> Result<Option<bool>, Errno> {
    let stat = |dir| statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
    let (one, other) = (stat(a)?, stat(b)?);
    let kind = FileType::from_raw_mode(one.st_mode);
    let plain = |s: &Stat| (s.st_mode, s.st_uid, s.st_gid, s.st_rdev);
    let timed = |s: &Stat| (s.st_size, s.st_mtime, s.st_mtime_nsec);
    let same = plain(&one) == plain(&other)
        && match kind {
            FileType::RegularFile => timed(&one) == timed(&other) && same_file(a, b, name)?,
            FileType::Symlink => {
                timed(&one) == timed(&other)
                    && readlinkat(a, name, Vec::new())? == readlinkat(b, name, Vec::new())?
            }
            _ => true,
        };
    Ok(same.then_some(kind == FileType::Directory))
}

fn same_file(a: BorrowedFd<'_>, b: BorrowedFd<'_>, name: &OsStr) -> Result<bool, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = |dir| openat(dir, name, flags, Mode::empty());
    let (a, b) = (open(a)?, open(b)?);
    if !same_attributes(&a, &b)? {
        return Ok(false);
    }
    same_content(&File::from(a), &File::from(b))
}

/// Whether two files hold the same bytes.
pub(crate) fn same_content(a: &File, b: &File) -> Result<bool, Errno> {
    let (mut one, mut other) = (vec![0; 128 << 10], vec![0; 128 << 10]);
    let failed = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    let mut at = 0;
    loop {
        let count = a.read_at(&mut one, at).map_err(failed)?;
        if count == 0 {
            return Ok(b.read_at(&mut other, at).map_err(failed)? == 0);
        }
        match b.read_exact_at(&mut other[..count], at) {
            Ok(()) if one[..count] == other[..count] => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(failed(error)),
        }
        at += count as u64;
    }
}

fn same_attributes(a: &OwnedFd, b: &OwnedFd) -> Result<bool, Errno> {
    Ok(attributes(a)? == attributes(b)?)
}

fn attributes(file: &OwnedFd) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Errno> {
    let mut list = vec![0; MAX_XATTR_BYTES];
    let length = match rustix::fs::flistxattr(file, &mut list[..]) {
        Err(Errno::NOTSUP) => 0,
        length => length?,
    };
    let names = list[..length]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0; MAX_XATTR_BYTES];
            let length = rustix::fs::fgetxattr(file, name, &mut value[..])?;
            value.truncate(length);
            Ok((name.to_vec(), value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::time::{Duration, UNIX_EPOCH};

    fn make(root: &Path) {
        fs::create_dir_all(root.join("d/e")).unwrap();
        fs::write(root.join("d/file"), vec![1; 300_000]).unwrap();
        fs::hard_link(root.join("d/file"), root.join("again")).unwrap();
        symlink("/etc/passwd", root.join("d/e/link")).unwrap();
        let time = UNIX_EPOCH + Duration::from_secs(1000);
        let file = fs::File::options().write(true).open(root.join("d/file"));
        file.unwrap().set_modified(time).unwrap();
        // A link's time can be set only by its name.
        let times = rustix::fs::Timestamps {
            last_access: rustix::fs::Timespec {
                tv_sec: 1,
                tv_nsec: 0,
            },
            last_modification: rustix::fs::Timespec {
                tv_sec: 1,
                tv_nsec: 0,
            },
        };
        let link = root.join("d/e/link");
        rustix::fs::utimensat(rustix::fs::CWD, link, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }

    /// What is found, and what made it.
    type Change = (&'static str, fn(&Path));

    #[test]
    fn each_difference_is_found() {
        let changes: [Change; 7] = [
            // By its other name, which is looked at first.
            ("again", |root| {
                let file = fs::File::options()
                    .write(true)
                    .open(root.join("d/file"))
                    .unwrap();
                std::os::unix::fs::FileExt::write_at(&file, &[2], 299_999).unwrap();
                file.set_modified(UNIX_EPOCH + Duration::from_secs(1000))
                    .unwrap();
            }),
            ("d/new", |root| fs::write(root.join("d/new"), "").unwrap()),
            ("again", |root| fs::remove_file(root.join("again")).unwrap()),
            ("d/e", |root| {
                fs::set_permissions(root.join("d/e"), fs::Permissions::from_mode(0o700)).unwrap()
            }),
            ("d/e/link", |root| {
                fs::remove_file(root.join("d/e/link")).unwrap();
                symlink("/etc/shadow", root.join("d/e/link")).unwrap();
            }),
            ("d/e", |root| {
                fs::remove_dir_all(root.join("d/e")).unwrap();
                symlink("/", root.join("d/e")).unwrap();
            }),
            // By its other name, which is looked at first.
            ("again", |root| {
                let file = fs::File::open(root.join("d/file")).unwrap();
                let flags = rustix::fs::XattrFlags::empty();
                rustix::fs::fsetxattr(&file, "user.x", b"1", flags).unwrap();
            }),
        ];
        let dir = tempfile::tempdir().unwrap();
        for (number, (path, change)) in changes.into_iter().enumerate() {
            let (a, b) = (
                dir.path().join(format!("{number}a")),
                dir.path().join(format!("{number}b")),
            );
            make(&a);
            make(&b);
            assert_eq!(first_difference(&a, &b).unwrap(), None);
            change(&b);
            let found = first_difference(&a, &b).unwrap();
            assert_eq!(found.as_deref(), Some(Path::new(path)));
        }
    }
}
