//! Reading a container's log: Docker's json-file form, rotated as `path`, `path.1`, `path.2`, …
//!
//! The monitor may write, rotate and empty the files meanwhile. A record is read only once its line
//! feed is there; a line that is no record (a torn one, after a crash) is skipped.

pub(crate) mod attributes;
pub mod files;
pub mod follow;
pub mod moment;
pub mod print;
pub mod reader;
pub(crate) mod receiver;
pub mod record;

pub use follow::Follow;
pub use moment::parse_moment;
pub use print::Printer;
pub use reader::{Options, read};
pub use record::{LogStream, Record};

use std::path::PathBuf;

use berth_model::ErrorKind;

/// A failure of reading a log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The container keeps no log.
    #[error("the container keeps no log")]
    NoLog,
    /// A log file could not be opened or read.
    #[error("cannot read the log `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Watching for more failed.
    #[error("cannot follow the log `{}`", path.display())]
    Watch {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Writing what was read failed.
    #[error("cannot write the log's text")]
    Write(#[source] std::io::Error),
    /// The text is no point in time.
    #[error("`{0}` is no point in time")]
    Moment(String),
}

impl Error {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::NoLog => ErrorKind::NotFound,
            Error::Moment(_) => ErrorKind::InvalidInput,
            Error::Write(_) => ErrorKind::Unavailable,
            Error::Read { .. } | Error::Watch { .. } => ErrorKind::Internal,
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::NoLog => Some(
                "it was created with --log-driver none or --log-opt cache-disabled=true".to_owned(),
            ),
            Error::Moment(_) => Some(
                "give 2026-01-31T12:00:00Z, 2026-01-31 (UTC), seconds since 1970, or a time ago \
                 such as 10m or 1h30m"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
