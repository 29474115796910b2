//! `GET /containers/{id}/top`.

use serde::Serialize;

use super::state;
use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    titles: Vec<String>,
    processes: Vec<Vec<String>>,
}

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let name = name.to_owned();
    let words = ask.query.get("ps_args").unwrap_or("-ef");
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    let top = ask.work(move |engine| {
        let id = engine.find(&name)?;
        engine.top(&id, &words).map_err(|error| state(&id, error))
    });
    let top = top.await?;
    Ok(Answer::json(&Document {
        titles: top.titles,
        processes: top.rows,
    }))
}
