//! What refers to what: everything named is there, nothing contradicts, nothing waits for itself.

mod cycle;
mod limits;
mod mounts;
mod resources;

use std::collections::BTreeMap;
use std::fmt::Arguments;

use crate::error::Problem;
use crate::node::{Entry, Map, Node, Place};
use crate::settle;

/// The checks of one project.
struct Check<'a> {
    tree: &'a Node,
    /// Services that are not wanted.
    disabled: &'a Map,
    names: &'a [String],
    problems: &'a mut Vec<Problem>,
}

/// Checks a normalized tree.
pub(crate) fn check(tree: &Node, disabled: &Map, names: &[String], problems: &mut Vec<Problem>) {
    let mut check = Check {
        tree,
        disabled,
        names,
        problems,
    };
    let services = tree.get("services");
    let mut containers: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, entry) in services.into_iter().flat_map(Node::entries) {
        check.service(name, entry);
        if let Some(node) = entry.node.get("container_name") {
            let container = node.as_text().unwrap_or_default();
            if let Some(other) = containers.insert(container, name) {
                let text = format!("`{container}` is the container of service `{other}`, too");
                check.problem(
                    node.at,
                    format_args!("services.{name}.container_name"),
                    text,
                    "names of containers are unique",
                );
            }
        }
    }
    check.resources();
    check.cycles();
}

impl<'a> Check<'a> {
    fn problem(&mut self, at: Place, path: Arguments<'_>, text: impl Into<String>, hint: &str) {
        let hint = Some(hint.to_owned()).filter(|hint| !hint.is_empty());
        self.problems.push(settle::problem(
            self.names,
            at,
            path.to_string(),
            text.into(),
            hint,
        ));
    }

    fn service(&mut self, name: &str, entry: &'a Entry) {
        let service = &entry.node;
        let path = format_args!("services.{name}");
        if ["image", "build", "provider"]
            .iter()
            .all(|key| service.get(key).is_none())
        {
            self.problem(
                entry.at,
                path,
                "it has neither an image nor a build",
                "give it `image:` or `build:`",
            );
        }
        self.build(path, service);
        self.network(path, service);
        self.depends(path, service);
        self.sources(path, service);
        self.mounts(path, service);
        self.health(path, service);
        self.scale(path, service);
        self.limits(path, service);
        self.watch(path, service);
        self.ports(path, service);
        self.devices(path, service);
    }

    /// Whether a section has a name.
    fn has(&self, section: &str, name: &str) -> bool {
        self.tree
            .get(section)
            .is_some_and(|map| map.get(name).is_some())
    }

    fn known(&self, section: &str) -> String {
        let map = self.tree.get(section);
        let names: Vec<&str> = map
            .into_iter()
            .flat_map(Node::entries)
            .map(|(name, _)| name.as_str())
            .collect();
        match names.is_empty() {
            true => format!("add it to `{section}:`"),
            false => format!(
                "add it to `{section}:`, where there are {}",
                names.join(", ")
            ),
        }
    }

    fn refers(&mut self, at: Place, path: Arguments<'_>, section: &str, what: &str, name: &str) {
        if !self.has(section, name) {
            let hint = self.known(section);
            self.problem(at, path, format!("undefined {what} `{name}`"), &hint);
        }
    }

    fn build(&mut self, path: Arguments<'_>, service: &Node) {
        let Some(build) = service.get("build") else {
            return;
        };
        let path = format_args!("{path}.build");
        if let (Some(_), Some(inline)) = (build.get("dockerfile"), build.get("dockerfile_inline")) {
            self.problem(
                inline.at,
                path,
                "`dockerfile` and `dockerfile_inline` exclude each other",
                "keep one of them",
            );
        }
        for (name, entry) in build
            .get("additional_contexts")
            .into_iter()
            .flat_map(Node::entries)
        {
            let target = entry
                .node
                .as_text()
                .and_then(|text| text.strip_prefix("service:"));
            if let Some(target) = target {
                let path = format_args!("{path}.additional_contexts.{name}");
                self.needs_service(entry.node.at, path, target);
            }
        }
        let platforms = build.get("platforms").map(Node::items).unwrap_or_default();
        if let Some(platform) = service.get("platform").filter(|_| !platforms.is_empty())
            && !platforms.contains(platform)
        {
            let wanted = platform.as_text().unwrap_or_default();
            self.problem(
                platform.at,
                path,
                format!("`platforms` lacks the service's own, `{wanted}`"),
                "add it",
            );
        }
    }

    fn network(&mut self, path: Arguments<'_>, service: &'a Node) {
        let mode = service.get("network_mode");
        let networks = service.get("networks");
        if let (Some(mode), Some(_)) = (mode, networks) {
            self.problem(
                mode.at,
                path,
                "`network_mode` and `networks` exclude each other",
                "keep one of them",
            );
        }
        for (name, entry) in networks.into_iter().flat_map(Node::entries) {
            self.refers(
                entry.at,
                format_args!("{path}.networks.{name}"),
                "networks",
                "network",
                name,
            );
        }
        for (name, entry) in service.get("models").into_iter().flat_map(Node::entries) {
            self.refers(
                entry.at,
                format_args!("{path}.models.{name}"),
                "models",
                "model",
                name,
            );
        }
        for key in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
            let Some(node) = service.get(key) else {
                continue;
            };
            if let Some(name) = node
                .as_text()
                .and_then(|text| text.strip_prefix("service:"))
            {
                self.needs_service(node.at, format_args!("{path}.{key}"), name);
            }
        }
    }

    /// Whether a service is there and wanted.
    fn needs_service(&mut self, at: Place, path: Arguments<'_>, name: &str) -> bool {
        if self.has("services", name) {
            return true;
        }
        if let Some(entry) = self.disabled.get(name) {
            let profiles = entry
                .node
                .get("profiles")
                .map(Node::items)
                .unwrap_or_default();
            let profiles: Vec<&str> = profiles.iter().filter_map(Node::as_text).collect();
            let text = format!(
                "service `{name}` is in profile {} only, which is not wanted",
                profiles.join(", ")
            );
            self.problem(
                at,
                path,
                text,
                "ask for it with --profile, or say `required: false`",
            );
        } else {
            let hint = self.known("services");
            self.problem(at, path, format!("undefined service `{name}`"), &hint);
        }
        false
    }

    fn depends(&mut self, path: Arguments<'_>, service: &'a Node) {
        for (other, entry) in service
            .get("depends_on")
            .into_iter()
            .flat_map(Node::entries)
        {
            let path = format_args!("{path}.depends_on.{other}");
            // Those that are implied are told where they are said.
            if entry.at.line == 0 && !self.has("services", other) {
                continue;
            }
            if self.needs_service(entry.at, path, other)
                && entry.node.get_text("condition") == Some("service_healthy")
            {
                self.healthy(entry, path, other);
            }
        }
        for (key, what) in [("links", "links"), ("volumes_from", "volumes_from")] {
            let items = service.get(key).map(Node::items).unwrap_or_default();
            for (n, item) in items.iter().enumerate() {
                let text = item.as_text().unwrap_or_default();
                if text.starts_with("container:") {
                    continue;
                }
                let other = text.split(':').next().unwrap_or_default();
                self.needs_service(item.at, format_args!("{path}.{what}[{n}]"), other);
            }
        }
    }

    /// Who is waited for to be healthy has to have a way to be.
    fn healthy(&mut self, entry: &Entry, path: Arguments<'_>, other: &str) {
        let check = self
            .tree
            .get("services")
            .and_then(|services| services.get(other))
            .and_then(|service| service.get("healthcheck"));
        let is_off = check.is_some_and(|check| {
            let first = check.get("test").and_then(|test| test.items().first());
            check.is_set("disable") || first.and_then(Node::as_text) == Some("NONE")
        });
        if is_off {
            let text = format!("service `{other}` will never be healthy: its health check is off");
            self.problem(entry.at, path, text, "wait for service_started");
        }
    }

    fn sources(&mut self, path: Arguments<'_>, service: &'a Node) {
        let build = service.get("build");
        for (key, list, section, what) in [
            ("secrets", service.get("secrets"), "secrets", "secret"),
            ("configs", service.get("configs"), "configs", "config"),
            (
                "build.secrets",
                build.and_then(|build| build.get("secrets")),
                "secrets",
                "secret",
            ),
        ] {
            for (n, item) in list.map(Node::items).unwrap_or_default().iter().enumerate() {
                let path = format_args!("{path}.{key}[{n}]");
                match item.get_text("source") {
                    Some(name) => self.refers(item.at, path, section, what, name),
                    None => self.problem(item.at, path, "`source` is missing", ""),
                }
            }
        }
        for (n, item) in service
            .get("volumes")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            if let (Some("volume"), Some(name)) = (item.get_text("type"), item.get_text("source")) {
                self.refers(
                    item.at,
                    format_args!("{path}.volumes[{n}]"),
                    "volumes",
                    "volume",
                    name,
                );
            }
        }
        let spec = service
            .get("credential_spec")
            .and_then(|spec| spec.get("config"));
        if let Some(node) = spec {
            self.refers(
                node.at,
                format_args!("{path}.credential_spec"),
                "configs",
                "config",
                node.as_text().unwrap_or_default(),
            );
        }
    }
}
