//! Garbage collection beside others' work, by any process: nobody waits for it longer than for one short batch.
//!
//! For each repository: abandoned uploads; what its rules no longer keep; links to blobs that no manifest of it
//! names. Then the content to which no link is left.
//!
//! ```text
//!              no lock                  │ alone, a millisecond     │ no lock
//!  1 list all blobs: the candidates     │                          │
//!  2 mark: read all manifests           │                          │
//!  3 for each batch of candidates ──────┼► read what is new since; │
//!                                       │  unlink what is still    │
//!                                       │  unmarked and old ───────┼► the next
//! ```
//!
//! Why nothing that is needed goes:
//! - A manifest is linked under the shared lock, after a look at all that it names: before a batch, which then reads
//!   it; or after it, and is refused if something has gone.
//! - Who pushes in steps is told that a blob is here, and names it later. Being told so under the shared lock makes the
//!   blob young: for `grace` nobody takes it.
//! - A manifest that cannot be read may name anything: as long as it is there, nothing of its repository goes.
//! - Content in `blobs/` with one link is in no repository. Who is just linking it makes a second before the first
//!   ends, or finds it gone and links what he brings; at worst the same content is then stored twice.
//!
//! Killed at any point it leaves less garbage. Two at once take turns.

use std::collections::HashMap;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::Duration;

use berth_fs::{Lock, LockMode};
use berth_oci::Digest;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::repository::digest_of_name;
use super::{Repository, Rules, Storage, disk};
use crate::error::Failure;
use crate::name::RepositoryName;

mod leftovers;
pub(super) mod mark;
mod retain;

use mark::{Key, Marker};

/// Candidates that are judged while others wait.
const BATCH: usize = 128;
/// Nobody needs as long between two steps, each under no lock that tells.
const ABANDONED: Duration = Duration::from_secs(3600);

/// What may be collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectOptions {
    /// A blob that no manifest names is kept so long after it was last pushed, mounted or asked for: a client may be
    /// about to push its manifest. More than [`FRESH`](super::FRESH).
    pub grace: Duration,
    /// Uploads are kept so long after the last byte.
    pub upload_ttl: Duration,
    /// Remove nothing, only tell.
    pub dry_run: bool,
}

impl Default for CollectOptions {
    fn default() -> CollectOptions {
        CollectOptions {
            grace: Duration::from_secs(24 * 3600),
            upload_ttl: Duration::from_secs(24 * 3600),
            dry_run: false,
        }
    }
}

/// What was, or would be, collected.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Collected {
    /// Tags that the rules no longer keep.
    pub tags: usize,
    /// Manifests that the rules no longer keep.
    pub manifests: usize,
    /// Links from a repository to a blob.
    pub blobs: usize,
    /// Contents to which no link was left.
    pub contents: usize,
    /// Bytes on the disk of contents and uploads.
    pub bytes: u64,
    /// Abandoned uploads.
    pub uploads: usize,
    /// Repositories in which nothing was left.
    pub repositories: usize,
    /// Manifests that are damaged, with their repository: nothing of it was collected.
    pub damaged: Vec<(String, Digest)>,
}

/// One collection on its way.
struct Collection<'a> {
    options: &'a CollectOptions,
    /// Links that would have gone, by inode.
    gone: HashMap<u64, u64>,
    collected: Collected,
}

impl Storage {
    /// Removes what nothing needs, while others work.
    ///
    /// # Errors
    /// The disk's.
    pub fn collect(
        &self,
        options: &CollectOptions,
        rules: &dyn Fn(&RepositoryName) -> Rules,
    ) -> Result<Collected, Failure> {
        let _turn = Lock::file(&self.inner.root.join("collect.lock"), LockMode::Exclusive)?;
        let mut collection = Collection {
            options,
            gone: HashMap::new(),
            collected: Collected::default(),
        };
        self.visit(|repository| collection.repository(repository, &rules(repository.name())))?;
        for algorithm in ["sha256", "sha512"] {
            collection.contents(&self.inner.root.join("blobs").join(algorithm))?;
        }
        if !options.dry_run {
            // Of who was killed while he made the layout.
            let root = berth_fs::open_dir(&self.inner.root)?;
            berth_fs::atomic::sweep_temporary(root.as_fd())?;
            self.load_ballast();
        }
        Ok(collection.collected)
    }
}

impl Collection<'_> {
    fn repository(&mut self, repository: &Repository, rules: &Rules) -> Result<(), Failure> {
        self.uploads(repository)?;
        self.old_tags(repository, &rules.retain.tags, rules)?;
        let mut marker = Marker::new(repository);
        marker.update()?;
        if let Some(damaged) = marker.damaged() {
            let name = repository.name().as_str().to_owned();
            self.collected.damaged.push((name, damaged.clone()));
            return Ok(());
        }
        if let Some(age) = rules.retain.untagged {
            self.untagged(repository, &mut marker, age, &rules.retain)?;
        }
        self.blobs(repository, &mut marker)?;
        if !self.options.dry_run {
            self.histories(repository, &rules.retain)?;
            self.leftovers(repository)?;
        }
        Ok(())
    }

    /// Uploads without a writer.
    fn uploads(&mut self, repository: &Repository) -> Result<(), Failure> {
        for (name, path) in disk::all_names(&repository.uploads())? {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = match rustix::fs::open(&path, flags, Mode::empty()) {
                Ok(file) => file,
                Err(Errno::NOENT) => continue,
                Err(source) => return Err(berth_fs::Error::Open { path, source }.into()),
            };
            let Some(lock) = Lock::try_take(file, &path, LockMode::Exclusive)? else {
                continue;
            };
            let Some(stat) = disk::stat(&path)? else {
                continue;
            };
            // A manifest that comes in is locked until it is in its place.
            let ttl = match name.starts_with('.') {
                true => ABANDONED.min(self.options.upload_ttl),
                false => self.options.upload_ttl,
            };
            if disk::age(&stat) < ttl || !lock.still_at(&path) {
                continue;
            }
            self.collected.uploads += 1;
            self.collected.bytes += stat.st_blocks as u64 * 512;
            if !self.options.dry_run {
                disk::unlink(&path)?;
                repository.charge(-stat.st_size);
            }
        }
        Ok(())
    }

    /// Blobs that no manifest of their repository names.
    fn blobs(&mut self, repository: &Repository, marker: &mut Marker<'_>) -> Result<(), Failure> {
        let names = disk::names(&repository.blobs())?;
        let mut candidates = names.into_iter().filter_map(|name| digest_of_name(&name));
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            batch.clear();
            for digest in candidates.by_ref() {
                if !marker.names(&Key::of(&digest))
                    && self.is_old(&repository.blob_path(&digest))?
                {
                    batch.push(digest);
                    if batch.len() == BATCH {
                        break;
                    }
                }
            }
            if batch.is_empty() {
                return Ok(());
            }
            let _lock = repository.lock_alone()?;
            marker.update()?;
            if marker.damaged().is_some() {
                return Ok(());
            }
            for digest in &batch {
                let path = repository.blob_path(digest);
                if !marker.names(&Key::of(digest)) && self.is_old(&path)? {
                    self.unlink(repository, &path)?;
                    self.collected.blobs += 1;
                }
            }
        }
    }

    /// Removes a link in a repository, or notes that it would.
    fn unlink(&mut self, repository: &Repository, path: &Path) -> Result<(), Failure> {
        let Some(stat) = disk::stat(path)? else {
            return Ok(());
        };
        *self.gone.entry(stat.st_ino).or_default() += 1;
        if !self.options.dry_run {
            disk::unlink(path)?;
            repository.charge(-stat.st_size);
        }
        Ok(())
    }

    fn is_old(&self, path: &Path) -> Result<bool, Failure> {
        let stat = disk::stat(path)?;
        Ok(stat.is_some_and(|stat| disk::age(&stat) >= self.options.grace))
    }

    /// Content to which no link is left.
    fn contents(&mut self, dir: &Path) -> Result<(), Failure> {
        for (name, path) in disk::all_names(dir)? {
            let Some(stat) = disk::stat(&path)? else {
                continue;
            };
            let others = match self.options.dry_run {
                true => self.gone.get(&stat.st_ino).copied().unwrap_or(0),
                false => 0,
            };
            // Names of the moment, in which a damaged file is replaced.
            let is_temporary = name.starts_with('.');
            if is_temporary && disk::age(&stat) < ABANDONED
                || !is_temporary && stat.st_nlink > 1 + others
            {
                continue;
            }
            self.collected.contents += 1;
            self.collected.bytes += stat.st_blocks as u64 * 512;
            if !self.options.dry_run {
                disk::unlink(&path)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
