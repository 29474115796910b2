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
    /// `unified` names a file whose controller is not in cgroup v2 here.
    #[error(
        "set the unified resource `{file}`: the cgroup v2 controller `{controller}` is not available"
    )]
    NoUnified {
        /// The file.
        file: String,
        /// Its controller.
        controller: String,
    },
    /// cgroup v2 has nothing like it.
    #[error("limit {setting}: cgroup v2 has no such limit")]
    NoWord {
        /// What was asked for.
        setting: &'static str,
    },
    /// A limit below what is in use, where the caller wanted it checked. (The words are runc's.)
    #[error("rejecting {what} limit {limit} <= usage {usage}")]
    BelowUsage {
        /// `memory` or `memory+swap`.
        what: &'static str,
        /// What was asked for, in bytes.
        limit: u64,
        /// What is in use.
        usage: u64,
    },
    /// More memory is in use than shall be, and cannot be reclaimed. (The words are runc's.)
    #[error("unable to set memory limit to {limit} (current usage: {usage}, peak usage: {peak})")]
    InUseMemory {
        /// What was asked for, in bytes.
        limit: i64,
        /// What is in use.
        usage: u64,
        /// The greatest use so far.
        peak: u64,
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
    /// There is no systemd here.
    #[error("--systemd-cgroup needs a running systemd: there is no {missing}")]
    NoSystemd {
        /// The directory or socket that is not there.
        missing: String,
    },
    /// There is no systemd of the user's.
    #[error(
        "--systemd-cgroup needs the user's systemd: {}",
        where_it_would_be(missing)
    )]
    NoUserSystemd {
        /// The socket that is not there; empty when nothing says where it would be.
        missing: String,
    },
    /// cgroupsPath is not in systemd's form. (The words are runc's.)
    #[error(
        "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"{path}\" instead"
    )]
    BadUnitPath {
        /// As given.
        path: String,
    },
    /// It cannot be a unit's name.
    #[error("use `{name}` in cgroupsPath: {why}")]
    BadUnit {
        /// As given.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// The connection to systemd failed.
    #[error("talk to systemd over {name}")]
    Bus {
        /// The socket.
        name: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// What came over the connection to systemd is no D-Bus.
    #[error("understand what systemd says: {why}")]
    BusMessage {
        /// What is wrong with it.
        why: &'static str,
    },
    /// systemd said no.
    #[error("ask systemd for {call}: {message} ({name})")]
    Refused {
        /// The method.
        call: &'static str,
        /// The error's name.
        name: String,
        /// Its text.
        message: String,
    },
    /// A unit of this name is there, and stays.
    #[error("make the unit {unit}: it exists already")]
    UnitExists {
        /// Its name.
        unit: String,
    },
    /// systemd did not bring the unit up.
    #[error("make the unit {unit}: its job ended as `{result}`")]
    UnitJob {
        /// Its name.
        unit: String,
        /// systemd's word.
        result: String,
    },
    /// systemd says that it has made the unit, but the process is not in it.
    #[error("find the unit {unit} in {}", file.display())]
    NotInUnit {
        /// Its name.
        unit: String,
        /// Where the kernel tells.
        file: PathBuf,
    },
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
            Error::BadPath { .. }
            | Error::BadValue { .. }
            | Error::BelowUsage { .. }
            | Error::InUseMemory { .. }
            | Error::BadUnitPath { .. }
            | Error::BadUnit { .. } => ErrorKind::InvalidInput,
            Error::InUse { .. } | Error::UnitExists { .. } => ErrorKind::Conflict,
            Error::Refused { name, .. } if name.ends_with("AccessDenied") => ErrorKind::Denied,
            Error::Bus { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                ErrorKind::Denied
            }
            Error::Bus { .. } | Error::UnitJob { .. } => ErrorKind::Unavailable,
            Error::BusMessage { .. } | Error::Refused { .. } | Error::NotInUnit { .. } => {
                ErrorKind::Internal
            }
            Error::NoSystemd { .. } | Error::NoUserSystemd { .. } => ErrorKind::Unsupported,
            Error::NoHierarchy
            | Error::NoController { .. }
            | Error::NoFile { .. }
            | Error::NoUnified { .. }
            | Error::NoWord { .. }
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
            Error::NoWord { .. } => Some("leave it out".into()),
            Error::WriteFile {
                path,
                source: Errno::INVAL,
                ..
            } if path.ends_with("cpu.rt_runtime_us") => Some(
                "real-time runtime is shared out from the top: each parent cgroup needs as much first"
                    .into(),
            ),
            Error::NoHierarchy => {
                Some("mount cgroup v2: `mount -t cgroup2 none /sys/fs/cgroup`".into())
            }
            Error::NoSystemd { .. } => Some("leave it out".into()),
            Error::NoUserSystemd { .. } => Some(
                "log in, or as root: `loginctl enable-linger USER`, and set XDG_RUNTIME_DIR; \
                 or leave it out"
                    .into(),
            ),
            Error::UnitExists { unit } => Some(format!("`systemctl status {unit}` shows it")),
            Error::InUse { path } => Some(format!(
                "`cat {}/cgroup.procs` shows the processes",
                path.display()
            )),
            _ => None,
        }
    }
}

fn where_it_would_be(missing: &str) -> String {
    match missing {
        "" => "neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set".into(),
        missing => format!("there is no {missing}"),
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
