//! `GET /distribution/{name}/json`: what a registry has, without fetching it.

use berth_engine::registry;
use berth_oci::{Descriptor, Platform};
use http::StatusCode;
use serde::Serialize;

use crate::answer::Answer;
use crate::api::images;
use crate::ask::Ask;
use crate::auth;
use crate::error::Failure;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    descriptor: Descriptor,
    platforms: Vec<Platform>,
}

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let reference = images::reference(name, None)?;
    let config = auth::registries(&ask, reference.domain())?;
    let offered = ask.work(move |_| registry::offered(config, &reference));
    let offered = offered.await.map_err(|failure| match failure.status {
        // As its definition has it.
        StatusCode::FORBIDDEN => Failure::new(StatusCode::UNAUTHORIZED, failure.message),
        _ => failure,
    })?;
    Ok(Answer::json(&Document {
        descriptor: offered.descriptor,
        platforms: offered.platforms,
    }))
}
