//! `POST /containers/prune`.

use berth_engine::{Engine, Error};
use berth_model::ContainerId;
use berth_model::event::Subject;
use serde::Serialize;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::filter::Filters;
use crate::form::null_if_empty;
use crate::select::containers::{PRUNED, prunable};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    containers_deleted: Option<Vec<ContainerId>>,
    space_reclaimed: u64,
}

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    let filters = ask.filters(PRUNED)?;
    ask.work(move |engine| prune(engine, &filters)).await
}

fn prune(engine: &Engine, filters: &Filters) -> Result<Answer, Failure> {
    let mut removed = Vec::new();
    let mut space_reclaimed = 0;
    for one in prunable(filters, engine.list()?)? {
        let bytes = engine.writable_bytes(&one.config.id);
        match engine.remove(&one.config.id, false, false) {
            Ok(()) => {
                space_reclaimed += bytes;
                removed.push(one.config.id);
            }
            // Somebody was faster, or has started it.
            Err(Error::NoContainer { .. } | Error::WrongState { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    engine.record_prune(Subject::Container, space_reclaimed);
    Ok(Answer::json(&Document {
        containers_deleted: null_if_empty(removed),
        space_reclaimed,
    }))
}
