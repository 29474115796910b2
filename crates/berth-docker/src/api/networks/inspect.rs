//! `GET /networks/{id}`.

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::network::Document;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let absent = Failure::absent(format!("network {name} not found"));
    let name = name.to_owned();
    let network = ask.work(move |engine| engine.network(&name)).await?;
    if !matches!(ask.query.get("scope"), None | Some("local")) {
        return Err(absent);
    }
    Ok(Answer::json(&Document::of(&network, true, ask.version)))
}
