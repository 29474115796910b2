//! Docker's rules for paths inside a container.
//!
//! A path counts from the root, and its `.` and `..` are taken as text. Links before the last component are followed
//! inside; the last one is, too, if `/` or `/.` comes after it, and then it must be a directory.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use berth_model::ErrorKind;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::{shown, tree};
use crate::metadata::mtime;

/// As Go's, in following links.
const LINKS: usize = 255;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathStat {
    /// Its last component; `.` behind `/.`, `/` for the root.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Type and permissions, as stat(2) has them.
    pub mode: u32,
    /// Last modification: seconds since 1970, nanoseconds.
    pub mtime: (i64, u32),
    /// Of a link: the path that it leads to in the end, absolute.
    pub link_target: String,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) stat: PathStat,
    /// It itself (O_PATH).
    pub(super) target: OwnedFd,
    /// Of what is no directory: the directory that it lies in, and its name there.
    pub(super) parent: Option<(OwnedFd, Vec<u8>)>,
    /// What the archive calls it.
    pub(super) archive_name: Vec<u8>,
}

/// A path, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    /// Absolute and clean.
    clean: String,
    /// The last component is followed and must be a directory.
    follows: bool,
    /// It ends in `/.`: its content is meant.
    content: bool,
}

impl Asked {
    fn new(path: &str) -> Asked {
        let clean = berth_model::path::clean(path);
        let is_root = clean == "/";
        let last = path.rsplit('/').next().unwrap_or("");
        Asked {
            clean,
            follows: is_root || matches!(last, "" | "."),
            content: last == "." && !is_root,
        }
    }

    /// The last component as Go's `filepath.Base` has it.
    fn base(&self) -> &str {
        match self.clean.rsplit('/').next() {
            _ if self.content => ".",
            Some("") | None => "/",
            Some(name) => name,
        }
    }
}

/// Looks at a path inside.
///
/// # Errors
/// `Copy` of the kind `NotFound`; `Tree`.
pub(super) fn find(root: &OwnedFd, path: &str) -> Result<Found, Error> {
    let asked = Asked::new(path);
    let failed = |errno| failed(path, errno);
    let base = asked.base().to_owned();
    if asked.follows {
        let target = open(root, &asked.clean, OFlags::PATH | OFlags::DIRECTORY).map_err(failed)?;
        let stat = rustix::fs::fstat(&target).map_err(failed)?;
        return Ok(Found {
            stat: described(&base, &stat, String::new()),
            target,
            parent: None,
            archive_name: base.into_bytes(),
        });
    }
    let (dir, name) = asked.clean.rsplit_once('/').unwrap_or(("", &asked.clean));
    let parent =
        open(root, &format!("{dir}/"), OFlags::PATH | OFlags::DIRECTORY).map_err(failed)?;
    let target = open(&parent, name, OFlags::PATH | OFlags::NOFOLLOW).map_err(failed)?;
    let stat = rustix::fs::fstat(&target).map_err(failed)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    let link_target = match kind {
        FileType::Symlink => evaluate(root, &asked.clean).map_err(failed)?,
        _ => String::new(),
    };
    let in_parent = (kind != FileType::Directory).then(|| (parent, name.as_bytes().to_vec()));
    Ok(Found {
        stat: described(&base, &stat, link_target),
        target,
        parent: in_parent,
        archive_name: base.into_bytes(),
    })
}

/// Opens the directory that a path leads to.
///
/// # Errors
/// `Copy` of the kind `NotFound`, or when it is none; `Tree`.
pub(super) fn directory(root: &OwnedFd, path: &str) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    open(root, &Asked::new(path).clean, flags).map_err(|errno| match errno {
        Errno::NOTDIR => Error::Copy {
            kind: ErrorKind::InvalidInput,
            reason: "extraction point is not a directory".to_owned(),
        },
        other => failed(path, other),
    })
}

fn failed(path: &str, errno: Errno) -> Error {
    match errno {
        Errno::NOENT => Error::Copy {
            kind: ErrorKind::NotFound,
            reason: format!("could not find the file {}", shown(path.as_bytes())),
        },
        other => tree("look at", path.as_bytes(), other),
    }
}

/// The root is this process's own, so that its links lead nowhere else; links of `/proc` are not followed all the same.
fn open(dir: &OwnedFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let error = match berth_fs::resolve_in_root(dir.as_fd(), path, flags, Mode::empty()) {
        Ok(file) => return Ok(file),
        Err(error) => error,
    };
    Err(error.errno().unwrap_or(Errno::IO))
}

fn described(name: &str, stat: &Stat, link_target: String) -> PathStat {
    let time = mtime(stat);
    PathStat {
        name: name.to_owned(),
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mode: stat.st_mode,
        mtime: (time.secs, time.nanos),
        link_target,
    }
}

/// Where a path leads to with all its links followed, as text; what does not exist stays as it is written. Nothing is
/// done with it here: whoever is told asks again.
fn evaluate(root: &OwnedFd, path: &str) -> Result<String, Errno> {
    let parts = |text: &[u8]| -> Vec<Vec<u8>> {
        let parts = text.split(|byte| *byte == b'/');
        parts
            .filter(|part| !part.is_empty())
            .map(<[u8]>::to_vec)
            .collect()
    };
    let mut ahead: VecDeque<Vec<u8>> = parts(path.as_bytes()).into();
    let mut at: Vec<Vec<u8>> = Vec::new();
    let mut links = 0;
    while let Some(part) = ahead.pop_front() {
        match part.as_slice() {
            b"." => continue,
            b".." => {
                at.pop();
                continue;
            }
            _ => at.push(part),
        }
        let here = [b".", &b"/"[..], &at.join(&b'/')].concat();
        let here = OsStr::from_bytes(&here);
        match rustix::fs::statat(root, here, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {}
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => continue,
            Err(errno) => return Err(errno),
        }
        links += 1;
        if links > LINKS {
            return Err(Errno::LOOP);
        }
        let target = rustix::fs::readlinkat(root, here, Vec::new())?;
        at.pop();
        if target.as_bytes().starts_with(b"/") {
            at.clear();
        }
        for part in parts(target.as_bytes()).into_iter().rev() {
            ahead.push_front(part);
        }
    }
    let clean = [b"/", &at.join(&b'/')[..]].concat();
    Ok(String::from_utf8_lossy(&clean).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn paths_are_taken_apart() {
        for (path, clean, follows, base) in [
            ("/a/b", "/a/b", false, "b"),
            ("a/b", "/a/b", false, "b"),
            ("/a/b/", "/a/b", true, "b"),
            ("/a/b/.", "/a/b", true, "."),
            ("/a/../../b", "/b", false, "b"),
            ("a/..", "/", true, "/"),
            ("/", "/", true, "/"),
            ("", "/", true, "/"),
            (".", "/", true, "/"),
            ("/./", "/", true, "/"),
        ] {
            let asked = Asked::new(path);
            let found = (&*asked.clean, asked.follows, asked.base());
            assert_eq!(found, (clean, follows, base), "{path:?}");
        }
    }

    #[test]
    fn links_stay_inside() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("real/deep")).unwrap();
        std::fs::write(dir.path().join("real/f"), "12").unwrap();
        symlink("/real", dir.path().join("link")).unwrap();
        symlink("../../../real/f", dir.path().join("real/up")).unwrap();
        symlink("/nowhere/x", dir.path().join("dangling")).unwrap();
        symlink("loop", dir.path().join("loop")).unwrap();
        let root = OwnedFd::from(std::fs::File::open(dir.path()).unwrap());
        let stat = |path: &str| find(&root, path).map(|found| found.stat);
        assert_eq!(stat("/link").unwrap().link_target, "/real");
        assert_eq!(stat("/link/").unwrap().name, "link");
        assert_eq!(stat("/link/f").unwrap().size, 2);
        assert_eq!(stat("/link/up").unwrap().link_target, "/real/f");
        assert_eq!(stat("/dangling").unwrap().link_target, "/nowhere/x");
        assert_eq!(stat("/nowhere").unwrap_err().kind(), ErrorKind::NotFound);
        assert!(stat("/real/f/").is_err());
        assert!(stat("/loop").is_err());
        directory(&root, "/link").unwrap();
        assert_eq!(
            directory(&root, "/real/f").unwrap_err().to_string(),
            "extraction point is not a directory"
        );
    }
}
