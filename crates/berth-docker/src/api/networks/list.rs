//! `GET /networks`.

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::network::Document;
use crate::select;

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    let filters = ask.filters(select::NETWORKS)?;
    // Whether nobody uses them is told by a look at all.
    let attached = filters.has("dangling");
    let networks = ask.work(move |engine| engine.networks(attached)).await?;
    let rows = select::networks(&networks, &filters)?;
    let rows = rows
        .into_iter()
        .map(|network| Document::of(network, false, ask.version));
    Ok(Answer::json(&rows.collect::<Vec<_>>()))
}
