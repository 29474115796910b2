//! What a container, network or volume was made of, as a hash: with the same one it need not be made anew.
//!
//! SHA-256 of the canonical tree as JSON, keys by their letters, without places and without the user's own keys. What
//! does not reach a container is left out: how it is built and pulled, how many there are, what it waits for. What it
//! takes from the project counts: the engine's names of its networks and volumes, where its secrets and configs come
//! from (not what is in their files: who applies reads those).

use sha2::{Digest as _, Sha256};

use crate::emit;
use crate::node::{Node, Place, Value};

/// Keys of a service that reach no container.
const APART: [&str; 8] = [
    "build",
    "depends_on",
    "develop",
    "profiles",
    "pull_policy",
    "pull_refresh_after",
    "scale",
    "attach",
];
/// Keys of `deploy` that reach one.
const DEPLOYED: [&str; 2] = ["resources", "restart_policy"];

/// The hash of a service of a loaded tree; `None`: there is no such service.
pub fn service(tree: &Node, name: &str) -> Option<String> {
    let mut service = tree.get("services")?.get(name)?.clone();
    let map = service.as_map_mut()?;
    map.retain(|key, _| !APART.contains(&key.as_str()));
    if let Some(deploy) = map
        .get_mut("deploy")
        .and_then(|entry| entry.node.as_map_mut())
    {
        deploy.retain(|key, _| DEPLOYED.contains(&key.as_str()));
    }
    let has_deploy = map
        .get("deploy")
        .is_some_and(|entry| entry.node.entries().next().is_some());
    if !has_deploy {
        map.remove("deploy");
    }
    let mut uses = Node::map(Place::default());
    for section in ["networks", "volumes", "secrets", "configs"] {
        uses.set(section, used(tree, &service, section));
    }
    without_extensions(&mut service);
    service.set("x-uses", uses);
    Some(digest(&service))
}

/// The hash of a network or volume; `None`: there is none.
pub(crate) fn resource(tree: &Node, section: &str, name: &str) -> Option<String> {
    let mut node = tree.get(section)?.get(name)?.clone();
    without_extensions(&mut node);
    Some(digest(&node))
}

/// The engine's names of what is used, and where content comes from.
fn used(tree: &Node, service: &Node, section: &str) -> Node {
    let mut names: Vec<&str> = Vec::new();
    match service.get(section) {
        Some(node) if node.as_map().is_some() => {
            names.extend(node.entries().map(|(name, _)| name.as_str()));
        }
        Some(node) => names.extend(
            node.items()
                .iter()
                .filter_map(|item| item.get_text("source")),
        ),
        None => {}
    }
    let mut out = Node::map(Place::default());
    for name in names {
        let Some(resource) = tree.get(section).and_then(|map| map.get(name)) else {
            continue;
        };
        let mut kept = Node::map(Place::default());
        for key in ["name", "file", "environment", "content"] {
            if let Some(node) = resource.get(key) {
                kept.set(key, node.clone());
            }
        }
        out.set(name, kept);
    }
    out
}

fn without_extensions(node: &mut Node) {
    match &mut node.value {
        Value::Map(map) => {
            map.retain(|key, _| !key.starts_with("x-"));
            map.values_mut()
                .for_each(|entry| without_extensions(&mut entry.node));
        }
        Value::List(list) => list.iter_mut().for_each(without_extensions),
        _ => {}
    }
}

fn digest(node: &Node) -> String {
    let digest = Sha256::digest(emit::json(node).as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
