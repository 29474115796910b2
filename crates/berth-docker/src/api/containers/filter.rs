//! The filters of the list of containers. Values of one filter are alternatives, but labels all have to hold; all
//! filters have to hold.

use std::collections::BTreeMap;

use berth_engine::{Container, Engine};
use berth_model::config::{MountKind, NetworkMode, Port};
use berth_oci::Reference;

use crate::ask::Ask;
use crate::error::Failure;
use crate::form::status::exit_code;

/// What Docker knows.
const KNOWN: [&str; 16] = [
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
const STATUSES: [&str; 7] = [
    "created",
    "restarting",
    "running",
    "removing",
    "paused",
    "exited",
    "dead",
];

/// The filters of a request.
pub(crate) struct Filter(BTreeMap<String, Vec<String>>);

impl Filter {
    pub(crate) fn of(ask: &Ask) -> Result<Filter, Failure> {
        let filters = ask.query.filters()?;
        let invalid =
            |name: &str, value: &str| Failure::bad(format!("invalid filter '{name}={value}'"));
        for (name, values) in &filters {
            if !KNOWN.contains(&name.as_str()) {
                return Err(Failure::bad(format!("invalid filter '{name}'")));
            }
            for value in values {
                let fits = match name.as_str() {
                    "exited" => value.parse::<i32>().is_ok(),
                    "status" => STATUSES.contains(&value.as_str()),
                    "health" => matches!(
                        value.as_str(),
                        "none" | "starting" | "healthy" | "unhealthy"
                    ),
                    "is-task" => matches!(value.as_str(), "true" | "false" | "1" | "0"),
                    "expose" | "publish" => Port::range(value).is_ok(),
                    _ => true,
                };
                if !fits {
                    return Err(invalid(name, value));
                }
            }
        }
        Ok(Filter(filters))
    }

    fn values(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    fn has(&self, name: &str) -> bool {
        !self.values(name).is_empty()
    }

    /// Whether the filter is unused, or one of its values fits.
    fn any(&self, name: &str, fits: impl Fn(&str) -> bool) -> bool {
        !self.has(name) || self.values(name).iter().any(|value| fits(value))
    }

    /// Whether containers are asked for that do not run.
    pub(crate) fn wants_ended(&self) -> bool {
        self.has("status") || self.has("exited")
    }

    /// Keeps those that fit, of all containers, the newest first.
    pub(crate) fn narrow(
        &self,
        engine: &Engine,
        all: Vec<Container>,
    ) -> Result<Vec<Container>, Failure> {
        let before = self.bound(&all, "before")?;
        let since = self.bound(&all, "since")?;
        let ancestors = self.ancestors(engine);
        let fits = |one: &Container| {
            let created = &one.config.created;
            before.as_ref().is_none_or(|moment| created < moment)
                && since.as_ref().is_none_or(|moment| created > moment)
                && ancestors
                    .as_ref()
                    .is_none_or(|wanted| wanted.iter().any(|wanted| is_of(one, wanted)))
                && self.passes(one)
        };
        Ok(all.into_iter().filter(fits).collect())
    }

    /// When the container was made that a filter names.
    fn bound(&self, all: &[Container], filter: &str) -> Result<Option<String>, Failure> {
        let Some(name) = self.values(filter).last() else {
            return Ok(None);
        };
        let bare = name.strip_prefix('/').unwrap_or(name);
        let named = |one: &&Container| one.name == bare || one.config.id.as_str().starts_with(bare);
        match all.iter().find(named) {
            Some(one) => Ok(Some(one.config.created.clone())),
            None => Err(Failure::absent(format!("No such container: {name}"))),
        }
    }

    /// What containers are wanted to be made of: texts as given, and the ids that they name now.
    fn ancestors(&self, engine: &Engine) -> Option<Vec<String>> {
        if !self.has("ancestor") {
            return None;
        }
        let mut wanted = self.values("ancestor").to_vec();
        for text in self.values("ancestor") {
            // A name that nothing has fits no container.
            if let Ok(found) = berth_engine::image::find(engine.store(), text) {
                wanted.push(found.image.id().to_string());
            }
        }
        Some(wanted)
    }

    fn passes(&self, one: &Container) -> bool {
        let config = &one.config;
        let id = config.id.as_str();
        let has_mount = |value: &str| {
            let mut mounts = config.mounts.iter();
            mounts.any(|mount| {
                mount.destination == value
                    || (mount.kind != MountKind::Tmpfs && mount.source == value)
            })
        };
        self.any("id", |value| id.starts_with(value))
            && self.any("name", |value| name_fits(&one.name, value))
            && self
                .values("label")
                .iter()
                .all(|value| has_label(&config.labels, value))
            && !self
                .values("label!")
                .iter()
                .any(|value| has_label(&config.labels, value))
            && self.any("status", |value| one.status.word() == value)
            && self.any("exited", |value| {
                exit_code(&one.status).is_some_and(|code| value.parse() == Ok(code))
            })
            && self.any("volume", has_mount)
            && self.any("network", |value| network_fits(&config.network, value))
            && self.any("expose", |value| {
                let wanted = Port::range(value).unwrap_or_default();
                wanted
                    .iter()
                    .any(|port| config.exposed_ports.contains(port))
            })
            && self.any("publish", |value| {
                let wanted = Port::range(value).unwrap_or_default();
                let mut published = config.networking.ports.iter();
                published.any(|binding| wanted.contains(&binding.port()))
            })
            && self.any("health", |value| {
                value
                    == one
                        .health
                        .as_ref()
                        .map_or("none", |health| health.status.word())
            })
            && self.any("is-task", |value| matches!(value, "false" | "0"))
    }
}

/// A part of the name; `^` and `$` hold it to the name's ends, as in Docker's regular expressions.
pub(crate) fn name_fits(name: &str, pattern: &str) -> bool {
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

/// Whether `wanted`, a key or `key=value`, is among the labels.
pub(crate) fn has_label(labels: &BTreeMap<String, String>, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((key, value)) => labels.get(key).is_some_and(|have| have == value),
        None => labels.contains_key(wanted),
    }
}

fn network_fits(network: &NetworkMode, wanted: &str) -> bool {
    match network {
        NetworkMode::Container(_) => false,
        network => network.to_string() == wanted,
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
