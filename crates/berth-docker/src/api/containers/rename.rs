//! `POST /containers/{id}/rename`.

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let name = name.to_owned();
    let new = ask
        .query
        .get("name")
        .ok_or_else(|| Failure::bad("Neither old nor new names may be empty"))?;
    let new = new.to_owned();
    ask.work(move |engine| engine.rename(&engine.find(&name)?, &new))
        .await?;
    Ok(Answer::done())
}
