//! Building, as far as there is any.

use serde::Serialize;

use crate::answer::Answer;

/// `POST /build/prune`: what nobody builds leaves nothing.
pub(crate) fn prune() -> Answer {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Document {
        caches_deleted: Vec<String>,
        space_reclaimed: u64,
    }
    Answer::json(&Document {
        caches_deleted: Vec::new(),
        space_reclaimed: 0,
    })
}
