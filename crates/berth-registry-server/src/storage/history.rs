//! The history of a tag: a line of JSON for each change, the oldest first.
//!
//! A line is on the disk before the tag is moved. So a line that is the last may never have taken effect: the process
//! died in between. Then the tag still names what the line before says, and the next who writes cuts it; so is a line that is
//! torn. Each line's `from` is the `to` of the one before.
//!
//! The lock on the file makes changes of one tag follow each other (security: G8).

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use berth_fs::{Error, Lock, LockMode, failpoint};
use berth_oci::Digest;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::{Repository, disk};
use crate::error::Failure;
use crate::name::Tag;

/// A change of a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// RFC 3339.
    pub when: String,
    /// Who asked for it.
    pub who: String,
    /// What the tag named; `None`: there was no such tag.
    pub from: Option<Digest>,
    /// What it names since; `None`: it was removed.
    pub to: Option<Digest>,
    /// Why, if it was not simply pushed or removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Bytes of a line: more than one can have.
const MAX_LINE: u64 = 8 << 10;
/// Characters of who.
const MAX_WHO: usize = 256;

impl Change {
    pub(super) fn now(
        who: &str,
        from: Option<Digest>,
        to: Option<Digest>,
        why: Option<&str>,
    ) -> Change {
        Change {
            when: format!("{:.3}", jiff::Timestamp::now()),
            who: who.chars().take(MAX_WHO).collect(),
            from,
            to,
            why: why.map(str::to_owned),
        }
    }
}

/// A tag's history, locked.
pub(super) struct History {
    file: Lock,
    path: PathBuf,
}

impl Repository {
    /// The changes of a tag, the oldest first; none, if it never was.
    ///
    /// # Errors
    /// The disk's.
    pub fn history(&self, tag: &Tag) -> Result<Vec<Change>, Failure> {
        let path = self.history_path(tag);
        let Some(file) = disk::open(&path)? else {
            return Ok(Vec::new());
        };
        // Not between a line and its effect.
        let lock = Lock::take(file.into(), &path, LockMode::Shared)?;
        let history = History { file: lock, path };
        let mut changes = history
            .lines(0)?
            .into_iter()
            .map(|(_, change)| change)
            .collect();
        self.drop_ineffective(tag, &mut changes)?;
        Ok(changes)
    }

    /// A last line that never took effect is none.
    fn drop_ineffective(&self, tag: &Tag, changes: &mut Vec<Change>) -> Result<(), Failure> {
        let limit = berth_oci::image::MAX_MANIFEST_BYTES + 1;
        let now = disk::read(&self.tag_path(tag), limit)?.map(|bytes| Digest::of(&bytes));
        if let Some(last) = changes.last()
            && last.to != now
            && last.from == now
        {
            changes.pop();
        }
        Ok(())
    }
}

impl History {
    /// Locks the history of a tag, which is created if missing.
    pub(super) fn lock(repository: &Repository, tag: &Tag) -> Result<History, Failure> {
        let path = repository.history_path(tag);
        loop {
            let file = Lock::take(open(&path)?, &path, LockMode::Exclusive)?;
            // It may have been shortened, which is a new file, while we waited.
            if file.still_at(&path) {
                return Ok(History { file, path });
            }
        }
    }

    /// Cuts what is torn or did not take effect, given what the tag names.
    pub(super) fn settle(&self, now: Option<&Digest>) -> Result<(), Failure> {
        let size = self.size()?;
        let mut lines = self.tail()?;
        if let Some((_, last)) = lines.last()
            && last.to.as_ref() != now
            && last.from.as_ref() == now
        {
            lines.pop();
        }
        let end = lines.last().map_or(0, |(end, _)| *end);
        if end < size {
            self.cut(end)?;
        }
        Ok(())
    }

    /// The last line.
    pub(super) fn last(&self) -> Result<Option<Change>, Failure> {
        Ok(self.tail()?.pop().map(|(_, change)| change))
    }

    /// Adds a line, durable at the return.
    pub(super) fn append(&self, change: &Change) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(change).map_err(std::io::Error::from)?;
        line.push(b'\n');
        let size = self.size()?;
        failpoint!("registry.history");
        let written = berth_fs::atomic::write_all(self.file.as_fd(), &line);
        if let Err(source) = written {
            // A torn line would be cut later, too.
            let _ = self.cut(size);
            let path = self.path.clone();
            return Err(Error::Write { path, source }.into());
        }
        failpoint!("registry.sync");
        rustix::fs::fdatasync(self.file.as_fd()).map_err(|source| self.sync_error(source))?;
        if size == 0 {
            disk::sync_names(self.path.parent().unwrap_or(Path::new(".")))?;
        }
        Ok(())
    }

    fn cut(&self, end: u64) -> Result<(), Error> {
        failpoint!("registry.cut");
        rustix::fs::ftruncate(self.file.as_fd(), end).map_err(|source| Error::Write {
            path: self.path.clone(),
            source,
        })
    }

    /// The last lines, two at least (if there are), each with where it ends.
    fn tail(&self) -> Result<Vec<(u64, Change)>, Failure> {
        self.lines(self.size()?.saturating_sub(3 * MAX_LINE))
    }

    /// The whole lines from `start` on, each with where it ends, up to the first that is none. A line that began before `start` is left
    /// out.
    fn lines(&self, start: u64) -> Result<Vec<(u64, Change)>, Failure> {
        let file = std::fs::File::from(self.file.as_fd().try_clone_to_owned()?);
        let mut bytes = vec![0; self.size()?.saturating_sub(start) as usize];
        file.read_exact_at(&mut bytes, start)?;
        let mut at = start;
        let mut lines = Vec::new();
        for (n, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            at += line.len() as u64;
            if n == 0 && start > 0 {
                continue;
            }
            match serde_json::from_slice(line) {
                Ok(change) if line.ends_with(b"\n") => lines.push((at, change)),
                _ => break,
            }
        }
        Ok(lines)
    }

    fn size(&self) -> Result<u64, Error> {
        let stat = rustix::fs::fstat(self.file.as_fd()).map_err(|source| Error::Read {
            path: self.path.clone(),
            source,
        })?;
        Ok(stat.st_size as u64)
    }

    fn sync_error(&self, source: Errno) -> Error {
        Error::Sync {
            path: self.path.clone(),
            source,
        }
    }
}

fn open(path: &Path) -> Result<std::os::fd::OwnedFd, Error> {
    failpoint!("registry.create");
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(|source| Error::Open {
        path: path.to_owned(),
        source,
    })
}
