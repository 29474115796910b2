//! `DELETE /containers/{id}`.

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    if ask.query.is_on("link") {
        return Err(Failure::not_here("removing a link"));
    }
    let (force, volumes) = (ask.query.is_on("force"), ask.query.is_on("v"));
    let name = name.to_owned();
    let removed = ask.work(move |engine| {
        let id = engine.find(&name)?;
        engine.remove(&id, force, volumes).map(|()| id)
    });
    ask.docker.execs.forget(&removed.await?);
    Ok(Answer::done())
}
