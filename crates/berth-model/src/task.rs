//! What the engine hands to the shim, and what the shim leaves behind: wire forms of files in the task directory.
//!
//! ```text
//! RUN_DIR/tasks/<id>/
//! ├── bundle/config.json   OCI spec
//! ├── task.json            TaskRequest (engine → shim)
//! ├── shim.lock            held (flock) by shim, then monitor, all its life
//! ├── shim.sock            SOCK_SEQPACKET, see `berth-monitor`
//! └── pid.json             Pid (shim → everybody)
//! ```

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The root file system as data: the snapshotter makes it, the runtime mounts it (detached: it
/// never shows on the host).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RootfsMount {
    /// An overlay; `lower` from the topmost layer down.
    Overlay {
        /// Read-only layers, topmost first.
        lower: Vec<PathBuf>,
        /// The writable layer.
        upper: PathBuf,
        /// Overlay's own scratch, on the file system of `upper`.
        work: PathBuf,
        /// `userxattr`: needed when the mounter is root only in a user namespace.
        userxattr: bool,
        /// `volatile`: what is written is not waited for; its container does not outlive its end.
        #[serde(default)]
        volatile: bool,
    },
    /// A plain directory, copied beforehand ("native").
    Bind {
        /// The directory.
        source: PathBuf,
    },
}

impl RootfsMount {
    /// For a container that is removed at its end: nothing that it writes is waited for.
    pub fn forget(&mut self) {
        if let RootfsMount::Overlay { volatile, .. } = self {
            *volatile = true;
        }
    }
}

/// Everything the shim needs to start one container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskRequest {
    /// The container's id.
    pub id: String,
    /// The bundle, with `config.json`.
    pub bundle: PathBuf,
    /// What `/` will be; `None` means the spec's `root.path`.
    pub rootfs: Option<RootfsMount>,
    /// The shim makes a user namespace first, with all ids that the user has, and works inside it.
    #[serde(default)]
    pub rootless: bool,
    /// The container has a terminal.
    pub terminal: bool,
    /// Initial size of the terminal in rows and columns.
    #[serde(default)]
    pub console_size: Option<(u16, u16)>,
    /// Standard input stays open (`-i`).
    pub stdin: bool,
    /// Close standard input when the first attached client goes or half-closes.
    pub stdin_once: bool,
    /// The log file (Docker's json-file form); `None`: no log.
    pub log: Option<LogFile>,
    /// Who is told each record besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<LogReceiver>,
    /// Descriptors, by number, that the monitor keeps open as long as the container runs: sockets that hold ports of the
    /// host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<i32>,
    /// Where the monitor writes [`crate::status::Exit`].
    pub exit_file: PathBuf,
    /// What the monitor becomes (execve) after writing `exit_file`: the engine's clean-up; empty: nothing.
    pub reap: Vec<String>,
    /// Path of the monitor's executable.
    pub monitor: PathBuf,
    /// fsync `exit_file` before it is visible. Off for `--rm`, whose containers do not outlive a boot.
    pub durable: bool,
    /// Not even then if this is there: the container is being removed.
    pub removing: PathBuf,
}

/// A rotated log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogFile {
    /// The current file; older ones are `path.1`, `path.2`, …
    pub path: PathBuf,
    /// Rotate before a file grows past this.
    pub max_bytes: u64,
    /// Number of files kept, the current one included.
    pub max_files: u32,
    /// What each record says beside its text: an object of JSON, or nothing.
    #[serde(default)]
    pub attributes: String,
}

/// Somebody who is told each record of the log: syslog, journald.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogReceiver {
    /// Its `struct sockaddr`, in hexadecimal digits.
    pub address: String,
    /// It takes a stream; else a packet for each record.
    pub stream: bool,
    /// What it is told: a template of the monitor's.
    pub template: String,
    /// Bytes of records that may wait for it.
    pub buffer_bytes: u64,
    /// One that does not keep up holds the container back; else records are dropped.
    pub blocking: bool,
}

/// `pid.json`: the container's init as the host sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pid {
    /// Host pid of init.
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`, clock ticks since boot: with it a reused pid cannot lie.
    pub start_time: u64,
    /// Host pid of the shim (later: monitor).
    pub shim_pid: i32,
    /// RFC 3339 with nanoseconds, UTC.
    pub started_at: String,
    /// The cgroup directories made for this container, all hierarchies.
    pub cgroups: Vec<PathBuf>,
}

/// What the shim writes to its sync pipe: one JSON line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum ShimReport {
    /// Init runs its program.
    Started(Pid),
    /// Nothing runs, nothing is left behind.
    Failed(RuntimeFailure),
}

/// A failure that crosses processes: from init through the shim to the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuntimeFailure {
    /// Docker's exit code for it: 126 (found, not executable), 127 (not found), 125 (all else).
    pub exit_code: i32,
    /// The sort of failure.
    pub kind: crate::ErrorKind,
    /// What was being done.
    pub message: String,
    /// The chain of causes below `message`, outermost first.
    pub causes: Vec<String>,
    /// What the user can do, when known.
    pub hint: Option<String>,
}
