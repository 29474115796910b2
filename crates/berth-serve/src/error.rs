//! What can be wrong with the files that a server is told to use.

use std::path::PathBuf;

use berth_model::ErrorKind;

/// A file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // each variant's message says it
pub enum Error {
    #[error("cannot read {what} `{}`", path.display())]
    ReadFile {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot use {what} `{}`: {reason}", path.display())]
    BadKey {
        what: &'static str,
        path: PathBuf,
        reason: &'static str,
        hint: &'static str,
    },
    #[error("cannot use the certificate `{}`: {reason}", path.display())]
    BadCertificate {
        path: PathBuf,
        reason: &'static str,
        hint: &'static str,
    },
    #[error("cannot set up TLS")]
    Tls {
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::ReadFile { source, .. } => match source.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                _ => ErrorKind::InvalidInput,
            },
            _ => ErrorKind::InvalidInput,
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::BadKey { hint, .. } | Error::BadCertificate { hint, .. } => {
                Some((*hint).to_owned())
            }
            Error::ReadFile { .. } | Error::Tls { .. } => None,
        }
    }
}
