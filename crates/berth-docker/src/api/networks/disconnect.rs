//! `POST /networks/{id}/disconnect`.

use http::StatusCode;
use serde::Deserialize;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Asked {
    container: String,
    force: bool,
}

pub(crate) async fn answer(mut ask: Ask, network: &str) -> Result<Answer, Failure> {
    let asked: Asked = ask.json().await?;
    let network = network.to_owned();
    ask.work(move |engine| engine.disconnect_network(&asked.container, &network, asked.force))
        .await?;
    Ok(Answer::empty(StatusCode::OK))
}
