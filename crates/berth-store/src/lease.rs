//! Leases: what a living process needs and nothing refers to yet.
//!
//! A lease is a file of digests, one a line, with a lock on it. Its process gone, however it went,
//! the lock is free and the next garbage collection removes the file. A lease on a manifest covers
//! what the manifest names, one on a configuration the snapshots of its layers.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use berth_fs::{Lock, LockMode};
use berth_oci::{Descriptor, Digest};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::{Error, Expected, Ingest, Store};

/// Keeps the content added or named through it from being collected; dropping it ends that.
#[derive(Debug)]
pub struct Lease {
    store: Store,
    path: PathBuf,
    file: Mutex<Lock>,
}

impl Store {
    /// A new, empty lease.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn lease(&self) -> Result<Lease, Error> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let flags =
            OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        loop {
            let n = COUNTER.fetch_add(1, Ordering::Relaxed);
            let pid = rustix::process::getpid().as_raw_pid();
            let path = self.leases_dir().join(format!("{pid}-{n}"));
            match rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => {
                    let file = Lock::take(file, &path, LockMode::Exclusive)?;
                    // Before it was locked, a collector may have taken it for a dead process's.
                    if file.still_at(&path) {
                        return Ok(Lease {
                            store: self.clone(),
                            path,
                            file: Mutex::new(file),
                        });
                    }
                }
                Err(Errno::EXIST) => {}
                Err(source) => return Err(berth_fs::Error::Create { path, source }.into()),
            }
        }
    }
}

impl Lease {
    /// Keeps `digest`. Returns whether the content is here; if so it stays while the lease lives. If not, what it
    /// names is not kept either before it comes.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn add(&self, digest: &Digest) -> Result<bool, Error> {
        Ok(self.add_sized(digest)?.is_some())
    }

    /// As [`Lease::add`]; bytes of the content.
    fn add_sized(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        let _lock = self.store.lock_shared()?;
        self.note(digest)?;
        self.store.size(digest)
    }

    /// Writes the digest down; the caller holds the store's lock.
    pub(crate) fn note(&self, digest: &Digest) -> Result<(), Error> {
        let file = self
            .file
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        berth_fs::atomic::write_all(file.as_fd(), format!("{digest}\n").as_bytes()).map_err(
            |source| berth_fs::Error::Write {
                path: self.path.clone(),
                source,
            },
        )?;
        Ok(())
    }

    /// Starts adding content. If another process is adding the same, both do, and one wins.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn ingest(&self, expected: Option<Expected>) -> Result<Ingest<'_>, Error> {
        Ingest::start(self, expected)
    }

    /// Starts adding content, or waits until whoever adds the same has ended; `None` if it is here
    /// then.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn ingest_alone(&self, expected: Expected) -> Result<Option<Ingest<'_>>, Error> {
        Ingest::start_alone(self, expected)
    }

    /// Adds `content` in one go.
    ///
    /// # Errors
    /// As [`Ingest::append`] and [`Ingest::commit`].
    pub fn put(&self, media_type: &str, content: &[u8]) -> Result<Descriptor, Error> {
        let descriptor = Descriptor::of(media_type, content);
        if self.add_sized(&descriptor.digest)? == Some(descriptor.size) {
            return Ok(descriptor);
        }
        let mut ingest = self.ingest(None)?;
        ingest.append(content)?;
        ingest.commit()?;
        Ok(descriptor)
    }

    /// The store that the lease is in.
    pub fn store(&self) -> &Store {
        &self.store
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Left behind it does no harm: unlocked leases are collected.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Reads the digests of all living leases; removes the files of dead ones if `sweep`. Returns how many dead ones
/// there were. Each digest was written, and a living lease is only added to, under the store's shared lock.
pub(crate) fn living(store: &Store, sweep: bool) -> Result<(Vec<Digest>, usize), Error> {
    let dir = store.leases_dir();
    let mut digests = Vec::new();
    let mut dead = 0;
    for name in berth_fs::dirs::names(berth_fs::open_dir(&dir)?.as_fd())? {
        let path = dir.join(name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => continue,
            Err(source) => return Err(berth_fs::Error::Open { path, source }.into()),
        };
        let reading = file
            .try_clone()
            .map_err(|e| crate::store::read_error(&path, &e))?;
        if let Some(lock) = Lock::try_take(file, &path, LockMode::Exclusive)? {
            // Held until the file is gone: who has made it just now sees that it lost it.
            if lock.still_at(&path) {
                dead += 1;
                if sweep {
                    berth_fs::remove_file(&path, berth_fs::Durability::Volatile)?;
                }
            }
            continue;
        }
        let text = std::io::read_to_string(std::fs::File::from(reading))
            .map_err(|e| crate::store::read_error(&path, &e))?;
        // A line is written by one call; what does not parse was written by nobody of ours.
        digests.extend(text.lines().filter_map(|line| Digest::parse(line).ok()));
    }
    Ok((digests, dead))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn living_leases_count_and_dead_ones_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let lease = store.lease().unwrap();
        let digest = Digest::of(b"x");
        assert!(!lease.add(&digest).unwrap());
        let dead = store.leases_dir().join("1-1");
        std::fs::write(&dead, "sha256:whatever\n").unwrap();
        assert_eq!(living(&store, false).unwrap(), (vec![digest.clone()], 1));
        assert!(dead.exists());
        assert_eq!(living(&store, true).unwrap(), (vec![digest], 1));
        assert!(!dead.exists());
        drop(lease);
        assert_eq!(std::fs::read_dir(store.leases_dir()).unwrap().count(), 0);
    }
}
