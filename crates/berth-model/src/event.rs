//! Something that happened, in Docker's form: one line of the log of events.
//!
//! ```text
//! {"Type":"container","Action":"die","Actor":{"ID":"…","Attributes":{"exitCode":"0","name":"web"}},
//!  "scope":"local","time":1795676814,"timeNano":1795676814894518019}
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// A container.
    Container,
    /// An image.
    Image,
    /// A volume.
    Volume,
    /// A network.
    Network,
    /// The daemon itself.
    Daemon,
    /// A plugin.
    Plugin,
    /// The builder.
    Builder,
}

impl Subject {
    /// Docker's word.
    pub fn word(self) -> &'static str {
        match self {
            Subject::Container => "container",
            Subject::Image => "image",
            Subject::Volume => "volume",
            Subject::Network => "network",
            Subject::Daemon => "daemon",
            Subject::Plugin => "plugin",
            Subject::Builder => "builder",
        }
    }
}

/// Whom it happened to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Actor {
    /// Its id; of an image in a registry its name.
    #[serde(rename = "ID")]
    pub id: String,
    /// What is told of it: name, image, labels, and what belongs to the action.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What it is about.
    #[serde(rename = "Type")]
    pub subject: Subject,
    /// What happened, in Docker's word; with more behind a colon for some (`exec_start: /bin/true `).
    #[serde(rename = "Action")]
    pub action: String,
    /// To whom.
    #[serde(rename = "Actor")]
    pub actor: Actor,
    /// `local`: of this machine.
    pub scope: String,
    /// Seconds since 1970.
    pub time: i64,
    /// Nanoseconds since 1970.
    #[serde(rename = "timeNano")]
    pub time_nano: i64,
}

impl Event {
    /// An event of this machine whose time is not set yet: it is, when it is written down.
    pub fn new(subject: Subject, action: impl Into<String>, id: impl Into<String>) -> Event {
        Event {
            subject,
            action: action.into(),
            actor: Actor {
                id: id.into(),
                attributes: BTreeMap::new(),
            },
            scope: "local".to_owned(),
            time: 0,
            time_nano: 0,
        }
    }

    /// With one more attribute.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Event {
        self.actor.attributes.insert(name.to_owned(), value.into());
        self
    }

    /// With this attribute, unless its value is empty.
    #[must_use]
    pub fn with_any(self, name: &str, value: &str) -> Event {
        if value.is_empty() {
            self
        } else {
            self.with(name, value)
        }
    }

    /// An attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.actor.attributes.get(name).map(String::as_str)
    }
}

/// An event as clients are told it: with the fields that it had before there were actors.
#[derive(Debug, Serialize)]
pub struct Told<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(flatten)]
    event: &'a Event,
}

impl Event {
    /// As clients are told it.
    pub fn told(&self) -> Told<'_> {
        let old = matches!(self.subject, Subject::Container | Subject::Image);
        let from = self.attribute("image");
        Told {
            status: old.then_some(&*self.action),
            id: old.then_some(&*self.actor.id),
            from: from.filter(|_| self.subject == Subject::Container),
            event: self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_dockers() {
        let mut event = Event::new(Subject::Container, "die", "ab")
            .with("name", "web")
            .with_any("image", "")
            .with("exitCode", "0");
        (event.time, event.time_nano) = (5, 5_000_000_001);
        let line = r#"{"Type":"container","Action":"die","Actor":{"ID":"ab","Attributes":{"exitCode":"0","name":"web"}},"scope":"local","time":5,"timeNano":5000000001}"#;
        assert_eq!(serde_json::to_string(&event).unwrap(), line);
        assert_eq!(serde_json::from_str::<Event>(line).unwrap(), event);
        assert_eq!(event.attribute("name"), Some("web"));
        let told = serde_json::to_string(&event.with("image", "b").told()).unwrap();
        assert!(
            told.starts_with(
                r#"{"status":"die","id":"ab","from":"b","Type":"container","Action":"die","#
            ),
            "{told}"
        );
    }
}
