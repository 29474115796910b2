//! Content that comes in: written to a file of its own, hashed as it comes, visible only when it is complete and right.
//!
//! An upload has one writer at a time, who holds the lock on its file. Between two requests nothing of it is in
//! memory but the state of the hash; if that is lost too, the file is read once more at the end.

use std::io::Seek as _;
use std::path::PathBuf;

use berth_fs::{Error, Lock, LockMode, failpoint};
use berth_oci::{Algorithm, Digest, Hasher};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::check::digest_of;
use super::{Repository, Rules, disk};
use crate::error::{Code, Failure};
use crate::name::is_upload_id;
use crate::sync::lock;

/// States of hashes that are kept between requests; what is beyond is read again.
const MAX_RUNNING: usize = 4096;

/// The hash of an upload's first `offset` bytes.
#[derive(Debug, Clone)]
pub(super) struct Running {
    offset: u64,
    sha256: Hasher,
}

impl Running {
    fn new() -> Running {
        Running {
            offset: 0,
            sha256: Hasher::new(Algorithm::Sha256),
        }
    }
}

/// An upload that this request writes to. Dropped, it can be gone on with by the next.
#[derive(Debug)]
pub struct Upload {
    repository: Repository,
    id: String,
    path: PathBuf,
    file: Lock,
    offset: u64,
    /// `None`: it was lost, and the file has to be read.
    running: Option<Running>,
    rules: Rules,
    /// Whether there is nothing to go on with.
    is_over: bool,
}

impl Repository {
    /// Begins an upload.
    ///
    /// # Errors
    /// The disk's.
    pub fn begin_upload(&self) -> Result<Upload, Failure> {
        let id = new_id()?;
        let path = self.uploads().join(&id);
        let file = self.persist(|| {
            self.prepare()?;
            disk::create(&path)
        })?;
        let file = Lock::take(file, &path, LockMode::Exclusive)?;
        Ok(Upload {
            repository: self.clone(),
            id,
            path,
            file,
            offset: 0,
            running: Some(Running::new()),
            rules: Rules::default(),
            is_over: false,
        })
    }

    /// Goes on with an upload of this repository; `None`: there is none of this id.
    ///
    /// # Errors
    /// `BlobUploadInvalid` while another request writes to it; the disk's.
    pub fn upload(&self, id: &str) -> Result<Option<Upload>, Failure> {
        if !is_upload_id(id) {
            return Ok(None);
        }
        let path = self.uploads().join(id);
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(source) => return Err(Error::Open { path, source }.into()),
        };
        let Some(file) = Lock::try_take(file, &path, LockMode::Exclusive)? else {
            return Err(Failure::new(
                Code::BlobUploadInvalid,
                "another request is writing to this upload",
            ));
        };
        // Finished, or removed as too old, between the two steps.
        if !file.still_at(&path) {
            return Ok(None);
        }
        let offset =
            rustix::fs::seek(file.as_fd(), rustix::fs::SeekFrom::End(0)).map_err(|source| {
                Error::Read {
                    path: path.clone(),
                    source,
                }
            })?;
        let running = self.storage().take_running(id);
        Ok(Some(Upload {
            repository: self.clone(),
            id: id.to_owned(),
            path,
            file,
            offset,
            running: match offset {
                0 => Some(Running::new()),
                _ => running.filter(|running| running.offset == offset),
            },
            rules: Rules::default(),
            is_over: false,
        }))
    }
}

impl Upload {
    /// What names it in its repository.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Bytes that are here.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Keeps it to the quota from now on.
    #[must_use]
    pub fn under(mut self, rules: &Rules) -> Upload {
        self.rules = rules.clone();
        self
    }

    /// Its file, for who reads (at positions) what is here already.
    ///
    /// # Errors
    /// Too many files are open.
    pub fn reader(&self) -> Result<std::fs::File, Failure> {
        Ok(std::fs::File::from(self.file.as_fd().try_clone_to_owned()?))
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// `NoSpace`: the quota ends here; the disk's. On a full disk the upload is removed: its bytes are needed.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if let Err(failure) = self.repository.admit(bytes.len() as u64, &self.rules) {
            self.remove();
            return Err(failure);
        }
        failpoint!("registry.append");
        if let Err(source) = berth_fs::atomic::write_all(self.file.as_fd(), bytes) {
            // The hash no longer fits what is in the file.
            self.remove();
            let path = self.path.clone();
            return Err(Error::Write { path, source }.into());
        }
        self.offset += bytes.len() as u64;
        self.repository.charge(bytes.len() as i64);
        if let Some(running) = &mut self.running {
            running.sha256.update(bytes);
            running.offset = self.offset;
        }
        Ok(())
    }

    /// Makes a blob of it, if it has this digest; otherwise removes it. Gives the size.
    ///
    /// # Errors
    /// `DigestInvalid`; the disk's.
    pub fn finish(mut self, digest: &Digest) -> Result<u64, Failure> {
        let found = self.digest(digest.algorithm())?;
        if found != *digest {
            self.remove();
            return Err(Failure::new(
                Code::DigestInvalid,
                format!("the content has the digest {found}, not {digest}"),
            ));
        }
        let finished = self.publish(digest);
        match finished {
            Ok(()) => self.is_over = true,
            // What cannot be stored only takes room.
            Err(_) => self.remove(),
        }
        finished.map(|()| self.offset)
    }

    /// Removes it.
    pub fn cancel(mut self) {
        self.remove();
    }

    fn publish(&self, digest: &Digest) -> Result<(), Failure> {
        let (repository, size) = (&self.repository, self.offset);
        disk::sync_content(self.file.as_fd(), &self.path)?;
        let lock = repository.lock_for_blobs()?;
        // Its bytes were compared when it was stored; whoever has it read them all again finds other damage.
        let is_intact = |path: &std::path::Path| {
            Ok(disk::stat(path)?.is_some_and(|stat| stat.st_size as u64 == size))
        };
        let target = repository.blob_path(digest);
        let was_here = is_intact(&target)?;
        repository
            .storage()
            .publish(&lock, &self.path, digest, &target, &is_intact)?;
        drop(lock);
        if was_here {
            repository.charge(-(size as i64));
        }
        Ok(disk::sync_names(&repository.blobs())?)
    }

    fn digest(&self, algorithm: Algorithm) -> Result<Digest, Failure> {
        if let (Some(running), Algorithm::Sha256) = (&self.running, algorithm) {
            return Ok(running.sha256.clone().finish());
        }
        let mut file = std::fs::File::from(self.file.as_fd().try_clone_to_owned()?);
        file.rewind()?;
        digest_of(&mut file, algorithm)
    }

    fn remove(&mut self) {
        if !std::mem::replace(&mut self.is_over, true) {
            self.repository.charge(-(self.offset as i64));
        }
        // Left behind it is removed when it is old.
        let _ = disk::unlink(&self.path);
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let (false, Some(running)) = (self.is_over, self.running.take()) {
            self.repository.storage().keep_running(&self.id, running);
        }
    }
}

impl super::Storage {
    fn take_running(&self, id: &str) -> Option<Running> {
        self.hashes().remove(id)
    }

    fn keep_running(&self, id: &str, running: Running) {
        let mut hashes = self.hashes();
        if hashes.len() >= MAX_RUNNING
            && let Some(any) = hashes.keys().next().cloned()
        {
            hashes.remove(&any);
        }
        hashes.insert(id.to_owned(), running);
    }

    fn hashes(&self) -> std::sync::MutexGuard<'_, std::collections::HashMap<String, Running>> {
        lock(&self.inner.hashes)
    }
}

/// A random UUID (RFC 9562, version 4).
fn new_id() -> Result<String, Error> {
    let random = disk::random()?;
    let bits = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    Ok(parts.join("-"))
}
