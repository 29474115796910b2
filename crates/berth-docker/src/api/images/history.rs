//! `GET /images/{name}/history`.

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::image::history;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let (name, platform) = (name.to_owned(), super::platform(&ask)?);
    let details = ask.work(move |engine| engine.image_details_of(&name, platform.as_ref()));
    Ok(Answer::json(&history(&details.await?)))
}
