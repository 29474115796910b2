//! What the engine writes down, as it changes. Who drains this before an answer knows all that was written before the
//! question was asked.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

/// Directories that are watched.
#[derive(Debug)]
pub(super) struct Watch {
    notify: OwnedFd,
    watched: HashMap<i32, Watched>,
}

/// What a directory is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Watched {
    /// The names of a network: its id.
    Names(String),
    /// A task's: the container's id.
    Task(String),
}

/// Something changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// This file in this directory: it is there, is new, or is gone.
    File(Watched, String),
    /// The directory is gone.
    Gone(Watched),
    /// So much that it was not counted.
    All,
}

impl Watch {
    pub(super) fn new() -> io::Result<Watch> {
        Ok(Watch {
            notify: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
            watched: HashMap::new(),
        })
    }

    /// Watches a directory; that it is watched already is fine.
    pub(super) fn add(&mut self, dir: &Path, what: Watched) -> io::Result<()> {
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::ONLYDIR;
        let number = inotify::add_watch(&self.notify, dir, flags)?;
        self.watched.insert(number, what);
        Ok(())
    }

    /// Whether it is watched.
    pub(super) fn has(&self, what: &Watched) -> bool {
        self.watched.values().any(|known| known == what)
    }

    /// The networks whose names are watched.
    pub(super) fn networks(&self) -> impl Iterator<Item = &str> {
        self.watched.values().filter_map(|what| match what {
            Watched::Names(network) => Some(network.as_str()),
            Watched::Task(_) => None,
        })
    }

    /// Watches it no longer.
    pub(super) fn remove(&mut self, what: &Watched) {
        let found = self.watched.iter().find(|(_, known)| *known == what);
        if let Some(number) = found.map(|(number, _)| *number) {
            // The kernel has removed it with the directory.
            let _ = inotify::remove_watch(&self.notify, number);
            self.watched.remove(&number);
        }
    }

    /// What changed since the last time.
    pub(super) fn drain(&mut self) -> Vec<Change> {
        let mut space = [const { MaybeUninit::<u8>::uninit() }; 4096];
        let mut reader = inotify::Reader::new(&self.notify, &mut space);
        let mut changes = Vec::new();
        // The end, mostly at once, is that it would block.
        while let Ok(event) = reader.next() {
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                changes.push(Change::All);
                continue;
            }
            let Some(what) = self.watched.get(&event.wd()) else {
                continue;
            };
            if event.events().contains(ReadFlags::IGNORED) {
                changes.push(Change::Gone(what.clone()));
                self.watched.remove(&event.wd());
            } else if let Some(name) = event.file_name().and_then(|name| name.to_str().ok()) {
                changes.push(Change::File(what.clone(), name.to_owned()));
            }
        }
        changes
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.notify.as_fd()
    }
}
