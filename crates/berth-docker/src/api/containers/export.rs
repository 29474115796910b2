//! `GET /containers/{id}/export`.

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let name = name.to_owned();
    let id = ask.work(move |engine| engine.find(&name)).await?;
    let engine = ask.docker.engine.clone();
    Answer::piped("application/octet-stream", move |output| {
        Ok(engine.export(&id, output.into())?)
    })
    .await
}
