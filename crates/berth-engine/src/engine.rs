//! The engine itself: where its state is, which programs are its helpers.

use std::path::PathBuf;
use std::sync::OnceLock;

use berth_fs::{Lock, LockMode, Trash, ensure_dir};
use berth_model::ContainerId;
use berth_snapshot::{Driver, Snapshots};
use berth_store::Store;

use crate::Error;
use crate::error::files;
use crate::layout::Layout;
use crate::network::{Bridge, BridgeOptions};
use crate::unpack::UnpackOptions;

/// What a face passes in. All paths are absolute.
#[derive(Debug, Clone)]
pub struct Options {
    /// What lasts.
    pub root: PathBuf,
    /// What a reboot clears.
    pub run_dir: PathBuf,
    /// Parent of the containers' cgroups; `None`: `/berth`.
    pub cgroup_parent: Option<String>,
    /// `berth` itself: unpacks and cleans up as a child of ours.
    pub berth: PathBuf,
    /// `berth-runtime`.
    pub runtime: PathBuf,
    /// `berth-monitor`.
    pub monitor: PathBuf,
    /// The caller is an ordinary user: shim, unpacker and remover work in a user namespace.
    pub rootless: bool,
    /// How layers become a root file system; `None`: overlay.
    pub driver: Option<Driver>,
    /// Which bridge containers are connected to.
    pub bridge: BridgeOptions,
}

/// One engine over one root. Several may work on the same root at the same time.
pub struct Engine {
    pub(crate) layout: Layout,
    pub(crate) options: Options,
    pub(crate) store: Store,
    pub(crate) snapshots: Snapshots,
    pub(crate) trash: Trash,
    pub(crate) waits: crate::wait::Waits,
    pub(crate) children: crate::children::Children,
    /// The bridge network: it is chosen once.
    pub(crate) known_bridge: OnceLock<Bridge>,
}

impl Engine {
    /// Opens the state, making and repairing its directories (0700).
    ///
    /// # Errors
    /// [`Error::Files`], [`Error::Store`], [`Error::Snapshot`].
    pub fn open(options: Options) -> Result<Engine, Error> {
        let layout = Layout::new(options.root.clone(), options.run_dir.clone());
        let store = Store::open(layout.root()).map_err(|source| Error::Store {
            action: "open the image store",
            source,
        })?;
        if let Some(parent) = layout.run_dir().parent() {
            std::fs::create_dir_all(parent).map_err(|source| Error::Io {
                action: "create",
                path: parent.to_owned(),
                source,
            })?;
        }
        for dir in [
            layout.run_dir().to_owned(),
            layout.tasks(),
            layout.containers(),
            layout.names(),
            layout.volumes(),
            layout.events(),
        ] {
            ensure_dir(&dir, 0o700).map_err(files("open the engine's directories"))?;
        }
        let trash = Trash::open(&layout.trash()).map_err(files("open the trash"))?;
        let driver = options.driver.unwrap_or(if options.rootless {
            Driver::OverlayRootless
        } else {
            Driver::Overlay
        });
        let snapshots = Snapshots::open(&layout.snapshots(), &layout.trash(), driver)
            .map_err(Error::Snapshot)?;
        Ok(Engine {
            layout,
            options,
            store,
            snapshots,
            trash,
            waits: crate::wait::Waits::default(),
            children: crate::children::Children::default(),
            known_bridge: OnceLock::new(),
        })
    }

    /// Blobs and references.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Unpacked layers.
    pub fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    /// Where things are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What the face passed in.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// How layers are unpacked.
    pub fn unpack_options(&self) -> UnpackOptions {
        UnpackOptions {
            self_exe: self.options.berth.clone(),
            runtime_exe: self.options.runtime.clone(),
            rootless: self.options.rootless,
            limits: berth_layer::Limits::default(),
        }
    }

    /// Held while a container is made or removed: `fsck` waits for it instead of taking what is half done for
    /// garbage.
    pub(crate) fn at_work(&self) -> Result<Lock, Error> {
        Lock::dir(&self.layout.tasks(), LockMode::Shared).map_err(files("lock the tasks"))
    }

    /// Returns once nobody is at a making or removal that began before.
    pub(crate) fn wait_for_work(&self) -> Result<(), Error> {
        Lock::dir(&self.layout.tasks(), LockMode::Exclusive)
            .map(drop)
            .map_err(files("wait for others' work"))
    }

    /// Keeps other changes to the container out; held for a verb's moment, never while a container runs.
    pub(crate) fn lock(&self, id: &ContainerId) -> Result<Lock, Error> {
        let dir = self.layout.container(id);
        let gone = || Error::NoContainer {
            name: id.short().to_owned(),
        };
        if !dir.exists() {
            return Err(gone());
        }
        let lock = Lock::dir(&dir, LockMode::Exclusive).map_err(files("lock the container"))?;
        if lock.still_at(&dir) {
            Ok(lock)
        } else {
            Err(gone())
        }
    }

    /// As [`Engine::lock`]; `None`: the container is gone.
    pub(crate) fn lock_if_there(&self, id: &ContainerId) -> Result<Option<Lock>, Error> {
        match self.lock(id) {
            Err(Error::NoContainer { .. }) => Ok(None),
            lock => lock.map(Some),
        }
    }
}
