//! An image as a row of `images`, as lines of `history` and as the JSON of `inspect`.

use std::collections::BTreeMap;

use berth_docker::form::image::Step;
use berth_engine::image::{Details, Row};
use berth_oci::Digest;
use berth_oci::image::{Healthcheck, ImageConfig};
use jiff::Timestamp;

use super::{DRIVER, NEVER};
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

/// The object that `inspect` prints.
pub fn inspect(details: &Details) -> Value {
    let config = &details.image.config;
    let layers = config
        .rootfs
        .diff_ids
        .iter()
        .map(|id| id.to_string().into())
        .collect();
    let chain = details
        .chain
        .iter()
        .map(|id| id.to_string().into())
        .collect();
    let text = |text: Option<&str>| Value::from(text.unwrap_or(""));
    let size: u64 = details.layer_sizes.iter().sum();
    Value::fields([
        ("Id", details.image.id().to_string().into()),
        ("RepoTags", list(&details.tags)),
        ("RepoDigests", list(&details.digests)),
        ("Parent", "".into()),
        (
            "Comment",
            text(config.history.last().map(|step| step.comment.as_str())),
        ),
        ("Created", text(config.created.as_deref())),
        ("DockerVersion", "".into()),
        ("Author", text(config.author.as_deref())),
        ("Config", run_config(config)),
        ("Architecture", config.architecture.as_str().into()),
        ("Variant", text(config.variant.as_deref())),
        ("Os", config.os.as_str().into()),
        ("Size", Value::Int(size.into())),
        (
            "GraphDriver",
            Value::fields([
                ("Data", Value::fields([("LayerChain", Value::List(chain))])),
                ("Name", DRIVER.into()),
            ]),
        ),
        (
            "RootFS",
            Value::fields([("Type", "layers".into()), ("Layers", Value::List(layers))]),
        ),
        ("Metadata", Value::fields([("LastTagTime", NEVER.into())])),
    ])
}

fn list(items: &[String]) -> Value {
    Value::List(items.iter().map(|item| item.as_str().into()).collect())
}

fn run_config(config: &ImageConfig) -> Value {
    let run = &config.config;
    let optional =
        |items: &Option<Vec<String>>| items.as_ref().map_or(Value::Nil, |items| list(items));
    let set = |keys: Vec<&String>| match keys.is_empty() {
        true => Value::Nil,
        false => Value::Map(
            keys.into_iter()
                .map(|key| (key.clone(), Value::Struct(Vec::new())))
                .collect(),
        ),
    };
    let labels: BTreeMap<String, Value> = run
        .labels
        .iter()
        .map(|(key, value)| (key.clone(), value.as_str().into()))
        .collect();
    let shown = Value::fields([
        ("User", run.user.as_str().into()),
        ("ExposedPorts", set(run.exposed_ports.keys().collect())),
        ("Env", list(&run.env)),
        ("Cmd", optional(&run.cmd)),
        ("Entrypoint", optional(&run.entrypoint)),
        ("Volumes", set(run.volumes.keys().collect())),
        ("WorkingDir", run.working_dir.as_str().into()),
        (
            "Labels",
            if labels.is_empty() {
                Value::Nil
            } else {
                Value::Map(labels)
            },
        ),
        (
            "OnBuild",
            match run.on_build.is_empty() {
                true => Value::Nil,
                false => list(&run.on_build),
            },
        ),
        ("StopSignal", run.stop_signal.as_str().into()),
    ]);
    let Value::Struct(mut fields) = shown else {
        return shown;
    };
    // Only where there is one, as docker does.
    if let Some(check) = &run.healthcheck {
        fields.push(("Healthcheck".to_owned(), healthcheck(check)));
    }
    if !run.shell.is_empty() {
        fields.push(("Shell".to_owned(), list(&run.shell)));
    }
    Value::Struct(fields)
}

fn healthcheck(check: &Healthcheck) -> Value {
    let numbers = [
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
        ("Retries", check.retries),
    ];
    let set = numbers.into_iter().filter(|(_, number)| *number != 0);
    let mut fields = vec![("Test".to_owned(), list(&check.test))];
    fields.extend(set.map(|(name, number)| (name.to_owned(), Value::Int(number.into()))));
    Value::Struct(fields)
}

#[cfg(test)]
mod tests;
