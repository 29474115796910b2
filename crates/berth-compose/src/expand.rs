//! Short forms become long ones; and by which key the items of merged lists are told apart.

mod mount;
mod port;
mod words;

pub(crate) use mount::{volume, volume_resource};
pub(crate) use port::{port_key, ports, range};

use berth_model::path::shortest;

use crate::merge::unique;
use crate::node::{Entry, Map, Node, Path, Value};
use crate::settle::Settle;
use crate::shape::by_text;

/// One value is a list of one.
pub(crate) fn one_to_list(_: &mut Settle<'_>, node: &mut Node, _: &Path<'_>) {
    if !matches!(node.value, Value::List(_) | Value::Map(_)) {
        let one = Node {
            tag: Default::default(),
            ..node.clone()
        };
        node.value = Value::List(vec![one]);
    }
}

/// A list of names is a map of nothing.
pub(crate) fn list_to_nulls(_: &mut Settle<'_>, node: &mut Node, _: &Path<'_>) {
    names_to_map(node, |item| Node::new(item.at, Value::Null));
}

/// A list of names is a map of empty maps.
pub(crate) fn list_to_structs(_: &mut Settle<'_>, node: &mut Node, _: &Path<'_>) {
    names_to_map(node, |item| Node::map(item.at));
}

/// A list of services is a map of what is waited for: that they have started.
pub(crate) fn depends_on(_: &mut Settle<'_>, node: &mut Node, _: &Path<'_>) {
    names_to_map(node, |item| {
        let mut one = Node::map(item.at);
        one.set("condition", Node::text(item.at, "service_started"));
        one.set("required", Node::new(item.at, Value::Bool(true)));
        one
    });
}

fn names_to_map(node: &mut Node, make: impl Fn(&Node) -> Node) {
    let Value::List(items) = &node.value else {
        return;
    };
    let entry = |item: &Node| {
        let name = item.as_text()?.to_owned();
        let (at, node) = (item.at, make(item));
        Some((name, Entry { at, node }))
    };
    node.value = Value::Map(items.iter().filter_map(entry).collect());
}

/// A text is words, as a shell has them.
pub(crate) fn command(settle: &mut Settle<'_>, node: &mut Node, path: &Path<'_>) {
    let Some(text) = node.as_text().filter(|text| !settle.is_open(text)) else {
        return;
    };
    match words::split(text) {
        Ok(words) => {
            let at = node.at;
            let items = words.into_iter().map(|word| Node::text(at, word)).collect();
            node.value = Value::List(items);
        }
        Err(wrong) => settle.problem_with(
            node.at,
            path,
            wrong,
            Some("close the quote, or write a list".to_owned()),
        ),
    }
}

/// A text is for the container's shell.
pub(crate) fn health_test(_: &mut Settle<'_>, node: &mut Node, _: &Path<'_>) {
    if let Some(text) = node.as_text() {
        let words = [Node::text(node.at, "CMD-SHELL"), Node::text(node.at, text)];
        node.value = Value::List(words.into());
    }
}

/// `host: ip`, `host: [ip…]`, `host:ip`, `host=ip` → `host=ip`.
pub(crate) fn extra_hosts(settle: &mut Settle<'_>, node: &mut Node, path: &Path<'_>) {
    let bare = |ip: &str| ip.trim_start_matches('[').trim_end_matches(']').to_owned();
    let mut hosts = Vec::new();
    match &node.value {
        Value::Map(map) => {
            for (host, entry) in map {
                for ip in entry.node.items() {
                    let line = format!("{host}={}", bare(ip.as_text().unwrap_or_default()));
                    hosts.push(Node::text(ip.at, line));
                }
            }
        }
        Value::List(items) => {
            for (n, item) in items.iter().enumerate() {
                let text = item.as_text().unwrap_or_default();
                match text.split_once('=').or_else(|| text.split_once(':')) {
                    Some((host, ip)) if !host.is_empty() && !ip.is_empty() => {
                        hosts.push(Node {
                            value: Value::Text(format!("{host}={}", bare(ip))),
                            ..item.clone()
                        });
                    }
                    _ if settle.is_open(text) => hosts.push(item.clone()),
                    _ => settle.problem_with(
                        item.at,
                        &path.item(n),
                        format!("`{text}` is not of the form host=address"),
                        None,
                    ),
                }
            }
        }
        _ => {}
    }
    node.value = Value::List(unique(hosts, by_text));
}

/// A text is the source.
pub(crate) fn file_reference(_: &mut Settle<'_>, node: &mut Node, _: &Path<'_>) {
    wrap(node, "source");
}

/// A text is the context.
pub(crate) fn build(_: &mut Settle<'_>, node: &mut Node, _: &Path<'_>) {
    wrap(node, "context");
}

/// A text is the service.
pub(crate) fn extends(_: &mut Settle<'_>, node: &mut Node, _: &Path<'_>) {
    wrap(node, "service");
}

/// A text is the path.
pub(crate) fn include(settle: &mut Settle<'_>, node: &mut Node, path: &Path<'_>) {
    wrap(node, "path");
    if let Some(one) = node.get_mut("path") {
        one_to_list(settle, one, path);
    } else {
        settle.problem(node.at, path, "`path` is missing");
    }
}

fn wrap(node: &mut Node, key: &str) {
    if let Value::Text(_) = node.value {
        let inner = Node::new(node.at, std::mem::take(&mut node.value));
        node.set(key, inner);
    }
}

/// A path is a file that has to be there.
pub(crate) fn env_file(settle: &mut Settle<'_>, node: &mut Node, _: &Path<'_>) {
    if let Some(text) = node.as_text() {
        let file = Node::text(node.at, settle.path(text));
        node.value = Value::Map(Map::new());
        node.set("path", file);
        node.set("required", Node::new(node.at, Value::Bool(true)));
    }
}

/// One path is a list of one.
pub(crate) fn env_files(settle: &mut Settle<'_>, node: &mut Node, path: &Path<'_>) {
    if node.as_text().is_some() {
        one_to_list(settle, node, path);
        if let Value::List(items) = &mut node.value {
            items
                .iter_mut()
                .for_each(|item| env_file(settle, item, path));
        }
    }
}

/// `SOURCE[:TARGET[:PERMISSIONS]]`.
pub(crate) fn device(settle: &mut Settle<'_>, node: &mut Node, path: &Path<'_>) {
    let Some(text) = node.as_text() else {
        return;
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, permissions) = match parts[..] {
        [source] => (source, source, "rwm"),
        [source, target] => (source, target, "rwm"),
        [source, target, permissions] => (source, target, permissions),
        _ => {
            let wrong = format!("`{text}` is not of the form SOURCE:TARGET:PERMISSIONS");
            return settle.problem(node.at, path, wrong);
        }
    };
    let mut map = Node::map(node.at);
    for (key, value) in [
        ("source", source),
        ("target", target),
        ("permissions", permissions),
    ] {
        map.set(key, Node::text(node.at, value));
    }
    node.value = map.value;
}

/// `all` is one request for all.
pub(crate) fn gpus(_: &mut Settle<'_>, node: &mut Node, _: &Path<'_>) {
    if node.as_text().is_some() {
        let mut one = Node::map(node.at);
        one.set("count", Node::new(node.at, Value::Int(-1)));
        node.value = Value::List(vec![one]);
    }
}

/// `external: {name: …}` is `external: true` and a name.
pub(crate) fn external(settle: &mut Settle<'_>, node: &mut Node, path: &Path<'_>) {
    let Some(external) = node.get("external").cloned() else {
        return;
    };
    if external.as_map().is_none() {
        return;
    }
    if let Some(name) = external.get("name").cloned() {
        if node.get("name").is_some_and(|known| *known != name) {
            let at = name.at;
            return settle.problem_with(
                at,
                &path.key("external"),
                "there are two names: `external.name` and `name`",
                Some("keep `name`".to_owned()),
            );
        }
        node.set("name", name);
    }
    node.set("external", Node::new(external.at, Value::Bool(true)));
}

/// Volumes, devices: by where they are in the container.
pub(crate) fn target_or_source(node: &Node) -> String {
    let target = node.get_text("target").or_else(|| node.get_text("source"));
    shortest(target.unwrap_or_default())
}

/// Secrets: by where they are in the container.
pub(crate) fn secret_key(node: &Node) -> String {
    mounted(node, "/run/secrets")
}

/// Configs: by where they are in the container.
pub(crate) fn config_key(node: &Node) -> String {
    mounted(node, "")
}

fn mounted(node: &Node, directory: &str) -> String {
    match node.get_text("target") {
        Some(target) if target.starts_with('/') => shortest(target),
        Some(target) => format!("{directory}/{target}"),
        None => format!(
            "{directory}/{}",
            node.get_text("source").unwrap_or_default()
        ),
    }
}

/// Files of variables: by their path.
pub(crate) fn path_of(node: &Node) -> String {
    node.get_text("path").unwrap_or_default().to_owned()
}

/// Address pools: by their subnet.
pub(crate) fn subnet_of(node: &Node) -> String {
    node.get_text("subnet").unwrap_or_default().to_owned()
}
