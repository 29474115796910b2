//! `DELETE /containers/{id}`.

use berth_model::ContainerId;
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
            Err(berth_engine::Error::WrongState { state, .. }) => {
                Err(Failure::new(StatusCode::CONFLICT, stays(state, &id)))
            }
            Err(error) => Err(error.into()),
        }
    });
    removed.await?;
    Ok(Answer::done())
}

fn stays(state: &str, id: &ContainerId) -> String {
    let first = match state {
        "paused" => "Unpause and then stop the container",
        _ => "Stop the container",
    };
    format!(
        "You cannot remove a {state} container {id}. {first} before attempting removal or force remove"
    )
}
