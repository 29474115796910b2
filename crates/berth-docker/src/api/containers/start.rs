//! `POST /containers/{id}/start`.

use berth_engine::attach::AttachStream;
use berth_engine::start::StartOptions;
use berth_model::Status;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::pending::Attached;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let name = name.to_owned();
    let docker = ask.docker.clone();
    let started = ask.work(move |engine| {
        let id = engine.find(&name)?;
        if matches!(engine.status(&id)?, Status::Running) {
            return Ok(false);
        }
        // The first of those who wait is there from the first byte; the monitor takes one such client.
        let mut waiting = docker.waiting.take(&id).into_iter();
        let first = waiting.next();
        let mut options = StartOptions::default();
        let mut stream = None;
        if let Some(first) = &first {
            let (ours, shims) = AttachStream::foreground(first.wants)?;
            options.client = Some(shims);
            stream = Some(ours);
        }
        engine.start(&id, options)?;
        if let (Some(first), Some(stream)) = (first, stream) {
            first.give(Attached {
                stream,
                foreground: true,
            });
        }
        for other in waiting {
            // One that has ended already has no monitor any more: its client sees the end.
            if let Ok(stream) = AttachStream::connect(&engine.layout().task(&id), other.wants) {
                other.give(Attached {
                    stream,
                    foreground: false,
                });
            }
        }
        Ok::<_, Failure>(true)
    });
    match started.await? {
        true => Ok(Answer::done()),
        false => Ok(Answer::as_it_was()),
    }
}
