//! Images: the handlers, and what several of them read of a request.

pub(crate) mod create;
pub(crate) mod history;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod load;
pub(crate) mod prune;
mod pull;
pub(crate) mod push;
pub(crate) mod remove;
pub(crate) mod save;
pub(crate) mod search;
pub(crate) mod tag;

use berth_oci::{Platform, Reference};
use serde::Deserialize;

use crate::ask::Ask;
use crate::error::Failure;

/// `platform`: as text, or as a document since 1.48.
fn platform(ask: &Ask) -> Result<Option<Platform>, Failure> {
    ask.query.get("platform").map(platform_of).transpose()
}

fn platform_of(text: &str) -> Result<Platform, Failure> {
    #[derive(Deserialize)]
    struct Document {
        os: String,
        architecture: String,
        variant: Option<String>,
    }
    let text = match text.starts_with('{') {
        true => {
            let read: Document = serde_json::from_str(text)
                .map_err(|error| Failure::bad(format!("invalid platform: {error}")))?;
            let variant = read.variant.filter(|variant| !variant.is_empty());
            let variant = variant.map_or_else(String::new, |variant| format!("/{variant}"));
            format!("{}/{}{variant}", read.os, read.architecture)
        }
        false => text.to_owned(),
    };
    Platform::parse(&text).map_err(|error| Failure::bad(error.to_string()))
}

/// `changes`: instructions of a Dockerfile, a line each.
pub(crate) fn changes(ask: &Ask) -> Vec<String> {
    let all = ask.query.all("changes").into_iter();
    let lines = all.flat_map(str::lines);
    lines
        .filter(|line| !line.trim().is_empty())
        .map(str::to_owned)
        .collect()
}

/// Whether a name has a tag or a digest.
fn says_which(name: &str) -> bool {
    let last = name.rsplit('/').next();
    name.contains('@') || last.is_some_and(|last| last.contains(':'))
}

/// A name with its tag or digest: in one text, or in two.
pub(crate) fn reference(name: &str, tag: Option<&str>) -> Result<Reference, Failure> {
    let text = match tag {
        None => name.to_owned(),
        Some(digest) if digest.contains(':') => format!("{name}@{digest}"),
        Some(tag) => {
            let reference = parse(name)?;
            if reference.digest().is_some() {
                return Ok(reference);
            }
            let tagged = reference.with_tag(tag);
            return tagged
                .map_err(|reason| Failure::bad(format!("invalid reference format: {reason}")));
        }
    };
    parse(&text)
}

fn parse(text: &str) -> Result<Reference, Failure> {
    Reference::parse(text).map_err(|error| match error {
        berth_oci::Error::ParseReference { reason, .. } => {
            Failure::bad(format!("invalid reference format: {reason}"))
        }
        error => Failure::bad(error.to_string()),
    })
}
