//! What goes wrong when attaching.

use std::path::PathBuf;

use berth_model::ErrorKind;
use rustix::io::Errno;

/// A failure of an attached session.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The container's monitor is not there.
    #[error("cannot attach: the container is not running")]
    NotRunning {
        /// The task's directory.
        task_dir: PathBuf,
        /// The cause.
        #[source]
        source: Errno,
    },
    /// The monitor turned us away: another user's container, too many clients, another version.
    #[error("the container's monitor refused the connection")]
    Refused,
    /// Speaking with the monitor failed.
    #[error("cannot {action} the container's monitor")]
    Talk {
        /// "reach", "write to", "read from".
        action: &'static str,
        /// The cause.
        #[source]
        source: Errno,
    },
    /// The monitor sent what this version does not know.
    #[error("the container's monitor sent an unknown packet")]
    Protocol,
    /// Setting up or restoring the terminal failed.
    #[error("cannot set up the terminal")]
    Terminal(#[source] Errno),
    /// Waiting for or taking signals failed.
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
    /// Our own standard streams failed.
    #[error("cannot {action}")]
    Stdio {
        /// "read standard input" and the like.
        action: &'static str,
        /// The cause.
        #[source]
        source: Errno,
    },
    /// The text is no key sequence.
    #[error("`{0}` is no sequence of detach keys")]
    DetachKeys(String),
}

impl Error {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::NotRunning { .. } => ErrorKind::Conflict,
            Error::Refused => ErrorKind::Denied,
            Error::Protocol => ErrorKind::Unsupported,
            Error::DetachKeys(_) => ErrorKind::InvalidInput,
            Error::Talk { .. } | Error::Stdio { .. } => ErrorKind::Unavailable,
            Error::Terminal(_) | Error::Signals(_) => ErrorKind::Internal,
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Refused => Some(
                "it serves 16 clients, of its own user, and of its own version of berth".to_owned(),
            ),
            Error::DetachKeys(_) => Some(
                "give letters or ctrl-LETTER with commas between, as in `ctrl-p,ctrl-q`".to_owned(),
            ),
            _ => None,
        }
    }
}
