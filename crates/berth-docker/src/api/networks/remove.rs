//! `DELETE /networks/{id}`: none can be removed.

use http::StatusCode;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let name = name.to_owned();
    let network = ask.work(move |engine| engine.network(&name)).await?;
    Err(Failure::new(
        StatusCode::FORBIDDEN,
        format!(
            "{} is a pre-defined network and cannot be removed",
            network.name
        ),
    ))
}
