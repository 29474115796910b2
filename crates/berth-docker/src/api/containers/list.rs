//! `GET /containers/json`.

use berth_engine::Engine;
use jiff::Timestamp;

use super::filter::Filter;
use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::summary::Summary;

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    let filter = Filter::of(&ask)?;
    let limit: Option<i64> = ask.query.number("limit")?;
    let limit = limit
        .and_then(|limit| usize::try_from(limit).ok())
        .filter(|limit| *limit > 0);
    let all = ask.query.is_on("all") || limit.is_some() || filter.wants_ended();
    let sizes = ask.query.is_on("size");
    ask.work(move |engine| list(engine, &filter, all, limit, sizes))
        .await
}

fn list(
    engine: &Engine,
    filter: &Filter,
    all: bool,
    limit: Option<usize>,
    sizes: bool,
) -> Result<Answer, Failure> {
    let mut rows = filter.narrow(engine, engine.list()?)?;
    rows.retain(|one| all || one.status.is_up());
    rows.truncate(limit.unwrap_or(usize::MAX));
    let now = Timestamp::now();
    let row = |one| {
        let measured = sizes.then(|| super::sizes(engine, one));
        Summary::of(one, engine.layout(), now, measured)
    };
    let rows: Vec<Summary<'_>> = rows.iter().map(row).collect();
    Ok(Answer::json(&rows))
}
