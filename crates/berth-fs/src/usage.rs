//! What trees take on the disk.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, OFlags, statat};
use rustix::io::Errno;

use crate::{Error, open_dir, open_in_root_no_links};

/// Bytes of the blocks of all below `root` (with it), a file with several names once. No link is followed. What
/// vanishes meanwhile does not count, nor what is in a directory that may not be read.
///
/// # Errors
/// [`Error::Open`] of `root`, [`Error::Read`].
pub fn disk_usage(root: &Path) -> Result<u64, Error> {
    let top = open_dir(root)?;
    let mut seen = HashSet::new();
    let mut blocks = rustix::fs::fstat(&top).map_or(0, |stat| stat.st_blocks as u64);
    let mut directories = vec![PathBuf::from(".")];
    while let Some(path) = directories.pop() {
        let read = |source| Error::Read {
            path: root.join(&path),
            source,
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let dir = match open_in_root_no_links(top.as_fd(), &path, flags) {
            Err(error) if is_gone(error.errno()) => continue,
            dir => dir?,
        };
        for entry in Dir::read_from(&dir).map_err(read)? {
            let entry = entry.map_err(read)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let stat = match statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(error) if is_gone(Some(error)) => continue,
                stat => stat.map_err(read)?,
            };
            let is_dir = FileType::from_raw_mode(stat.st_mode).is_dir();
            if is_dir {
                directories.push(path.join(OsStr::from_bytes(name.to_bytes())));
            } else if stat.st_nlink > 1 && !seen.insert((stat.st_dev, stat.st_ino)) {
                continue;
            }
            blocks += stat.st_blocks as u64;
        }
    }
    Ok(blocks * 512)
}

/// Removed, replaced by something else, or others' (rootless: of subordinate ids).
fn is_gone(errno: Option<Errno>) -> bool {
    matches!(
        errno,
        Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_du_says() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("a/b")).unwrap();
        std::fs::write(at("a/b/big"), vec![7; 100_000]).unwrap();
        std::fs::hard_link(at("a/b/big"), at("a/again")).unwrap();
        std::fs::File::create(at("sparse"))
            .unwrap()
            .set_len(1 << 30)
            .unwrap();
        std::os::unix::fs::symlink("/", at("link")).unwrap();
        let du = std::process::Command::new("du")
            .args(["-s", "-B1"])
            .arg(dir.path())
            .output();
        let text = String::from_utf8(du.unwrap().stdout).unwrap();
        let expected: u64 = text.split('\t').next().unwrap().parse().unwrap();
        assert_eq!(disk_usage(dir.path()).unwrap(), expected);
        assert!(disk_usage(&at("none")).is_err());
    }
}
