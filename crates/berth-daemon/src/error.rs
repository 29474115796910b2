//! What can go wrong when a daemon begins.

use std::io;
use std::path::PathBuf;

use berth_model::ErrorKind;

/// A daemon that does not begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another has the lock.
    #[error("another daemon works on `{directory}`")]
    Running {
        /// Where.
        directory: String,
    },
    /// The lock.
    #[error("cannot take the daemon's lock")]
    Lock(#[source] berth_fs::Error),
    /// The engine.
    #[error("cannot follow the containers")]
    Engine(#[source] berth_engine::Error),
    /// Threads, descriptors.
    #[error("cannot start the supervisor")]
    Start(#[source] io::Error),
    /// `daemon.toml` cannot be had.
    #[error("cannot read `{}`", path.display())]
    ReadSettings {
        /// Where.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Something in `daemon.toml` makes no sense.
    #[error("`{}`, line {line}: {reason}", path.display())]
    Settings {
        /// Where.
        path: PathBuf,
        /// The line.
        line: usize,
        /// Why.
        reason: String,
    },
    /// A socket of the service manager.
    #[error("cannot use the service manager's socket")]
    Socket(#[source] io::Error),
}

impl Error {
    pub(crate) fn start(source: rustix::io::Errno) -> Error {
        Error::Start(source.into())
    }

    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Running { .. } => ErrorKind::Conflict,
            Error::Lock(source) => source.kind(),
            Error::Engine(source) => source.kind(),
            Error::ReadSettings { .. } | Error::Settings { .. } => ErrorKind::InvalidInput,
            Error::Start(_) | Error::Socket(_) => ErrorKind::Internal,
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Running { .. } => {
                Some("stop it first, or give this one a --root and --run-dir of its own".to_owned())
            }
            Error::Lock(source) => source.hint(),
            Error::Engine(source) => source.hint(),
            Error::ReadSettings { .. } => Some(
                "--config-file (BERTH_DAEMON) says which file; without any, defaults hold"
                    .to_owned(),
            ),
            Error::Settings { .. } => {
                Some("correct that line; `berth daemon --help` names all settings".to_owned())
            }
            Error::Start(_) | Error::Socket(_) => None,
        }
    }
}
