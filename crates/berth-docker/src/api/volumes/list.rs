//! `GET /volumes`.

use berth_engine::volumes::VolumeFilter;
use serde::Serialize;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::volume::{Volume, volume};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    volumes: Vec<Volume>,
    warnings: Option<Vec<String>>,
}

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    let known = ["dangling", "driver", "label", "name"];
    let filters = ask.filters(&known)?;
    let filter = VolumeFilter {
        dangling: filters.boolean("dangling").map_err(Failure::bad)?,
        names: filters.values("name").to_vec(),
        drivers: filters.values("driver").to_vec(),
        labels: filters.values("label").to_vec(),
    };
    let found = ask.work(move |engine| engine.volumes(&filter));
    Ok(Answer::json(&Document {
        volumes: found.await?.iter().map(volume).collect(),
        warnings: None,
    }))
}
