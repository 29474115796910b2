//! Blobs: whole, in part, and removed.

use berth_oci::Digest;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    IF_RANGE, RANGE,
};
use http::{HeaderMap, StatusCode};

use super::answer::{Answer, DIGEST};
use super::body::Body;
use super::handle::Ask;
use crate::cache::{Arrival, Coming};
use crate::error::{Code, Failure};
use crate::range::{Wanted, names_tag, wanted};
use crate::storage::Blob;

/// What has a digest never changes; who asks has rights that others may not have.
pub(crate) const FOREVER: &str = "private, max-age=31536000, immutable";

/// `GET` and `HEAD` of a blob.
pub(crate) async fn get(ask: Ask, digest: Digest) -> Result<Answer, Failure> {
    let blob = match find(&ask, &digest).await? {
        Found::Here(blob) => blob,
        Found::Elsewhere(size) => return Ok(elsewhere(&digest, size)),
        Found::Coming(coming) => {
            let answer = elsewhere(&digest, coming.size());
            return Ok(answer.body(Body::coming(coming)));
        }
    };
    let headers = &ask.head.headers;
    let answer = |status| {
        Answer::new(status)
            .with(DIGEST, digest.to_string())
            .with(ETAG, format!("\"{digest}\""))
            .with(CACHE_CONTROL, FOREVER)
    };
    if is_known(headers, &digest) {
        return Ok(answer(StatusCode::NOT_MODIFIED));
    }
    let (status, range) = match part(headers, &digest, blob.size) {
        Wanted::Whole => (StatusCode::OK, 0..blob.size),
        Wanted::Part(_) if ask.is_head() => (StatusCode::OK, 0..blob.size),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wanted::Unsatisfiable => {
            let message = format!("the blob has only {} bytes", blob.size);
            let failure = Failure::new(Code::RangeInvalid, message);
            let answer = Answer::from(failure);
            return Ok(answer.with(CONTENT_RANGE, format!("bytes */{}", blob.size)));
        }
    };
    let Blob { file, size } = blob;
    let part = (status == StatusCode::PARTIAL_CONTENT)
        .then(|| format!("bytes {}-{}/{size}", range.start, range.end - 1));
    let answer = answer(status)
        .with(CONTENT_TYPE, "application/octet-stream")
        .with(ACCEPT_RANGES, "bytes")
        .with(CONTENT_LENGTH, (range.end - range.start).to_string())
        .with_some(CONTENT_RANGE, part);
    if ask.is_head() {
        return Ok(answer);
    }
    Ok(answer.body(Body::file(file, range, ask.context.queue.as_ref())))
}

/// Where a blob is.
enum Found {
    Here(Blob),
    /// In another registry, which we are a cache of; its size.
    Elsewhere(u64),
    /// On its way from there.
    Coming(Coming),
}

async fn find(ask: &Ask, digest: &Digest) -> Result<Found, Failure> {
    let look = || {
        let wanted = digest.clone();
        ask.work(move |repository| repository.blob(&wanted))
    };
    if let Some(blob) = look().await? {
        return Ok(Found::Here(blob));
    }
    let cache = ask.cache().ok_or_else(Failure::no_blob)?;
    if ask.is_head() {
        let size = cache.blob_size(&ask.name, digest).await?;
        return Ok(Found::Elsewhere(size));
    }
    match cache.blob(&ask.name, digest).await? {
        Arrival::Here => {}
        Arrival::Coming(coming) if ask.head.headers.contains_key(RANGE) => {
            coming.whole().await?;
        }
        Arrival::Coming(coming) => return Ok(Found::Coming(coming)),
    }
    look().await?.map(Found::Here).ok_or_else(Failure::no_blob)
}

fn elsewhere(digest: &Digest, size: u64) -> Answer {
    Answer::new(StatusCode::OK)
        .with(DIGEST, digest.to_string())
        .with(ETAG, format!("\"{digest}\""))
        .with(CACHE_CONTROL, FOREVER)
        .with(CONTENT_TYPE, "application/octet-stream")
        .with(ACCEPT_RANGES, "bytes")
        .with(CONTENT_LENGTH, size.to_string())
}

/// `DELETE` of a blob.
pub(crate) async fn remove(ask: Ask, digest: Digest) -> Result<Answer, Failure> {
    let removed = ask.work(move |repository| repository.remove_blob(&digest));
    match removed.await {
        Ok(true) => Ok(Answer::new(StatusCode::ACCEPTED).with(CONTENT_LENGTH, "0")),
        Ok(false) => Err(Failure::no_blob()),
        // One that a manifest needs: no status of the specification fits better than that of what cannot be removed.
        Err(failure) if failure.code == Code::Denied => Err(Failure {
            code: Code::Unsupported,
            ..failure
        }),
        Err(failure) => Err(failure),
    }
}

/// Whether the client has it already.
pub(crate) fn is_known(headers: &HeaderMap, digest: &Digest) -> bool {
    let tag = digest.to_string();
    let mut lines = headers.get_all(IF_NONE_MATCH).iter();
    lines.any(|line| line.to_str().is_ok_and(|line| names_tag(line, &tag)))
}

/// Which part is wanted; all, if a part of something else is (`If-Range`).
fn part(headers: &HeaderMap, digest: &Digest, size: u64) -> Wanted {
    let text = |name| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    let is_other = text(IF_RANGE).is_some_and(|tag| tag != format!("\"{digest}\""));
    match text(RANGE) {
        Some(range) if !is_other => wanted(range, size),
        _ => Wanted::Whole,
    }
}
