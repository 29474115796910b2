//! Files that whoever runs the server writes: users, certificates, keys; some may change while we run.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Error;

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds; it cannot be set by hand.
    changed: (i64, i64),
}

impl Stamp {
    /// Of what is there now; `None`: nothing, or it cannot be seen.
    pub fn at(path: &Path) -> Option<Stamp> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// The bytes of a file that has at most `limit` of them; `what` it is, for a message.
///
/// # Errors
/// [`Error::ReadFile`].
pub fn read(path: &Path, what: &'static str, limit: u64) -> Result<Vec<u8>, Error> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
        match bytes.len() as u64 > limit {
            true => Err(io::ErrorKind::FileTooLarge.into()),
            false => Ok(bytes),
        }
    };
    read().map_err(|source| unreadable(path, what, source))
}

/// The same, of a file that is text.
///
/// # Errors
/// [`Error::ReadFile`].
pub fn read_text(path: &Path, what: &'static str, limit: u64) -> Result<String, Error> {
    let text = String::from_utf8(read(path, what, limit)?);
    text.map_err(|_| unreadable(path, what, io::ErrorKind::InvalidData.into()))
}

fn unreadable(path: &Path, what: &'static str, source: io::Error) -> Error {
    Error::ReadFile {
        what,
        path: path.to_owned(),
        source,
    }
}

/// What some files say, read again when they have changed.
pub struct Watched<S, T> {
    /// How often they are looked at.
    every: Duration,
    state: Mutex<State<S, T>>,
}

struct State<S, T> {
    said: Arc<T>,
    stamp: S,
    looked: Instant,
}

impl<S: PartialEq, T> Watched<S, T> {
    /// Reads them for the first time. A `stamp` tells their states apart.
    ///
    /// # Errors
    /// Those of `load`.
    pub fn load<E>(
        every: Duration,
        stamp: impl FnOnce() -> S,
        load: impl FnOnce() -> Result<T, E>,
    ) -> Result<Watched<S, T>, E> {
        // Before: what changes meanwhile is seen by the next look.
        let stamp = stamp();
        Ok(Watched {
            every,
            state: Mutex::new(State {
                said: Arc::new(load()?),
                stamp,
                looked: Instant::now(),
            }),
        })
    }

    /// What they say now. Files that cannot be read or understood change nothing: they may be half written, and nobody
    /// shall be locked out by a typing error. `failed` is told, once for each such state.
    pub fn now<E>(
        &self,
        stamp: impl FnOnce() -> S,
        load: impl FnOnce() -> Result<T, E>,
        failed: impl FnOnce(E),
    ) -> Arc<T> {
        let mut state = self.lock();
        if state.looked.elapsed() >= self.every {
            state.looked = Instant::now();
            let there = stamp();
            if there != state.stamp {
                state.stamp = there;
                match load() {
                    Ok(said) => state.said = Arc::new(said),
                    Err(error) => failed(error),
                }
            }
        }
        state.said.clone()
    }

    /// As if the last look had been a while ago, for tests.
    pub fn look_again(&self) {
        self.lock().looked = Instant::now().checked_sub(self.every).expect("it is small");
    }

    fn lock(&self) -> MutexGuard<'_, State<S, T>> {
        // Each change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
