//! `POST /containers/{id}/stop`.

use super::{signal, timeout};
use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let (signal, timeout) = (signal(&ask)?, timeout(&ask)?);
    let name = name.to_owned();
    let stopped = ask.work(move |engine| {
        let id = engine.find(&name)?;
        if !engine.inspect(&id)?.status.is_up() {
            return Ok(false);
        }
        engine.stop(&id, signal, timeout)?;
        Ok::<_, berth_engine::Error>(true)
    });
    match stopped.await? {
        true => Ok(Answer::done()),
        false => Ok(Answer::as_it_was()),
    }
}
