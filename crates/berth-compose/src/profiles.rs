//! Which services are wanted: by their profiles, and by name with what they depend on.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::load::Options;
use crate::node::{Map, Node};

/// The profiles that there are.
pub(crate) fn all(tree: &Node) -> Vec<String> {
    let services = tree.get("services");
    let lists = services
        .into_iter()
        .flat_map(|services| services.entries().map(|(_, entry)| of(&entry.node)));
    let all: BTreeSet<&str> = lists.flatten().collect();
    all.into_iter().map(str::to_owned).collect()
}

fn of(service: &Node) -> Vec<&str> {
    let list = service.get("profiles").map(Node::items).unwrap_or_default();
    list.iter().filter_map(Node::as_text).collect()
}

/// Takes the services out whose profiles are not wanted. Who is named brings his profiles along.
pub(crate) fn select(tree: &mut Node, options: &Options) -> Result<Map, Error> {
    let Some(services) = tree.get_mut("services").and_then(Node::as_map_mut) else {
        return match options.services.first() {
            Some(name) => Err(Error::NoService {
                name: name.clone(),
                known: Vec::new(),
            }),
            None => Ok(Map::new()),
        };
    };
    let mut wanted: BTreeSet<String> = options.profiles.iter().cloned().collect();
    for name in &options.services {
        let Some(entry) = services.get(name) else {
            return Err(Error::NoService {
                name: name.clone(),
                known: services.keys().cloned().collect(),
            });
        };
        if !is_active(&entry.node, &wanted) {
            wanted.extend(of(&entry.node).into_iter().map(str::to_owned));
        }
    }
    let all = std::mem::take(services).into_iter();
    let (kept, disabled): (Vec<_>, Vec<_>) =
        all.partition(|(_, entry)| is_active(&entry.node, &wanted));
    *services = kept.into_iter().collect();
    let disabled: Map = disabled.into_iter().collect();
    drop_optional(services, &disabled);
    Ok(disabled)
}

fn is_active(service: &Node, wanted: &BTreeSet<String>) -> bool {
    let own = of(service);
    own.is_empty() || wanted.contains("*") || own.iter().any(|profile| wanted.contains(*profile))
}

/// Who need not be there and is not, is not waited for.
fn drop_optional(services: &mut Map, disabled: &Map) {
    for entry in services.values_mut() {
        if let Some(depends) = entry.node.get_mut("depends_on").and_then(Node::as_map_mut) {
            let optional = |node: &Node| matches!(node.get("required"), Some(node) if node.value == crate::node::Value::Bool(false));
            depends.retain(|name, entry| !(disabled.contains_key(name) && optional(&entry.node)));
        }
    }
}

/// Keeps the services that were named, what they depend on, and what those use.
pub(crate) fn narrow(tree: &mut Node, options: &Options) {
    if !options.services.is_empty() {
        let mut open: Vec<String> = options.services.clone();
        let mut kept = BTreeSet::new();
        while let Some(name) = open.pop() {
            let service = tree
                .get("services")
                .and_then(|services| services.get(&name));
            let depends = service.and_then(|service| service.get("depends_on"));
            open.extend(
                depends
                    .into_iter()
                    .flat_map(Node::entries)
                    .map(|(name, _)| name.clone())
                    .filter(|name| !kept.contains(name)),
            );
            kept.insert(name);
        }
        if let Some(services) = tree.get_mut("services").and_then(Node::as_map_mut) {
            services.retain(|name, _| kept.contains(name));
        }
    }
    if options.all_resources {
        return;
    }
    let used = used(tree);
    for (section, names) in used {
        if let Some(map) = tree.get_mut(section).and_then(Node::as_map_mut) {
            map.retain(|name, _| names.contains(name));
        }
    }
}

/// By section, the names that services use.
fn used(tree: &Node) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut used: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    for section in ["networks", "volumes", "secrets", "configs", "models"] {
        used.insert(section, BTreeSet::new());
    }
    let mut note = |section: &'static str, name: &str| {
        used.entry(section).or_default().insert(name.to_owned());
    };
    let services = tree.get("services");
    for (_, entry) in services.into_iter().flat_map(Node::entries) {
        let service = &entry.node;
        for section in ["networks", "models"] {
            let map = service.get(section);
            map.into_iter()
                .flat_map(Node::entries)
                .for_each(|(name, _)| note(section, name));
        }
        let build = service.get("build");
        for (section, list) in [
            ("secrets", service.get("secrets")),
            ("configs", service.get("configs")),
            ("secrets", build.and_then(|build| build.get("secrets"))),
            ("volumes", service.get("volumes")),
        ] {
            let sources = list.map(Node::items).unwrap_or_default();
            sources
                .iter()
                .filter_map(|item| item.get_text("source"))
                .for_each(|name| note(section, name));
        }
        let spec = service
            .get("credential_spec")
            .and_then(|spec| spec.get_text("config"));
        spec.into_iter().for_each(|name| note("configs", name));
    }
    used
}
