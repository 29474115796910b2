//! A container as a row of `ps`.

use std::collections::BTreeMap;
use std::rc::Rc;

use berth_engine::observe::Container;
use berth_model::Status;
use berth_model::config::MountKind;
use jiff::Timestamp;

use crate::ui::rows::{self, Listing};
use crate::ui::template::Value;
use crate::ui::{clean, human, table};

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
        ("Networks", networks(container).into()),
        ("Ports", ports.into()),
        ("RunningFor", human::ago(&config.created, now).into()),
        ("Size", written(size).into()),
        ("State", container.status.word().into()),
        ("Status", status(container, now).into()),
    ])
}

/// Their names.
fn networks(container: &Container) -> String {
    let config = &container.config;
    match &config.network {
        mode if mode.has_networks() => {
            let places = config.networking.endpoints(mode);
            let mut names: Vec<&str> = places.iter().map(|place| place.name.as_str()).collect();
            names.sort_unstable();
            names.join(",")
        }
        mode => mode.to_string(),
    }
}

fn command(container: &Container, truncate: bool) -> String {
    let line = berth_docker::command_line(&container.config.process);
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

#[cfg(test)]
pub(crate) mod tests;
