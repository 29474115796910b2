//! `POST /containers/{id}/start`.

use berth_engine::attach::AttachStream;
use berth_engine::start::StartOptions;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::pending::Attached;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let name = name.to_owned();
    let docker = ask.docker.clone();
    let started = ask.work(move |engine| {
        let id = engine.find(&name)?;
        let waiting = docker.waiting.take(&id);
        // The first of those who wait is there from the first byte; the monitor takes one such client.
        let mut options = StartOptions::default();
        let mut stream = None;
        if let Some(first) = waiting.first() {
            let (ours, shims) = AttachStream::foreground(first.wants)?;
            options.client = Some(shims);
            stream = Some(ours);
        }
        let started = engine.start(&id, options)?;
        for one in waiting {
            let foreground = stream.take().filter(|_| started);
            let is_foreground = foreground.is_some();
            let stream = foreground.map_or_else(|| engine.attach(&id, one.wants), Ok);
            // A container that has ended already has no monitor any more: its client sees the end.
            if let Ok(stream) = stream {
                one.give(Attached {
                    stream,
                    foreground: is_foreground,
                });
            }
        }
        Ok::<_, Failure>(started)
    });
    match started.await? {
        true => Ok(Answer::done()),
        false => Ok(Answer::as_it_was()),
    }
}
