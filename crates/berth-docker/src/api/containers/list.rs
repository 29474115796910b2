//! `GET /containers/json`.

use std::sync::{Mutex, PoisonError};

use berth_engine::roster::Seen;
use bytes::Bytes;
use jiff::Timestamp;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::filter::Filters;
use crate::form::status;
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
    let text = |one: &Seen<Told>, measured| {
        let (container, network) = (&one.container, &one.network);
        Answer::text(&Summary::of(
            container,
            engine.layout(),
            now,
            version,
            measured,
            network,
        ))
    };
    let rows = rows.iter().map(|one| match sizes {
        true => text(one, Some(super::sizes(engine, &one.container))).into(),
        false => {
            let status = status::text(&one.container, now);
            one.note.text(version, status, || text(one, None))
        }
    });
    Ok(Answer::list(rows))
}

/// A row as it was told last: most times nothing has changed since.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<Option<Row>>);

#[derive(Debug)]
struct Row {
    version: Version,
    /// The only part that changes by itself.
    status: String,
    text: Bytes,
}

impl Told {
    fn text(&self, version: Version, status: String, write: impl FnOnce() -> Vec<u8>) -> Bytes {
        // It is written whole.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(row) if row.version == version && row.status == status => row.text.clone(),
            _ => {
                let text = Bytes::from(write());
                *last = Some(Row {
                    version,
                    status,
                    text: text.clone(),
                });
                text
            }
        }
    }
}
