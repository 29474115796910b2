//! Unpacked layers on disk, by chain-id: each is unpacked once and shared by all images and containers.
//!
//! ```text
//! snapshots/<chain hex>/fs              the layer (overlay) or the whole tree (native)
//! snapshots/<chain hex>/snapshot.json   Snapshot
//! snapshots/<chain hex>/synced          empty; its content has reached the disk
//! snapshots/<chain hex>/shared          which of its files others have, too: see `share`
//! snapshots/.shared/                    those files
//! ```
//!
//! Invariants: a snapshot is complete if it has its record, which is written last. Before that the directory is
//! flock'ed by who fills it; it has its final name from the start, so that the layers above can be unpacked over
//! it at the same time. They get their records after it.
//! That it is complete *on disk* is another matter, and an fsync of thousands of files would cost a pull more
//! than the unpacking. So: a snapshot counts if it was committed in this boot, or if `synced` says that a
//! `syncfs` came after it ([`Snapshots::settle`]). One that a crash may have torn is as good as absent, and is
//! unpacked again from its blob, which is always durable.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use berth_fs::{Durability, Lock, LockMode, Trash};
use berth_layer::apply::Form;
use berth_model::task::RootfsMount;
use berth_oci::digest::Digest;
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::share::POOL;
use crate::snapshotter::{Native, Overlay, Snapshotter, make_dir, open_dir};

/// What is known of an unpacked layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Form of this file: 1.
    pub schema: u32,
    /// Its chain-id.
    pub chain: Digest,
    /// The chain-id below; `None` for the lowest layer.
    pub parent: Option<Digest>,
    /// The layer's diff-id.
    pub diff_id: Digest,
    /// Bytes of the layer's files.
    pub size_bytes: u64,
    /// Files, directories and whiteouts in it.
    pub entries: u64,
    /// The boot in which it was committed.
    pub boot_id: String,
}

/// What the committer knows of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The layer's diff-id, checked.
    pub diff_id: Digest,
    /// Bytes of the layer's files.
    pub size_bytes: u64,
    /// Files, directories and whiteouts in it.
    pub entries: u64,
}

/// How the snapshots are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Driver {
    /// Overlay.
    #[default]
    Overlay,
    /// Overlay, mounted by root in a user namespace.
    OverlayRootless,
    /// Plain copies.
    Native,
}

/// The directory of snapshots.
pub struct Snapshots {
    dir: PathBuf,
    trash: Trash,
    snapshotter: Box<dyn Snapshotter>,
    /// Its files may belong to subordinate ids: only the user namespace can delete them.
    rootless: bool,
    boot_id: OnceLock<String>,
}

/// A snapshot to be filled. Dropped without [`Snapshots::commit`], it is garbage that the next try throws away.
pub struct Active {
    chain: Digest,
    parent: Option<Digest>,
    dir: PathBuf,
    lowers: Vec<PathBuf>,
    /// Nobody else fills the same snapshot.
    _lock: Lock,
}

impl Active {
    /// The directory to fill.
    pub fn target(&self) -> PathBuf {
        self.dir.join(TREE)
    }

    /// The snapshot's own directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The layers below for the unpacker, topmost first.
    pub fn lowers(&self) -> &[PathBuf] {
        &self.lowers
    }
}

const TREE: &str = "fs";
const RECORD: &str = "snapshot.json";
const SYNCED: &str = "synced";

impl Snapshots {
    /// Opens (or creates, 0700) the snapshots in `dir`; what is removed goes through `trash`.
    ///
    /// # Errors
    /// `Step`.
    pub fn open(dir: &Path, trash: &Path, driver: Driver) -> Result<Snapshots, Error> {
        berth_fs::ensure_dir(dir, 0o700).map_err(|source| step("create", dir, source))?;
        let trash = Trash::open(trash).map_err(|source| step("create", trash, source))?;
        let (snapshotter, rootless): (Box<dyn Snapshotter>, bool) = match driver {
            Driver::Overlay => (Box::new(Overlay { rootless: false }), false),
            Driver::OverlayRootless => (Box::new(Overlay { rootless: true }), true),
            Driver::Native => (Box::new(Native), false),
        };
        Ok(Snapshots {
            dir: dir.to_owned(),
            trash,
            snapshotter,
            rootless,
            boot_id: OnceLock::new(),
        })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the unpacker is to make of a layer.
    pub fn form(&self) -> Form {
        self.snapshotter.form()
    }

    /// Whether the layer is unpacked and whole.
    pub fn has(&self, chain: &Digest) -> bool {
        let dir = self.dir_of(chain);
        if dir.join(SYNCED).exists() {
            return true;
        }
        self.read(&dir)
            .is_some_and(|snapshot| snapshot.boot_id == self.boot_id())
    }

    /// Begins to unpack the last of `chains` (the lowest first). `None`: it is there already. Waits while another
    /// process unpacks the same one. Those below may still be unpacked by the caller; for the native form, which
    /// copies them, they must be whole.
    ///
    /// # Errors
    /// `NoLayers`, `Missing`, `Step`, `Dir`, `Copy`.
    pub fn prepare(&self, chains: &[Digest]) -> Result<Option<Active>, Error> {
        let (chain, below) = chains.split_last().ok_or(Error::NoLayers)?;
        let dir = self.dir_of(chain);
        let lock = loop {
            if self.has(chain) {
                return Ok(None);
            }
            drop(make_dir(&dir)?);
            let lock = match Lock::dir(&dir, LockMode::Exclusive) {
                Ok(lock) => lock,
                // Who had it threw it away between our two steps.
                Err(error) if error.kind() == berth_model::ErrorKind::NotFound => continue,
                Err(source) => return Err(step("lock", &dir, source)),
            };
            if !lock.still_at(&dir) || self.has(chain) {
                continue;
            }
            // What was not finished, or a crash may have torn.
            if !names(&dir)?.is_empty() {
                self.throw(&dir)?;
                continue;
            }
            break lock;
        };
        let target = dir.join(TREE);
        let target_dir = make_dir(&target)?;
        rustix::fs::fchmod(&target_dir, Mode::from_raw_mode(0o755)).map_err(|source| {
            Error::Dir {
                operation: "set the mode of",
                path: target.clone(),
                source,
            }
        })?;
        let lowers = match self.form() {
            Form::Overlay => below.iter().rev().map(|c| self.tree(c)).collect(),
            Form::Plain => {
                let below = below.last().map(|c| self.whole_tree(c)).transpose()?;
                self.snapshotter.seed(below.as_deref(), &target)?;
                Vec::new()
            }
        };
        Ok(Some(Active {
            chain: chain.clone(),
            parent: below.last().cloned(),
            dir,
            lowers,
            _lock: lock,
        }))
    }

    /// Makes a filled snapshot visible; the one below it must be.
    ///
    /// # Errors
    /// `Missing`, `Describe`, `Step`.
    pub fn commit(&self, active: Active, content: Content) -> Result<(), Error> {
        if let Some(parent) = &active.parent {
            self.whole_tree(parent)?;
        }
        let snapshot = Snapshot {
            schema: 1,
            chain: active.chain.clone(),
            parent: active.parent.clone(),
            diff_id: content.diff_id,
            size_bytes: content.size_bytes,
            entries: content.entries,
            boot_id: self.boot_id().to_owned(),
        };
        let record = serde_json::to_vec(&snapshot).map_err(|source| Error::Describe {
            chain: active.chain.clone(),
            source,
        })?;
        let path = active.dir.join(RECORD);
        berth_fs::atomic_write(&path, &record, Durability::Volatile)
            .map_err(|source| step("write", &path, source))
    }

    /// Throws an unfinished snapshot away.
    ///
    /// # Errors
    /// `Step`.
    pub fn abort(&self, active: Active) -> Result<(), Error> {
        self.throw(&active.dir)
    }

    /// The directories of `chains` (the lowest first), topmost first. For the native form, the last alone is
    /// the whole tree.
    ///
    /// # Errors
    /// `NoLayers`, `Missing`.
    pub fn lowers(&self, chains: &[Digest]) -> Result<Vec<PathBuf>, Error> {
        let wanted = match self.form() {
            Form::Overlay => chains,
            Form::Plain => &chains[chains.len().saturating_sub(1)..],
        };
        if wanted.is_empty() {
            return Err(Error::NoLayers);
        }
        wanted
            .iter()
            .rev()
            .map(|chain| self.whole_tree(chain))
            .collect()
    }

    /// Makes what a container over `chains` (the lowest first) needs in its directory; doing it again changes
    /// nothing that the container wrote.
    ///
    /// # Errors
    /// As [`Snapshots::lowers`]; `Dir`, `Copy`.
    pub fn container_mount(
        &self,
        chains: &[Digest],
        container_dir: &Path,
    ) -> Result<RootfsMount, Error> {
        self.snapshotter
            .rootfs(&self.lowers(chains)?, container_dir)
    }

    /// Removes a snapshot; that it is gone already is fine. Rootless: it is only moved into the trash, which
    /// the engine empties inside the user namespace.
    ///
    /// # Errors
    /// `Step`.
    pub fn remove(&self, chain: &Digest) -> Result<(), Error> {
        self.throw(&self.dir_of(chain))
    }

    /// As [`Snapshots::remove`], but it is only moved into the trash: that takes no time.
    ///
    /// # Errors
    /// `Step`.
    pub fn throw_away(&self, chain: &Digest) -> Result<(), Error> {
        self.move_away(&self.dir_of(chain))
    }

    /// Bytes that a snapshot takes on the disk, without those of files that others have or may have, too
    /// ([`Snapshots::shared`]). Rootless not all may be read: then at least as many as were counted when it was
    /// unpacked.
    ///
    /// # Errors
    /// `Missing`.
    pub fn disk_bytes(&self, chain: &Digest) -> Result<u64, Error> {
        let seen = berth_fs::disk_usage(&self.dir_of(chain));
        let mut bytes = seen.map_err(|_| Error::Missing {
            chain: chain.clone(),
        })?;
        if self.rootless {
            bytes = bytes.max(self.usage(chain)?.0);
        }
        let shared: u64 = self.shared(chain).iter().map(|(_, bytes)| bytes).sum();
        Ok(bytes.saturating_sub(shared))
    }

    /// All whole snapshots, sorted by chain-id.
    ///
    /// # Errors
    /// `Step`.
    pub fn list(&self) -> Result<Vec<Snapshot>, Error> {
        let names = names(&self.dir)?;
        let mut found: Vec<Snapshot> = names.iter().filter_map(|name| self.whole(name)).collect();
        found.sort_by(|a, b| a.chain.hex().cmp(b.chain.hex()));
        Ok(found)
    }

    /// Throws away what no unpacker and no boot vouches for: unfinished snapshots that nobody fills, and those
    /// that a crash may have torn. Returns their names. With `dry_run` nothing is thrown.
    ///
    /// # Errors
    /// `Step`.
    pub fn sweep(&self, dry_run: bool) -> Result<Vec<String>, Error> {
        let mut swept = Vec::new();
        for name in names(&self.dir)? {
            let dir = self.dir.join(&name);
            if name == POOL || self.whole(&name).is_some() {
                continue;
            }
            // Whoever fills it holds the lock; we hold it until the directory is in the trash.
            let Ok(Some(_lock)) = Lock::try_dir(&dir, LockMode::Exclusive) else {
                continue;
            };
            // It may have been finished between the two looks.
            if self.whole(&name).is_some() {
                continue;
            }
            if !dry_run {
                self.throw(&dir)?;
            }
            swept.push(name.to_string_lossy().into_owned());
        }
        Ok(swept)
    }

    /// Bytes and number of files of a snapshot, as counted when it was unpacked.
    ///
    /// # Errors
    /// `Missing`.
    pub fn usage(&self, chain: &Digest) -> Result<(u64, u64), Error> {
        let snapshot = self
            .read(&self.dir_of(chain))
            .ok_or_else(|| Error::Missing {
                chain: chain.clone(),
            })?;
        Ok((snapshot.size_bytes, snapshot.entries))
    }

    /// Writes all snapshots to the disk (one `syncfs`) and notes that they survive a crash now. Not for the
    /// path of a pull: for a daemon's idle time, garbage collection, a shutdown.
    ///
    /// # Errors
    /// `Dir`, `Step`.
    pub fn settle(&self) -> Result<(), Error> {
        let fresh: Vec<PathBuf> = self
            .list()?
            .iter()
            .map(|snapshot| self.dir_of(&snapshot.chain))
            .filter(|dir| !dir.join(SYNCED).exists())
            .collect();
        if fresh.is_empty() {
            return Ok(());
        }
        let dir = open_dir(&self.dir)?;
        rustix::fs::syncfs(&dir).map_err(|source| Error::Dir {
            operation: "write to the disk",
            path: self.dir.clone(),
            source,
        })?;
        for dir in fresh {
            let path = dir.join(SYNCED);
            match rustix::fs::open(
                &path,
                OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC,
                Mode::RUSR,
            ) {
                // Removed meanwhile.
                Ok(_) | Err(rustix::io::Errno::NOENT) => {}
                Err(source) => {
                    return Err(Error::Dir {
                        operation: "create",
                        path,
                        source,
                    });
                }
            }
        }
        Ok(())
    }

    pub(crate) fn dir_of(&self, chain: &Digest) -> PathBuf {
        self.dir.join(chain.hex())
    }

    fn tree(&self, chain: &Digest) -> PathBuf {
        self.dir_of(chain).join(TREE)
    }

    fn whole_tree(&self, chain: &Digest) -> Result<PathBuf, Error> {
        if self.has(chain) {
            return Ok(self.tree(chain));
        }
        Err(Error::Missing {
            chain: chain.clone(),
        })
    }

    /// The record, unless a crash (or somebody) damaged it.
    fn read(&self, dir: &Path) -> Option<Snapshot> {
        let bytes = fs::read(dir.join(RECORD)).ok()?;
        serde_json::from_slice(&bytes)
            .ok()
            .filter(|snapshot: &Snapshot| snapshot.schema == 1)
    }

    /// The snapshot in the directory of this name, if that is its name and it is whole.
    fn whole(&self, name: &OsStr) -> Option<Snapshot> {
        let snapshot = self.read(&self.dir.join(name))?;
        (name == snapshot.chain.hex() && self.has(&snapshot.chain)).then_some(snapshot)
    }

    fn throw(&self, dir: &Path) -> Result<(), Error> {
        if self.rootless {
            return self.move_away(dir);
        }
        self.trash
            .discard(dir, Durability::Volatile)
            .map_err(|source| step("remove", dir, source))
    }

    fn move_away(&self, dir: &Path) -> Result<(), Error> {
        self.trash
            .throw(dir, Durability::Volatile)
            .map(drop)
            .map_err(|source| step("remove", dir, source))
    }

    fn boot_id(&self) -> &str {
        self.boot_id.get_or_init(|| {
            // Without procfs nothing is known of earlier boots, so nothing of them is trusted.
            let pid = std::process::id();
            fs::read_to_string("/proc/sys/kernel/random/boot_id")
                .map(|id| id.trim().to_owned())
                .unwrap_or_else(|_: io::Error| format!("unknown-{pid}"))
        })
    }
}

pub(crate) fn step(operation: &'static str, path: &Path, source: berth_fs::Error) -> Error {
    Error::Step {
        operation,
        path: path.to_owned(),
        source,
    }
}

pub(crate) fn names(dir: &Path) -> Result<Vec<OsString>, Error> {
    let fd = open_dir(dir)?;
    berth_fs::dirs::names(fd.as_fd()).map_err(|source| step("read", dir, source))
}

#[cfg(test)]
mod tests;
