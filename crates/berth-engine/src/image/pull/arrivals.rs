//! Which blobs of a pull are here, and how far the others are.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::PipeWriter;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use berth_oci::Digest;
use berth_store::Ingest;

/// How far a blob is; one that is not known has not begun.
enum Arrival {
    /// It comes, and so many bytes are written to this file.
    Growing(File, u64),
    /// It comes, from elsewhere or over what an earlier pull left: nobody reads it before it is whole.
    Closed,
    /// The store has it.
    Here,
}

/// What fetchers and unpackers tell each other.
pub(super) struct Arrivals {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    blobs: HashMap<Digest, Arrival>,
    /// Unpacked before they were here.
    early: HashSet<Digest>,
    /// When all are gone, what is not here will not come.
    fetchers: usize,
}

impl Arrivals {
    pub(super) fn new(fetchers: usize) -> Arrivals {
        Arrivals {
            state: Mutex::new(State {
                blobs: HashMap::new(),
                early: HashSet::new(),
                fetchers,
            }),
            changed: Condvar::new(),
        }
    }

    /// A blob begins to come.
    pub(super) fn begin(&self, digest: &Digest, ingest: &Ingest<'_>) {
        let arrival = match ingest.reader() {
            Ok(file) if ingest.offset() == 0 => Arrival::Growing(file, 0),
            _ => Arrival::Closed,
        };
        self.set(digest, arrival);
    }

    /// What was read of it so far may be wrong.
    pub(super) fn close(&self, digest: &Digest) {
        self.set(digest, Arrival::Closed);
    }

    /// More of it is written.
    pub(super) fn grow(&self, digest: &Digest, written: u64) {
        if let Some(Arrival::Growing(_, bytes)) = self.lock().blobs.get_mut(digest) {
            *bytes = written;
        }
        self.changed.notify_all();
    }

    /// It is whole and verified. True: it is unpacked already.
    pub(super) fn complete(&self, digest: &Digest) -> bool {
        self.set(digest, Arrival::Here);
        self.lock().early.remove(digest)
    }

    /// It is unpacked. False: it is not whole yet.
    pub(super) fn unpacked(&self, digest: &Digest) -> bool {
        let mut state = self.lock();
        let here = state.is_here(digest);
        if !here {
            state.early.insert(digest.clone());
        }
        here
    }

    /// A fetcher has ended, however it did.
    pub(super) fn leave(&self) {
        self.lock().fetchers -= 1;
        self.changed.notify_all();
    }

    fn set(&self, digest: &Digest, arrival: Arrival) {
        self.lock().blobs.insert(digest.clone(), arrival);
        self.changed.notify_all();
    }

    /// Waits for the blob; false: it will not come.
    pub(super) fn wait_whole(&self, digest: &Digest) -> bool {
        self.wait(|state| state.is_here(digest)).is_here(digest)
    }

    /// Waits until the blob begins to come; its file, if it may be read.
    pub(super) fn wait_begun(&self, digest: &Digest) -> Option<File> {
        let state = self.wait(|state| state.blobs.contains_key(digest));
        match state.blobs.get(digest) {
            Some(Arrival::Growing(file, _)) => file.try_clone().ok(),
            _ => None,
        }
    }

    /// Waits for more than `sent` bytes of a blob that comes; `None`: there will not be more to read here.
    fn wait_more(&self, digest: &Digest, sent: u64) -> Option<u64> {
        let more = |state: &State| match state.blobs.get(digest) {
            Some(Arrival::Growing(_, bytes)) => (*bytes > sent).then_some(*bytes),
            _ => None,
        };
        let growing = |state: &State| matches!(state.blobs.get(digest), Some(Arrival::Growing(..)));
        more(&self.wait(|state| !growing(state) || more(state).is_some()))
    }

    fn wait(&self, ready: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        self.changed
            .wait_while(self.lock(), |state| state.fetchers > 0 && !ready(state))
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is one step, so a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a blob's bytes into a pipe as they are written. Ends early when the blob is closed, or its reader gone.
    pub(super) fn feed(&self, digest: &Digest, size: u64, file: &File, pipe: &PipeWriter) {
        let mut sent = 0;
        while sent < size {
            // Once it is whole nobody writes to the file any more, wherever it is now.
            let until = match self.wait_more(digest, sent) {
                Some(bytes) => bytes,
                None if self.lock().is_here(digest) => size,
                None => return,
            };
            while sent < until {
                let most = usize::try_from(until - sent).unwrap_or(usize::MAX);
                match rustix::fs::sendfile(pipe, file, Some(&mut sent), most) {
                    Ok(0) => return,
                    Ok(_) | Err(rustix::io::Errno::INTR) => {}
                    Err(_) => return,
                }
            }
        }
    }
}

impl State {
    fn is_here(&self, digest: &Digest) -> bool {
        matches!(self.blobs.get(digest), Some(Arrival::Here))
    }
}
