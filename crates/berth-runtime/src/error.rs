//! What can go wrong in the runtime, and how it travels: init's failures reach the caller as
//! [`RuntimeFailure`], one JSON packet over the sync socket.

use std::io;
use std::path::PathBuf;

use berth_model::ErrorKind;
use berth_model::task::RuntimeFailure;

/// The result of this crate's operations.
pub type Result<T> = std::result::Result<T, Error>;

/// A failed operation of the runtime.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the fields' names say what they are
pub enum Error {
    /// The command line makes no sense.
    #[error("{message}")]
    Usage { message: String },
    /// Not a failure: the usage is asked for.
    #[error("help")]
    Help,
    /// A file of ours or of the bundle could not be read.
    #[error("read {}", path.display())]
    ReadFile { path: PathBuf, source: io::Error },
    /// A file of ours could not be written.
    #[error("write {}", path.display())]
    WriteFile { path: PathBuf, source: io::Error },
    /// A JSON document is malformed.
    #[error("understand {}", path.display())]
    ParseJson {
        path: PathBuf,
        source: serde_json::Error,
    },
    /// The configuration is well-formed, but cannot be followed.
    #[error("use the configuration: {reason}")]
    InvalidSpec { reason: String },
    /// The id cannot name a container.
    #[error(
        "use `{id}` as a container id: invalid container ID format: it must match [A-Za-z0-9_.+-]+, at most 255 bytes, and be no `.` or `..`"
    )]
    InvalidId { id: String },
    /// There is no such container.
    #[error("find the container `{id}`: container does not exist")]
    NoContainer { id: String },
    /// The id is taken.
    #[error("create the container `{id}`: container with given ID already exists")]
    Exists { id: String },
    /// The container's state does not permit the verb.
    #[error("{verb} the container `{id}`: {}", why_not(verb, status))]
    WrongState {
        verb: &'static str,
        id: String,
        status: &'static str,
    },
    /// The state directory could not be made, renamed or removed.
    #[error("keep the state in {}", path.display())]
    StateDir { path: PathBuf, source: io::Error },
    /// A cgroup operation failed.
    #[error("set up the cgroup")]
    Cgroup {
        #[from]
        source: berth_cgroup::Error,
    },
    /// Something around resctrl failed.
    #[error("{action}")]
    Rdt { action: String, source: io::Error },
    /// The seccomp profile was refused.
    #[error("compile the seccomp profile")]
    Seccomp { source: berth_seccomp::Error },
    /// The process could not be made.
    #[error("make the container's process and namespaces")]
    Clone { source: io::Error },
    /// The user has no subordinate ids.
    #[error("find the user's subordinate ids: {file} has no range for uid {user}")]
    NoSubordinateIds { file: &'static str, user: u32 },
    /// The monitor cannot be run.
    #[error("run the monitor {}", path.display())]
    Monitor { path: PathBuf, source: io::Error },
    /// An existing namespace could not be joined.
    #[error("join the {kind} namespace {}", path.display())]
    JoinNamespace {
        kind: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The container's namespaces could not be joined.
    #[error("join the container's namespaces")]
    JoinContainer { source: io::Error },
    /// The user namespace's maps were refused.
    #[error("write the user namespace's id maps")]
    IdMaps { source: io::Error },
    /// A network device could not be made the container's.
    #[error("move the network device {name} into the container")]
    NetDevice { name: String, source: io::Error },
    /// Something around the root file system failed.
    #[error("{action}")]
    Rootfs {
        action: &'static str,
        source: io::Error,
    },
    /// The overlay could not be mounted.
    #[error("mount the overlay of {layers} layers with {}", upper.display())]
    MountOverlay {
        upper: PathBuf,
        layers: usize,
        source: io::Error,
    },
    /// A mount failed.
    #[error("mount {what} at {destination}")]
    Mount {
        destination: String,
        what: String,
        source: io::Error,
    },
    /// A mount is refused by us.
    #[error("mount {what} at {destination}: not allowed: {reason}")]
    MountNotAllowed {
        destination: String,
        what: String,
        reason: &'static str,
    },
    /// A device node could not be made.
    #[error("make the device {}", path.display())]
    Device { path: PathBuf, source: io::Error },
    /// A path could not be masked or made read-only.
    #[error("hide {path}")]
    Mask { path: String, source: io::Error },
    /// A sysctl failed.
    #[error("set the sysctl {key}")]
    Sysctl { key: String, source: io::Error },
    /// A sysctl is not the container's own.
    #[error("set the sysctl {key}: not allowed: {reason}")]
    SysctlNotAllowed { key: String, reason: &'static str },
    /// A resource limit was refused.
    #[error("set {kind} to {soft}:{hard}")]
    Rlimit {
        kind: String,
        soft: u64,
        hard: u64,
        source: io::Error,
    },
    /// The host does not run the security module that a label is for.
    #[error("apply {what}: this kernel does not run it")]
    NoSecurityModule { what: &'static str },
    /// An attribute of the process was refused.
    #[error("set {what}")]
    Attribute {
        what: String,
        hint: Option<&'static str>,
        source: io::Error,
    },
    /// A step on the way to the program failed.
    #[error("{action}")]
    Step {
        action: &'static str,
        source: io::Error,
    },
    /// The working directory cannot be entered.
    #[error("enter the working directory {path}")]
    Cwd { path: String, source: io::Error },
    /// The working directory is outside the root.
    #[error("enter the working directory {path}: it is outside the container")]
    CwdOutside { path: String },
    /// The program does not exist.
    #[error("exec `{program}`: executable file not found{place}")]
    NotFound {
        program: String,
        place: &'static str,
    },
    /// The program exists and cannot be executed.
    #[error("exec `{program}`")]
    Exec { program: String, source: io::Error },
    /// A hook failed.
    #[error("run the {stage} hook {}: {reason}", path.display())]
    Hook {
        stage: &'static str,
        path: PathBuf,
        reason: String,
    },
    /// The process ended before it ran its program, without a word.
    #[error("set up the container: its process ended early ({how})")]
    EndedEarly { how: String },
    /// The sync socket failed.
    #[error("talk to the container's process")]
    Sync { source: io::Error },
    /// The kernel or this version cannot do it.
    #[error("{what} is not supported")]
    Unsupported { what: &'static str },
    /// CRIU is not there, or failed: `log` has the last errors of its log.
    #[error("criu failed: {reason}{}{log}", if log.is_empty() { "" } else { "; its log ends: " })]
    Criu { reason: String, log: String },
    /// What init reported.
    #[error("{}", failure.message)]
    Child { failure: Box<RuntimeFailure> },
}

impl Error {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        use Error as E;
        match self {
            E::Usage { .. } | E::Help | E::InvalidSpec { .. } | E::InvalidId { .. } => {
                ErrorKind::InvalidInput
            }
            E::ParseJson { .. } => ErrorKind::InvalidInput,
            E::NoContainer { .. } | E::NotFound { .. } => ErrorKind::NotFound,
            E::Exists { .. } => ErrorKind::AlreadyExists,
            E::WrongState { .. } => ErrorKind::Conflict,
            E::MountNotAllowed { .. } | E::SysctlNotAllowed { .. } | E::CwdOutside { .. } => {
                ErrorKind::Denied
            }
            E::NoSubordinateIds { .. } | E::NoSecurityModule { .. } => ErrorKind::Unsupported,
            E::Unsupported { .. } | E::Criu { .. } => ErrorKind::Unsupported,
            E::Cgroup { source } => source.kind(),
            E::Seccomp { source } => source.kind(),
            E::Child { failure } => failure.kind,
            E::Mount { source, .. }
            | E::Cwd { source, .. }
            | E::Exec { source, .. }
            | E::ReadFile { source, .. }
            | E::Rlimit { source, .. }
            | E::Attribute { source, .. }
            | E::Clone { source } => match source.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                _ => ErrorKind::Internal,
            },
            _ => ErrorKind::Internal,
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Cgroup { source } => source.hint(),
            Error::Seccomp { source } => source.hint(),
            Error::Rlimit { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some(
                    "a hard limit above the caller's own needs CAP_SYS_RESOURCE: ask for less"
                        .to_owned(),
                )
            }
            Error::NoSubordinateIds { file, .. } => Some(format!(
                "as root: add `NAME:100000:65536` to {file}, a range that nobody else has"
            )),
            Error::IdMaps { source } if source.kind() == io::ErrorKind::NotFound => {
                Some("install the package `uidmap` (newuidmap, newgidmap)".to_owned())
            }
            Error::Clone { source } if source.raw_os_error() == Some(ENOSPC) => Some(
                "the kernel's limit of namespaces is reached: see /proc/sys/user/max_*_namespaces"
                    .to_owned(),
            ),
            Error::Clone { source } if source.kind() == io::ErrorKind::PermissionDenied => Some(
                "an ordinary user needs a user namespace in the configuration (see `spec --rootless`) and a kernel that allows it"
                    .to_owned(),
            ),
            Error::Attribute { hint, .. } => hint.map(str::to_owned),
            Error::Criu { log, .. } => Some(match log.as_str() {
                "" => "install criu, and see `criu check` for what this kernel can do".to_owned(),
                _ => "the whole log is in the directory of --work-path, else of --image-path".to_owned(),
            }),
            Error::Child { failure } => failure.hint.clone(),
            _ => None,
        }
    }

    /// Docker's exit code: 127 (no such program), 126 (cannot be executed), 125 (all else).
    pub fn exit_code(&self) -> i32 {
        match self {
            Error::NotFound { .. } => 127,
            Error::Exec { source, .. } if source.kind() == io::ErrorKind::NotFound => 127,
            Error::Exec { .. } => 126,
            Error::Child { failure } => failure.exit_code,
            _ => 125,
        }
    }

    /// The failure as it crosses processes.
    pub fn to_failure(&self) -> RuntimeFailure {
        if let Error::Child { failure } = self {
            return (**failure).clone();
        }
        RuntimeFailure {
            exit_code: self.exit_code(),
            kind: self.kind(),
            message: self.to_string(),
            causes: berth_model::error::causes(self).map(plain).collect(),
            hint: self.hint(),
        }
    }
}

/// Callers of other runtimes look for these words: containerd's shim for `container not running` and
/// `does not exist`, scripts for the rest. Source: runc 1.3, libcontainer/error.go, exec.go, start.go.
fn why_not(verb: &str, status: &str) -> String {
    match (verb, status) {
        ("start", "stopped") => "cannot start a container that has stopped".to_owned(),
        ("start", "running") => "cannot start an already running container".to_owned(),
        ("exec in", "stopped") => "cannot exec in a stopped container".to_owned(),
        ("exec in", "paused") => {
            "cannot exec in a paused container (use --ignore-paused to override)".to_owned()
        }
        ("delete", _) => format!("it is not stopped: {status}"),
        ("resume", "created" | "running") => "container not paused".to_owned(),
        (_, "stopped") => "container not running".to_owned(),
        _ => format!("it is {status}"),
    }
}

/// A failed step.
pub(crate) fn step(action: &'static str, source: impl Into<io::Error>) -> Error {
    Error::Step {
        action,
        source: source.into(),
    }
}

/// A configuration that cannot be followed.
pub(crate) fn invalid<T>(reason: String) -> Result<T> {
    Err(Error::InvalidSpec { reason })
}

const ENOSPC: i32 = 28;

/// The text without std's ` (os error N)`, in lower case as all our messages are.
fn plain(error: &(dyn std::error::Error + 'static)) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

/// The words of one line of a log: message and causes, joined as people read them.
pub fn one_line(failure: &RuntimeFailure) -> String {
    let mut line = failure.message.clone();
    for cause in &failure.causes {
        line.push_str(": ");
        line.push_str(cause);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(number: i32) -> io::Error {
        io::Error::from_raw_os_error(number)
    }

    #[test]
    fn exit_codes_are_dockers() {
        let exec = |number| {
            Error::Exec {
                program: "x".into(),
                source: os(number),
            }
            .exit_code()
        };
        assert_eq!(exec(2), 127, "ENOENT: a script's interpreter is missing");
        assert_eq!(exec(13), 126, "EACCES");
        assert_eq!(exec(8), 126, "ENOEXEC");
        assert_eq!(
            Error::NotFound {
                program: "x".into(),
                place: ""
            }
            .exit_code(),
            127
        );
        assert_eq!(Error::Unsupported { what: "x" }.exit_code(), 125);
    }

    #[test]
    fn causes_are_told_once_and_plainly() {
        let error = Error::Mount {
            destination: "/x".into(),
            what: "tmpfs".into(),
            source: os(1),
        };
        let failure = error.to_failure();
        assert_eq!(
            one_line(&failure),
            "mount tmpfs at /x: operation not permitted"
        );
        assert_eq!(failure.kind, ErrorKind::Denied);
        let again = Error::Child {
            failure: Box::new(failure.clone()),
        };
        assert_eq!(again.to_failure(), failure);
    }
}
