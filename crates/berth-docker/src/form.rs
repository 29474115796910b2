//! Docker's documents, in Docker's spelling, and what they mean in our words. Pure: nothing is looked up here.
//!
//! What is read: every field may be absent or `null`, which mean the same. What is written has dockerd's habits: which
//! empty list is `[]`, which is `null`, and which field is left out.

pub(crate) mod config;
pub(crate) mod create;
pub(crate) mod endpoint;
pub(crate) mod host;
pub mod image;
pub(crate) mod info;
pub(crate) mod inspect;
pub(crate) mod limits;
pub(crate) mod mount;
pub(crate) mod network;
pub(crate) mod ports;
pub(crate) mod stats;
pub(crate) mod status;
pub(crate) mod summary;
pub mod volume;

use serde::{Deserialize, Deserializer, Serialize};

/// Go's zero time.
pub(crate) const NEVER: &str = "0001-01-01T00:00:00Z";

/// `{}`: what Docker's sets have for values.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Empty {}

/// A list of words; a text alone is one.
pub(crate) fn words<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a text or a list of texts")]
    enum Words {
        One(String),
        Many(Vec<String>),
    }
    Ok(Some(match Words::deserialize(deserializer)? {
        Words::One(word) => vec![word],
        Words::Many(words) => words,
    }))
}

/// For `skip_serializing_if`: Go's `omitempty`.
pub(crate) fn is_empty<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Go writes an empty list that nobody made as `null`.
pub(crate) fn null_if_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
