//! `GET /containers/json`.

use jiff::Timestamp;

use crate::Docker;
use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::filter::Filters;
use crate::form::summary::Summary;
use crate::select::containers::{self, CONTAINERS, wants_ended};

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    let filters = Filters::checked(ask.query.filters()?, CONTAINERS).map_err(Failure::bad)?;
    let limit: Option<i64> = ask.query.number("limit")?;
    let limit = limit
        .and_then(|limit| usize::try_from(limit).ok())
        .filter(|limit| *limit > 0);
    let all = ask.query.is_on("all") || limit.is_some() || wants_ended(&filters);
    let sizes = ask.query.is_on("size");
    let docker = ask.docker.clone();
    ask.work(move |_| list(&docker, &filters, all, limit, sizes))
        .await
}

fn list(
    docker: &Docker,
    filters: &Filters,
    all: bool,
    limit: Option<usize>,
    sizes: bool,
) -> Result<Answer, Failure> {
    let engine = &docker.engine;
    let mut rows = containers::containers(engine, filters, docker.roster.list(engine)?)?;
    rows.retain(|one| all || one.status.is_up());
    rows.truncate(limit.unwrap_or(usize::MAX));
    let now = Timestamp::now();
    let rows = rows.iter().map(|one| {
        let measured = sizes.then(|| super::sizes(engine, one));
        let network = engine.network_settings(one)?;
        Ok(Summary::of(one, engine.layout(), now, measured, &network))
    });
    Ok(Answer::json(&rows.collect::<Result<Vec<_>, Failure>>()?))
}
