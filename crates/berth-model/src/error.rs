//! The kinds of errors. One table each maps a kind to an exit code, an HTTP status, …

use std::error::Error;

use serde::{Deserialize, Serialize};

/// What is below an error, outermost first.
pub fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

/// What sort of failure an error is; every crate's `Error` has `fn kind(&self) -> ErrorKind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The thing named does not exist.
    NotFound,
    /// The name or id is taken.
    AlreadyExists,
    /// What was asked makes no sense.
    InvalidInput,
    /// Not allowed.
    Denied,
    /// The thing is in a state that does not permit this.
    Conflict,
    /// A peer, a resource or the network is not there now; trying again may help.
    Unavailable,
    /// What is stored or was received does not hold together.
    Corrupt,
    /// The kernel, the host or this version cannot do it.
    Unsupported,
    /// A bug, or a failure that nobody foresaw.
    Internal,
}

impl From<&berth_oci::Error> for ErrorKind {
    fn from(error: &berth_oci::Error) -> ErrorKind {
        use berth_oci::Error as E;
        match error {
            E::ParseDigest { .. } | E::ParseReference { .. } | E::ParsePlatform { .. } => {
                ErrorKind::InvalidInput
            }
            E::UnsupportedMediaType { .. } | E::UnsupportedSchema { .. } => ErrorKind::Unsupported,
            E::NoPlatform { .. } => ErrorKind::NotFound,
            _ => ErrorKind::Corrupt,
        }
    }
}
