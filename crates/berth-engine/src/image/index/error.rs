//! Why a verb on an index made by hand failed.

use berth_model::ErrorKind;
use berth_oci::Digest;

/// A verb on an index that failed; the index is as before.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} the index `{list}`")]
pub struct IndexError {
    /// What was asked for.
    pub action: &'static str,
    /// The index.
    pub list: String,
    /// Why.
    pub source: IndexCause,
}

/// The step that failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant's message says it
pub enum IndexCause {
    #[error(transparent)]
    Registry(#[from] berth_registry::Error),
    #[error(transparent)]
    Store(#[from] berth_store::Error),
    #[error("a document is not as it should be")]
    Document { source: berth_oci::Error },
    #[error("it exists already")]
    Exists,
    #[error("no index has this name here")]
    NoList,
    #[error("an image that was pulled or made has this name")]
    AnImage,
    #[error("its name has a digest")]
    ByDigest,
    #[error("`{image}` is not in it")]
    NotInList { image: String },
    #[error("several images in it were added as `{image}`")]
    Several { image: String },
    #[error("the image {digest} is not here any more")]
    Gone { digest: Digest },
    #[error("{digest} in it is an index too")]
    Nested { digest: Digest },
    #[error("cannot collect the garbage")]
    CleanUp { source: Box<crate::Error> },
}

impl IndexError {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match &self.source {
            IndexCause::Registry(source) => source.kind(),
            IndexCause::Store(source) => source.kind(),
            IndexCause::Document { source } => source.into(),
            IndexCause::CleanUp { source } => source.kind(),
            IndexCause::Exists | IndexCause::AnImage => ErrorKind::AlreadyExists,
            IndexCause::NoList | IndexCause::NotInList { .. } | IndexCause::Gone { .. } => {
                ErrorKind::NotFound
            }
            IndexCause::ByDigest | IndexCause::Several { .. } => ErrorKind::InvalidInput,
            IndexCause::Nested { .. } => ErrorKind::Unsupported,
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        Some(match &self.source {
            IndexCause::Registry(source) => return source.hint(),
            IndexCause::Store(source) => return source.hint(),
            IndexCause::CleanUp { source } => return source.hint(),
            IndexCause::Exists => "--amend adds to it; `berth manifest rm` removes it".into(),
            IndexCause::NoList => "`berth manifest create` makes it".into(),
            IndexCause::AnImage => "choose another name".into(),
            IndexCause::ByDigest => "name a tag".into(),
            IndexCause::NotInList { .. } | IndexCause::Several { .. } => {
                "`berth manifest inspect` shows what is in it: name one by its digest".into()
            }
            IndexCause::Gone { .. } => "pull it again, or make the index anew".into(),
            IndexCause::Nested { .. } => "name the images in that one instead".into(),
            IndexCause::Document { .. } => return None,
        })
    }
}
