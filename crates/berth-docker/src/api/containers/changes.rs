//! `GET /containers/{id}/changes`.

use berth_engine::export::Change;
use serde::Serialize;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::null_if_empty;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    path: String,
    kind: u8,
}

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let name = name.to_owned();
    let changes = ask
        .work(move |engine| engine.diff(&engine.find(&name)?))
        .await?;
    let row = |(change, path): (Change, Vec<u8>)| Row {
        // JSON has no other bytes.
        path: format!("/{}", String::from_utf8_lossy(&path)),
        kind: match change {
            Change::Changed => 0,
            Change::Added => 1,
            Change::Deleted => 2,
        },
    };
    let rows = changes.into_iter().map(row).collect();
    Ok(Answer::json(&null_if_empty(rows)))
}
