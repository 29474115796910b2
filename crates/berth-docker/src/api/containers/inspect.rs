//! `GET /containers/{id}/json`.

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::inspect::{Document, Extra};

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let (name, version) = (name.to_owned(), ask.version);
    let sizes = ask.query.is_on("size");
    let docker = ask.docker.clone();
    ask.work(move |engine| {
        let container = engine.inspect(&engine.find(&name)?)?;
        let extra = Extra {
            execs: docker.execs.of(&container.config.id),
            sizes: sizes.then(|| super::sizes(engine, &container)),
            network: engine.network_settings(&container)?,
        };
        let document = Document::of(&container, engine.layout(), extra, version);
        Ok::<_, Failure>(Answer::json(&document))
    })
    .await
}
