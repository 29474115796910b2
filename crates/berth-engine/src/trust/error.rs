//! Why an image may not be pulled, or why that cannot be known.

use std::path::PathBuf;

use berth_model::ErrorKind;

/// A verb on trust that failed, or an image that a policy refuses.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant's message says it
pub enum Error {
    #[error("cannot {action} {what} `{}`", path.display())]
    File {
        action: &'static str,
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot use {what} `{}`", path.display())]
    Content {
        what: &'static str,
        path: PathBuf,
        source: berth_trust::Error,
    },
    #[error("cannot {action}")]
    Files {
        action: &'static str,
        source: berth_fs::Error,
    },
    #[error(
        "cannot tell where the user's own policies are: neither HOME nor XDG_CONFIG_HOME is set"
    )]
    NoHome,
    #[error("the prefix `{prefix}` has no policy in `{}`", path.display())]
    NoPolicy { prefix: String, path: PathBuf },
    #[error("{origin} rejects it")]
    Rejected { origin: String },
    #[error("{origin} wants a signature, and it has no good one")]
    NotSigned { origin: String, source: Reasons },
    #[error("cannot read the signatures of {of}")]
    Signatures {
        of: String,
        source: Box<berth_registry::Error>,
    },
    #[error("cannot understand the signatures of {of}")]
    Document {
        of: String,
        source: berth_oci::Error,
    },
    #[error("{of} has more than {limit} signatures")]
    TooMany { of: String, limit: usize },
    #[error("signature {number} of {of} is larger than {limit} bytes")]
    TooLarge {
        of: String,
        number: usize,
        limit: u64,
    },
    #[error("{of} cannot have signatures: only sha256 digests can")]
    NotSignable { of: String },
    #[error("cannot write a signature of {of}")]
    Write {
        of: String,
        source: Box<berth_registry::Error>,
    },
    #[error("cannot write a signature")]
    Encode { source: serde_json::Error },
    #[error("`{image}` is {there} in the registry, but {here} here")]
    Differs {
        image: String,
        here: berth_oci::Digest,
        there: berth_oci::Digest,
    },
    #[error(transparent)]
    Registry(Box<berth_registry::Error>),
    #[error("invalid name of an image")]
    Name { source: berth_oci::Error },
    #[error("cannot look for the image")]
    Store { source: berth_store::Error },
    #[error(transparent)]
    Key(#[from] berth_trust::Error),
}

/// What is wrong with each signature, one a line.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Reasons(pub Vec<String>);

impl From<berth_registry::Error> for Error {
    fn from(error: berth_registry::Error) -> Error {
        Error::Registry(Box::new(error))
    }
}

impl Error {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::File { source, .. } => match source.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                std::io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
                std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                _ => ErrorKind::Internal,
            },
            Error::Content { source, .. } | Error::Key(source) => source.kind(),
            Error::Files { source, .. } => source.kind(),
            Error::NoPolicy { .. } => ErrorKind::NotFound,
            Error::Rejected { .. } | Error::NotSigned { .. } => ErrorKind::Denied,
            Error::Signatures { source, .. }
            | Error::Write { source, .. }
            | Error::Registry(source) => source.kind(),
            Error::Differs { .. } => ErrorKind::Conflict,
            Error::Document { source, .. } | Error::Name { source } => source.into(),
            Error::TooMany { .. } | Error::TooLarge { .. } => ErrorKind::Corrupt,
            Error::NotSignable { .. } => ErrorKind::Unsupported,
            Error::Store { source } => source.kind(),
            Error::NoHome => ErrorKind::InvalidInput,
            Error::Encode { .. } => ErrorKind::Internal,
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Error::Content { source, .. } | Error::Key(source) => return source.hint(),
            Error::Files { source, .. } => return source.hint(),
            Error::Signatures { source, .. }
            | Error::Write { source, .. }
            | Error::Registry(source) => return source.hint(),
            Error::Store { source } => return source.hint(),
            Error::File {
                action: "read",
                what,
                ..
            } if *what != file_of_policies() => {
                "nothing is pulled under a policy whose key cannot be read: `berth trust ls` lists them"
            }
            Error::File { action: "read", .. } => {
                "nothing is pulled while the policies cannot be read; BERTH_TRUST names another file"
            }
            Error::Differs { image, .. } => {
                return Some(format!(
                    "push or pull it, so that both are the same; or sign what you know by its digest: `{}@sha256:…`",
                    image.split('@').next().unwrap_or(image)
                ));
            }
            Error::NoHome => "BERTH_TRUST can name the file",
            Error::NoPolicy { .. } => "`berth trust ls` lists the policies",
            Error::Rejected { .. } => {
                "`berth trust ls` lists the policies, `berth trust set` changes one"
            }
            Error::NotSigned { .. } => {
                "`berth trust inspect IMAGE` shows who signed it; `berth trust sign` signs it; `berth trust ls` lists the policies"
            }
            Error::TooMany { .. } | Error::TooLarge { .. } | Error::Document { .. } => {
                "whoever may push to the repository may have put them there: remove them from the registry"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// What messages call `trust.toml`.
pub(super) const fn file_of_policies() -> &'static str {
    "the file of policies"
}
