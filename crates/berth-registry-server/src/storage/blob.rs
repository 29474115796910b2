//! Blobs: found, taken over from another repository, removed; and how content gets its names.

use std::fs::File;
use std::path::Path;

use berth_fs::{Error, Lock};
use berth_oci::Digest;
use rustix::io::Errno;

use super::collect::mark::{Key, Marker};
use super::{Repository, Storage, disk};
use crate::error::{Code, Failure};

/// A blob that was found, open.
#[derive(Debug)]
pub struct Blob {
    /// Its content, to be read from the beginning.
    pub file: File,
    /// Bytes.
    pub size: u64,
}

impl Repository {
    /// Opens a blob, and marks it as needed; `None`: it is not in this repository.
    ///
    /// # Errors
    /// The disk's.
    pub fn blob(&self, digest: &Digest) -> Result<Option<Blob>, Failure> {
        let path = self.blob_path(digest);
        let Some(file) = disk::open(&path)? else {
            return Ok(None);
        };
        let stat = rustix::fs::fstat(&file).map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })?;
        if disk::age(&stat) > self.storage().inner.fresh && !self.refresh(&path)? {
            return Ok(None);
        }
        let size = stat.st_size as u64;
        Ok(Some(Blob { file, size }))
    }

    /// Marks as needed what is there; tells whether it still is. A collector that has seen how old it is takes it
    /// before or never.
    pub(super) fn refresh(&self, path: &Path) -> Result<bool, Failure> {
        let _lock = self.lock_shared()?;
        match disk::touch(path) {
            Ok(()) => Ok(true),
            Err(error) if error.errno() == Some(Errno::NOENT) => Ok(false),
            // Where nothing can be written, nothing is taken away either.
            Err(error) if error.errno() == Some(Errno::ROFS) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a blob over from another repository; false: it is not there.
    ///
    /// # Errors
    /// The disk's.
    pub fn mount_blob(&self, from: &Repository, digest: &Digest) -> Result<bool, Failure> {
        let source = from.blob_path(digest);
        if disk::stat(&source)?.is_none() {
            return Ok(false);
        }
        let target = self.blob_path(digest);
        let lock = self.lock_for_blobs()?;
        match disk::link(&source, &target) {
            Ok(()) => self.charge(disk::stat(&target)?.map_or(0, |stat| stat.st_size)),
            Err(Errno::EXIST) => disk::touch(&target)?,
            Err(Errno::NOENT) => return Ok(false),
            Err(Errno::MLINK) => copy(&source, &target)?,
            Err(errno) => return Err(link_error(&source, &target, errno).into()),
        }
        drop(lock);
        disk::sync_names(&self.blobs())?;
        Ok(true)
    }

    /// Removes a blob from this repository; false: it was not there.
    ///
    /// # Errors
    /// `Denied` while a manifest needs it; the disk's.
    pub fn remove_blob(&self, digest: &Digest) -> Result<bool, Failure> {
        let path = self.blob_path(digest);
        if disk::stat(&path)?.is_none() {
            return Ok(false);
        }
        let mut marker = Marker::new(self);
        marker.update()?;
        let lock = self.lock_alone()?;
        marker.update()?;
        // What is damaged may need anything.
        if marker.names(&Key::of(digest)) || marker.damaged().is_some() {
            return Err(Failure::new(
                Code::Denied,
                "a manifest needs this blob: remove the manifest first",
            ));
        }
        let size = disk::stat(&path)?.map_or(0, |stat| stat.st_size);
        let removed = disk::unlink(&path)?;
        drop(lock);
        if removed {
            self.charge(-size);
            disk::sync_names(&self.blobs())?;
        }
        Ok(removed)
    }
}

impl Storage {
    /// Gives content that is complete, verified and synced its names: `target`, and the one under which it is stored
    /// once. If it was stored before, the new copy goes, so that both names are the same file. `is_intact` tells of
    /// a file that has the name already whether it has the content. `incoming` is gone at the end.
    ///
    /// The caller holds the lock of the repository, and syncs the target's directory.
    pub(super) fn publish(
        &self,
        _lock: &Lock,
        incoming: &Path,
        digest: &Digest,
        target: &Path,
        is_intact: &dyn Fn(&Path) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        if is_intact(target)? {
            disk::touch(target)?;
            return disk::unlink(incoming).map(drop);
        }
        let shared = self.shared(digest);
        if is_intact(&shared)? {
            match disk::link(&shared, target) {
                Ok(()) => return disk::unlink(incoming).map(drop),
                // A damaged file has the name, a collector was quicker, or the file has as many names as can be.
                Err(Errno::EXIST | Errno::NOENT | Errno::MLINK) => {}
                Err(errno) => return Err(link_error(&shared, target, errno)),
            }
        }
        match disk::link(incoming, &shared) {
            Ok(()) => {}
            Err(Errno::EXIST) => replace_by_link(incoming, &shared)?,
            Err(errno) => return Err(link_error(incoming, &shared, errno)),
        }
        disk::rename(incoming, target)
    }
}

/// Lets `name` stand for another file, at once.
pub(super) fn replace_by_link(file: &Path, name: &Path) -> Result<(), Error> {
    let temporary = disk::temporary_beside(name)?;
    match disk::link(file, &temporary) {
        Ok(()) => {}
        Err(Errno::MLINK) => copy(file, &temporary)?,
        Err(errno) => return Err(link_error(file, &temporary, errno)),
    }
    let renamed = disk::rename(&temporary, name);
    // Two names of the same file: then the renaming has done nothing. (After a failure the first error counts.)
    let removed = disk::unlink(&temporary);
    renamed.and(removed.map(drop))
}

/// For a file that has as many names as can be (ext4: 65,000): another of the same content, durable, as `to`.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let write = |source: std::io::Error| Error::Write {
        path: to.to_owned(),
        source: Errno::from_io_error(&source).unwrap_or(Errno::IO),
    };
    let Some(mut source) = disk::open(from)? else {
        return Err(link_error(from, to, Errno::NOENT));
    };
    let temporary = disk::temporary_beside(to)?;
    let mut file = File::from(disk::create(&temporary)?);
    let copied = std::io::copy(&mut source, &mut file)
        .map_err(write)
        .and_then(|_| disk::sync_content(&file, &temporary))
        .and_then(|()| disk::rename(&temporary, to));
    if copied.is_err() {
        // The first error is the one to report.
        let _ = disk::unlink(&temporary);
    }
    copied
}

/// There is no variant for links: what has failed is to create the second name.
pub(super) fn link_error(_from: &Path, to: &Path, source: Errno) -> Error {
    Error::Create {
        path: to.to_owned(),
        source,
    }
}
