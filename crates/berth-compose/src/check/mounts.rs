//! Ports, mounts and devices of a service.

use std::collections::BTreeMap;
use std::fmt::Arguments;

use berth_model::path::shortest;

use super::Check;
use crate::expand;
use crate::node::Node;

impl<'a> Check<'a> {
    /// One thing at one place of the container.
    pub(super) fn mounts(&mut self, path: Arguments<'_>, service: &'a Node) {
        let mut taken: BTreeMap<String, (&str, usize)> = BTreeMap::new();
        let mut places = Vec::new();
        for (n, item) in service
            .get("tmpfs")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            let text = item.as_text().unwrap_or_default();
            let target = text.split(':').next().unwrap_or_default();
            places.push((item, shortest(target), ("tmpfs", n)));
        }
        for (key, of) in [
            ("volumes", expand::target_or_source as fn(&Node) -> String),
            ("secrets", expand::secret_key),
            ("configs", expand::config_key),
        ] {
            for (n, item) in service
                .get(key)
                .map(Node::items)
                .unwrap_or_default()
                .iter()
                .enumerate()
            {
                if item.as_map().is_some() {
                    places.push((item, of(item), (key, n)));
                }
            }
        }
        for (item, target, (key, n)) in places {
            let own = format_args!("{path}.{key}[{n}]");
            if !target.starts_with('/') && !target.contains('$') {
                let text = format!("`{target}` is no absolute path in the container");
                self.problem(item.at, own, text, "begin it with `/`");
            }
            if let Some((other, m)) = taken.get(&target) {
                let text = format!("`{target}` is where {other}[{m}] is, too");
                self.problem(item.at, own, text, "give one of them another target");
            }
            taken.insert(target, (key, n));
        }
    }

    pub(super) fn ports(&mut self, path: Arguments<'_>, service: &'a Node) {
        for (n, port) in service
            .get("ports")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            let path = format_args!("{path}.ports[{n}]");
            if port.as_map().is_none() {
                continue;
            }
            if port.get("target").is_none() {
                self.problem(
                    port.at,
                    path,
                    "`target` is missing",
                    "it is the port in the container",
                );
            }
            let published = port
                .get("published")
                .filter(|node| node.as_text() != Some(""));
            if let Some(node) = published {
                let text = node.as_text().unwrap_or_default();
                if let Err(wrong) = expand::range(text).map(|_| ()) {
                    // 0 is any.
                    if text != "0" && !text.contains('$') {
                        self.problem(node.at, path, wrong, "");
                    }
                }
            }
            let host_mode = service.get_text("network_mode") == Some("host");
            if host_mode
                && port.get("published").is_some_and(|node| {
                    port.get("target").map(Node::scalar_text) != Some(node.scalar_text())
                })
            {
                let text = "the host's network has no other numbers for ports";
                self.problem(
                    port.at,
                    path,
                    text,
                    "publish the port under its own number, or leave `network_mode: host`",
                );
            }
        }
    }

    pub(super) fn devices(&mut self, path: Arguments<'_>, service: &'a Node) {
        let reserved = service
            .get("deploy")
            .and_then(|deploy| deploy.get("resources"))
            .and_then(|resources| resources.get("reservations"))
            .and_then(|reservations| reservations.get("devices"));
        for (key, list) in [
            ("gpus", service.get("gpus")),
            ("deploy.resources.reservations.devices", reserved),
        ] {
            for (n, one) in list.map(Node::items).unwrap_or_default().iter().enumerate() {
                if one.get("count").is_some() && one.get("device_ids").is_some() {
                    let path = format_args!("{path}.{key}[{n}]");
                    self.problem(
                        one.at,
                        path,
                        "`count` and `device_ids` exclude each other",
                        "keep one of them",
                    );
                }
            }
        }
    }
}
