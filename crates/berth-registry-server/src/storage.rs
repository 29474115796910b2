//! All that the registry keeps: content once, repositories that link to it, and a history for each tag.
//!
//! ```text
//! ROOT/VERSION                                       the layout's, `1`
//! ROOT/collect.lock                                  one collector at a time
//! ROOT/ballast                                       room to remove things from a full disk
//! ROOT/blobs/ALGORITHM/HEX                           content, complete and verified; link count 1: nobody needs it
//! ROOT/repositories/NAME/_blobs/ALGORITHM-HEX        link: this blob is in this repository
//! ROOT/repositories/NAME/_manifests/ALGORITHM-HEX    link: and this manifest
//! ROOT/repositories/NAME/_referrers/SUBJECT/DIGEST   link: a manifest that names SUBJECT as its subject
//! ROOT/repositories/NAME/_tags/TAG                   link: the manifest that the tag names now
//! ROOT/repositories/NAME/_history/TAG                what it named before: a line of JSON for each change
//! ROOT/repositories/NAME/_uploads/ID                 content that comes in, locked by who writes it
//! ROOT/repositories/NAME/_lock                       see `storage/lock.rs`
//! ```
//!
//! The kernel counts references: links are hard links, and content without any is freed. No name begins with `_` in
//! a repository's name, so no repository is another's directory.
//!
//! What was acknowledged survives a power cut. Content is synced (once) before it gets its first name outside
//! `_uploads`, so whoever finds a name finds whole content; then the directory with the name is synced. What stands
//! in `blobs/` only serves to store once: it needs no sync of its own. That one client may rely on a link that
//! another has made and not yet synced (a blob that is "already there") is safe where changes of names become
//! durable in their order, as in the journals of ext4 and XFS: the later sync of the manifest that relies on it
//! brings the earlier link along.
//!
//! Several processes may work on one root at the same time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use berth_fs::Durability;
use berth_oci::Digest;
use rustix::fs::{FallocateFlags, Mode, OFlags};

use crate::error::{Code, Failure};
use crate::name::RepositoryName;

mod blob;
mod catalog;
pub mod check;
pub mod collect;
mod disk;
mod document;
mod history;
mod listing;
mod lock;
mod manifest;
mod quota;
mod referrers;
mod repository;
pub mod rules;
mod tag;
mod upload;

pub use blob::Blob;
pub use check::Problem;
pub use collect::{CollectOptions, Collected};
pub use history::Change;
pub use manifest::{Manifest, Stored};
pub use repository::Repository;
pub use rules::{KeepTags, Retain, RuleSet, Rules};
pub use upload::Upload;

const VERSION: &str = "1";
/// Enough for thousands of lines in histories.
const BALLAST_BYTES: u64 = 1 << 20;

/// A blob that somebody asks for is marked as needed, if that was not done for so long. Collectors have to wait
/// longer before they take anything.
pub const FRESH: Duration = Duration::from_secs(600);

/// What the registry keeps, below one directory. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Storage {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    fresh: Duration,
    /// Hashes of uploads between two requests.
    hashes: Mutex<HashMap<String, upload::Running>>,
    usage: quota::Usage,
    listings: listing::Listings,
}

impl Storage {
    /// Opens what is at `root`; what is missing is made.
    ///
    /// # Errors
    /// The disk's; another layout.
    pub fn open(root: &Path) -> Result<Storage, Failure> {
        Storage::open_with(root, FRESH)
    }

    /// As [`Storage::open`], with another span than [`FRESH`].
    ///
    /// # Errors
    /// Likewise.
    pub fn open_with(root: &Path, fresh: Duration) -> Result<Storage, Failure> {
        if let Some(parent) = root.parent()
            && !parent.as_os_str().is_empty()
        {
            std::fs::create_dir_all(parent)?;
        }
        berth_fs::ensure_dir(root, 0o700)?;
        for name in ["blobs", "blobs/sha256", "blobs/sha512", "repositories"] {
            disk::ensure_dir(&root.join(name))?;
        }
        check_version(&root.join("VERSION"))?;
        let storage = Storage {
            inner: Arc::new(Inner {
                root: root.to_owned(),
                fresh,
                hashes: Mutex::default(),
                usage: quota::Usage::default(),
                listings: listing::Listings::default(),
            }),
        };
        storage.load_ballast();
        Ok(storage)
    }

    /// A repository, there or not.
    pub fn repository(&self, name: &RepositoryName) -> Repository {
        Repository::new(self.clone(), name.clone())
    }

    /// Where it all is.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// Removing is the way out of a full disk: it must work on one.
    fn even_if_full<T>(&self, act: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
        match act() {
            Err(failure) if failure.code == Code::NoSpace && self.drop_ballast() => act(),
            done => done,
        }
    }

    fn drop_ballast(&self) -> bool {
        std::fs::remove_file(self.inner.root.join("ballast")).is_ok()
    }

    /// Best effort: without it all works but removal on a full disk.
    fn load_ballast(&self) {
        let path = self.inner.root.join("ballast");
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if let Ok(file) = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)
            && rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, BALLAST_BYTES).is_err()
        {
            let _ = std::fs::remove_file(&path);
        }
    }

    fn repositories_dir(&self) -> PathBuf {
        self.inner.root.join("repositories")
    }

    /// The name under which the content is stored once.
    fn shared(&self, digest: &Digest) -> PathBuf {
        let mut path = self.inner.root.join("blobs");
        path.push(digest.algorithm().as_str());
        path.push(digest.hex());
        path
    }
}

fn check_version(path: &Path) -> Result<(), Failure> {
    match disk::read(path, 64)? {
        None => Ok(berth_fs::atomic_write(
            path,
            format!("{VERSION}\n").as_bytes(),
            Durability::Durable,
        )?),
        Some(found) if found.trim_ascii() == VERSION.as_bytes() => Ok(()),
        Some(found) => Err(Failure::new(
            Code::Internal,
            format!(
                "the registry's directory has layout `{}`, and this program knows only {VERSION}",
                String::from_utf8_lossy(found.trim_ascii())
            ),
        )),
    }
}

#[cfg(test)]
pub(crate) mod tests;
