//! Who links waits for who takes away, and the other way round.
//!
//! Each repository has a lock. What makes or relies on a link holds it shared, for some system calls (a manifest:
//! while what it names is looked for, until its own link is there). A collector holds it alone while it looks at a
//! batch once more and takes it away. So what somebody was told is here does not go behind his back.
//!
//! `flock` lets new sharers pass a waiting loner, who would wait for ever in a busy repository. So both come in
//! through a gate (a lock on the directory), one after the other: behind a loner who waits in the gate, all queue.
//!
//! Order: the repository's, then a tag's history.

use berth_fs::{Error, Lock, LockMode};

use super::Repository;

impl Repository {
    /// Held while links are made or relied upon. The repository's directory must be there.
    pub(super) fn lock_shared(&self) -> Result<Lock, Error> {
        self.lock(LockMode::Shared)
    }

    /// Held while links are taken away.
    pub(super) fn lock_alone(&self) -> Result<Lock, Error> {
        self.lock(LockMode::Exclusive)
    }

    /// Makes the directories for blobs, and locks: then they stay.
    pub(super) fn lock_for_blobs(&self) -> Result<Lock, Error> {
        self.persist(|| {
            self.prepare()?;
            let lock = self.lock_shared()?;
            self.prepare()?;
            Ok(lock)
        })
    }

    /// Makes the directories for manifests, and locks: then they stay.
    pub(super) fn lock_for_manifests(&self) -> Result<Lock, Error> {
        self.persist(|| {
            self.prepare_manifests()?;
            let lock = self.lock_shared()?;
            self.prepare_manifests()?;
            Ok(lock)
        })
    }

    fn lock(&self, mode: LockMode) -> Result<Lock, Error> {
        let path = self.dir().join("_lock");
        loop {
            let _gate = Lock::dir(self.dir(), LockMode::Exclusive)?;
            let lock = Lock::file(&path, mode)?;
            // With an empty repository its lock goes.
            if lock.still_at(&path) {
                return Ok(lock);
            }
        }
    }
}
