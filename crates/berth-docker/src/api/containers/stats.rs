//! `GET /containers/{id}/stats`, and what was of them before.

use std::io::Write;
use std::time::Duration;

use berth_engine::stats::Sample;
use berth_engine::{Engine, Error};
use berth_model::ContainerId;

use crate::Version;
use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::stats::Document;
use crate::serve::sink::Sink;

/// From one sample to the next.
const INTERVAL: Duration = Duration::from_secs(1);

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let stream = ask.query.is_on_or("stream", true);
    let once = ask.query.is_on("one-shot");
    if stream && once {
        return Err(Failure::bad("cannot have stream=true and one-shot=true"));
    }
    let (name, version) = (name.to_owned(), ask.version);
    if stream {
        let look = ask.work(move |engine| engine.inspect(&engine.find(&name)?));
        let container = look.await?;
        let engine = ask.docker.engine.clone();
        return Ok(Answer::stream("application/json", move |sink| {
            // Its end is the stream's: it was removed, or the client is gone.
            _ = follow(
                &engine,
                &container.config.id,
                &container.name,
                version,
                sink,
            );
        }));
    }
    ask.work(move |engine| {
        let id = engine.find(&name)?;
        let name = engine.inspect(&id)?.name;
        let mut sampler = engine.sampler();
        let mut before = Sample::default();
        let mut sample = sampler.sample(&id)?;
        if !once && sample.is_running() {
            std::thread::sleep(INTERVAL);
            before = std::mem::replace(&mut sample, sampler.sample(&id)?);
        }
        let document = Document::of(&id, &name, &sample, &before, version);
        Ok::<_, Error>(Answer::json(&document))
    })
    .await
}

/// `GET /containers/{id}/stats/history`, which is berth's own: a list of [`berth_engine::stats::history::Moment`].
pub(crate) async fn history(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let name = name.to_owned();
    ask.work(move |engine| {
        let moments = engine.history(&engine.find(&name)?)?;
        Ok::<_, Error>(Answer::json(&moments))
    })
    .await
}

fn follow(
    engine: &Engine,
    id: &ContainerId,
    name: &str,
    version: Version,
    mut sink: Sink,
) -> Result<(), Error> {
    let mut sampler = engine.sampler();
    let mut before = Sample::default();
    loop {
        let sample = sampler.sample(id)?;
        let document = Document::of(id, name, &sample, &before, version);
        let mut line = serde_json::to_vec(&document).expect("it has texts for keys");
        line.push(b'\n');
        if sink.write_all(&line).is_err() {
            return Ok(());
        }
        before = sample;
        std::thread::sleep(INTERVAL);
    }
}
