//! Containers.

pub(crate) mod archive;
pub(crate) mod attach;
pub(crate) mod changes;
pub(crate) mod create;
pub(crate) mod export;
pub(crate) mod inspect;
pub(crate) mod kill;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod pause;
pub(crate) mod prune;
pub(crate) mod remove;
pub(crate) mod rename;
pub(crate) mod resize;
pub(crate) mod restart;
mod session;
pub(crate) mod start;
pub(crate) mod stats;
pub(crate) mod stop;
pub(crate) mod top;
pub(crate) mod unpause;
pub(crate) mod update;
pub(crate) mod wait;

use std::time::Duration;

use berth_engine::{Container, Engine, Error};
use berth_model::ContainerId;
use http::StatusCode;

use crate::ask::Ask;
use crate::error::Failure;

/// The signal that a request names, by name or number.
fn signal(ask: &Ask) -> Result<Option<i32>, Failure> {
    let parse = |text: &str| {
        berth_model::signal::parse(text)
            .map_err(|_| Failure::bad(format!("Invalid signal: {text}")))
    };
    ask.query.get("signal").map(parse).transpose()
}

/// How long a stop may take; below zero for ever.
fn timeout(ask: &Ask) -> Result<Option<Duration>, Failure> {
    let seconds: Option<i64> = ask.query.number("t")?;
    Ok(seconds.map(|seconds| u64::try_from(seconds).map_or(Duration::MAX, Duration::from_secs)))
}

/// Why a state does not permit it, in the words that clients look for.
pub(crate) fn state(id: &ContainerId, error: Error) -> Failure {
    let Error::WrongState { state, .. } = error else {
        return error.into();
    };
    let words = match state {
        "paused already" => "already paused",
        "paused" => "paused",
        "not paused" => "not paused",
        _ => "not running",
    };
    Failure::new(StatusCode::CONFLICT, format!("Container {id} is {words}"))
}

/// Bytes that a container has written, and of its image; measuring reads whole directories.
fn sizes(engine: &Engine, container: &Container) -> (u64, u64) {
    (
        engine.writable_bytes(&container.config.id),
        engine.image_bytes(container),
    )
}
