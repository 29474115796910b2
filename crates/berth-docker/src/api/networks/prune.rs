//! `POST /networks/prune`.

use berth_engine::network::PruneNetworks;
use serde::Serialize;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::null_if_empty;
use crate::select;
use crate::select::containers::PRUNED;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    networks_deleted: Option<Vec<String>>,
}

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    let filters = ask.filters(PRUNED)?;
    let created_before = select::until(&filters)?;
    let gone = ask.work(move |engine| {
        engine.prune_networks(&PruneNetworks {
            created_before,
            labels: &|labels| filters.labels(labels) && filters.no_label(labels),
        })
    });
    Ok(Answer::json(&Document {
        networks_deleted: null_if_empty(gone.await?),
    }))
}
