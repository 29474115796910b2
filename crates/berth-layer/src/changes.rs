//! What a container has changed: the upper directory of its overlay against the layers below it.
//!
//! A path is added, changed or deleted; what is deleted is named once, without what was in it. A directory counts
//! as changed when something in it is, or when its own metadata are.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Dir, FileType, OFlags, Stat};
use rustix::io::Errno;

use crate::error::tree;
use crate::metadata::{self, Metadata};
use crate::view::{self, Found, View};
use crate::{Error, lookup, path};

/// How a path differs from what the layers below have there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// They have nothing there.
    Added,
    /// They have something there.
    Changed,
    /// It is gone.
    Deleted,
}

/// The changes by clean path. What the engine itself puts into each root file system (`ours`: mount points and empty
/// files to mount onto) is no change as long as it is as the engine made it.
///
/// # Errors
/// `Tree` if the layers cannot be read.
pub fn changes(
    upper: OwnedFd,
    lowers: Vec<OwnedFd>,
    ours: &[Vec<u8>],
) -> Result<BTreeMap<Vec<u8>, Change>, Error> {
    let mut walk = Walk {
        upper: upper.as_fd(),
        below: View::new(lowers),
        found: BTreeMap::new(),
        blank: BTreeSet::new(),
        touched: BTreeSet::new(),
    };
    let mut dirs = vec![(Vec::new(), false)];
    while let Some((dir, hides)) = dirs.pop() {
        let (entries, hides) = walk.dir(&dir, hides)?;
        for (path, stat) in entries {
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                walk.compare_dir(&path)?;
                dirs.push((path, hides));
            } else {
                walk.compare_other(path, &stat)?;
            }
        }
    }
    walk.leave_out(ours);
    Ok(walk.with_parents())
}

/// A path and what is there.
type Named = (Vec<u8>, Stat);

struct Walk<'a> {
    upper: BorrowedFd<'a>,
    below: View,
    found: BTreeMap<Vec<u8>, Change>,
    /// Added directories and empty files: they may be the engine's.
    blank: BTreeSet<Vec<u8>>,
    /// Directories of which nothing but the time is another.
    touched: BTreeSet<Vec<u8>>,
}

impl Walk<'_> {
    /// The entries of a directory of the upper, and whether it hides those below it, because it or one above it is
    /// opaque: they are deleted, unless it has them too.
    fn dir(&mut self, path: &[u8], hides: bool) -> Result<(Vec<Named>, bool), Error> {
        let failed = |errno| tree("read", path, errno);
        let fd = lookup::open_dir(self.upper, path, OFlags::RDONLY).map_err(failed)?;
        let mut entries = Vec::new();
        for entry in Dir::read_from(&fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            // What is gone by now is no change any more.
            if let Some(stat) = lookup::stat(&fd, name).map_err(failed)? {
                entries.push((path::join(path, name), stat));
            }
        }
        let hides = hides || metadata::is_opaque(&fd).map_err(failed)?;
        if hides {
            let hidden = view::names(self.below.dir(path).map_err(failed)?).map_err(failed)?;
            let hidden = hidden.into_keys().map(|name| path::join(path, &name));
            self.found
                .extend(hidden.map(|path| (path, Change::Deleted)));
        }
        Ok((entries, hides))
    }

    fn compare_dir(&mut self, path: &[u8]) -> Result<(), Error> {
        let failed = |errno| tree("look at", path, errno);
        let change = match self.below.find(path).map_err(failed)? {
            None => {
                self.blank.insert(path.to_vec());
                Change::Added
            }
            Some(Found::Other(..)) => Change::Changed,
            Some(Found::Dir) => {
                let now = self.metadata(path).map_err(failed)?;
                let Some(below) = self.below.dir(path).map_err(failed)?.first() else {
                    return Ok(());
                };
                let before = Metadata::of(below.as_fd()).map_err(failed)?;
                if now.mtime != before.mtime {
                    self.touched.insert(path.to_vec());
                }
                // One that hides it may have said that it was deleted.
                self.found.remove(path);
                let mtime = before.mtime;
                if (Metadata { mtime, ..now }) == before {
                    return Ok(());
                }
                Change::Changed
            }
        };
        self.found.insert(path.to_vec(), change);
        Ok(())
    }

    fn metadata(&self, path: &[u8]) -> Result<Metadata, Errno> {
        Metadata::of(lookup::open_dir(self.upper, path, OFlags::RDONLY)?.as_fd())
    }

    fn compare_other(&mut self, path: Vec<u8>, stat: &Stat) -> Result<(), Error> {
        let below = self
            .below
            .find(&path)
            .map_err(|errno| tree("look at", &path, errno))?;
        let change = match (metadata::is_whiteout(stat), below) {
            (true, None) => return Ok(()),
            (true, Some(_)) => Change::Deleted,
            (false, Some(_)) => Change::Changed,
            (false, None) => {
                if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
                    && stat.st_size == 0
                {
                    self.blank.insert(path.clone());
                }
                Change::Added
            }
        };
        self.found.insert(path, change);
        Ok(())
    }

    fn leave_out(&mut self, ours: &[Vec<u8>]) {
        // What is in a directory goes before it.
        for path in ours.iter().collect::<BTreeSet<_>>().into_iter().rev() {
            let inside = [path, &b"/"[..]].concat();
            let holds_more = |(other, _): (&Vec<u8>, _)| other.starts_with(&inside);
            let rest = self.found.range(inside.clone()..).next();
            if self.blank.contains(path) && !rest.is_some_and(holds_more) {
                self.found.remove(path);
                self.touched.remove(path::split(path).0);
            }
        }
    }

    /// A directory is changed by what is changed in it.
    fn with_parents(mut self) -> BTreeMap<Vec<u8>, Change> {
        for path in self.touched {
            self.found.entry(path).or_insert(Change::Changed);
        }
        let paths: Vec<Vec<u8>> = self.found.keys().cloned().collect();
        for path in paths {
            let parent = path::split(&path).0;
            for prefix in path::prefixes(parent) {
                if !self.found.contains_key(prefix) {
                    self.found.insert(prefix.to_vec(), Change::Changed);
                }
            }
        }
        self.found
    }
}

#[cfg(test)]
mod tests;
