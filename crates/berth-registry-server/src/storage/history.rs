//! The history of a tag: a line of JSON for each change, the oldest first.
//!
//! A line is on the disk before the tag is moved. So a line that is the last may never have taken effect: the process
//! died in between. Then the tag still names what the line before says, and the next who writes cuts it; so is a
//! line that is torn. Each line's `from` is the `to` of the one before.
//!
//! The lock on the file makes changes of one tag follow each other (security: G8).

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_fs::{Durability, Error, Lock, LockMode, failpoint};
use berth_oci::Digest;
use berth_oci::image::MAX_MANIFEST_BYTES;
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::{Repository, Retain, disk};
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

/// Bytes that hold two lines at least: one has no more than 256 characters of who, which JSON may lengthen six times.
const TAIL: u64 = 16 << 10;
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

    fn is_older(&self, age: Duration) -> bool {
        let when = self.when.parse::<jiff::Timestamp>();
        when.is_ok_and(|when| {
            let passed = jiff::Timestamp::now().duration_since(when);
            Duration::try_from(passed).is_ok_and(|passed| passed >= age)
        })
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
        self.read_history(tag, u64::MAX)
    }

    fn read_history(&self, tag: &Tag, most: u64) -> Result<Vec<Change>, Failure> {
        Ok(self.history_and_tag_since(tag, most)?.0)
    }

    /// The changes of a tag, and what it names.
    pub(super) fn history_and_tag(
        &self,
        tag: &Tag,
    ) -> Result<(Vec<Change>, Option<Digest>), Failure> {
        self.history_and_tag_since(tag, u64::MAX)
    }

    fn history_and_tag_since(
        &self,
        tag: &Tag,
        most: u64,
    ) -> Result<(Vec<Change>, Option<Digest>), Failure> {
        let path = self.history_path(tag);
        let history = loop {
            let Some(file) = disk::open(&path)? else {
                return Ok((Vec::new(), None));
            };
            // Not between a line and its effect.
            let file = Lock::take(file.into(), &path, LockMode::Shared)?;
            if file.still_at(&path) {
                break History { file, path };
            }
        };
        let lines = history.lines(history.size()?.saturating_sub(most))?;
        let mut changes: Vec<Change> = lines.into_iter().map(|(_, change)| change).collect();
        let limit = MAX_MANIFEST_BYTES + 1;
        let now = match disk::read(&self.tag_path(tag), limit)? {
            Some(bytes) => Some(
                self.digest_here(&bytes)?
                    .unwrap_or_else(|| Digest::of(&bytes)),
            ),
            None => None,
        };
        // A last line that never took effect is none.
        if let Some(last) = changes.last()
            && last.to != now
            && last.from == now
        {
            changes.pop();
        }
        Ok((changes, now))
    }

    /// The last changes of a tag, some ten at least.
    pub(super) fn recent_history(&self, tag: &Tag) -> Result<Vec<Change>, Failure> {
        self.read_history(tag, 2 * TAIL)
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
        let start = size.saturating_sub(TAIL);
        let mut lines = self.lines(start)?;
        if lines.is_empty() && start > 0 {
            // Nothing of ours: damage, which is not ours to cut.
            return Ok(());
        }
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
        let lines = self.lines(self.size()?.saturating_sub(TAIL))?;
        Ok(lines.into_iter().next_back().map(|(_, change)| change))
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
        disk::sync_content(self.file.as_fd(), &self.path)?;
        if size == 0 {
            disk::sync_names(self.path.parent().unwrap_or(Path::new(".")))?;
        }
        Ok(())
    }

    /// Keeps the last lines only, once there are some more; removes what is left of a tag that is long gone.
    pub(super) fn shorten(
        self,
        repository: &Repository,
        tag: &Tag,
        retain: &Retain,
    ) -> Result<(), Failure> {
        let lines = self.lines(0)?;
        let is_gone = disk::stat(&repository.tag_path(tag))?.is_none();
        let is_forgotten = lines
            .last()
            .is_none_or(|(_, last)| last.is_older(retain.removed));
        if is_gone && is_forgotten {
            return Ok(disk::unlink(&self.path).map(drop)?);
        }
        if lines.len() <= retain.history + retain.history / 8 {
            return Ok(());
        }
        let start = lines[lines.len() - retain.history.max(2) - 1].0;
        let mut kept = vec![0; (self.size()? - start) as usize];
        let file = std::fs::File::from(self.file.as_fd().try_clone_to_owned()?);
        file.read_exact_at(&mut kept, start)?;
        // A new file: whoever waits for the lock of the old one notices.
        Ok(berth_fs::atomic_write(
            &self.path,
            &kept,
            Durability::Durable,
        )?)
    }

    fn cut(&self, end: u64) -> Result<(), Error> {
        failpoint!("registry.cut");
        rustix::fs::ftruncate(self.file.as_fd(), end).map_err(|source| Error::Write {
            path: self.path.clone(),
            source,
        })
    }

    /// The whole lines from `start` on, each with where it ends; damaged ones are passed over. A line that began
    /// before `start` is left out.
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
            if let (true, Ok(change)) = (line.ends_with(b"\n"), serde_json::from_slice(line)) {
                lines.push((at, change));
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
}

fn open(path: &Path) -> Result<std::os::fd::OwnedFd, Error> {
    failpoint!("registry.create");
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(|source| Error::Open {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
