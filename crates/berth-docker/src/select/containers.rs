//! Which containers a list shows, by its filters.

use std::borrow::Borrow;

use berth_engine::{Container, Engine};
use berth_model::config::{MountKind, NetworkMode, Port};
use berth_model::{ContainerConfig, Status};
use berth_oci::Reference;
use jiff::Timestamp;

use super::Error;
use crate::filter::Filters;
use crate::form::status::exit_code;

/// The filters of the list.
pub const CONTAINERS: &[&str] = &[
    "ancestor",
    "before",
    "exited",
    "expose",
    "health",
    "id",
    "is-task",
    "isolation",
    "label",
    "label!",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
];
/// Those of what is pruned.
pub const PRUNED: &[&str] = &["label", "label!", "until"];

const STATUSES: [&str; 7] = [
    "created",
    "restarting",
    "running",
    "removing",
    "paused",
    "exited",
    "dead",
];

const CONDITIONS: [&str; 4] = ["none", "starting", "healthy", "unhealthy"];

/// Of all containers, the newest first, those that fit.
///
/// # Errors
/// A value that cannot be, or names nothing.
pub fn containers<C: Borrow<Container>>(
    engine: &Engine,
    filters: &Filters,
    all: Vec<C>,
) -> Result<Vec<C>, Error> {
    check(filters)?;
    let before = bound(filters, &all, "before")?;
    let since = bound(filters, &all, "since")?;
    let ancestors = ancestors(engine, filters);
    let fits = |one: &C| {
        let one = one.borrow();
        let created = &one.config.created;
        before.as_ref().is_none_or(|moment| created < moment)
            && since.as_ref().is_none_or(|moment| created > moment)
            && passes(filters, one, &ancestors)
            && (!filters.has("publish") || publishes(engine, filters, one))
    };
    Ok(all.into_iter().filter(fits).collect())
}

/// Whether containers are asked for that do not run.
pub fn wants_ended(filters: &Filters) -> bool {
    filters.has("status") || filters.has("exited")
}

/// Of all containers, those that have ended and fit.
///
/// # Errors
/// A value that cannot be.
pub fn prunable(filters: &Filters, all: Vec<Container>) -> Result<Vec<Container>, Error> {
    let until = match filters.values("until") {
        [] => None,
        [one] => {
            let moment = berth_engine::logs::parse_moment(one, Timestamp::now());
            Some(moment.map_err(|error| Error::Filter(error.to_string()))?)
        }
        _ => {
            let message = "more than one until filter specified".to_owned();
            return Err(Error::Filter(message));
        }
    };
    let goes = |one: &Container| {
        let labels = &one.config.labels;
        let made = one.config.created.parse::<Timestamp>();
        !one.status.is_up()
            && one.status != Status::Starting
            && until.is_none_or(|until| made.is_ok_and(|made| made < until))
            && filters.labels(labels)
            && filters.no_label(labels)
    };
    Ok(all.into_iter().filter(goes).collect())
}

/// Refuses values that cannot be.
///
/// # Errors
/// Which one.
pub fn check(filters: &Filters) -> Result<(), Error> {
    for name in ["exited", "status", "health", "is-task", "expose", "publish"] {
        for value in filters.values(name) {
            let fits = match name {
                "exited" => value.parse::<i32>().is_ok(),
                "status" => STATUSES.contains(&value.as_str()),
                "health" => CONDITIONS.contains(&value.as_str()),
                "is-task" => matches!(value.as_str(), "true" | "false" | "1" | "0"),
                _ => Port::range(value).is_ok(),
            };
            if !fits {
                return Err(Error::Value {
                    what: format!("filter '{name}={value}'"),
                    known: match name {
                        "status" => &STATUSES,
                        "health" => &CONDITIONS,
                        _ => &[],
                    },
                });
            }
        }
    }
    Ok(())
}

/// When the container was made that a filter names.
fn bound<C: Borrow<Container>>(
    filters: &Filters,
    all: &[C],
    filter: &str,
) -> Result<Option<String>, Error> {
    let Some(name) = filters.values(filter).last() else {
        return Ok(None);
    };
    let bare = name.strip_prefix('/').unwrap_or(name);
    let named = |one: &&Container| one.name == bare || one.config.id.as_str().starts_with(bare);
    match all.iter().map(Borrow::borrow).find(named) {
        Some(one) => Ok(Some(one.config.created.clone())),
        None => Err(Error::Absent(name.clone())),
    }
}

/// The ids that the wanted ancestors name now.
fn ancestors(engine: &Engine, filters: &Filters) -> Vec<String> {
    let wanted = filters.values("ancestor").iter();
    // A name that nothing has fits no container.
    let found = wanted.filter_map(|text| berth_engine::image::find(engine.store(), text).ok());
    found.map(|found| found.image.id().to_string()).collect()
}

/// Whether one of the wanted ports of the host leads to it.
fn publishes(engine: &Engine, filters: &Filters, one: &Container) -> bool {
    let Ok(network) = engine.network_settings(one) else {
        return false;
    };
    filters.any("publish", |value| {
        let wanted = Port::range(value).unwrap_or_default();
        let mut bound = network.ports.iter();
        bound.any(|(port, bindings)| {
            let mut bindings = bindings.iter().flatten();
            bindings.any(|binding| {
                let public = Port {
                    number: binding.host_port,
                    ..*port
                };
                wanted.contains(&public)
            })
        })
    })
}

/// Whether a container fits, all but its age and its published ports; `ancestors`: the ids that the wanted ones name besides.
pub fn passes(filters: &Filters, one: &Container, ancestors: &[String]) -> bool {
    let config = &one.config;
    let id = config.id.as_str();
    let has_mount = |value: &str| {
        let mut mounts = config.mounts.iter();
        mounts.any(|mount| {
            mount.destination == value || (mount.kind != MountKind::Tmpfs && mount.source == value)
        })
    };
    let exposes = |value: &str| {
        let wanted = Port::range(value).unwrap_or_default();
        wanted
            .iter()
            .any(|port| config.exposed_ports.contains(port))
    };
    let ended_with =
        |value: &str| exit_code(&one.status).is_some_and(|code| value.parse() == Ok(code));
    let mut made_of = filters.values("ancestor").iter().chain(ancestors);
    filters.any("id", |value| id.starts_with(value))
        && (!filters.has("ancestor") || made_of.any(|wanted| is_of(one, wanted)))
        && filters.any("name", |value| name_fits(&one.name, value))
        && filters.labels(&config.labels)
        && filters.no_label(&config.labels)
        && filters.any("status", |value| one.status.word() == value)
        && filters.any("exited", ended_with)
        && filters.any("volume", has_mount)
        && filters.any("network", |value| network_fits(config, value))
        && filters.any("expose", exposes)
        && filters.any("health", |value| value == condition(one))
        && filters.any("is-task", |value| matches!(value, "false" | "0"))
}

/// A part of the name; `^` and `$` hold it to the name's ends, as in Docker's regular expressions.
fn name_fits(name: &str, pattern: &str) -> bool {
    let (pattern, from_start) = pattern
        .strip_prefix('^')
        .map_or((pattern, false), |rest| (rest, true));
    let (pattern, to_end) = pattern
        .strip_suffix('$')
        .map_or((pattern, false), |rest| (rest, true));
    let (pattern, from_start) = pattern
        .strip_prefix('/')
        .map_or((pattern, from_start), |rest| (rest, true));
    match (from_start, to_end) {
        (true, true) => name == pattern,
        (true, false) => name.starts_with(pattern),
        (false, true) => name.ends_with(pattern),
        (false, false) => name.contains(pattern),
    }
}

/// Docker's word for its health.
pub(crate) fn condition(one: &Container) -> &'static str {
    let health = one.health.as_ref();
    health.map_or("none", |health| health.status.word())
}

fn network_fits(config: &ContainerConfig, wanted: &str) -> bool {
    match &config.network {
        NetworkMode::Container(_) => false,
        mode if mode.has_networks() => {
            let places = config.networking.endpoints(mode);
            let begins = |id: &str| wanted.len() >= 4 && id.starts_with(wanted);
            let mut places = places.iter();
            places.any(|place| place.name == wanted || begins(&place.network))
        }
        mode => mode.to_string() == wanted,
    }
}

fn is_of(one: &Container, wanted: &str) -> bool {
    let image = &one.config.image;
    let full = |text: &str| Reference::parse(text).map(|name| name.to_string()).ok();
    let hex = wanted.strip_prefix("sha256:").unwrap_or(wanted);
    let begins = |digest: &str| {
        digest
            .strip_prefix("sha256:")
            .is_some_and(|own| own.starts_with(hex))
    };
    image.reference == wanted
        || (hex.len() >= 4 && (begins(&image.config) || begins(&image.manifest)))
        || full(wanted).is_some_and(|wanted| full(&image.reference) == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_by_part_or_end() {
        for (pattern, fits) in [
            ("web", true),
            ("eb", true),
            ("/web", true),
            ("/eb", false),
            ("^/web1$", true),
            ("^web$", false),
            ("1$", true),
            ("^eb", false),
            ("", true),
        ] {
            assert_eq!(name_fits("web1", pattern), fits, "{pattern}");
        }
    }
}
