//! `DELETE /networks/{id}`.

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let name = name.to_owned();
    ask.work(move |engine| engine.remove_network(&name)).await?;
    Ok(Answer::done())
}
