//! Opening the store, its paths and its locks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_fs::{Durability, Lock, LockMode, atomic_write, ensure_dir};
use berth_oci::{Digest, Index, image};
use rustix::fs::{FallocateFlags, Mode, OFlags};
use serde::{Deserialize, Serialize};

use crate::Error;

const LAYOUT_VERSION: &str = "1.0.0";
/// Enough for an index.json with thousands of references.
const BALLAST_BYTES: u64 = 1 << 20;

/// The image store under one root directory. Cloning is cheap; all is on disk.
#[derive(Debug, Clone)]
pub struct Store {
    root: Arc<Path>,
}

/// What tells two states of a file apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileState {
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds.
    modified: (i64, u64),
}

/// `oci-layout`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayoutFile {
    image_layout_version: String,
}

impl Store {
    /// Opens the store at `root`; what is missing is created, wrong modes are repaired (D3).
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::UnsupportedLayout`], [`Error::ParseLayout`].
    pub fn open(root: &Path) -> Result<Store, Error> {
        if let Some(parent) = root.parent()
            && !parent.as_os_str().is_empty()
        {
            std::fs::create_dir_all(parent).map_err(|error| create_error(parent, &error))?;
        }
        ensure_dir(root, 0o700)?;
        for name in ["blobs", "blobs/sha256", "ingest", "leases"] {
            ensure_dir(&root.join(name), 0o700)?;
        }
        let store = Store { root: root.into() };
        store.check_layout()?;
        store.load_ballast();
        Ok(store)
    }

    /// The root directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the content with this digest is, or would be.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        let mut path = self.root.join("blobs");
        path.push(digest.algorithm().as_str());
        path.push(digest.hex());
        path
    }

    pub(crate) fn index_path(&self) -> PathBuf {
        self.root.join("index.json")
    }

    pub(crate) fn ingest_dir(&self) -> PathBuf {
        self.root.join("ingest")
    }

    /// What is being removed; the engine's, which empties it.
    pub(crate) fn trash_dir(&self) -> PathBuf {
        self.root.join("trash")
    }

    /// By what a change of `index.json` shows: each is a new file, or touched.
    pub(crate) fn index_state(&self) -> Result<FileState, Error> {
        let path = self.index_path();
        let stat = rustix::fs::stat(&path).map_err(|error| read_error(&path, &error.into()))?;
        Ok(FileState {
            inode: stat.st_ino,
            size: stat.st_size as u64,
            modified: (stat.st_mtime, stat.st_mtime_nsec as u64),
        })
    }

    pub(crate) fn leases_dir(&self) -> PathBuf {
        self.root.join("leases")
    }

    /// Held for the moment in which a lease grows: garbage collection waits.
    pub(crate) fn lock_shared(&self) -> Result<Lock, Error> {
        Ok(Lock::dir(&self.root.join("blobs"), LockMode::Shared)?)
    }

    /// Held for the moment in which a batch of garbage is taken away.
    pub(crate) fn lock_exclusive(&self) -> Result<Lock, Error> {
        Ok(Lock::dir(&self.root.join("blobs"), LockMode::Exclusive)?)
    }

    pub(crate) fn lock_index(&self) -> Result<Lock, Error> {
        Ok(Lock::file(
            &self.root.join("index.lock"),
            LockMode::Exclusive,
        )?)
    }

    fn check_layout(&self) -> Result<(), Error> {
        let path = self.root.join("oci-layout");
        match std::fs::read(&path) {
            Ok(bytes) => {
                let layout: LayoutFile = image::parse_strict("oci-layout", &bytes)
                    .map_err(|source| Error::ParseLayout { source })?;
                if layout.image_layout_version != LAYOUT_VERSION {
                    return Err(Error::UnsupportedLayout {
                        version: layout.image_layout_version,
                    });
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let text = format!("{{\"imageLayoutVersion\":\"{LAYOUT_VERSION}\"}}");
                atomic_write(&path, text.as_bytes(), Durability::Durable)?;
            }
            Err(error) => return Err(read_error(&path, &error)),
        }
        if rustix::fs::access(self.index_path(), rustix::fs::Access::EXISTS).is_err() {
            let _lock = self.lock_index()?;
            // Somebody may have been quicker.
            if !self.index_path().exists() {
                self.write_index(&Index::default())?;
            }
        }
        Ok(())
    }

    pub(crate) fn write_index(&self, index: &Index) -> Result<(), Error> {
        let bytes = serde_json::to_vec(index).map_err(|source| Error::EncodeIndex { source })?;
        let write = || atomic_write(&self.index_path(), &bytes, Durability::Durable);
        match write() {
            // Removing a reference is the way out of a full disk: it must work on one.
            Err(error)
                if error.errno() == Some(rustix::io::Errno::NOSPC) && self.drop_ballast() =>
            {
                Ok(write()?)
            }
            done => Ok(done?),
        }
    }

    fn drop_ballast(&self) -> bool {
        std::fs::remove_file(self.root.join("ballast")).is_ok()
    }

    /// Best effort: without it all works but removal on a full disk.
    fn load_ballast(&self) {
        let path = self.root.join("ballast");
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if let Ok(file) = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)
            && rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, BALLAST_BYTES).is_err()
        {
            let _ = std::fs::remove_file(&path);
        }
    }
}

pub(crate) fn errno(error: &std::io::Error) -> rustix::io::Errno {
    rustix::io::Errno::from_io_error(error).unwrap_or(rustix::io::Errno::IO)
}

fn create_error(path: &Path, error: &std::io::Error) -> Error {
    Error::Disk(berth_fs::Error::Create {
        path: path.to_owned(),
        source: errno(error),
    })
}

pub(crate) fn read_error(path: &Path, error: &std::io::Error) -> Error {
    Error::Disk(berth_fs::Error::Read {
        path: path.to_owned(),
        source: errno(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// D3.
    #[test]
    fn opening_creates_a_private_layout_and_repairs_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("a/b");
        Store::open(&root).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        for name in ["", "blobs", "blobs/sha256", "ingest", "leases"] {
            assert_eq!(mode(&root.join(name)), 0o700, "{name}");
        }
        std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755)).unwrap();
        Store::open(&root).unwrap();
        assert_eq!(mode(&root), 0o700);
        let layout = std::fs::read_to_string(root.join("oci-layout")).unwrap();
        assert_eq!(layout, r#"{"imageLayoutVersion":"1.0.0"}"#);
    }

    #[test]
    fn another_layout_version_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        Store::open(dir.path()).unwrap();
        let file = dir.path().join("oci-layout");
        std::fs::write(&file, r#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
        assert!(matches!(
            Store::open(dir.path()),
            Err(Error::UnsupportedLayout { .. })
        ));
        std::fs::write(&file, "{").unwrap();
        assert!(matches!(
            Store::open(dir.path()),
            Err(Error::ParseLayout { .. })
        ));
    }
}
