//! What can go wrong with the store.

use berth_model::ErrorKind;
use berth_oci::Digest;
use rustix::io::Errno;

/// A failed operation of the store.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant's message says it
pub enum Error {
    #[error("the disk under the image store failed")]
    Disk(#[from] berth_fs::Error),
    #[error("blob {digest} is not in the store")]
    MissingBlob { digest: Digest },
    #[error("blob {digest} in the store is damaged")]
    CorruptBlob { digest: Digest },
    #[error("cannot read blob {digest}")]
    ReadBlob {
        digest: Digest,
        source: std::io::Error,
    },
    #[error("blob {digest} is too large: {size} bytes, at most {limit} are allowed here")]
    BlobTooLarge {
        digest: Digest,
        size: u64,
        limit: u64,
    },
    #[error("cannot write content to the store")]
    WriteIngest { source: std::io::Error },
    #[error("cannot write content to the store: it needs {needed} bytes more")]
    NoRoom { needed: u64, source: std::io::Error },
    #[error("content is not what was announced: expected {expected}, got {found}")]
    DigestMismatch { expected: Digest, found: Digest },
    #[error("content {digest} has the wrong size: expected {expected} bytes, got {found}")]
    SizeMismatch {
        digest: Digest,
        expected: u64,
        found: u64,
    },
    #[error("cannot read the store's index of images")]
    ParseIndex { source: berth_oci::Error },
    #[error("cannot write the store's index of images")]
    EncodeIndex { source: serde_json::Error },
    #[error("cannot read the store's layout file")]
    ParseLayout { source: berth_oci::Error },
    #[error("image layout version `{version}` is not supported")]
    UnsupportedLayout { version: String },
    #[error("image document {digest} cannot be used")]
    ParseDocument {
        digest: Digest,
        source: berth_oci::Error,
    },
    #[error("image index {digest} is nested too deeply")]
    NestedIndex { digest: Digest },
    #[error("image {digest} is for {found}, but its index says {stated}")]
    PlatformLie {
        digest: Digest,
        stated: String,
        found: String,
    },
}

impl Error {
    /// What sort of failure this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Disk(source) => source.kind(),
            Error::MissingBlob { .. } => ErrorKind::NotFound,
            Error::ReadBlob { source, .. }
            | Error::WriteIngest { source }
            | Error::NoRoom { source, .. } => io_kind(source),
            Error::ParseDocument { source, .. } => ErrorKind::from(source),
            Error::UnsupportedLayout { .. } => ErrorKind::Unsupported,
            Error::EncodeIndex { .. } => ErrorKind::Internal,
            Error::CorruptBlob { .. }
            | Error::BlobTooLarge { .. }
            | Error::DigestMismatch { .. }
            | Error::SizeMismatch { .. }
            | Error::ParseIndex { .. }
            | Error::ParseLayout { .. }
            | Error::NestedIndex { .. }
            | Error::PlatformLie { .. } => ErrorKind::Corrupt,
        }
    }

    /// What may help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Disk(source) => source.hint(),
            Error::WriteIngest { source }
            | Error::NoRoom { source, .. }
            | Error::ReadBlob { source, .. } => {
                match source.raw_os_error().map(Errno::from_raw_os_error)? {
                    Errno::NOSPC | Errno::DQUOT => Some(
                        "the disk is full: free space, or remove images and containers (`berth system prune`)"
                            .into(),
                    ),
                    _ => None,
                }
            }
            Error::CorruptBlob { .. } => {
                Some("`berth fsck --repair` removes it; pull or load the image again".into())
            }
            Error::MissingBlob { .. } => Some("pull or load the image again".into()),
            _ => None,
        }
    }
}

fn io_kind(error: &std::io::Error) -> ErrorKind {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOSPC | Errno::DQUOT | Errno::IO) => ErrorKind::Unavailable,
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS) => ErrorKind::Denied,
        Some(Errno::NOENT) => ErrorKind::NotFound,
        _ => ErrorKind::Internal,
    }
}
