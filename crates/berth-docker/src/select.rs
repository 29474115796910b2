//! Which images, which containers a list shows, by its filters.

pub mod containers;

use berth_engine::Engine;
use berth_engine::image::{self, Entry, Listed};
use berth_engine::network::NetworkInfo;
use berth_oci::Reference;
use jiff::Timestamp;

use crate::filter::{Filters, glob};

/// The filters of images.
pub const IMAGES: &[&str] = &[
    "dangling",
    "label",
    "label!",
    "reference",
    "before",
    "since",
    "until",
];

/// The filters of networks.
pub const NETWORKS: &[&str] = &["dangling", "driver", "id", "label", "name", "scope", "type"];

/// Why nothing is selected.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A filter's value cannot be.
    #[error("{0}")]
    Filter(String),
    /// A filter's value is none of those that can be, if they can be told.
    #[error("invalid {what}{}", there_are(.known))]
    Value {
        /// The filter and the value.
        what: String,
        /// The words that it knows.
        known: &'static [&'static str],
    },
    /// A container that others are to be older or younger than is not there.
    #[error("no such container: {0}")]
    Absent(String),
    /// Images.
    #[error(transparent)]
    Image(#[from] image::Error),
}

/// The images that pass, each with those of its names that do; the newest first.
///
/// # Errors
/// A value that cannot be; an image that another is to be older or younger than is not there.
pub fn images(engine: &Engine, filters: &Filters) -> Result<Vec<Listed>, Error> {
    let created = |key| match filters.values(key).last() {
        Some(name) => {
            let config = engine.image_details(name)?.image.config;
            let time = config.created.as_deref().and_then(|text| text.parse().ok());
            Ok::<_, Error>(Some(time))
        }
        None => Ok(None),
    };
    let (before, since): (Option<Option<Timestamp>>, Option<Option<Timestamp>>) =
        (created("before")?, created("since")?);
    let until = filters.values("until").last();
    let until = until.map(|text| moment(text)).transpose()?;
    let dangling = filters.boolean("dangling").map_err(Error::Filter)?;
    let mut all = engine.list_images()?;
    all.retain_mut(|listed| {
        let created = listed.created();
        let labels = &listed.found.image.config.config.labels;
        let passes = before.is_none_or(|time| created < time)
            && since.is_none_or(|time| created > time)
            && until.is_none_or(|time| created < Some(time))
            && filters.labels(labels)
            && filters.no_label(labels);
        let entries = &mut listed.found.entries;
        entries.retain(|entry| has_name(entry, dangling, filters));
        passes && !entries.is_empty()
    });
    Ok(all)
}

/// The networks that pass; for `dangling` they have to be listed with their containers.
///
/// # Errors
/// A value that cannot be.
pub fn networks<'a>(
    all: &'a [NetworkInfo],
    filters: &Filters,
) -> Result<Vec<&'a NetworkInfo>, Error> {
    for kind in filters.values("type") {
        if !matches!(kind.as_str(), "builtin" | "custom") {
            return Err(Error::Value {
                what: format!("filter: 'type'='{kind}'"),
                known: &[],
            });
        }
    }
    let dangling = filters.boolean("dangling").map_err(Error::Filter)?;
    let fits = |network: &&NetworkInfo| {
        // What cannot be removed is in nobody's way.
        let used = network.predefined || !network.containers.is_empty();
        let sort = if network.predefined {
            "builtin"
        } else {
            "custom"
        };
        dangling.is_none_or(|dangling| dangling != used)
            && filters.labels(&network.labels)
            && filters.any("driver", |driver| network.driver == driver)
            && filters.any("id", |id| network.id.starts_with(id))
            && filters.any("name", |name| network.name.contains(name))
            && filters.any("scope", |scope| scope == "local")
            && filters.any("type", |kind| kind == sort)
    };
    Ok(all.iter().filter(fits).collect())
}

/// `until`: RFC 3339.
///
/// # Errors
/// A value that is no time.
pub fn until(filters: &Filters) -> Result<Option<String>, Error> {
    let until = filters.values("until").last();
    let until = until.map(|text| moment(text)).transpose()?;
    Ok(until.map(berth_engine::clock::format))
}

fn there_are(known: &[&str]) -> String {
    match known {
        [] => String::new(),
        known => format!(": there are {}", known.join(", ")),
    }
}

fn moment(text: &str) -> Result<Timestamp, Error> {
    berth_engine::logs::parse_moment(text, Timestamp::now())
        .map_err(|error| Error::Filter(error.to_string()))
}

/// Whether a name, or its lack, passes.
fn has_name(entry: &Entry, dangling: Option<bool>, filters: &Filters) -> bool {
    // As docker: what was pulled by its digest is neither hidden as dangling nor as not.
    let is_dangling = |wanted: bool| match &entry.reference {
        Some(reference) => !wanted || reference.tag().is_none(),
        None => wanted,
    };
    let fits = |pattern: &str| {
        let name = entry.reference.as_ref();
        name.is_some_and(|name| matches(name, pattern))
    };
    dangling.is_none_or(is_dangling) && filters.any("reference", fits)
}

/// As docker: the pattern fits the name, with or without domain and tag.
fn matches(reference: &Reference, pattern: &str) -> bool {
    let (familiar, full) = (reference.familiar(), reference.to_string());
    let names = [reference.familiar_name(), familiar, reference.name(), full];
    names.iter().any(|name| glob(pattern, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_narrow_the_list() {
        let digest = format!("sha256:{}", "cd".repeat(32));
        let check = |name: Option<&str>, text: &str| {
            let filters = Filters::parse(&[text.to_owned()], IMAGES).unwrap();
            let descriptor = format!(r#"{{"mediaType":"x","digest":"{digest}","size":1}}"#);
            let entry = Entry {
                reference: name.map(|name| Reference::parse(name).unwrap()),
                descriptor: serde_json::from_str(&descriptor).unwrap(),
            };
            let dangling = filters.boolean("dangling");
            dangling.map(|dangling| has_name(&entry, dangling, &filters))
        };
        let by_digest = format!("busybox@{digest}");
        for (name, text, want) in [
            (Some("busybox:1.36"), "dangling=true", false),
            (Some("busybox:1.36"), "dangling=false", true),
            (Some("busybox:1.36"), "reference=busybox", true),
            (Some("busybox:1.36"), "reference=busy*:1*", true),
            (
                Some("busybox:1.36"),
                "reference=docker.io/library/busybox:1.36",
                true,
            ),
            (Some("busybox:1.36"), "reference=alpine", false),
            (None, "dangling=true", true),
            (None, "dangling=false", false),
            (None, "reference=*", false),
            (Some(&by_digest), "dangling=true", true),
            (Some(&by_digest), "dangling=false", true),
        ] {
            assert_eq!(check(name, text), Ok(want), "{name:?} {text}");
        }
        assert!(check(None, "dangling=maybe").is_err());
    }
}
