//! `GET /volumes/{name}`.

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::volume::volume;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let name = name.to_owned();
    let found = ask.work(move |engine| engine.volume(&name));
    Ok(Answer::json(&volume(&found.await?)))
}
