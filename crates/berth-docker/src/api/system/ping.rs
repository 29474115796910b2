//! `GET`, `HEAD /_ping`.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, PRAGMA};
use http::{HeaderValue, Method};

use crate::answer::Answer;
use crate::ask::Ask;

/// Which builder clients are to use: the classic one, which needs no session.
const BUILDER: HeaderName = HeaderName::from_static("builder-version");
const SWARM: HeaderName = HeaderName::from_static("swarm");

pub(crate) fn answer(ask: &Ask) -> Answer {
    let content: &[u8] = if ask.method == Method::HEAD {
        b""
    } else {
        b"OK"
    };
    Answer::bytes(content)
        .header(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        )
        .header(
            CACHE_CONTROL,
            HeaderValue::from_static("no-cache, no-store, must-revalidate"),
        )
        .header(PRAGMA, HeaderValue::from_static("no-cache"))
        .header(BUILDER, HeaderValue::from_static("1"))
        .header(SWARM, HeaderValue::from_static("inactive"))
}
