//! What can be wrong with what the server is told: its configuration, and the files that it names.

use std::path::PathBuf;

use berth_model::ErrorKind;

/// The server cannot start like this.
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
    #[error("line {line} of the users in `{}` is wrong: {reason}", path.display())]
    BadUser {
        path: PathBuf,
        line: usize,
        reason: &'static str,
    },
    #[error("the system gives no random numbers")]
    Random,
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
            Error::Random => ErrorKind::Internal,
            _ => ErrorKind::InvalidInput,
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Error::BadUser { .. } => "`htpasswd -B FILE NAME` writes a line with a hash of bcrypt",
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// Tells whoever runs the server about what goes on without being right.
pub(crate) fn warn(what: &str, error: &Error) {
    let mut text = error.to_string();
    for cause in berth_model::error::causes(error) {
        text += &format!(": {cause}");
    }
    eprintln!("warning: {text}; {what}");
}
