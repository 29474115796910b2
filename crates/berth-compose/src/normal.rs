//! What a project implies becomes part of it: variables of files, defaults, names, the default network, and who
//! depends on whom through links and shared namespaces.

use std::collections::BTreeMap;

use berth_model::path::shortest;

use crate::error::Error;
use crate::interpolate::Variables;
use crate::load::Loader;
use crate::node::{Entry, Map, Node, Value};
use crate::shape::{Read, Scalar, Shape};
use crate::{schema, settle};

/// `env_file` lies below `environment`, `label_file` below `labels`.
pub(crate) fn variables(
    loader: &mut Loader<'_>,
    name: &str,
    service: &mut Node,
    variables: &Variables,
) -> Result<(), Error> {
    let Some(map) = service.as_map_mut() else {
        return Ok(());
    };
    let (env_files, label_files) = (map.remove("env_file"), map.remove("label_file"));
    if let Some(files) = env_files {
        let own = service.get("environment").cloned().unwrap_or_default();
        let outside = |name: &str| {
            let outer = variables.get(name).or_else(|| own.get_text(name));
            outer.map(str::to_owned)
        };
        let mut values = BTreeMap::new();
        for (n, file) in files.node.items().iter().enumerate() {
            let path = file.get_text("path").unwrap_or_default().to_owned();
            let is_optional = file
                .get("required")
                .is_some_and(|node| node.value == Value::Bool(false));
            if !loader.files.exists(path.as_ref()) {
                if is_optional {
                    continue;
                }
                return Err(absent(
                    loader,
                    &path,
                    file,
                    format!("services.{name}.env_file[{n}]"),
                ));
            }
            let raw = file.get_text("format") == Some("raw");
            loader.env_file(&path, raw, &outside, &mut values, &mut |name| {
                variables.miss(name)
            })?;
        }
        below(service, "environment", values, &files);
    }
    if let Some(files) = label_files {
        let mut values = BTreeMap::new();
        for (n, file) in files.node.items().iter().enumerate() {
            let path = file.as_text().unwrap_or_default().to_owned();
            if !loader.files.exists(path.as_ref()) {
                return Err(absent(
                    loader,
                    &path,
                    file,
                    format!("services.{name}.label_file[{n}]"),
                ));
            }
            loader.env_file(&path, false, &|_| None, &mut values, &mut |name| {
                variables.miss(name)
            })?;
        }
        below(service, "labels", values, &files);
    }
    Ok(())
}

fn absent(loader: &Loader<'_>, path: &str, node: &Node, at: String) -> Error {
    let text = format!("there is no file `{}`", loader.shown(path));
    let hint = "make it, or say `required: false`";
    let hint = at.contains("env_file").then(|| hint.to_owned());
    Error::one(settle::problem(&loader.names, node.at, at, text, hint))
}

fn below(service: &mut Node, key: &str, values: BTreeMap<String, String>, files: &Entry) {
    let mut map: Map = values
        .into_iter()
        .map(|(name, value)| {
            let node = Node::text(files.node.at, value);
            (name, Entry { at: files.at, node })
        })
        .collect();
    let own = service.as_map_mut().and_then(|map| map.remove(key));
    let (at, own) = match own {
        Some(Entry {
            at,
            node: Node {
                value: Value::Map(own),
                ..
            },
        }) => (at, own),
        _ => (files.at, Map::new()),
    };
    map.extend(own);
    service.set(key, Node::new(at, Value::Map(map)));
}

/// Adds what is implied.
pub(crate) fn normalize(tree: &mut Node) {
    let name = tree.get_text("name").unwrap_or_default().to_owned();
    let mut default_used = false;
    for (_, entry) in tree
        .get_mut("services")
        .and_then(Node::as_map_mut)
        .into_iter()
        .flatten()
    {
        let service = &mut entry.node;
        default_used |= networks(service);
        build(service);
        depends(service);
        files(service);
        devices(service);
        if service.get_text("pull_policy") == Some("if_not_present") {
            service.set("pull_policy", Node::text(service.at, "missing"));
        }
    }
    if default_used
        && tree
            .get("networks")
            .and_then(|networks| networks.get("default"))
            .is_none()
    {
        if tree.get("networks").is_none() {
            tree.set("networks", Node::map(tree.at));
        }
        if let Some(networks) = tree.get_mut("networks") {
            networks.set("default", Node::default());
        }
    }
    for section in ["networks", "volumes", "secrets", "configs"] {
        let map = tree.get_mut(section).and_then(Node::as_map_mut);
        for (key, entry) in map.into_iter().flatten() {
            let full = match entry.node.is_set("external") {
                true => key.clone(),
                false => format!("{name}_{key}"),
            };
            if entry.node.get("name").is_none() {
                entry.node.set("name", Node::text(entry.at, full));
            }
        }
    }
    for (key, entry) in tree
        .get_mut("models")
        .and_then(Node::as_map_mut)
        .into_iter()
        .flatten()
    {
        if entry.node.get("name").is_none() {
            entry.node.set("name", Node::text(entry.at, key.clone()));
        }
    }
}

/// Whether the service is in the default network.
fn networks(service: &mut Node) -> bool {
    if service.get("provider").is_some() || service.get("network_mode").is_some() {
        return false;
    }
    let has = service
        .get("networks")
        .is_some_and(|networks| networks.entries().next().is_some());
    if !has {
        let mut networks = Node::map(service.at);
        networks.set("default", Node::default());
        service.set("networks", networks);
    }
    service
        .get("networks")
        .is_some_and(|networks| networks.get("default").is_some())
}

fn build(service: &mut Node) {
    let Some(build) = service.get_mut("build") else {
        return;
    };
    let at = build.at;
    if build.get("dockerfile").is_none() && build.get("dockerfile_inline").is_none() {
        build.set("dockerfile", Node::text(at, "Dockerfile"));
    }
    // Arguments without a value that nobody has are none.
    if let Some(args) = build.get_mut("args").and_then(Node::as_map_mut) {
        args.retain(|_, entry| !entry.node.is_null());
    }
}

/// Links, shared namespaces and volumes need their service; what is waited for is said in full.
fn depends(service: &mut Node) {
    let texts = |key: &str| -> Vec<String> {
        let items = service.get(key).map(Node::items).unwrap_or_default();
        items
            .iter()
            .filter_map(Node::as_text)
            .map(str::to_owned)
            .collect()
    };
    let mut implied: Vec<(String, bool)> = Vec::new();
    for link in texts("links") {
        let name = link.split(':').next().unwrap_or_default();
        implied.push((name.to_owned(), true));
    }
    for key in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        let shared = service
            .get_text(key)
            .and_then(|text| text.strip_prefix("service:"));
        implied.extend(shared.map(|name| (name.to_owned(), true)));
    }
    for from in texts("volumes_from") {
        if !from.starts_with("container:") {
            let name = from.split(':').next().unwrap_or_default();
            implied.push((name.to_owned(), false));
        }
    }
    let at = service.at;
    let yes = || Node::new(at, Value::Bool(true));
    if !implied.is_empty() && service.get("depends_on").is_none() {
        service.set("depends_on", Node::map(at));
    }
    let Some(depends) = service.get_mut("depends_on") else {
        return;
    };
    for (name, restart) in implied {
        if depends.get(&name).is_none() {
            let mut one = Node::map(at);
            one.set("condition", Node::text(at, "service_started"));
            if restart {
                one.set("restart", yes());
            }
            depends.set(&name, one);
        }
    }
    for (_, entry) in depends.as_map_mut().into_iter().flatten() {
        if entry.node.get("required").is_none() {
            entry.node.set("required", yes());
        }
    }
}

/// Ports, mounts and secrets say what they leave out.
fn files(service: &mut Node) {
    let mut each = |key: &str, change: fn(&mut Node)| {
        if let Some(Node {
            value: Value::List(items),
            ..
        }) = service.get_mut(key)
        {
            items
                .iter_mut()
                .filter(|item| item.as_map().is_some())
                .for_each(change);
        }
    };
    each("ports", |port| {
        for (key, default) in [("mode", "ingress"), ("protocol", "tcp")] {
            if port.get(key).is_none() {
                port.set(key, Node::text(port.at, default));
            }
        }
        // As the engine has it.
        let lower = port
            .get_text("protocol")
            .unwrap_or_default()
            .to_ascii_lowercase();
        port.set("protocol", Node::text(port.at, lower));
    });
    each("volumes", |volume| {
        if let Some(target) = volume.get_text("target").map(shortest) {
            volume.set("target", Node::text(volume.at, target));
        }
        if let Some(bind) = volume.get_mut("bind")
            && bind.get("create_host_path").is_none()
        {
            bind.set("create_host_path", Node::new(bind.at, Value::Bool(true)));
        }
    });
    each("secrets", |secret| {
        let name = secret
            .get_text("target")
            .or_else(|| secret.get_text("source"));
        let target = match name {
            Some(name) if !name.starts_with('/') => format!("/run/secrets/{name}"),
            _ => return,
        };
        secret.set("target", Node::text(secret.at, target));
    });
}

fn devices(service: &mut Node) {
    if let Some(Node {
        value: Value::List(items),
        ..
    }) = service.get_mut("devices")
    {
        for device in items.iter_mut().filter(|item| item.as_map().is_some()) {
            let source = device.get_text("source").unwrap_or_default().to_owned();
            for (key, default) in [("target", source.as_str()), ("permissions", "rwm")] {
                if device.get(key).is_none() {
                    device.set(key, Node::text(device.at, default));
                }
            }
        }
    }
    let reserved = service
        .get_mut("deploy")
        .and_then(|deploy| deploy.get_mut("resources"))
        .and_then(|resources| resources.get_mut("reservations"))
        .and_then(|reservations| reservations.get_mut("devices"));
    all_unless_told(reserved);
    all_unless_told(service.get_mut("gpus"));
}

fn all_unless_told(requests: Option<&mut Node>) {
    if let Some(Node {
        value: Value::List(items),
        ..
    }) = requests
    {
        for one in items {
            if one.get("count").is_none() && one.get("device_ids").is_none() {
                one.set("count", Node::new(one.at, Value::Int(-1)));
            }
        }
    }
}

/// Takes away what says nothing: `false` where that is the default, empty texts, lists and maps.
pub(crate) fn prune(tree: &mut Node) {
    prune_below(tree, &schema::FILE);
}

fn prune_below(node: &mut Node, shape: &'static Shape) {
    let shape = shape.of(node);
    match &mut node.value {
        Value::Map(map) => {
            for (key, entry) in map.iter_mut() {
                let inner = shape.key(key);
                prune_below(&mut entry.node, inner);
                // A network without settings, however it was written.
                let may_be_null = matches!(inner, Shape::Union(union) if union.null);
                if may_be_null && entry.node.as_map().is_some_and(Map::is_empty) {
                    entry.node.value = Value::Null;
                }
            }
            if let Shape::Struct(known) = shape {
                map.retain(|key, entry| {
                    known
                        .field(key)
                        .is_none_or(|field| !says_nothing(&entry.node, field.shape))
                });
            }
        }
        Value::List(list) => list
            .iter_mut()
            .for_each(|item| prune_below(item, shape.item())),
        _ => {}
    }
}

fn says_nothing(node: &Node, shape: &'static Shape) -> bool {
    let replaces = matches!(shape, Shape::Union(union) if union.replace);
    match (&node.value, shape.of(node)) {
        (
            Value::Bool(false),
            Shape::Scalar(Scalar {
                read: Read::Truth, ..
            }),
        ) => true,
        (Value::Text(text), Shape::Scalar(_)) => text.is_empty(),
        (Value::List(list), _) => list.is_empty() && !replaces,
        (Value::Map(map), Shape::Map(..) | Shape::Pairs(_)) => map.is_empty(),
        (Value::Null, Shape::Union(union)) => union.null,
        _ => false,
    }
}
