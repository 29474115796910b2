//! `POST /images/prune`.

use berth_engine::logs::parse_moment;
use berth_engine::prune::{Images, PruneRequest};
use jiff::Timestamp;
use serde::Serialize;

use super::remove::{Step, steps};
use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    images_deleted: Vec<Step>,
    space_reclaimed: u64,
}

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    let known = ["dangling", "until", "label", "label!"];
    let filters = ask.filters(&known)?;
    let dangling = filters.boolean("dangling").map_err(Failure::bad)?;
    let until = filters.values("until").last();
    let until = until
        .map(|text| parse_moment(text, Timestamp::now()))
        .transpose()?;
    let pruned = ask.work(move |engine| {
        let plan = engine.plan_prune(&PruneRequest {
            containers: false,
            networks: false,
            volumes: false,
            images: match dangling {
                Some(false) => Images::Unused,
                _ => Images::Dangling,
            },
            created_before: until.map(|time| time.to_string()),
            labels: &|labels| filters.labels(labels) && filters.no_label(labels),
        })?;
        engine.prune(plan)
    });
    let pruned = pruned.await?;
    Ok(Answer::json(&Document {
        images_deleted: steps(pruned.images),
        space_reclaimed: pruned.bytes,
    }))
}
