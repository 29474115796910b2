//! `POST /commit`: an image of a container.

use berth_engine::image::CommitOptions;
use serde::Serialize;

use crate::answer::Answer;
use crate::api::images;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::config::Config;
use crate::form::image::overrides;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Made {
    id: String,
}

pub(crate) async fn answer(mut ask: Ask) -> Result<Answer, Failure> {
    let config: Config = ask.json_or_default().await?;
    let query = &ask.query;
    let container = query.get("container").unwrap_or_default().to_owned();
    let text = |name| query.get(name).unwrap_or_default().to_owned();
    let name = match query.get("repo") {
        Some(name) => Some(images::reference(name, query.get("tag"))?.to_string()),
        None => None,
    };
    let options = CommitOptions {
        name,
        config: overrides(config).map_err(Failure::bad)?,
        changes: images::changes(&ask),
        message: text("comment"),
        author: text("author"),
        pause: query.is_on_or("pause", true),
        created_s: None,
    };
    let made = ask.work(move |engine| {
        let id = engine.find(&container)?;
        Ok::<_, Failure>(engine.commit_container(&id, &options)?)
    });
    let id = made.await?.id.to_string();
    Ok(Answer::created(&Made { id }))
}
