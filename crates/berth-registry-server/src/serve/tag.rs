//! Our extension: what a tag has named, and back to it.
//! Source: distribution specification, "extensions": a repository's extension has a path that begins with `_`.

use berth_oci::Digest;
use serde::Serialize;

use super::answer::Answer;
use super::handle::Ask;
use crate::error::{Code, Failure};
use crate::name::Tag;
use crate::storage::Change;

/// `GET /v2/NAME/_berth/tags/history?tag=TAG`
pub(crate) async fn history(ask: Ask, tag: Tag) -> Result<Answer, Failure> {
    #[derive(Serialize)]
    struct History<'a> {
        name: &'a str,
        tag: &'a str,
        /// The oldest first.
        history: Vec<Change>,
    }
    let wanted = tag.clone();
    let history = ask
        .work(move |repository| repository.history(&wanted))
        .await?;
    if history.is_empty() {
        let message = "there never was such a tag in this repository";
        return Err(Failure::new(Code::ManifestUnknown, message));
    }
    let document = History {
        name: ask.name.as_str(),
        tag: tag.as_str(),
        history,
    };
    Ok(Answer::json(&document, ask.is_head()))
}

/// `POST /v2/NAME/_berth/tags/rollback?tag=TAG&to=DIGEST`
pub(crate) async fn rollback(ask: Ask, tag: Tag, to: Digest) -> Result<Answer, Failure> {
    #[derive(Serialize)]
    struct Moved<'a> {
        name: &'a str,
        tag: &'a str,
        from: Digest,
        to: Digest,
    }
    let (rules, who) = (ask.rules(), ask.user.who().to_owned());
    let (moved, target) = (tag.clone(), to.clone());
    let from = ask
        .work(move |repository| repository.rollback(&moved, &target, &who, &rules))
        .await?;
    let document = Moved {
        name: ask.name.as_str(),
        tag: tag.as_str(),
        from,
        to,
    };
    Ok(Answer::json(&document, false))
}
