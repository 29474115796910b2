//! `DELETE /images/{name}`.

use berth_engine::image::Removed;
use serde::Serialize;

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

/// One step.
#[derive(Serialize)]
pub(crate) enum Step {
    Untagged(String),
    Deleted(String),
}

/// What was done, in order.
pub(crate) fn steps(removed: Vec<Removed>) -> Vec<Step> {
    let step = |step| match step {
        Removed::Untagged(name) => Step::Untagged(name),
        Removed::Deleted(id) => Step::Deleted(id.to_string()),
    };
    removed.into_iter().map(step).collect()
}

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    if ask.query.has("platforms") {
        return Err(Failure::not_here("removing an image's part for a platform"));
    }
    // `noprune` keeps untagged parents, which images have none of here.
    let (name, force) = (name.to_owned(), ask.query.is_on("force"));
    let removed = ask.work(move |engine| engine.remove_image(&name, force));
    Ok(Answer::json(&steps(removed.await?)))
}
