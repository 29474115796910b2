//! What a service says twice, and what its health check and its watching need.

use super::Check;
use crate::node::{Node, Value};
use std::fmt::Arguments;

impl Check<'_> {
    pub(super) fn health(&mut self, path: Arguments<'_>, service: &Node) {
        let Some(test) = service
            .get("healthcheck")
            .and_then(|check| check.get("test"))
        else {
            return;
        };
        let path = format_args!("{path}.healthcheck.test");
        let first = test.items().first().and_then(Node::as_text);
        match (first, test.items().len()) {
            (None, _) if test.as_list().is_none() => {}
            (Some("NONE"), _) | (None, 0) => {}
            (Some("CMD" | "CMD-SHELL"), 2..) => {}
            (Some(word @ ("CMD" | "CMD-SHELL")), _) => {
                self.problem(
                    test.at,
                    path,
                    format!("nothing stands behind {word}"),
                    "give it a command",
                );
            }
            (word, _) => {
                let text = format!("it begins with `{}`", word.unwrap_or_default());
                self.problem(
                    test.at,
                    path,
                    text,
                    "begin the list with CMD, CMD-SHELL or NONE, or write a text",
                );
            }
        }
    }

    pub(super) fn scale(&mut self, path: Arguments<'_>, service: &Node) {
        let whole = |node: Option<&Node>| match node.map(|node| &node.value) {
            Some(Value::Int(value)) => Some(*value),
            _ => None,
        };
        let replicas = service
            .get("deploy")
            .and_then(|deploy| deploy.get("replicas"));
        let (scale, deployed) = (whole(service.get("scale")), whole(replicas));
        if let (Some(scale), Some(deployed), Some(node)) = (scale, deployed, replicas)
            && scale != deployed
        {
            let text = format!("`scale` is {scale} and `deploy.replicas` is {deployed}");
            self.problem(node.at, path, text, "keep one of them");
        }
        let count = scale.or(deployed).unwrap_or(1);
        if let Some(node) = service.get("container_name").filter(|_| count > 1) {
            let text = format!("{count} containers cannot all have one name");
            self.problem(
                node.at,
                format_args!("{path}.container_name"),
                text,
                "remove `container_name`",
            );
        }
    }

    pub(super) fn limits(&mut self, path: Arguments<'_>, service: &Node) {
        let resources = service
            .get("deploy")
            .and_then(|deploy| deploy.get("resources"));
        let of = |part: &str, key: &str| {
            resources
                .and_then(|resources| resources.get(part))
                .and_then(|part| part.get(key))
        };
        for (key, part, other) in [
            ("cpus", "limits", "cpus"),
            ("mem_limit", "limits", "memory"),
            ("pids_limit", "limits", "pids"),
            ("mem_reservation", "reservations", "memory"),
        ] {
            if let (Some(own), Some(deployed)) = (service.get(key), of(part, other))
                && own != deployed
            {
                let text = format!("`{key}` and `deploy.resources.{part}.{other}` differ");
                self.problem(
                    own.at,
                    format_args!("{path}.{key}"),
                    text,
                    "keep one of them",
                );
            }
        }
    }

    pub(super) fn watch(&mut self, path: Arguments<'_>, service: &Node) {
        let watch = service
            .get("develop")
            .and_then(|develop| develop.get("watch"));
        for (n, one) in watch
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            let path = format_args!("{path}.develop.watch[{n}]");
            let action = one.get_text("action").unwrap_or_default();
            if one.get_text("path") == Some("") {
                self.problem(one.at, path, "`path` is empty", "name what is watched");
            }
            if one.get("target").is_none() && action.starts_with("sync") {
                self.problem(
                    one.at,
                    path,
                    format!("`{action}` needs a `target`"),
                    "say where files go in the container",
                );
            }
            if one.get("exec").is_none() && action == "sync+exec" {
                self.problem(
                    one.at,
                    path,
                    "`sync+exec` needs an `exec`",
                    "say what is run in the container",
                );
            }
            if action == "rebuild" && service.get("build").is_none() {
                self.problem(
                    one.at,
                    path,
                    "`rebuild` of a service without `build`",
                    "give it a build",
                );
            }
        }
    }
}
