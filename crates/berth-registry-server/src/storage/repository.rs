//! One repository: its directories and the names in them.

use std::path::{Path, PathBuf};

use berth_fs::{Error, failpoint};
use berth_oci::Digest;
use rustix::fs::Mode;
use rustix::io::Errno;

use super::{Storage, disk};
use crate::error::Failure;
use crate::name::{RepositoryName, Tag};

/// A repository, there or not.
#[derive(Debug, Clone)]
pub struct Repository {
    storage: Storage,
    name: RepositoryName,
    dir: PathBuf,
}

/// The directories, in the order in which they are made.
pub(super) const ALL_DIRS: [&str; 6] = [
    "_blobs",
    "_uploads",
    "_referrers",
    "_history",
    "_tags",
    "_manifests",
];
/// The first of them are for content, the others for manifests besides; the last of each tells that all are there.
const FOR_BLOBS: usize = 2;
/// How often a collector may remove an empty repository under our hands.
const MAX_TRIES: usize = 100;

impl Repository {
    pub(super) fn new(storage: Storage, name: RepositoryName) -> Repository {
        let dir = storage.repositories_dir().join(name.as_str());
        Repository { storage, name, dir }
    }

    /// Its name.
    pub fn name(&self) -> &RepositoryName {
        &self.name
    }

    /// Whether a manifest was ever put into it.
    ///
    /// # Errors
    /// The disk's.
    pub fn exists(&self) -> Result<bool, Failure> {
        Ok(disk::stat(&self.manifests())?.is_some())
    }

    pub(super) fn storage(&self) -> &Storage {
        &self.storage
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.dir.join("_blobs")
    }

    pub(super) fn manifests(&self) -> PathBuf {
        self.dir.join("_manifests")
    }

    pub(super) fn tags_dir(&self) -> PathBuf {
        self.dir.join("_tags")
    }

    pub(super) fn uploads(&self) -> PathBuf {
        self.dir.join("_uploads")
    }

    pub(super) fn referrers_dir(&self, subject: &Digest) -> PathBuf {
        let mut path = self.dir.join("_referrers");
        path.push(file_name(subject));
        path
    }

    pub(super) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(file_name(digest))
    }

    pub(super) fn manifest_path(&self, digest: &Digest) -> PathBuf {
        self.manifests().join(file_name(digest))
    }

    pub(super) fn tag_path(&self, tag: &Tag) -> PathBuf {
        self.tags_dir().join(tag.as_str())
    }

    pub(super) fn history_path(&self, tag: &Tag) -> PathBuf {
        let mut path = self.dir.join("_history");
        path.push(tag.as_str());
        path
    }

    /// Makes the directories for content.
    pub(super) fn prepare(&self) -> Result<(), Error> {
        if disk::stat(&self.uploads())?.is_some() {
            return Ok(());
        }
        let mut parent = self.storage.repositories_dir();
        for part in self.name.as_str().split('/') {
            make_all(&parent, &[part])?;
            parent.push(part);
        }
        make_all(&self.dir, &ALL_DIRS[..FOR_BLOBS])
    }

    /// Makes all directories.
    pub(super) fn prepare_manifests(&self) -> Result<(), Error> {
        if disk::stat(&self.manifests())?.is_some() {
            return Ok(());
        }
        self.prepare()?;
        make_all(&self.dir, &ALL_DIRS[FOR_BLOBS..])
    }

    /// Does what needs directories; again, if a collector has just removed them.
    pub(super) fn persist<T>(&self, act: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        let is_gone = |error: &Error| error.errno() == Some(Errno::NOENT);
        for _ in 1..MAX_TRIES {
            match act() {
                Err(error) if is_gone(&error) => {}
                done => return done,
            }
        }
        act()
    }
}

/// Makes directories; durable at the return.
fn make_all(parent: &Path, names: &[&str]) -> Result<(), Error> {
    let mut is_new = false;
    for name in names {
        failpoint!("registry.mkdir");
        let path = parent.join(name);
        match rustix::fs::mkdir(&path, Mode::RWXU) {
            Ok(()) => is_new = true,
            Err(Errno::EXIST) => {}
            Err(source) => return Err(Error::Create { path, source }),
        }
    }
    if is_new {
        disk::sync_names(parent)
    } else {
        Ok(())
    }
}

/// `sha256-0123…`: a digest as a file's name.
pub(super) fn file_name(digest: &Digest) -> String {
    format!("{}-{}", digest.algorithm().as_str(), digest.hex())
}

/// The digest of which this is the file's name.
pub(super) fn digest_of_name(name: &str) -> Option<Digest> {
    let (algorithm, hex) = name.split_once('-')?;
    Digest::parse(&format!("{algorithm}:{hex}")).ok()
}
