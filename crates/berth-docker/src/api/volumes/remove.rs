//! `DELETE /volumes/{name}`.

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let (name, force) = (name.to_owned(), ask.query.is_on("force"));
    ask.work(move |engine| engine.remove_volume(&name, force))
        .await?;
    Ok(Answer::done())
}
