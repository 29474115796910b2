//! `POST /containers/{id}/kill`.

use http::StatusCode;

use super::signal;
use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

/// What a kill sends when nothing is said.
const SIGKILL: i32 = 9;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let signal = signal(&ask)?.unwrap_or(SIGKILL);
    let name = name.to_owned();
    let killed = ask.work(move |engine| {
        let id = engine.find(&name).map_err(|error| {
            let failure = Failure::from(error);
            let message = format!("Cannot kill container: {name}: {}", failure.message);
            Failure::new(failure.status, message)
        })?;
        match engine.kill(&id, signal) {
            // Clients look for these words.
            Err(berth_engine::Error::WrongState { .. }) => Err(Failure::new(
                StatusCode::CONFLICT,
                format!("Cannot kill container: {name}: Container {id} is not running"),
            )),
            other => Ok(other?),
        }
    });
    killed.await?;
    Ok(Answer::done())
}
