//! `POST /containers/{id}/restart`.

use super::{signal, timeout};
use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let (signal, timeout) = (signal(&ask)?, timeout(&ask)?);
    let name = name.to_owned();
    let restarted = ask.work(move |engine| {
        let id = engine.find(&name)?;
        engine.restart(&id, signal, timeout)
    });
    restarted.await?;
    Ok(Answer::done())
}
