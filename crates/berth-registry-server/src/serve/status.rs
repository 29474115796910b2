//! What is of no repository: the version, the list of repositories, tokens, health, metrics, the page.

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use http::request::Parts;
use serde::Serialize;

use super::answer::{Answer, JSON};
use super::connection::Context;
use super::list;
use crate::access::User;
use crate::blocking::blocking;
use crate::error::{Code, Failure};
use crate::page;
use crate::route::Action;

/// Answers it.
pub(crate) async fn answer(context: &Context, head: &Parts, user: User, action: Action) -> Answer {
    let is_head = head.method == http::Method::HEAD;
    let answer = match action {
        Action::Version => Ok(Answer::content(JSON, "{}", is_head)),
        Action::Catalog(page) => list::catalog(context, head, user, page).await,
        Action::Health => health(context, is_head).await,
        Action::Metrics => Ok(metrics(context, is_head).await),
        Action::Page(asset) => Ok(Answer::content(asset.content_type, asset.text, is_head)
            .with(CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY)
            .with(CACHE_CONTROL, "no-cache")),
        Action::Token => return token(context, head).await,
        _ => Err(Failure::new(
            Code::NameUnknown,
            "there is nothing at this path",
        )),
    };
    answer.unwrap_or_else(Answer::from)
}

/// Healthy is who can read his disk.
async fn health(context: &Context, is_head: bool) -> Result<Answer, Failure> {
    #[derive(Serialize)]
    struct Health {
        status: &'static str,
    }
    let storage = context.registry.storage.clone();
    blocking(move || storage.repositories(None, 1)).await?;
    Ok(Answer::json(&Health { status: "ok" }, is_head).with(CACHE_CONTROL, "no-store"))
}

async fn metrics(context: &Context, is_head: bool) -> Answer {
    let storage = context.registry.storage.clone();
    let disk = move || {
        let disk = rustix::fs::statvfs(storage.root()).map_err(std::io::Error::from)?;
        Ok((disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize))
    };
    let text = context.registry.metrics.text(blocking(disk).await.ok());
    Answer::content("text/plain; version=0.0.4; charset=utf-8", text, is_head)
}

async fn token(context: &Context, head: &Parts) -> Answer {
    let query = head.uri.query().unwrap_or_default();
    match context.registry.access.token(&head.headers, query).await {
        Some(Ok(document)) => {
            Answer::content(JSON, document, false).with(CACHE_CONTROL, "no-store")
        }
        Some(Err(refusal)) => refusal.into(),
        None => Failure::new(Code::NameUnknown, "this registry hands out no tokens").into(),
    }
}
