//! The parent's side of unpacking: a confined child per layer, several at a time.
//!
//! ```text
//! layers   the layers of an image: which when, each made visible after the one below it
//! child    one of them: a process and what it reports
//! ```
//!
//! A child reports the diff-id that it computed; only if it is the one of the image's config does the layer
//! become visible (row T16 of the threat catalogue). So a blob may be unpacked before it is verified, while it is
//! still being downloaded. See `berth_layer::child` for the other side.

mod child;
mod layers;

use std::io;
use std::path::PathBuf;

use berth_layer::Limits;
use berth_model::ErrorKind;
use berth_oci::digest::Digest;

use crate::error::Chain;

pub(crate) use layers::layers_of;
pub use layers::{Blobs, Feed, unpack_layers};

/// The child's side: the main function behind `berth internal unpack`.
pub use berth_layer::child::main as child;
/// The main function behind `berth internal read`: a file of a container, read inside the user namespace.
pub use berth_layer::merged::main as read;
/// The main function behind `berth internal purge`: removes trees inside the user namespace.
pub use berth_layer::purge::main as purge;

/// Why a layer could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The snapshots refused.
    #[error("cannot keep the layer {diff_id}")]
    Snapshot {
        /// The layer.
        diff_id: Digest,
        /// Cause.
        #[source]
        source: Box<berth_snapshot::Error>,
    },
    /// The child could not be started or spoken with.
    #[error("cannot run the unpacker {program}")]
    Child {
        /// What was run.
        program: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The child ended without a report.
    #[error("the unpacker of the layer {diff_id} ended without a report ({status})")]
    Died {
        /// The layer.
        diff_id: Digest,
        /// How it ended.
        status: String,
        /// What it wrote to standard error.
        #[source]
        source: ChildOutput,
    },
    /// The layer is no good, or the disk is full.
    #[error("cannot unpack the layer {diff_id}")]
    Layer {
        /// The layer.
        diff_id: Digest,
        /// The sort of failure.
        kind: ErrorKind,
        /// What the user can do, when known.
        hint: Option<String>,
        /// The child's report as a chain of causes.
        #[source]
        source: Chain,
    },
    /// The layer is not the one that the image's config names.
    #[error("the layer's content has the digest {found}, but the image's config says {expected}")]
    WrongDiffId {
        /// The config's.
        expected: Digest,
        /// The content's.
        found: Digest,
    },
}

impl UnpackError {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            UnpackError::Snapshot { source, .. } => source.kind(),
            UnpackError::Child { .. } | UnpackError::Died { .. } => ErrorKind::Internal,
            UnpackError::Layer { kind, .. } => *kind,
            UnpackError::WrongDiffId { .. } => ErrorKind::Corrupt,
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        match self {
            UnpackError::Snapshot { source, .. } => source.hint(),
            UnpackError::Layer { hint, .. } => hint.clone(),
            UnpackError::WrongDiffId { .. } => Some(
                "the image is damaged or forged: pull it again, or ask who built it".to_owned(),
            ),
            _ => None,
        }
    }
}

/// What a child wrote to standard error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ChildOutput(String);

/// How to unpack.
#[derive(Debug, Clone)]
pub struct UnpackOptions {
    /// The executable whose `internal unpack` is the child: berth itself.
    pub self_exe: PathBuf,
    /// `berth-runtime`, whose `unshare` makes the user namespace; used if `rootless`.
    pub runtime_exe: PathBuf,
    /// Unpack inside a user namespace with the user's subordinate ids.
    pub rootless: bool,
    /// What a layer may cost.
    pub limits: Limits,
}
