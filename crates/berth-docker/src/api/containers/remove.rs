//! `DELETE /containers/{id}`.

use http::StatusCode;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    if ask.query.is_on("link") {
        let link = name.to_owned();
        ask.work(move |engine| engine.remove_link(&link)).await?;
        return Ok(Answer::done());
    }
    let (force, volumes) = (ask.query.is_on("force"), ask.query.is_on("v"));
    let name = name.to_owned();
    let removed = ask.work(move |engine| {
        let id = engine.find(&name)?;
        match engine.remove(&id, force, volumes) {
            Ok(()) => Ok(()),
            // Clients look for these words.
            Err(error @ berth_engine::Error::WrongState { .. }) => Err(Failure::new(
                StatusCode::CONFLICT,
                format!("{error}. Stop the container before attempting removal or force remove"),
            )),
            Err(error) => Err(error.into()),
        }
    });
    removed.await?;
    Ok(Answer::done())
}
