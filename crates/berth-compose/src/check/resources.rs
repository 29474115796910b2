//! What services share: it is somebody else's, or it says what it is.

use std::collections::BTreeMap;
use std::fmt::Arguments;

use super::Check;
use crate::node::{Entry, Node};

impl<'a> Check<'a> {
    pub(super) fn resources(&mut self) {
        for section in ["networks", "volumes", "secrets", "configs"] {
            let mut names: BTreeMap<&str, &str> = BTreeMap::new();
            for (name, entry) in self.tree.get(section).into_iter().flat_map(Node::entries) {
                let path = format_args!("{section}.{name}");
                if entry.node.is_set("external") {
                    self.external(path, entry);
                } else {
                    match section {
                        "secrets" => self.content(path, entry, &["file", "environment"]),
                        "configs" => self.content(path, entry, &["file", "environment", "content"]),
                        _ => {}
                    }
                }
                if let Some(full) = entry.node.get_text("name")
                    && let Some(other) = names.insert(full, name)
                {
                    let text = format!("`{full}` is the name of `{other}`, too");
                    self.problem(entry.at, path, text, "give one of them another name");
                }
            }
        }
    }

    /// Of what others made, only the name counts.
    fn external(&mut self, path: Arguments<'_>, entry: &'a Entry) {
        let extra = entry.node.entries().find(|(key, _)| {
            !matches!(key.as_str(), "name" | "external") && !key.starts_with("x-")
        });
        if let Some((key, entry)) = extra {
            let text = format!("it is external, so `{key}` means nothing");
            self.problem(entry.at, path, text, "remove one of them");
        }
    }

    /// A secret or config comes from one place.
    fn content(&mut self, path: Arguments<'_>, entry: &'a Entry, keys: &[&str]) {
        let given: Vec<&str> = keys
            .iter()
            .copied()
            .filter(|key| entry.node.get(key).is_some())
            .collect();
        match given.as_slice() {
            [_] => {}
            [] if entry.node.get("driver").is_some() => {}
            [] => {
                let text = format!("it has none of {}", keys.join(", "));
                self.problem(
                    entry.at,
                    path,
                    text,
                    "say where its content is, or that it is external",
                );
            }
            several => {
                let text = format!("{} exclude each other", several.join(", "));
                self.problem(entry.at, path, text, "keep one of them");
            }
        }
    }
}
