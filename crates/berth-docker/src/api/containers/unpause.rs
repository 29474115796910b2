//! `POST /containers/{id}/unpause`.

use super::state;
use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let name = name.to_owned();
    let done = ask.work(move |engine| {
        let id = engine.find(&name)?;
        engine.unpause(&id).map_err(|error| state(&id, error))
    });
    done.await?;
    Ok(Answer::done())
}
