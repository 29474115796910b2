//! `GET /images/get`, `GET /images/{name}/get`: an archive of images.

use berth_engine::image::SaveFormat;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

pub(crate) async fn answer(ask: Ask, names: Vec<String>) -> Result<Answer, Failure> {
    if names.is_empty() {
        return Err(Failure::bad("no image is named: `names` lists them"));
    }
    let platform = super::platform(&ask)?;
    let engine = ask.docker.engine.clone();
    Answer::piped("application/x-tar", move |output| {
        engine.save_images(&names, platform.as_ref(), SaveFormat::Both, output)?;
        Ok(())
    })
    .await
}

/// The names in the query: several, or one text with commas as docker-compose sends it.
pub(crate) fn names(ask: &Ask) -> Vec<String> {
    let all = ask.query.all("names").into_iter();
    let names = all.flat_map(|text| text.split(','));
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}
