//! Which events are wanted: Docker's filters. Values of one key are alternatives, different keys all have to hold.

use std::collections::BTreeMap;

use berth_model::Event;
use berth_model::event::Subject;

/// The keys that there are.
pub const FILTERS: &[&str] = &[
    "container",
    "daemon",
    "event",
    "image",
    "label",
    "network",
    "plugin",
    "scope",
    "type",
    "volume",
    "builder",
    "node",
    "service",
    "secret",
    "config",
];

/// Actions that have more behind a colon: the bare word means all of them.
const WITH_DETAIL: [&str; 3] = ["health_status", "exec_create", "exec_start"];

/// Filters as given: values by key.
#[derive(Debug, Clone, Default)]
pub struct Filter(pub BTreeMap<String, Vec<String>>);

impl Filter {
    /// Whether the event is wanted.
    ///
    /// Source: moby, `daemon/events/filter.go`.
    pub fn passes(&self, event: &Event) -> bool {
        self.action(event)
            && self.exactly("type", event.subject.word())
            && self.exactly("scope", &event.scope)
            && self.named("container", event, Subject::Container)
            && self.named("volume", event, Subject::Volume)
            && self.named("network", event, Subject::Network)
            && self.named("daemon", event, Subject::Daemon)
            && self.named("plugin", event, Subject::Plugin)
            && ["builder", "node", "service", "secret", "config"]
                .iter()
                .all(|key| !self.0.contains_key(*key) || *key == event.subject.word())
            && self.image(event)
            && self.labels(event)
    }

    fn any(&self, key: &str, test: impl Fn(&str) -> bool) -> bool {
        self.0
            .get(key)
            .is_none_or(|values| values.iter().any(|value| test(value)))
    }

    fn exactly(&self, key: &str, text: &str) -> bool {
        self.any(key, |value| value == text)
    }

    fn action(&self, event: &Event) -> bool {
        self.any("event", |value| {
            value == event.action
                || (WITH_DETAIL.contains(&value) && event.action.starts_with(value))
        })
    }

    /// By the beginning of the id or of the name, and of this sort only.
    fn named(&self, key: &str, event: &Event, subject: Subject) -> bool {
        let name = event.attribute("name").unwrap_or_default();
        // Docker compares events of networks, say, with a container's filter too; there they never pass.
        self.any(key, |value| {
            event.subject == subject
                && (event.actor.id.starts_with(value) || name.starts_with(value))
        })
    }

    /// An image by id or name, its tag or not; containers count by their image.
    fn image(&self, event: &Event) -> bool {
        let name = match event.subject {
            Subject::Image => event.attribute("name"),
            _ => event.attribute("image"),
        };
        let name = name.unwrap_or_default();
        self.any("image", |value| {
            [&*event.actor.id, name]
                .iter()
                .any(|text| *text == value || without_tag(text) == value)
        })
    }

    fn labels(&self, event: &Event) -> bool {
        let Some(wanted) = self.0.get("label") else {
            return true;
        };
        wanted.iter().all(|wanted| match wanted.split_once('=') {
            Some((key, value)) => event.attribute(key) == Some(value),
            None => event.attribute(wanted).is_some(),
        })
    }
}

fn without_tag(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(filters: &[(&str, &str)], event: &Event) -> bool {
        let mut filter = Filter::default();
        for (key, value) in filters {
            let values = filter.0.entry((*key).to_owned()).or_default();
            values.push((*value).to_owned());
        }
        filter.passes(event)
    }

    #[test]
    fn as_docker_narrows() {
        let die = Event::new(Subject::Container, "die", "abcdef")
            .with("name", "web")
            .with("image", "busybox:1")
            .with("tier", "front");
        let pull = Event::new(Subject::Image, "pull", "busybox:1").with("name", "busybox");
        let exec = Event::new(Subject::Container, "exec_start: /bin/true ", "abcdef");
        for (filters, event, wanted) in [
            (&[][..], &die, true),
            (&[("event", "die")], &die, true),
            (&[("event", "start"), ("event", "die")], &die, true),
            (&[("event", "start")], &die, false),
            (&[("event", "di")], &die, false),
            (&[("event", "exec_start")], &exec, true),
            (&[("event", "exec_create")], &exec, false),
            (&[("type", "image")], &die, false),
            (&[("type", "image")], &pull, true),
            (&[("container", "web")], &die, true),
            (&[("container", "abc")], &die, true),
            (&[("container", "db")], &die, false),
            (&[("container", "web")], &pull, false),
            (&[("image", "busybox")], &die, true),
            (&[("image", "busybox:1")], &die, true),
            (&[("image", "busybox:2")], &die, false),
            (&[("image", "busybox")], &pull, true),
            (&[("label", "tier=front")], &die, true),
            (&[("label", "tier"), ("label", "other")], &die, false),
            (&[("scope", "local")], &die, true),
            (&[("scope", "swarm")], &die, false),
            (&[("volume", "v")], &die, false),
            (&[("node", "n")], &die, false),
        ] {
            assert_eq!(passes(filters, event), wanted, "{filters:?} {event:?}");
        }
    }
}
