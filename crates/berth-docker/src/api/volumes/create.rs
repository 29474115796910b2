//! `POST /volumes/create`.

use std::collections::BTreeMap;

use berth_engine::volumes::VolumeRequest;
use serde::Deserialize;
use serde_json::Value;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::volume::volume;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Asked {
    name: String,
    driver: String,
    driver_opts: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    cluster_volume_spec: Option<Value>,
}

pub(crate) async fn answer(mut ask: Ask) -> Result<Answer, Failure> {
    let asked: Asked = ask.json_or_default().await?;
    if asked.cluster_volume_spec.is_some() {
        return Err(Failure::not_here("a cluster's volumes"));
    }
    let request = VolumeRequest {
        name: asked.name,
        driver: asked.driver,
        options: asked.driver_opts,
        labels: asked.labels,
    };
    let made = ask.work(move |engine| engine.create_volume(request));
    Ok(Answer::created(&volume(&made.await?)))
}
