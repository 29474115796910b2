//! The errors of this crate.

use std::path::PathBuf;

use berth_model::ErrorKind;
use berth_oci::digest::Digest;
use rustix::io::Errno;

/// A failure to keep, find or mount snapshots.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A step on the snapshots' own directories failed.
    #[error("cannot {operation} {path}")]
    Step {
        /// `create`, `lock`, …
        operation: &'static str,
        /// Which.
        path: PathBuf,
        /// Cause.
        #[source]
        source: berth_fs::Error,
    },
    /// A system call on a directory failed.
    #[error("cannot {operation} {path}")]
    Dir {
        /// `create`, `set the owner of`, …
        operation: &'static str,
        /// Which.
        path: PathBuf,
        /// Cause.
        #[source]
        source: Errno,
    },
    /// A layer that should be unpacked is not.
    #[error("the layer {chain} is not unpacked")]
    Missing {
        /// Its chain-id.
        chain: Digest,
    },
    /// An image without layers has no root file system.
    #[error("the image has no layers")]
    NoLayers,
    /// The tree could not be copied (native).
    #[error("cannot copy the tree {path}")]
    Copy {
        /// From where.
        path: PathBuf,
        /// Cause.
        #[source]
        source: berth_layer::Error,
    },
    /// The record of a snapshot could not be written.
    #[error("cannot describe the layer {chain}")]
    Describe {
        /// Its chain-id.
        chain: Digest,
        /// Cause.
        #[source]
        source: serde_json::Error,
    },
    /// The native form keeps owners, which only root can set.
    #[error("the native snapshotter needs root")]
    NativeRootless,
}

impl Error {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Step { source, .. } => source.kind(),
            Error::Dir { source, .. } => match *source {
                Errno::NOENT => ErrorKind::NotFound,
                Errno::ACCESS | Errno::PERM | Errno::ROFS => ErrorKind::Denied,
                Errno::NOSPC | Errno::DQUOT => ErrorKind::Unavailable,
                _ => ErrorKind::Internal,
            },
            Error::Missing { .. } => ErrorKind::NotFound,
            Error::NoLayers => ErrorKind::InvalidInput,
            Error::Copy { source, .. } => source.kind(),
            Error::Describe { .. } => ErrorKind::Internal,
            Error::NativeRootless => ErrorKind::Unsupported,
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Step { source, .. } => source.hint(),
            Error::Copy { source, .. } => source.hint(),
            Error::Missing { .. } => Some("`berth fsck --repair` unpacks it again".to_owned()),
            _ => None,
        }
    }
}
