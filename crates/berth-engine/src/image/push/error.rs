//! Why a push failed.

use berth_model::ErrorKind;

/// A push that failed: the name in the registry is as before.
#[derive(Debug, thiserror::Error)]
#[error("cannot push `{reference}`")]
pub struct PushError {
    /// As users write it.
    pub reference: String,
    /// Why.
    pub source: PushCause,
}

/// The step that failed.
#[derive(Debug, thiserror::Error)]
pub enum PushCause {
    /// The registry.
    #[error(transparent)]
    Registry(#[from] berth_registry::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] berth_store::Error),
    /// Nothing has the name.
    #[error("no image has this name")]
    NoImage,
    /// A digest is what a push results in.
    #[error("a name with a digest cannot be pushed")]
    ByDigest,
    /// The image is for something else.
    #[error("the image is for {found}, not for {wanted}")]
    Platform {
        /// What was asked for.
        wanted: String,
        /// What the image says.
        found: String,
    },
    /// A task of the push panicked.
    #[error("a part of the push ended early")]
    Panicked,
}

impl PushError {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match &self.source {
            PushCause::Registry(source) => source.kind(),
            PushCause::Store(source) => source.kind(),
            PushCause::NoImage | PushCause::Platform { .. } => ErrorKind::NotFound,
            PushCause::ByDigest => ErrorKind::InvalidInput,
            PushCause::Panicked => ErrorKind::Internal,
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        match &self.source {
            PushCause::Registry(source) => source.hint(),
            PushCause::Store(source) => source.hint(),
            PushCause::NoImage => Some(
                "`berth images` lists all images; `berth tag` gives one the name that it is to have there"
                    .into(),
            ),
            PushCause::ByDigest => Some("name a tag, or nothing: it is `latest` then".into()),
            PushCause::Platform { .. } => Some("without --platform what there is is pushed".into()),
            _ => None,
        }
    }
}
