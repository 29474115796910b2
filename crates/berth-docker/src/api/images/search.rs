//! `GET /images/search`.

use berth_engine::registry;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::{auth, search};

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    let term = ask.query.get("term").unwrap_or_default();
    if term.is_empty() {
        return Err(Failure::bad(
            "the parameter `term`, what to look for, is not given",
        ));
    }
    let filters = ask.filters(search::FILTERS)?;
    let limit = ask.query.number("limit")?.unwrap_or(search::LIMIT);
    if !(1..=search::LIMIT_MAX).contains(&limit) {
        return Err(Failure::bad(format!(
            "Limit {limit} is outside the range of [1, {}]",
            search::LIMIT_MAX
        )));
    }
    let (server, term) = search::place(term)?;
    let config = auth::registries(&ask, server.name())?;
    let term = term.to_owned();
    let found = ask.work(move |_| registry::search(config, &server, &term, limit));
    let hits = search::narrow(found.await?, &filters).map_err(Failure::bad)?;
    Ok(Answer::json(&hits))
}
