//! Garbage collection beside others' work: nobody waits for it longer than for one short batch.
//!
//! ```text
//!              no lock                  │ exclusive, a millisecond │ no lock
//!  1 list all content: the candidates   │                          │
//!  2 mark: leases, roots, references    │                          │
//!  3 for each batch of candidates ──────┼► mark what is new since; │
//!                                       │  rename what is still    │
//!                                       │  unmarked into trash/ ───┼► delete it
//! ```
//!
//! Why nothing that is needed goes:
//! - Content is wanted by a lease, a container or a reference. A lease grows only under the shared lock
//!   ([`Lease::add`](crate::Lease::add) writes the digest down, then looks for the content), so not during a batch:
//!   `add` says "here" before the batch, and the batch finds the line; or after it, and says "not here" of what went.
//! - A container or a reference is written while a lease still names its content. Leases are read first, then
//!   containers, then references: who gave up a lease between two of these had written the other before.
//! - Marks are only added. What was wanted at any time since the beginning stays, at worst until the next time.
//! - Documents go before what they name (a lease on a manifest covers its layers): as long as one is here for `add`,
//!   nothing that only it names has gone.
//! - Content that came after step 1 is no candidate.
//! - Snapshots go the same way, before blobs: they can be made again from blobs, not the other way round. A lease on
//!   an image's configuration keeps the snapshots of its layers.
//!
//! Killed at any point it leaves a valid store with less garbage, and files in `trash/`. Two at once take turns.

mod mark;
mod order;

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_fs::{Durability, Trash, failpoint, remove_tree_at};
use berth_oci::Digest;

use crate::{Entry, Error, Store, ingest, lease};
use mark::Marker;

/// Partial content is kept so long for resuming.
pub const RESUMABLE_FOR: Duration = Duration::from_secs(24 * 3600);
/// Candidates that are judged under one exclusive lock.
const BATCH: usize = 128;

/// What must stay beside what references and leases name.
#[derive(Debug, Clone, Default)]
pub struct GcRoots {
    /// Manifests (with all they name) or single blobs: those of containers.
    pub blobs: Vec<Digest>,
    /// Snapshots by chain id, in case their image's documents are lost.
    pub chains: Vec<Digest>,
}

/// What there is beside the store.
pub trait Surroundings {
    /// How it fails.
    type Error: From<Error>;

    /// What must stay. Asked many times during a collection, some of them under the exclusive lock.
    ///
    /// # Errors
    /// Its own; the collection ends then.
    fn roots(&mut self) -> Result<GcRoots, Self::Error>;

    /// All snapshots, by chain id.
    ///
    /// # Errors
    /// Likewise.
    fn snapshots(&mut self) -> Result<Vec<Digest>, Self::Error>;

    /// Bytes of a snapshot on disk; asked for those that will probably go.
    ///
    /// # Errors
    /// Likewise.
    fn snapshot_bytes(&mut self, chain: &Digest) -> Result<u64, Self::Error>;

    /// Takes a snapshot out of sight, quickly: the exclusive lock is held.
    ///
    /// # Errors
    /// Likewise.
    fn throw_snapshot(&mut self, chain: &Digest) -> Result<(), Self::Error>;
}

/// What was, or would be, collected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Blobs removed.
    pub blobs: Vec<Digest>,
    /// Snapshots removed, by chain id.
    pub snapshots: Vec<Digest>,
    /// Bytes on disk of blobs, snapshots and partial content removed.
    pub bytes: u64,
    /// Abandoned pieces of partial content removed.
    pub partial: usize,
    /// Files of dead leases removed.
    pub leases: usize,
    /// Documents of images in use that are damaged or missing: what they name cannot be known.
    pub damaged: Vec<Digest>,
}

/// All that keeps an image whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Blobs that it names, here or not, itself among them.
    pub blobs: BTreeSet<Digest>,
    /// Snapshots of its layers.
    pub chains: BTreeSet<Digest>,
}

impl Store {
    /// Removes content that nothing needs, while others work.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::ParseIndex`], and those of `around`.
    pub fn gc<S: Surroundings>(&self, around: &mut S) -> Result<GcReport, S::Error> {
        let snapshots = around.snapshots()?;
        let blobs = self.all_blobs()?.known;
        let mut report = GcReport {
            leases: lease::living(self, true)?.1,
            ..GcReport::default()
        };
        let mut marker = Marker::new(self, &|_| false);
        marker.update(around)?;

        for batch in unmarked_snapshots(snapshots, &marker, around)?.chunks(BATCH) {
            let _lock = self.lock_exclusive()?;
            marker.update(around)?;
            for (chain, bytes) in batch {
                if !marker.has_chain(chain) {
                    around.throw_snapshot(chain)?;
                    report.bytes += bytes;
                    report.snapshots.push(chain.clone());
                }
            }
        }
        let trash = Trash::open(&self.trash_dir()).map_err(Error::from)?;
        let blobs = blobs.into_iter().filter(|one| !marker.has_blob(&one.0));
        for batch in order::documents_first(blobs.collect(), &marker)?.chunks(BATCH) {
            let lock = self.lock_exclusive()?;
            marker.update(around)?;
            let mut thrown = Vec::new();
            for (digest, path) in batch {
                if !marker.has_blob(digest) {
                    report.bytes += self.disk_bytes(digest)?;
                    thrown.extend(throw(&trash, path)?);
                    report.blobs.push(digest.clone());
                }
            }
            drop(lock);
            self.delete(&thrown)?;
        }
        self.sweep_partial(false, &mut report)?;
        self.sweep_root()?;
        report.blobs.sort();
        report.damaged = marker.damaged();
        Ok(report)
    }

    /// What [`Store::gc`] would remove if the entries of which `gone` is true were not there. Removes nothing.
    ///
    /// # Errors
    /// As [`Store::gc`].
    pub fn plan_gc<S: Surroundings>(
        &self,
        around: &mut S,
        gone: &dyn Fn(&Entry) -> bool,
    ) -> Result<GcReport, S::Error> {
        let snapshots = around.snapshots()?;
        let blobs = self.all_blobs()?.known;
        let mut marker = Marker::new(self, gone);
        marker.update(around)?;
        let mut report = GcReport {
            leases: lease::living(self, false)?.1,
            damaged: marker.damaged(),
            ..GcReport::default()
        };
        for (chain, bytes) in unmarked_snapshots(snapshots, &marker, around)? {
            report.bytes += bytes;
            report.snapshots.push(chain);
        }
        for (digest, _) in blobs {
            if !marker.has_blob(&digest) {
                report.bytes += self.disk_bytes(&digest)?;
                report.blobs.push(digest);
            }
        }
        self.sweep_partial(true, &mut report)?;
        Ok(report)
    }

    /// What `image` (a manifest or an index) keeps.
    ///
    /// # Errors
    /// [`Error::ReadBlob`]. What is missing or damaged names nothing.
    pub fn reach(&self, image: &Digest) -> Result<Reach, Error> {
        Marker::new(self, &|_| false).reach(image)
    }

    /// All blobs that are here, with their bytes on disk.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn blobs(&self) -> Result<Vec<(Digest, u64)>, Error> {
        let known = self.all_blobs()?.known.into_iter();
        known
            .map(|(digest, _)| Ok((digest.clone(), self.disk_bytes(&digest)?)))
            .collect()
    }

    fn sweep_partial(&self, dry_run: bool, report: &mut GcReport) -> Result<(), Error> {
        let partial = ingest::sweep(self, RESUMABLE_FOR, dry_run)?;
        report.partial = partial.files;
        report.bytes += partial.bytes;
        Ok(())
    }

    fn sweep_root(&self) -> Result<(), Error> {
        let _lock = self.lock_index()?;
        let root = berth_fs::open_dir(self.root())?;
        berth_fs::atomic::sweep_temporary(root.as_fd())?;
        Ok(())
    }

    fn delete(&self, thrown: &[String]) -> Result<(), Error> {
        let trash = berth_fs::open_dir(&self.trash_dir())?;
        for name in thrown {
            failpoint!("gc.delete");
            remove_tree_at(trash.as_fd(), name)?;
        }
        Ok(())
    }

    /// The files under `blobs/`.
    pub(crate) fn all_blobs(&self) -> Result<AllBlobs, Error> {
        let mut all = AllBlobs::default();
        let blobs = self.root().join("blobs");
        for algorithm in ["sha256", "sha512"] {
            let dir = blobs.join(algorithm);
            let open = match berth_fs::open_dir(&dir) {
                Ok(open) => open,
                Err(error) if error.errno() == Some(rustix::io::Errno::NOENT) => continue,
                Err(error) => return Err(error.into()),
            };
            for name in berth_fs::dirs::names(open.as_fd())? {
                let path = dir.join(&name);
                let text = name.to_str().map(|hex| format!("{algorithm}:{hex}"));
                match text.and_then(|text| Digest::parse(&text).ok()) {
                    Some(digest) => all.known.push((digest, path)),
                    None => all.strange.push(path),
                }
            }
        }
        all.known.sort();
        Ok(all)
    }
}

fn unmarked_snapshots<S: Surroundings>(
    snapshots: Vec<Digest>,
    marker: &Marker<'_>,
    around: &mut S,
) -> Result<Vec<(Digest, u64)>, S::Error> {
    let candidates = snapshots.into_iter().filter(|one| !marker.has_chain(one));
    candidates
        .map(|chain| Ok((chain.clone(), around.snapshot_bytes(&chain)?)))
        .collect()
}

/// Renames a blob into the trash; gives its name there. Deleting may take long (a big file), renaming does not.
fn throw(trash: &Trash, path: &Path) -> Result<Option<String>, Error> {
    failpoint!("gc.throw");
    match trash.throw(path, Durability::Volatile) {
        // The trash may want a block that a full disk does not have: what is to make room must not need any.
        Err(error) if error.errno() == Some(rustix::io::Errno::NOSPC) => {
            berth_fs::remove_file(path, Durability::Volatile)?;
            Ok(None)
        }
        thrown => Ok(thrown?),
    }
}

#[derive(Default)]
pub(crate) struct AllBlobs {
    pub(crate) known: Vec<(Digest, PathBuf)>,
    /// Files that nothing of ours made.
    pub(crate) strange: Vec<PathBuf>,
}

#[cfg(test)]
mod tests;
