//! Why a pull failed.

use berth_model::ErrorKind;

use crate::unpack::UnpackError;

/// A pull that failed: nothing of it is visible.
#[derive(Debug, thiserror::Error)]
#[error("cannot pull `{reference}`")]
pub struct PullError {
    /// As users write it.
    pub reference: String,
    /// Why.
    pub source: PullCause,
}

/// The step that failed.
#[derive(Debug, thiserror::Error)]
pub enum PullCause {
    /// The registry.
    #[error(transparent)]
    Registry(#[from] berth_registry::Error),
    /// A policy.
    #[error(transparent)]
    Trust(Box<crate::trust::Error>),
    /// The store.
    #[error(transparent)]
    Store(#[from] berth_store::Error),
    /// A layer came, and is not what the manifest says.
    #[error("layer {digest} is not what the image's manifest says")]
    WrongLayer {
        /// The layer.
        digest: berth_oci::Digest,
        /// How it differs.
        source: Box<berth_store::Error>,
    },
    /// A layer cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The image's configuration.
    #[error(transparent)]
    Document(#[from] berth_oci::Error),
    /// The image is for something else.
    #[error("the image is for {found}, not for {wanted}")]
    Platform {
        /// What was asked for.
        wanted: String,
        /// What the image says.
        found: String,
    },
    /// No thread for the network.
    #[error("cannot set up the network")]
    Network {
        /// Cause.
        source: std::io::Error,
    },
    /// Another one failed first, or a thread of the pull panicked.
    #[error("a part of the pull ended early")]
    Panicked,
}

impl From<crate::trust::Error> for PullCause {
    fn from(error: crate::trust::Error) -> PullCause {
        PullCause::Trust(Box::new(error))
    }
}

impl PullCause {
    fn kind(&self) -> ErrorKind {
        match self {
            PullCause::Registry(source) => source.kind(),
            PullCause::Trust(source) => source.kind(),
            PullCause::Store(source) => source.kind(),
            PullCause::WrongLayer { .. } => ErrorKind::Corrupt,
            PullCause::Unpack(source) => source.kind(),
            PullCause::Document(source) => source.into(),
            PullCause::Platform { .. } => ErrorKind::NotFound,
            PullCause::Network { .. } | PullCause::Panicked => ErrorKind::Internal,
        }
    }
}

impl PullError {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        self.source.kind()
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        match &self.source {
            PullCause::Registry(source) => source.hint(),
            PullCause::Trust(source) => source.hint(),
            PullCause::Store(source) => source.hint(),
            PullCause::Unpack(source) => source.hint(),
            PullCause::WrongLayer { .. } => Some(
                "the registry, a mirror or a proxy between sends wrong data; nothing of it was kept"
                    .to_owned(),
            ),
            PullCause::Platform { found, .. } => {
                Some(format!("--platform {found} would take what there is"))
            }
            _ => None,
        }
    }
}
