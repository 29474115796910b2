//! `POST /containers/{id}/resize`.

use berth_engine::attach::{AttachStream, Wants};
use http::StatusCode;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

/// Lines and columns that the client wants.
pub(crate) fn size(ask: &Ask) -> Result<(u16, u16), Failure> {
    let number = |name: &str| {
        let number: Option<u16> = ask.query.number(name)?;
        number.ok_or_else(|| Failure::bad(format!("`{name}` is missing: the size in characters")))
    };
    Ok((number("h")?, number("w")?))
}

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let (rows, columns) = size(&ask)?;
    let name = name.to_owned();
    let resized = ask.work(move |engine| {
        let id = engine.find(&name)?;
        if !engine.status(&id)?.is_alive() {
            return Err(Failure::new(
                StatusCode::CONFLICT,
                format!("cannot resize a stopped container: Container {id} is not running"),
            ));
        }
        let stream = AttachStream::connect(&engine.layout().task(&id), Wants::default())?;
        stream.try_resize(rows, columns)?;
        engine.record_resize(&engine.config(&id)?, rows, columns);
        Ok(())
    });
    resized.await?;
    Ok(Answer::empty(StatusCode::OK))
}
