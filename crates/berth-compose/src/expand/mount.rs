//! Volumes of a service: `[SOURCE:]TARGET[:OPTIONS]`, and paths in long forms.

use berth_model::path::shortest;

use crate::node::{Node, Path, Value};
use crate::settle::Settle;

const PROPAGATIONS: [&str; 6] = [
    "rprivate", "private", "rshared", "shared", "rslave", "slave",
];
const CONSISTENCIES: [&str; 3] = ["consistent", "cached", "delegated"];

/// A text becomes its parts; sources that are paths become absolute.
pub(crate) fn volume(settle: &mut Settle<'_>, node: &mut Node, path: &Path<'_>) {
    let text = match &node.value {
        Value::Text(text) => text.clone(),
        _ => return long(settle, node, path),
    };
    if settle.is_open(&text) {
        return;
    }
    match short(settle, &text, node) {
        Ok(long) => node.value = long.value,
        Err(wrong) => settle.problem_with(
            node.at,
            path,
            wrong,
            Some("write [SOURCE:]TARGET[:OPTIONS], as in \"data:/data:ro\"".to_owned()),
        ),
    }
}

fn long(settle: &mut Settle<'_>, node: &mut Node, path: &Path<'_>) {
    let is_bind = node.get_text("type") == Some("bind");
    if let (true, Some(source)) = (is_bind, node.get_text("source")) {
        let source = settle.path(source);
        if let Some(node) = node.get_mut("source") {
            node.value = Value::Text(source);
        }
    }
    let missing = match node.get_text("type") {
        _ if node.get("target").is_none() => "target",
        Some("bind" | "image" | "npipe" | "cluster") if node.get("source").is_none() => "source",
        _ => return,
    };
    settle.problem(node.at, path, format!("`{missing}` is missing"));
}

fn short(settle: &Settle<'_>, text: &str, at: &Node) -> Result<Node, String> {
    let parts: Vec<&str> = text.split(':').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(format!("`{text}` has an empty part"));
    }
    let (source, target, options) = match parts[..] {
        [target] => (None, target, ""),
        [source, target] => (Some(source), target, ""),
        [source, target, options] => (Some(source), target, options),
        _ => return Err(format!("`{text}` has too many colons")),
    };
    let word = |text: &str| Node::text(at.at, text);
    let is_path = source.is_some_and(|source| source.starts_with(['.', '/', '~']));
    let mut node = Node::map(at.at);
    let mut more = Node::map(at.at);
    node.set("type", word(if is_path { "bind" } else { "volume" }));
    match source {
        Some(source) if is_path => node.set("source", word(&settle.path(source))),
        Some(source) => node.set("source", word(source)),
        None => {}
    }
    node.set("target", word(&shortest(target)));
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => node.set("read_only", Node::new(at.at, Value::Bool(true))),
            "rw" => {}
            "nocopy" if !is_path => more.set("nocopy", Node::new(at.at, Value::Bool(true))),
            "z" | "Z" if is_path => more.set("selinux", word(option)),
            // Labels of a volume are the engine's.
            "z" | "Z" => {}
            _ if is_path && PROPAGATIONS.contains(&option) => more.set("propagation", word(option)),
            _ if CONSISTENCIES.contains(&option) => node.set("consistency", word(option)),
            _ => {
                return Err(format!(
                    "`{option}` is no option of a {}",
                    if is_path { "bind mount" } else { "volume" }
                ));
            }
        }
    }
    if is_path {
        more.set("create_host_path", Node::new(at.at, Value::Bool(true)));
    }
    node.set(if is_path { "bind" } else { "volume" }, more);
    Ok(node)
}

/// A volume that is a directory of the host has it in its driver's options.
pub(crate) fn volume_resource(settle: &mut Settle<'_>, node: &mut Node, path: &Path<'_>) {
    super::external(settle, node, path);
    let driver = node.get_text("driver").unwrap_or("local");
    let options = node.get("driver_opts");
    let says = |key: &str| options.and_then(|options| options.get_text(key));
    let is_bind = says("o").is_some_and(|o| o.split(',').any(|o| o == "bind" || o == "rbind"));
    let device = says("device")
        .filter(|_| is_bind && driver == "local")
        .map(|device| settle.path(device));
    if let (Some(device), Some(options)) = (device, node.get_mut("driver_opts"))
        && let Some(node) = options.get_mut("device")
    {
        node.value = Value::Text(device);
    }
}
