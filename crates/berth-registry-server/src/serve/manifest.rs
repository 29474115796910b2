//! Manifests: found, put and removed, by tag and by digest.

use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, LOCATION};

use super::answer::{Answer, DIGEST, OCI_SUBJECT, OCI_TAG};
use super::blob::{FOREVER, is_known};
use super::handle::Ask;
use super::intake::Intake;
use crate::error::{Code, Failure};
use crate::name::{Selector, Tag};
use crate::storage::Manifest;

/// `GET` and `HEAD` of a manifest.
pub(crate) async fn get(ask: Ask, selector: Selector) -> Result<Answer, Failure> {
    // What a tag names may be another manifest in a moment.
    let keep = match &selector {
        Selector::Digest(_) => FOREVER,
        Selector::Tag(_) => "no-cache",
    };
    let manifest = find(&ask, selector)
        .await?
        .ok_or_else(Failure::no_manifest)?;
    let digest = &manifest.digest;
    let answer = match is_known(&ask.head.headers, digest) {
        true => Answer::new(StatusCode::NOT_MODIFIED),
        false => Answer::content(&manifest.media_type, manifest.bytes, ask.is_head()),
    };
    Ok(answer
        .with(DIGEST, digest.to_string())
        .with(ETAG, format!("\"{digest}\""))
        .with(CACHE_CONTROL, keep))
}

async fn find(ask: &Ask, selector: Selector) -> Result<Option<Manifest>, Failure> {
    let wanted = selector.clone();
    let look = || {
        let wanted = wanted.clone();
        ask.work(move |repository| repository.manifest(&wanted))
    };
    let Some(cache) = ask.cache() else {
        return look().await;
    };
    if let Selector::Digest(_) = selector
        && let Ok(Some(found)) = look().await
    {
        return Ok(Some(found));
    }
    cache.manifest(&ask.name, &selector).await?;
    look().await
}

/// `PUT` of a manifest.
pub(crate) async fn put(
    ask: Ask,
    selector: Selector,
    tags: Vec<Tag>,
    intake: Intake,
) -> Result<Answer, Failure> {
    let limit_bytes = ask.context.registry.settings.limits.manifest_bytes;
    let media_type = media_type(&ask)?;
    let bytes = intake.collect(limit_bytes).await?;
    let (rules, who) = (ask.rules(), ask.user.who().to_owned());
    let (chosen, more) = (selector.clone(), tags.clone());
    let put = ask.work(move |repository| {
        let stored = repository.put_manifest(&chosen, &media_type, &bytes, &who, &rules)?;
        for tag in more {
            if !repository.tag_manifest(&tag, &stored.digest, &who, &rules)? {
                return Err(Failure::no_manifest());
            }
        }
        Ok(stored)
    });
    let stored = put.await?;
    let location = match &selector {
        Selector::Digest(digest) => digest.to_string(),
        Selector::Tag(_) => stored.digest.to_string(),
    };
    let answer = Answer::new(StatusCode::CREATED)
        .with(LOCATION, format!("/v2/{}/manifests/{location}", ask.name))
        .with(DIGEST, stored.digest.to_string())
        .with(CONTENT_LENGTH, "0")
        .with_some(
            OCI_SUBJECT,
            stored.subject.map(|subject| subject.to_string()),
        );
    let with_tag = |answer: Answer, tag: &Tag| answer.with(OCI_TAG, tag.as_str());
    Ok(tags.iter().fold(answer, with_tag))
}

/// `DELETE` of a manifest, or of a tag.
pub(crate) async fn remove(ask: Ask, selector: Selector) -> Result<Answer, Failure> {
    let (rules, who) = (ask.rules(), ask.user.who().to_owned());
    let removed = ask.work(move |repository| match &selector {
        Selector::Digest(digest) => repository.remove_manifest(digest, &who, &rules),
        Selector::Tag(tag) => repository.remove_tag(tag, &who, &rules),
    });
    match removed.await? {
        true => Ok(Answer::new(StatusCode::ACCEPTED).with(CONTENT_LENGTH, "0")),
        false => Err(Failure::no_manifest()),
    }
}

/// What the client says that it is, without parameters; empty: it does not say.
fn media_type(ask: &Ask) -> Result<String, Failure> {
    let Some(value) = ask.head.headers.get(CONTENT_TYPE) else {
        return Ok(String::new());
    };
    let bad = |_| Failure::new(Code::ManifestInvalid, "the content type is no text");
    let text = value.to_str().map_err(bad)?;
    let essence = text.split(';').next().unwrap_or_default();
    Ok(essence.trim().to_ascii_lowercase())
}
