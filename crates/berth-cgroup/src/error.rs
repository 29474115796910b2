//! What can go wrong with a cgroup. Every failed write names its file and its value.

use std::path::PathBuf;

use berth_model::ErrorKind;
use rustix::io::Errno;

/// The result of this crate's operations.
pub type Result<T> = std::result::Result<T, Error>;

/// A failed operation on a cgroup.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `/proc/self/mountinfo` or `/proc/self/cgroup` could not be read.
    #[error("read {path}")]
    ReadProc {
        /// The file.
        path: &'static str,
        /// The cause.
        #[source]
        source: Errno,
    },
    /// No cgroup hierarchy is mounted.
    #[error("find a mounted cgroup hierarchy")]
    NoHierarchy,
    /// The cgroup's path is not absolute or climbs.
    #[error("use `{path}` as a cgroup path: it must be absolute, without `.` or `..`")]
    BadPath {
        /// As given.
        path: String,
    },
    /// A directory could not be made.
    #[error("make the cgroup {}", path.display())]
    MakeDir {
        /// The directory.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Errno,
    },
    /// A directory could not be opened.
    #[error("open the cgroup {}", path.display())]
    OpenDir {
        /// The directory.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Errno,
    },
    /// A directory could not be removed.
    #[error("remove the cgroup {}", path.display())]
    RemoveDir {
        /// The directory.
        path: PathBuf,
        /// The cause; EBUSY means that processes are still in it.
        #[source]
        source: Errno,
    },
    /// The leaf exists and processes run in it.
    #[error("take the cgroup {}: it exists and is in use", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// A file could not be read.
    #[error("read {}", path.display())]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Errno,
    },
    /// A value was refused.
    #[error("write `{value}` to {}", path.display())]
    WriteFile {
        /// The file.
        path: PathBuf,
        /// What was written.
        value: String,
        /// The cause.
        #[source]
        source: Errno,
    },
    /// A file held something unforeseen.
    #[error("understand `{text}` in {}", path.display())]
    ParseFile {
        /// The file.
        path: PathBuf,
        /// What it held.
        text: String,
    },
    /// A limit was asked for that needs a controller that is not there.
    #[error("limit {setting}: the cgroup controller `{controller}` is not available")]
    NoController {
        /// The controller.
        controller: &'static str,
        /// What was asked for.
        setting: &'static str,
        /// The caller is an ordinary user without a delegated cgroup.
        rootless: bool,
    },
    /// The kernel lacks a file that a setting needs.
    #[error("limit {setting}: this kernel has no `{file}`")]
    NoFile {
        /// The file.
        file: String,
        /// What was asked for.
        setting: &'static str,
    },
    /// A value makes no sense.
    #[error("use `{value}` for {setting}: {why}")]
    BadValue {
        /// What was asked for.
        setting: &'static str,
        /// The value.
        value: String,
        /// Why not.
        why: &'static str,
    },
    /// The device rules could not be loaded into the kernel or attached.
    #[error("{step} the device rules of {}", path.display())]
    Devices {
        /// `load` or `attach`.
        step: &'static str,
        /// The cgroup.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The processes did not stop in time.
    #[error("freeze {} within {timeout_ms} ms", path.display())]
    FreezeTimeout {
        /// The cgroup.
        path: PathBuf,
        /// How long it was tried.
        timeout_ms: u64,
    },
    /// No hierarchy can freeze.
    #[error("freeze: neither cgroup v2 nor the v1 freezer is there for this container")]
    NoFreezer,
    /// Processes live on after they were killed, again and again.
    #[error("kill all processes of {}", path.display())]
    KillAll {
        /// The cgroup.
        path: PathBuf,
    },
}

impl Error {
    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::BadPath { .. } | Error::BadValue { .. } => ErrorKind::InvalidInput,
            Error::InUse { .. } => ErrorKind::Conflict,
            Error::NoHierarchy
            | Error::NoController { .. }
            | Error::NoFile { .. }
            | Error::NoFreezer => ErrorKind::Unsupported,
            Error::FreezeTimeout { .. } | Error::KillAll { .. } => ErrorKind::Unavailable,
            Error::ParseFile { .. } => ErrorKind::Internal,
            Error::Devices { source, .. } => {
                source.raw_os_error().map_or(ErrorKind::Internal, |raw| {
                    of_errno(Errno::from_raw_os_error(raw))
                })
            }
            Error::WriteFile {
                source: Errno::INVAL | Errno::RANGE,
                ..
            } => ErrorKind::InvalidInput,
            Error::ReadProc { source, .. }
            | Error::MakeDir { source, .. }
            | Error::OpenDir { source, .. }
            | Error::RemoveDir { source, .. }
            | Error::ReadFile { source, .. }
            | Error::WriteFile { source, .. } => of_errno(*source),
        }
    }

    /// What the user can do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::NoController { rootless: true, .. } => Some(
                "an ordinary user can set limits only below a cgroup that root has delegated \
                 (systemd: `Delegate=yes`); run as root or leave the limit out"
                    .into(),
            ),
            Error::NoController {
                controller,
                rootless: false,
                ..
            } => Some(format!(
                "see /proc/cgroups: `{controller}` must be enabled and mounted"
            )),
            Error::NoHierarchy => {
                Some("mount cgroup v2: `mount -t cgroup2 none /sys/fs/cgroup`".into())
            }
            Error::InUse { path } => Some(format!(
                "`cat {}/cgroup.procs` shows the processes",
                path.display()
            )),
            _ => None,
        }
    }
}

fn of_errno(errno: Errno) -> ErrorKind {
    match errno {
        Errno::PERM | Errno::ACCESS | Errno::ROFS => ErrorKind::Denied,
        Errno::NOENT | Errno::NODEV => ErrorKind::NotFound,
        Errno::EXIST => ErrorKind::AlreadyExists,
        Errno::BUSY | Errno::AGAIN | Errno::NOSPC | Errno::NOMEM => ErrorKind::Unavailable,
        Errno::NOSYS | Errno::OPNOTSUPP => ErrorKind::Unsupported,
        Errno::INVAL | Errno::RANGE => ErrorKind::InvalidInput,
        _ => ErrorKind::Internal,
    }
}
