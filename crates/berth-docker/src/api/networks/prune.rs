//! `POST /networks/prune`: the predefined networks stay.

use berth_model::event::Subject;
use serde::Serialize;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::select::containers::PRUNED;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    networks_deleted: Option<[String; 0]>,
}

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    ask.filters(PRUNED)?;
    ask.work(|engine| -> Result<(), Failure> {
        engine.record_prune(Subject::Network, 0);
        Ok(())
    })
    .await?;
    Ok(Answer::json(&Document {
        networks_deleted: None,
    }))
}
