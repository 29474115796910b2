//! `GET /networks/{id}`.

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::network::Document;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let name = name.to_owned();
    let network = ask.work(move |engine| engine.network(&name)).await?;
    Ok(Answer::json(&Document::of(&network, true, ask.version)))
}
