//! Adding content: hashed while it streams, visible only when it is complete, right and on disk.
//!
//! Content of a known digest goes to `ingest/ALGORITHM-HEX` and can be resumed by whoever comes next;
//! other content to a temporary file. Each is locked by its writer, so garbage collection and others
//! see whether the writer lives.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use berth_fs::{Lock, LockMode, failpoint};
use berth_oci::{Algorithm, Digest, Hasher};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::store::read_error;
use crate::{Error, Lease, Store};

/// What is announced about content that is to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Its digest.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

/// Content on its way into the store. Dropped before [`Ingest::commit`] it is removed, or kept for
/// resuming if its digest is known.
pub struct Ingest<'l> {
    lease: &'l Lease,
    path: PathBuf,
    file: Lock,
    hasher: Hasher,
    written: u64,
    expected: Option<Expected>,
    /// Whether the file stays for whoever resumes.
    keep: bool,
}

impl<'l> Ingest<'l> {
    pub(crate) fn start(lease: &'l Lease, expected: Option<Expected>) -> Result<Self, Error> {
        if let Some(expected) = &expected {
            let path = keyed_path(lease.store(), &expected.digest);
            if let Some(file) = take_keyed(&path, false)? {
                return Ingest::resume(lease, path, file, expected.clone());
            }
        }
        Ingest::start_unkeyed(lease, expected)
    }

    pub(crate) fn start_alone(lease: &'l Lease, expected: Expected) -> Result<Option<Self>, Error> {
        let path = keyed_path(lease.store(), &expected.digest);
        if lease.add(&expected.digest)? {
            return Ok(None);
        }
        let Some(file) = take_keyed(&path, true)? else {
            return Ingest::start_unkeyed(lease, Some(expected)).map(Some);
        };
        let digest = expected.digest.clone();
        let ingest = Ingest::resume(lease, path, file, expected)?;
        // Whoever was writing may just have put it there.
        let is_here = lease.store().size(&digest)?.is_some();
        Ok((!is_here).then_some(ingest))
    }

    fn start_unkeyed(lease: &'l Lease, expected: Option<Expected>) -> Result<Self, Error> {
        let ingest = lease.store().ingest_dir();
        let dir = berth_fs::open_dir(&ingest)?;
        let (path, file) = loop {
            let (name, file) = berth_fs::atomic::create_temporary(dir.as_fd())?;
            let path = ingest.join(name);
            let file = Lock::take(file, &path, LockMode::Exclusive)?;
            // Before it was locked, a collector may have taken it for an abandoned one.
            if file.still_at(&path) {
                break (path, file);
            }
        };
        Ok(Ingest {
            lease,
            path,
            file,
            hasher: hasher_for(expected.as_ref()),
            written: 0,
            expected,
            keep: false,
        })
    }

    /// Goes on with what an earlier writer left: all of it is hashed again.
    fn resume(
        lease: &'l Lease,
        path: PathBuf,
        file: Lock,
        expected: Expected,
    ) -> Result<Self, Error> {
        let mut ingest = Ingest {
            lease,
            file,
            hasher: hasher_for(Some(&expected)),
            written: 0,
            expected: Some(expected),
            keep: true,
            path,
        };
        ingest
            .hash_existing()
            .map_err(|error| read_error(&ingest.path, &error))?;
        if ingest
            .expected
            .as_ref()
            .is_some_and(|e| ingest.written > e.size)
        {
            ingest.restart()?;
        }
        Ok(ingest)
    }

    fn hash_existing(&mut self) -> std::io::Result<()> {
        let mut file = std::fs::File::from(self.file.as_fd().try_clone_to_owned()?);
        let mut buffer = vec![0; 128 << 10];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(()),
                count => {
                    self.hasher.update(&buffer[..count]);
                    self.written += count as u64;
                }
            }
        }
    }

    /// How many bytes are here already: where to go on.
    pub fn offset(&self) -> u64 {
        self.written
    }

    /// Opens what is here for somebody who reads it while more is added. It is not verified.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn reader(&self) -> Result<std::fs::File, Error> {
        std::fs::File::open(&self.path).map_err(|error| read_error(&self.path, &error))
    }

    /// Forgets what is here and begins anew (the peer cannot go on in the middle).
    ///
    /// # Errors
    /// [`Error::WriteIngest`].
    pub fn restart(&mut self) -> Result<(), Error> {
        let error = |source: rustix::io::Errno| Error::WriteIngest {
            source: source.into(),
        };
        rustix::fs::ftruncate(self.file.as_fd(), 0).map_err(error)?;
        rustix::fs::seek(self.file.as_fd(), rustix::fs::SeekFrom::Start(0)).map_err(error)?;
        self.hasher = hasher_for(self.expected.as_ref());
        self.written = 0;
        Ok(())
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// [`Error::SizeMismatch`] beyond the size announced; [`Error::WriteIngest`], [`Error::NoRoom`] (full disk: then
    /// nothing is kept).
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let found = self.written + bytes.len() as u64;
        if let Some(expected) = self.expected.as_ref().filter(|e| found > e.size) {
            self.keep = false;
            return Err(Error::SizeMismatch {
                digest: expected.digest.clone(),
                expected: expected.size,
                found,
            });
        }
        if let Err(source) = berth_fs::atomic::write_all(self.file.as_fd(), bytes) {
            self.keep = false;
            let full = matches!(source, Errno::NOSPC | Errno::DQUOT);
            let source = source.into();
            return Err(match &self.expected {
                Some(expected) if full => Error::NoRoom {
                    needed: expected.size - self.written,
                    source,
                },
                _ => Error::WriteIngest { source },
            });
        }
        self.hasher.update(bytes);
        self.written = found;
        Ok(())
    }

    /// Checks size and digest, makes the content durable and then visible. Returns digest and size.
    ///
    /// # Errors
    /// [`Error::SizeMismatch`] (too short: kept for resuming), [`Error::DigestMismatch`] (removed),
    /// [`Error::Disk`], [`Error::WriteIngest`].
    pub fn commit(mut self) -> Result<Expected, Error> {
        let found = self.hasher.clone().finish();
        if let Some(Expected { digest, size }) = &self.expected {
            if self.written != *size {
                let (digest, expected, found) = (digest.clone(), *size, self.written);
                return Err(Error::SizeMismatch {
                    digest,
                    expected,
                    found,
                });
            }
            if found != *digest {
                self.keep = false;
                return Err(Error::DigestMismatch {
                    expected: digest.clone(),
                    found,
                });
            }
        }
        failpoint!("ingest.fsync");
        rustix::fs::fsync(self.file.as_fd()).map_err(|source| Error::WriteIngest {
            source: source.into(),
        })?;
        self.publish(&found)?;
        Ok(Expected {
            digest: found,
            size: self.written,
        })
    }

    fn publish(&mut self, digest: &Digest) -> Result<(), Error> {
        let store = self.lease.store();
        let lock = store.lock_shared()?;
        self.lease.note(digest)?;
        let target = store.blob_path(digest);
        if digest.algorithm() == Algorithm::Sha512 {
            berth_fs::ensure_dir(&store.root().join("blobs/sha512"), 0o700)?;
        }
        // Over a blob of the same name: same content, or a damaged one that is so repaired.
        failpoint!("ingest.rename");
        rustix::fs::rename(&self.path, &target).map_err(|source| berth_fs::Error::Rename {
            from: self.path.clone(),
            to: target.clone(),
            source,
        })?;
        drop(lock);
        // Nothing is left to be removed.
        self.keep = true;
        let parent = target.parent().unwrap_or(Path::new("."));
        berth_fs::fsync_dir(berth_fs::open_dir(parent)?.as_fd(), parent)?;
        failpoint!("ingest.done");
        Ok(())
    }
}

impl Write for Ingest<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.append(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(Error::WriteIngest { source } | Error::NoRoom { source, .. }) => Err(source),
            Err(other) => Err(std::io::Error::new(std::io::ErrorKind::InvalidData, other)),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Ingest<'_> {
    fn drop(&mut self) {
        if !(self.keep && self.written > 0) && self.file.still_at(&self.path) {
            // Left behind it is collected as garbage.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn hasher_for(expected: Option<&Expected>) -> Hasher {
    Hasher::new(expected.map_or(Algorithm::Sha256, |expected| expected.digest.algorithm()))
}

fn keyed_path(store: &Store, digest: &Digest) -> PathBuf {
    store
        .ingest_dir()
        .join(format!("{}-{}", digest.algorithm().as_str(), digest.hex()))
}

/// Opens and locks the file of a known digest. `None`: another writer has it (if `wait`: it is being
/// replaced again and again, which does not happen in practice).
fn take_keyed(path: &Path, wait: bool) -> Result<Option<Lock>, Error> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for _ in 0..1000 {
        let file: OwnedFd =
            rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(|source| {
                berth_fs::Error::Open {
                    path: path.to_owned(),
                    source,
                }
            })?;
        let lock = if wait {
            Some(Lock::take(file, path, LockMode::Exclusive)?)
        } else {
            Lock::try_take(file, path, LockMode::Exclusive)?
        };
        match lock {
            None => return Ok(None),
            // Its last writer may have renamed it into blobs/ while we waited: then it is no longer
            // ours to write to.
            Some(lock) if lock.still_at(path) => return Ok(Some(lock)),
            Some(_) => {}
        }
    }
    Ok(None)
}

/// What became of abandoned partial content.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
}

/// Removes partial content whose writer is gone; what can be resumed only when it is older than
/// `resumable_for`.
pub(crate) fn sweep(
    store: &Store,
    resumable_for: std::time::Duration,
    dry_run: bool,
) -> Result<Swept, Error> {
    let dir = store.ingest_dir();
    let mut swept = Swept::default();
    for name in berth_fs::dirs::names(berth_fs::open_dir(&dir)?.as_fd())? {
        let path = dir.join(&name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(file) => file,
            Err(rustix::io::Errno::NOENT) => continue,
            Err(source) => return Err(berth_fs::Error::Open { path, source }.into()),
        };
        let Some(lock) = Lock::try_take(file, &path, LockMode::Exclusive)? else {
            continue;
        };
        // Committed or removed between our two steps.
        let Ok(metadata) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        let age = metadata
            .modified()
            .ok()
            .and_then(|time| time.elapsed().ok());
        if is_keyed(&name) && age.unwrap_or_default() < resumable_for {
            continue;
        }
        if lock.still_at(&path) {
            swept.files += 1;
            swept.bytes += metadata.blocks() * 512;
            if !dry_run {
                berth_fs::remove_file(&path, berth_fs::Durability::Volatile)?;
            }
        }
    }
    Ok(swept)
}

fn is_keyed(name: &OsStr) -> bool {
    !name
        .as_encoded_bytes()
        .starts_with(berth_fs::atomic::TEMPORARY_PREFIX.as_bytes())
}

#[cfg(test)]
mod tests;
