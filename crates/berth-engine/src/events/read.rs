//! Reading events, in the order of their writing.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use berth_model::Event;
use jiff::Timestamp;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::append::{LOG, OLD, last_line_end};
use crate::Error;

/// What is read at once; a line that is longer gets more room.
const CHUNK: usize = 64 * 1024;

/// A place in the log of events. It holds the file that it reads, so that events which are moved away meanwhile are
/// still read; what is two files behind is lost to it.
#[derive(Debug)]
pub struct EventReader {
    dir: PathBuf,
    /// `None`: not begun.
    current: Option<Place>,
    since_nano: i64,
    room: usize,
}

#[derive(Debug)]
struct Place {
    file: OwnedFd,
    offset: u64,
}

impl EventReader {
    pub(super) fn since(dir: &Path, since: Timestamp) -> EventReader {
        EventReader {
            dir: dir.to_owned(),
            current: None,
            since_nano: i64::try_from(since.as_nanosecond()).unwrap_or(i64::MAX),
            room: CHUNK,
        }
    }

    pub(crate) fn from_now(dir: &Path) -> EventReader {
        let end = open(&dir.join(LOG)).ok().flatten().and_then(|file| {
            let length = rustix::fs::fstat(&file).ok()?.st_size as u64;
            let offset = last_line_end(file.as_fd(), length).ok()?;
            Some(Place { file, offset })
        });
        EventReader {
            current: end,
            // Without a log all that will be written comes later; an old file is not read then.
            ..EventReader::since(dir, Timestamp::now())
        }
    }

    /// The next events that are there; none: all that is there was read. Never waits.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn next_events(&mut self) -> Result<Vec<Event>, Error> {
        loop {
            let Some(place) = &mut self.current else {
                match self.first()? {
                    Some(file) => self.current = Some(Place { file, offset: 0 }),
                    None => return Ok(Vec::new()),
                }
                continue;
            };
            // In this order: nothing is written to a file any more once it was moved away.
            let moved = !is_at(&place.file, &self.dir.join(LOG));
            let mut text = vec![0; self.room];
            let read = rustix::io::pread(&place.file, &mut text[..], place.offset)
                .map_err(|source| failed(&self.dir, source))?;
            match text[..read].iter().rposition(|&byte| byte == b'\n') {
                Some(last) => {
                    place.offset += last as u64 + 1;
                    self.room = CHUNK;
                    let events = self.parse(&text[..last]);
                    if !events.is_empty() {
                        return Ok(events);
                    }
                }
                None if read == self.room => self.room *= 2,
                // A line that has not got its end yet, or nothing.
                None if !moved => return Ok(Vec::new()),
                None => match self.after()? {
                    Some(file) => self.current = Some(Place { file, offset: 0 }),
                    None => return Ok(Vec::new()),
                },
            }
        }
    }

    /// What is not an event (a newer version's) is passed over.
    fn parse(&self, text: &[u8]) -> Vec<Event> {
        text.split(|&byte| byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<Event>(line).ok())
            .filter(|event| event.time_nano >= self.since_nano)
            .collect()
    }

    fn first(&self) -> Result<Option<OwnedFd>, Error> {
        match self.open(OLD)? {
            None => self.open(LOG),
            old => Ok(old),
        }
    }

    /// The file after the current one, which was moved away.
    fn after(&self) -> Result<Option<OwnedFd>, Error> {
        let old = self.dir.join(OLD);
        match &self.current {
            Some(place) if !is_at(&place.file, &old) => self.open(OLD),
            _ => self.open(LOG),
        }
    }

    fn open(&self, name: &str) -> Result<Option<OwnedFd>, Error> {
        open(&self.dir.join(name)).map_err(|source| failed(&self.dir, source))
    }
}

fn failed(dir: &Path, source: Errno) -> Error {
    Error::Io {
        action: "read",
        path: dir.join(LOG),
        source: source.into(),
    }
}

fn open(path: &Path) -> Result<Option<OwnedFd>, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => Ok(Some(file)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether `path` names this file.
fn is_at(file: &OwnedFd, path: &Path) -> bool {
    match (rustix::fs::fstat(file), rustix::fs::lstat(path)) {
        (Ok(ours), Ok(there)) => (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino),
        _ => false,
    }
}
