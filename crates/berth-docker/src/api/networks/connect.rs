//! `POST /networks/{id}/connect`.

use http::StatusCode;
use serde::Deserialize;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::endpoint::Endpoint;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Asked {
    container: String,
    endpoint_config: Endpoint,
}

pub(crate) async fn answer(mut ask: Ask, network: &str) -> Result<Answer, Failure> {
    let asked: Asked = ask.json().await?;
    if asked.container.is_empty() {
        return Err(Failure::bad("invalid name or ID supplied: \"\""));
    }
    let wish = asked.endpoint_config.meaning(network);
    let wish = wish.map_err(Failure::bad)?;
    ask.work(move |engine| engine.connect_network(&asked.container, wish))
        .await?;
    Ok(Answer::empty(StatusCode::OK))
}
