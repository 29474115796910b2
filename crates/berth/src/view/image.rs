//! An image as a row of `images`, as lines of `history` and as the JSON of `inspect`.

use berth_docker::Version;
use berth_docker::form;
use berth_docker::form::image::Step;
use berth_engine::image::{Details, Row};
use berth_oci::Digest;

use jiff::Timestamp;

use crate::ui::rows::{self, Listing};
use crate::ui::template::Value;
use crate::ui::{human, table};

/// How `images` prints.
pub const LISTING: Listing<'_> = Listing {
    headers: &[
        ("ID", "IMAGE ID"),
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("Digest", "DIGEST"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("Size", "SIZE"),
        ("Containers", "CONTAINERS"),
    ],
    table: "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
    quiet: "{{.ID}}",
};

/// The default table of `images --digests`.
pub const TABLE_WITH_DIGESTS: &str =
    "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";

/// How `history` prints.
pub const HISTORY: Listing<'_> = Listing {
    headers: &[
        ("ID", "IMAGE"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedBy", "CREATED BY"),
        ("Size", "SIZE"),
        ("Comment", "COMMENT"),
    ],
    table: "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
    quiet: "{{.ID}}",
};

/// Longest shown instruction of a `history` line, in characters.
const CREATED_BY_MAX: usize = 45;

/// Shown digits of an id.
const ID_DIGITS: usize = 12;

/// When it was made; empty: unknown.
pub fn created(image: &Row) -> &str {
    image.config.created.as_deref().unwrap_or("")
}

/// The fields that `--format` can ask for.
pub fn row(image: &Row, now: Timestamp, truncate: bool) -> Value {
    let (repository, tag) = match &image.reference {
        Some(reference) => (
            reference.familiar_name(),
            reference.tag().unwrap_or("<none>").to_owned(),
        ),
        None => ("<none>".to_owned(), "<none>".to_owned()),
    };
    Value::fields([
        ("Containers", image.containers.to_string().into()),
        ("CreatedAt", human::timestamp(created(image)).into()),
        ("CreatedSince", human::ago(created(image), now).into()),
        ("Digest", image.digest.to_string().into()),
        ("ID", short(&image.id, truncate).into()),
        ("Repository", rows::cell(&repository)),
        ("Size", human::image_size(image.size_bytes).into()),
        ("Tag", rows::cell(&tag)),
    ])
}

fn short(digest: &Digest, truncate: bool) -> String {
    if truncate {
        digest.short().to_owned()
    } else {
        digest.to_string()
    }
}

/// The lines of `history`, the latest first.
pub fn history(steps: &[Step], now: Timestamp, options: HistoryOptions) -> Vec<Value> {
    steps.iter().map(|step| line(step, now, options)).collect()
}

fn line(step: &Step, now: Timestamp, options: HistoryOptions) -> Value {
    // What is unknown is 0.
    let created = Timestamp::from_second(step.created).ok();
    let created = created.filter(|time| *time != Timestamp::UNIX_EPOCH);
    let created = created.map_or_else(String::new, |time| time.to_string());
    let by = step.created_by.replace('\t', " ");
    let by = match options.truncate {
        true => table::ellipsis(&by, CREATED_BY_MAX),
        false => by,
    };
    let since = match options.human {
        true => human::ago(&created, now),
        false => created.clone(),
    };
    let id = match step.id.strip_prefix("sha256:") {
        Some(hex) if options.truncate => hex.chars().take(ID_DIGITS).collect(),
        _ => step.id.clone(),
    };
    let size = match options.human {
        true => human::image_size(u64::try_from(step.size).unwrap_or(0)),
        false => step.size.to_string(),
    };
    Value::fields([
        ("Comment", rows::cell(&step.comment)),
        ("CreatedAt", created.into()),
        ("CreatedBy", rows::cell(&by)),
        ("CreatedSince", since.into()),
        ("ID", id.into()),
        ("Size", size.into()),
    ])
}

/// How `history` shows things.
#[derive(Debug, Clone, Copy)]
pub struct HistoryOptions {
    /// Cut long text off.
    pub truncate: bool,
    /// Sizes and times for humans.
    pub human: bool,
}

/// The object that `inspect` prints: with all that a container's configuration has, and nothing of a builder's.
pub fn inspect(details: &Details) -> Value {
    Value::of(&form::image::inspect(details, Version(1, 49)))
}

#[cfg(test)]
mod tests;
