//! Every path that the engine uses, built in this one file from two roots that the face passes in.
//!
//! ```text
//! ROOT                                        RUN_DIR (a reboot clears it, on purpose)
//! ├── oci-layout index.json blobs/ ingest/    └── tasks/<id>/
//! │   leases/          (berth-store)              ├── bundle/config.json   the OCI spec
//! ├── snapshots/       (berth-snapshot)           ├── hosts hostname resolv.conf
//! ├── volumes/<name>/_data                        ├── task.json pid.json backoff.json health.json unhealthy.json
//! ├── names/<name>  →  <id>                       └── shim.lock shim.sock
//! ├── trash/
//! ├── events/{log, log.1}
//! └── containers/<id>/
//!     ├── config.json   what was asked; immutable
//!     ├── update.json   what was changed since
//!     ├── desired.json  present: it should run
//!     ├── exit.json     how it ended
//!     ├── restart.json  how often it was started again
//!     ├── log, log.1, …
//!     └── upper/ work/  the writable layer
//! ```
//! A container is committed by renaming `containers/.new-<id>` to `containers/<id>`, and removed by
//! renaming that into `trash/`.

use std::path::{Path, PathBuf};

use berth_model::ContainerId;

/// What the names of containers that are being made begin with.
pub const STAGED_PREFIX: &str = ".new-";

/// The two roots.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
    run_dir: PathBuf,
}

impl Layout {
    /// From absolute paths.
    pub fn new(root: PathBuf, run_dir: PathBuf) -> Layout {
        Layout { root, run_dir }
    }

    /// What lasts.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What a reboot clears.
    pub fn run_dir(&self) -> &Path {
        &self.run_dir
    }

    /// Unpacked layers.
    pub fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    /// What is to be deleted.
    pub fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }

    /// All volumes.
    pub fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    /// What happened.
    pub fn events(&self) -> PathBuf {
        self.root.join("events")
    }

    /// All names.
    pub fn names(&self) -> PathBuf {
        self.root.join("names")
    }

    /// The link that reserves a name.
    pub fn name(&self, name: &str) -> PathBuf {
        self.names().join(name)
    }

    /// All containers.
    pub fn containers(&self) -> PathBuf {
        self.root.join("containers")
    }

    /// A container's directory.
    pub fn container(&self, id: &ContainerId) -> PathBuf {
        self.containers().join(id.as_str())
    }

    /// A container's directory before the commit.
    pub fn staged(&self, id: &ContainerId) -> PathBuf {
        self.containers().join(format!("{STAGED_PREFIX}{id}"))
    }

    /// What was asked.
    pub fn config(&self, id: &ContainerId) -> PathBuf {
        self.container(id).join("config.json")
    }

    /// What was changed since.
    pub fn updated(&self, id: &ContainerId) -> PathBuf {
        self.container(id).join("update.json")
    }

    /// Present while the container should run.
    pub fn desired(&self, id: &ContainerId) -> PathBuf {
        self.container(id).join("desired.json")
    }

    /// How it ended.
    pub fn exit(&self, id: &ContainerId) -> PathBuf {
        self.container(id).join("exit.json")
    }

    /// How often it was started again.
    pub fn restart(&self, id: &ContainerId) -> PathBuf {
        self.container(id).join("restart.json")
    }

    /// Its output.
    pub fn log(&self, id: &ContainerId) -> PathBuf {
        self.container(id).join("log")
    }

    /// All tasks.
    pub fn tasks(&self) -> PathBuf {
        self.run_dir.join("tasks")
    }

    /// What a running container has beside its process.
    pub fn task(&self, id: &ContainerId) -> PathBuf {
        self.tasks().join(id.as_str())
    }

    /// The OCI bundle.
    pub fn bundle(&self, id: &ContainerId) -> PathBuf {
        self.task(id).join("bundle")
    }

    /// Held while shim or monitor live.
    pub fn shim_lock(&self, id: &ContainerId) -> PathBuf {
        self.task(id).join("shim.lock")
    }

    /// What its probes found.
    pub fn health(&self, id: &ContainerId) -> PathBuf {
        self.task(id).join("health.json")
    }

    /// Present while it waits for its next start.
    pub fn backoff(&self, id: &ContainerId) -> PathBuf {
        self.task(id).join("backoff.json")
    }

    /// Present while it is ended to be started again, whatever its policy.
    pub fn unhealthy(&self, id: &ContainerId) -> PathBuf {
        self.task(id).join("unhealthy.json")
    }

    /// What it used.
    pub fn history(&self, id: &ContainerId) -> PathBuf {
        self.task(id).join("history.jsonl")
    }

    /// Present while it is ended to be removed.
    pub fn removing(&self, id: &ContainerId) -> PathBuf {
        self.task(id).join("removing")
    }

    /// Init as the host sees it.
    pub fn pid(&self, id: &ContainerId) -> PathBuf {
        self.task(id).join("pid.json")
    }
}
