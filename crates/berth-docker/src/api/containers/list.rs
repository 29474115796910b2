//! `GET /containers/json`.

use jiff::Timestamp;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::filter::Filters;
use crate::form::summary::Summary;
use crate::select::containers::{self, CONTAINERS, wants_ended};
use crate::{Docker, Version};

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    let filters = ask.filters(CONTAINERS)?;
    let limit: Option<i64> = ask.query.number("limit")?;
    let limit = limit
        .and_then(|limit| usize::try_from(limit).ok())
        .filter(|limit| *limit > 0);
    let all = ask.query.is_on("all") || limit.is_some() || wants_ended(&filters);
    let sizes = ask.query.is_on("size");
    let (docker, version) = (ask.docker.clone(), ask.version);
    ask.work(move |_| list(&docker, &filters, all, limit, sizes, version))
        .await
}

fn list(
    docker: &Docker,
    filters: &Filters,
    all: bool,
    limit: Option<usize>,
    sizes: bool,
    version: Version,
) -> Result<Answer, Failure> {
    let engine = &docker.engine;
    let mut rows = containers::containers(engine, filters, docker.roster.list(engine)?)?;
    rows.retain(|one| all || one.container.status.is_up());
    rows.truncate(limit.unwrap_or(usize::MAX));
    let now = Timestamp::now();
    let rows = rows.iter().map(|one| {
        let measured = sizes.then(|| super::sizes(engine, &one.container));
        let (container, network) = (&one.container, &one.network);
        Summary::of(container, engine.layout(), now, version, measured, network)
    });
    Ok(Answer::json(&rows.collect::<Vec<_>>()))
}
