//! `GET /images/{name}/json`.

use berth_engine::image::find;

use crate::Version;
use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::image::{inspect, manifest};

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let (name, platform) = (name.to_owned(), super::platform(&ask)?);
    let manifests = ask.query.is_on("manifests") && ask.version >= Version(1, 48);
    if manifests && platform.is_some() {
        return Err(Failure::bad(
            "conflicting options: manifests and platform options cannot both be set",
        ));
    }
    let found = ask.work(move |engine| {
        let details = engine.image_details_of(&name, platform.as_ref())?;
        let parts = match manifests {
            true => Some(engine.image_parts(&find(engine.store(), &name)?)?),
            false => None,
        };
        Ok::<_, Failure>((details, parts))
    });
    let (details, parts) = found.await?;
    let mut document = inspect(&details, ask.version);
    document.manifests = parts.map(|parts| parts.into_iter().map(manifest).collect());
    Ok(Answer::json(&document))
}
