//! A container as a row of `ps`, and the filters of that list.

use std::collections::BTreeMap;
use std::rc::Rc;

use berth_engine::observe::Container;
use berth_model::Status;
use berth_model::config::{MountKind, Port};
use jiff::Timestamp;

use crate::ui::rows::{self, Listing};
use crate::ui::template::Value;
use crate::ui::{clean, human, table};
use berth_docker::Filters;

/// How `ps` prints.
pub const LISTING: Listing<'_> = Listing {
    headers: &[
        ("ID", "CONTAINER ID"),
        ("Names", "NAMES"),
        ("Image", "IMAGE"),
        ("Command", "COMMAND"),
        ("CreatedAt", "CREATED AT"),
        ("RunningFor", "CREATED"),
        ("Ports", "PORTS"),
        ("State", "STATE"),
        ("Status", "STATUS"),
        ("Labels", "LABELS"),
        ("Mounts", "MOUNTS"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("Networks", "NETWORKS"),
        ("Size", "SIZE"),
    ],
    table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}",
    quiet: "{{.ID}}",
};

/// The filters of `ps`.
pub const FILTERS: &[&str] = &[
    "id",
    "name",
    "label",
    "label!",
    "status",
    "ancestor",
    "exited",
    "before",
    "since",
    "volume",
    "network",
    "publish",
    "expose",
    "is-task",
    "isolation",
];

/// Longest shown command, in characters.
const COMMAND_MAX: usize = 20;
/// Longest shown mount, in characters.
const MOUNT_MAX: usize = 15;

/// The fields that `--format` can ask for. `size`: bytes that it has written, and of its image, if they were measured.
pub fn row(
    container: &Container,
    now: Timestamp,
    truncate: bool,
    size: Option<(u64, u64)>,
    ports: &str,
) -> Value {
    let config = &container.config;
    let id = if truncate {
        config.id.short()
    } else {
        config.id.as_str()
    };
    let labels = config.labels.clone();
    let label = move |args: &[Value]| match args {
        [Value::Str(name)] => Ok(rows::cell(labels.get(name).map_or("", String::as_str))),
        _ => Err("`.Label` needs a label's name".to_owned()),
    };
    // In alphabetical order, as docker's `{{json .}}` prints them.
    Value::fields([
        ("Command", command(container, truncate).into()),
        ("CreatedAt", human::timestamp(&config.created).into()),
        ("ID", id.into()),
        ("Image", rows::cell(&config.image.reference)),
        ("Label", Value::Method(Rc::new(label))),
        ("Labels", rows::cell(&pairs(&config.labels))),
        (
            "LocalVolumes",
            config
                .mounts
                .iter()
                .filter(|m| m.kind == MountKind::Volume)
                .count()
                .to_string()
                .into(),
        ),
        ("Mounts", rows::cell(&mounts(container, truncate))),
        ("Names", rows::cell(&container.name)),
        ("Networks", config.network.to_string().into()),
        ("Ports", ports.into()),
        ("RunningFor", human::ago(&config.created, now).into()),
        ("Size", written(size).into()),
        ("State", container.status.word().into()),
        ("Status", status(container, now).into()),
    ])
}

fn command(container: &Container, truncate: bool) -> String {
    let process = &container.config.process;
    let words: Vec<&str> = process
        .entrypoint
        .iter()
        .chain(&process.command)
        .map(String::as_str)
        .collect();
    let line = words.join(" ");
    let line = if truncate {
        table::ellipsis(&line, COMMAND_MAX)
    } else {
        line
    };
    format!(
        "\"{}\"",
        clean::terminal(&line.replace('\\', "\\\\").replace('"', "\\\""))
    )
}

/// `12kB (virtual 4.2MB)`.
fn written(size: Option<(u64, u64)>) -> String {
    match size {
        Some((own, image)) => format!(
            "{} (virtual {})",
            human::image_size(own),
            human::image_size(own.saturating_add(image))
        ),
        None => "0B".to_owned(),
    }
}

fn pairs(labels: &BTreeMap<String, String>) -> String {
    labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join(",")
}

fn mounts(container: &Container, truncate: bool) -> String {
    let shown = |text: &String| {
        if truncate {
            table::ellipsis(text, MOUNT_MAX)
        } else {
            text.clone()
        }
    };
    let named = container
        .config
        .mounts
        .iter()
        .filter(|mount| mount.kind != MountKind::Tmpfs);
    named
        .map(|mount| shown(&mount.source))
        .collect::<Vec<_>>()
        .join(",")
}

/// `Up 2 minutes`, `Exited (0) 3 hours ago`, `Created`.
pub fn status(container: &Container, now: Timestamp) -> String {
    let up = || {
        let started = container
            .pid
            .as_ref()
            .map_or("", |pid| pid.started_at.as_str());
        format!("Up {}", human::duration(human::seconds_since(started, now)))
    };
    match &container.status {
        Status::Created | Status::Starting => "Created".into(),
        Status::Running | Status::Exiting => {
            let health = container.health.as_ref();
            up() + health.map_or("", |health| health.status.in_list())
        }
        Status::Orphaned => format!("{} (orphaned)", up()),
        Status::Paused => format!("{} (Paused)", up()),
        Status::Exited(exit) => {
            let lost = if exit.lost { ", lost" } else { "" };
            format!(
                "Exited ({}{lost}) {}",
                exit.code,
                human::ago(&exit.finished_at, now)
            )
        }
        Status::Restarting(exit) => format!(
            "Restarting ({}) {}",
            exit.code,
            human::ago(&exit.finished_at, now)
        ),
        Status::Lost => "Exited (137, lost)".into(),
    }
}

/// Whether a container passes all filters but `before` and `since`, which need the other containers.
///
/// # Errors
/// A value that cannot be.
pub fn passes(container: &Container, filters: &Filters) -> Result<bool, String> {
    let config = &container.config;
    for value in filters.values("status") {
        const KNOWN: [&str; 7] = [
            "created",
            "restarting",
            "running",
            "removing",
            "paused",
            "exited",
            "dead",
        ];
        if !KNOWN.contains(&value.as_str()) {
            return Err(format!(
                "`{value}` is not a status; there are {}",
                KNOWN.join(", ")
            ));
        }
    }
    for value in filters.values("exited") {
        value
            .parse::<i32>()
            .map_err(|_| format!("`{value}` is not an exit code"))?;
    }
    for key in ["publish", "expose"] {
        for value in filters.values(key) {
            Port::range(value)
                .map_err(|_| format!("`{value}` is not a port, or a range of them"))?;
        }
    }
    let is_task = filters.boolean("is-task")?;
    let exit_code = match &container.status {
        Status::Exited(exit) | Status::Restarting(exit) => Some(exit.code),
        Status::Lost => Some(137),
        _ => None,
    };
    let has_mount = |value: &str| {
        config
            .mounts
            .iter()
            .any(|mount| mount.source == value || mount.destination == value)
    };
    Ok(
        filters.any("id", |value| config.id.as_str().starts_with(value))
            && filters.any("name", |value| name_matches(&container.name, value))
            && filters.labels(&config.labels)
            && filters.any("status", |value| container.status.word() == value)
            && filters.any("exited", |value| {
                value.parse() == Ok(exit_code.unwrap_or(i32::MIN))
            })
            && filters.no_label(&config.labels)
            && filters.any("publish", |value| {
                let wanted = Port::range(value).unwrap_or_default();
                let mut published = config.networking.ports.iter();
                published.any(|binding| wanted.contains(&binding.port()))
            })
            && filters.any("expose", |value| {
                let wanted = Port::range(value).unwrap_or_default();
                let mut wanted = wanted.iter();
                wanted.any(|port| config.exposed_ports.contains(port))
            })
            // Of Docker's swarm, and of its Windows.
            && is_task.is_none_or(|wanted| !wanted)
            && filters.any("volume", has_mount)
            && filters.any("network", |value| config.network.to_string() == value)
            && filters.any("ancestor", |value| is_ancestor(container, value)),
    )
}

/// A part of the name; `^` and `$` hold it to the name's ends, as in docker's regular expressions.
fn name_matches(name: &str, pattern: &str) -> bool {
    let (pattern, from_start) = pattern
        .strip_prefix('^')
        .map_or((pattern, false), |rest| (rest, true));
    let (pattern, to_end) = pattern
        .strip_suffix('$')
        .map_or((pattern, false), |rest| (rest, true));
    let pattern = pattern.strip_prefix('/').unwrap_or(pattern);
    match (from_start, to_end) {
        (true, true) => name == pattern,
        (true, false) => name.starts_with(pattern),
        (false, true) => name.ends_with(pattern),
        (false, false) => name.contains(pattern),
    }
}

fn is_ancestor(container: &Container, value: &str) -> bool {
    let image = &container.config.image;
    let tagged = |text: &str| {
        berth_oci::reference::Reference::parse(text)
            .map(|r| r.to_string())
            .ok()
    };
    let hex = value.strip_prefix("sha256:").unwrap_or(value);
    let by_id = hex.len() >= 4
        && [&image.config, &image.manifest].iter().any(|digest| {
            digest
                .strip_prefix("sha256:")
                .is_some_and(|d| d.starts_with(hex))
        });
    by_id
        || image.reference == value
        || (tagged(value).is_some() && tagged(value) == tagged(&image.reference))
}

#[cfg(test)]
pub(crate) mod tests;
