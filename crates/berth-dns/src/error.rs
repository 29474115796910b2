//! What can go wrong with the resolver.

use std::io;
use std::path::PathBuf;

use berth_model::ErrorKind;

/// A failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call.
    #[error("cannot {action}")]
    Kernel {
        /// What was to be done.
        action: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Files and locks.
    #[error("cannot {action}")]
    Files {
        /// What was to be done.
        action: &'static str,
        /// The cause.
        #[source]
        source: berth_fs::Error,
    },
    /// A record that says nothing that is understood.
    #[error("cannot read `{}`", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The rules in a container's namespace.
    #[error("cannot lead a container's questions to the resolver")]
    Redirect(#[source] berth_net::Error),
    /// The process that answers cannot be started.
    #[error("cannot start the resolver `{}`", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It says no.
    #[error("the resolver cannot serve the container: {message}")]
    Refused {
        /// Its words.
        message: String,
    },
    /// It does not answer.
    #[error("the resolver does not answer")]
    Silent,
}

/// Of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Files { source, .. } => source.kind(),
            Error::Redirect(source) => source.kind(),
            Error::Record { .. } => ErrorKind::Corrupt,
            Error::Silent | Error::Start { .. } => ErrorKind::Unavailable,
            Error::Kernel { .. } | Error::Refused { .. } => ErrorKind::Internal,
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Files { source, .. } => source.hint(),
            Error::Redirect(source) => source.hint(),
            Error::Silent => Some(
                "end the process that holds `dns/lock` in the run directory (`fuser` names it); the next start of a \
                 container begins it anew"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    pub(crate) fn kernel(action: &'static str) -> impl Fn(io::Error) -> Error {
        move |source| Error::Kernel { action, source }
    }

    pub(crate) fn files(action: &'static str) -> impl Fn(berth_fs::Error) -> Error {
        move |source| Error::Files { action, source }
    }
}
