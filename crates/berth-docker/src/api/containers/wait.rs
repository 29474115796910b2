//! `POST /containers/{id}/wait`.

use berth_engine::wait::Until;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    error: Option<()>,
    status_code: i32,
}

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let until = match ask.query.get("condition") {
        None | Some("" | "not-running") => Until::NotRunning,
        Some("next-exit") => Until::NextExit,
        Some("removed") => Until::Removed,
        Some(other) => {
            return Err(Failure::bad(format!("invalid condition: \"{other}\"")));
        }
    };
    let name = name.to_owned();
    let (told, heard) = oneshot::channel();
    let waiting = ask.work(move |engine| {
        let id = engine.find(&name)?;
        // A client that is gone does not hear it.
        engine.when(&id, until, Box::new(move |code| _ = told.send(code)))
    });
    let waiting = waiting.await?;
    // The head goes at once: clients start the container when they have it.
    let (sink, answer) = Answer::pieces("application/json");
    tokio::spawn(async move {
        let _waiting = waiting;
        tokio::select! {
            code = heard => {
                let document = Document { error: None, status_code: code.unwrap_or(0) };
                let mut text = serde_json::to_vec(&document).unwrap_or_default();
                text.push(b'\n');
                _ = sink.send(text).await;
            }
            () = sink.closed() => {}
        }
    });
    Ok(answer)
}
