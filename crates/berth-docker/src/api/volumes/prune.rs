//! `POST /volumes/prune`.

use berth_engine::volumes::PruneVolumes;
use serde::Serialize;

use crate::Version;
use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    volumes_deleted: Vec<String>,
    space_reclaimed: u64,
}

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    let known = ["all", "label", "label!"];
    let filters = ask.filters(&known)?;
    // Before 1.42 there was no other way than all.
    let all = filters.boolean("all").map_err(Failure::bad)?;
    let all = all.unwrap_or(false) || ask.version < Version(1, 42);
    let pruned = ask.work(move |engine| {
        engine.prune_volumes(&PruneVolumes {
            all,
            labels: &|labels| filters.labels(labels) && filters.no_label(labels),
        })
    });
    let pruned = pruned.await?;
    Ok(Answer::json(&Document {
        volumes_deleted: pruned.names,
        space_reclaimed: pruned.bytes,
    }))
}
