//! Building, as far as there is any.

use berth_model::event::Subject;
use serde::Serialize;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

/// `POST /build/prune`: what nobody builds leaves nothing.
pub(crate) async fn prune(ask: Ask) -> Result<Answer, Failure> {
    ask.work(|engine| -> Result<(), Failure> {
        engine.record_prune(Subject::Builder, 0);
        Ok(())
    })
    .await?;
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Document {
        caches_deleted: Vec<String>,
        space_reclaimed: u64,
    }
    Ok(Answer::json(&Document {
        caches_deleted: Vec::new(),
        space_reclaimed: 0,
    }))
}
