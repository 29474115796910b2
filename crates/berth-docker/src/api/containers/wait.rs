//! `POST /containers/{id}/wait`.

use serde::Serialize;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    status_code: i32,
}

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let name = name.to_owned();
    let id = ask.work(move |engine| engine.find(&name)).await?;
    let engine = ask.docker.engine.clone();
    // The head goes at once: clients start the container when they have it.
    Ok(Answer::stream("application/json", move |mut sink| {
        let code = match engine.wait(&id) {
            Ok(Some(exit)) => exit.code,
            _ => 0,
        };
        let text = serde_json::to_vec(&Document { status_code: code }).unwrap_or_default();
        // A client that is gone does not wait any more.
        _ = std::io::Write::write_all(&mut sink, &text);
    }))
}
