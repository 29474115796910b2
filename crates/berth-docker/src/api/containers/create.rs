//! `POST /containers/create`.

use berth_engine::Engine;
use berth_engine::request::CreateRequest;
use berth_model::ContainerId;
use berth_model::config::NetworkMode;
use berth_oci::{Platform, Reference};
use http::StatusCode;
use serde::Serialize;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::form::create::Document;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Made {
    id: ContainerId,
    warnings: Vec<String>,
}

pub(crate) async fn answer(mut ask: Ask) -> Result<Answer, Failure> {
    let document: Document = ask.json().await?;
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let mut request = document.meaning(cpus, ask.version).map_err(Failure::bad)?;
    request.name = ask.query.get("name").map(name).transpose()?;
    request.platform = ask.query.get("platform").map(platform).transpose()?;
    let settings = ask.docker.settings.get();
    if request.log.is_none() {
        request.log = settings.log.clone();
    }
    request.networking.publish_at = settings.publish_at;
    let warnings = warnings(&request);
    let id = ask.work(move |engine| create(engine, request)).await?;
    Ok(Answer::created(&Made { id, warnings }))
}

fn name(text: &str) -> Result<String, Failure> {
    let bare = text.strip_prefix('/').unwrap_or(text);
    match berth_model::id::valid_name(bare) {
        true => Ok(bare.to_owned()),
        false => Err(Failure::bad(format!(
            "Invalid container name ({text}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        ))),
    }
}

fn platform(text: &str) -> Result<Platform, Failure> {
    Platform::parse(text).map_err(|error| Failure::bad(error.to_string()))
}

fn create(engine: &Engine, request: CreateRequest) -> Result<ContainerId, Failure> {
    let platform = request.platform.clone().unwrap_or_else(Platform::host);
    // The lease keeps the image until the container is there.
    match engine.ready_image(&request.image, &platform)? {
        Some((image, _lease)) => engine.create(request, image).map_err(named),
        None => Err(no_image(&request.image)),
    }
}

/// Clients would pull the image if what is named beside it were said to be not there.
fn named(error: berth_engine::Error) -> Failure {
    let failure = Failure::from(error);
    match failure.status {
        StatusCode::NOT_FOUND => Failure::bad(failure.message),
        _ => failure,
    }
}

/// Clients look for these words, and pull it then.
fn no_image(text: &str) -> Failure {
    match Reference::parse(text) {
        Ok(reference) => Failure::absent(format!("No such image: {}", reference.familiar())),
        Err(_) if text.starts_with("sha256:") => Failure::absent(format!("No such image: {text}")),
        Err(_) => Failure::new(StatusCode::BAD_REQUEST, "invalid reference format"),
    }
}

fn warnings(request: &CreateRequest) -> Vec<String> {
    let mut warnings = Vec::new();
    let published = !request.networking.ports.is_empty() || request.networking.publish_all;
    if request.network == Some(NetworkMode::Host) && published {
        warnings.push("Published ports are discarded when using host network mode".to_owned());
    }
    warnings
}
