//! What can be wrong with the words themselves. `berth-model` has the table from these variants to
//! `ErrorKind` (it depends on this crate, not the other way round).

/// A text or document that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // each variant's message says it
pub enum Error {
    #[error("invalid digest `{text}`: {reason}")]
    ParseDigest { text: String, reason: &'static str },
    #[error("invalid reference `{text}`: {reason}")]
    ParseReference { text: String, reason: &'static str },
    #[error("invalid platform `{text}`: {reason}")]
    ParsePlatform { text: String, reason: &'static str },
    #[error("{what} is too large: {size} bytes, at most {limit} are allowed")]
    TooLarge {
        what: &'static str,
        size: u64,
        limit: u64,
    },
    #[error("{what} has too many {items}: {count}, at most {limit} are allowed")]
    TooMany {
        what: &'static str,
        items: &'static str,
        count: usize,
        limit: usize,
    },
    #[error("cannot parse {what}")]
    ParseJson {
        what: &'static str,
        source: serde_json::Error,
    },
    #[error("document is both a manifest (`layers`) and an index (`manifests`)")]
    Ambiguous,
    #[error("document is neither a manifest (`config`, `layers`) nor an index (`manifests`)")]
    NeitherManifestNorIndex,
    #[error("media type says {stated}, but the document is {found}")]
    MediaTypeMismatch { stated: String, found: String },
    #[error("unsupported media type `{media_type}` of {what}")]
    UnsupportedMediaType {
        what: &'static str,
        media_type: String,
    },
    #[error("unsupported schema version {version} of {what}")]
    UnsupportedSchema { what: &'static str, version: u64 },
    #[error("manifest has {layers} layers, but the configuration has {diff_ids} diff ids")]
    LayerCount { layers: usize, diff_ids: usize },
    #[error("image holds nothing for platform {wanted}; it has {available}")]
    NoPlatform { wanted: String, available: String },
}
