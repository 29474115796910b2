//! The merged view of the lower layers, as overlay will show it, without mounting anything.
//!
//! Each lower is a directory in overlay's form: a character device 0:0 hides the name below it, a mark on a
//! directory all that is below it. The applier makes no such marks (see `apply`), but a container's own writes do.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Dir, FileType, OFlags, Stat};
use rustix::io::Errno;

use crate::lookup;
use crate::metadata::{is_opaque, is_whiteout};
use crate::path::split;

/// The lower layers, topmost first.
pub(crate) struct View {
    lowers: Vec<OwnedFd>,
    /// The directory looked at last: neighbours are asked for one after the other.
    last: Option<(Vec<u8>, Vec<OwnedFd>)>,
}

/// What a path is in the view.
pub(crate) enum Found {
    /// A directory: its parts, topmost (whose metadata shows) first. Opened for reading.
    Dir(Vec<OwnedFd>),
    /// Anything else: the directory it lies in, and its `stat`.
    Other(OwnedFd, Box<Stat>),
}

impl View {
    pub fn new(lowers: Vec<OwnedFd>) -> View {
        View { lowers, last: None }
    }

    pub fn is_empty(&self) -> bool {
        self.lowers.is_empty()
    }

    /// Looks a clean path up.
    pub fn find(&mut self, path: &[u8]) -> Result<Option<Found>, Errno> {
        if path.is_empty() {
            return Ok(Some(Found::Dir(reopen(&self.lowers)?)));
        }
        let (dir, name) = split(path);
        if self.last.as_ref().is_none_or(|(last, _)| last != dir) {
            let parts = self.walk(dir)?;
            self.last = Some((dir.to_vec(), parts));
        }
        match &self.last {
            Some((_, parts)) => find_in(parts, name),
            None => Ok(None),
        }
    }

    /// Whether something is at this clean path.
    pub fn exists(&mut self, path: &[u8]) -> Result<bool, Errno> {
        Ok(!self.lowers.is_empty() && self.find(path)?.is_some())
    }

    /// The parts of the directory at a clean path; none if it is no directory.
    fn walk(&self, path: &[u8]) -> Result<Vec<OwnedFd>, Errno> {
        let mut parts = reopen(&self.lowers)?;
        for name in path
            .split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty())
        {
            parts = match find_in(&parts, name)? {
                Some(Found::Dir(parts)) => parts,
                _ => return Ok(Vec::new()),
            };
        }
        Ok(parts)
    }
}

/// One step down from the parts of a directory.
pub(crate) fn find_in(parts: &[OwnedFd], name: &[u8]) -> Result<Option<Found>, Errno> {
    let mut found = Vec::new();
    for part in parts {
        let Some(stat) = lookup::stat(part, name)? else {
            continue;
        };
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            let dir = lookup::open_dir(part.as_fd(), name, OFlags::RDONLY)?;
            let opaque = is_opaque(&dir)?;
            found.push(dir);
            if opaque {
                break;
            }
            continue;
        }
        if found.is_empty() && !is_whiteout(&stat) {
            return Ok(Some(Found::Other(
                part.try_clone().map_err(|_| Errno::MFILE)?,
                Box::new(stat),
            )));
        }
        break;
    }
    Ok((!found.is_empty()).then_some(Found::Dir(found)))
}

/// The names in a directory's parts; true for those that are directories.
pub(crate) fn names(parts: &[OwnedFd]) -> Result<BTreeMap<Vec<u8>, bool>, Errno> {
    let mut merged: BTreeMap<Vec<u8>, Option<bool>> = BTreeMap::new();
    for part in parts {
        for entry in Dir::read_from(part)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." || merged.contains_key(name) {
                continue;
            }
            let shown = match entry.file_type() {
                FileType::Directory => Some(true),
                FileType::CharacterDevice | FileType::Unknown => match lookup::stat(part, name)? {
                    Some(stat) if is_whiteout(&stat) => None,
                    Some(stat) => {
                        Some(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
                    }
                    None => None,
                },
                _ => Some(false),
            };
            merged.insert(name.to_vec(), shown);
        }
    }
    Ok(merged
        .into_iter()
        .filter_map(|(name, shown)| Some((name, shown?)))
        .collect())
}

fn reopen(dirs: &[OwnedFd]) -> Result<Vec<OwnedFd>, Errno> {
    dirs.iter()
        .map(|dir| lookup::open_dir(dir.as_fd(), b"", OFlags::RDONLY))
        .collect()
}
