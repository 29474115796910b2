//! The log of events: who does a verb writes down that it was done; any process may read, and wait for more.
//!
//! ```text
//! ROOT/events/log     one event a line (berth-model, `event`), in the order of writing
//!             log.1   what came before, once `log` would have grown past 1 MiB
//! ```
//! A line is written whole under the file's lock; one that a kill has torn is cut off by the next writer, and readers
//! take whole lines only.

mod append;
mod filter;
mod read;
mod resources;
mod watch;

use berth_model::event::Subject;
use berth_model::{ContainerConfig, ContainerId, Event};
use berth_oci::Digest;
use jiff::Timestamp;

use crate::{Engine, Error, image};

pub use filter::{FILTERS, Filter};
pub use read::EventReader;
pub use watch::EventWatch;

/// A step in the life of a further process in a container.
#[derive(Debug, Clone, Copy)]
pub enum ExecStep<'a> {
    /// It is to be started some time: its program and arguments; with all capabilities.
    Create(&'a [String], bool),
    /// It is started.
    Start(&'a [String]),
    /// It ended with this code.
    Die(i32),
}

impl Engine {
    /// Writes down that something happened, now. That it cannot be written (a full disk) undoes nothing of it.
    pub fn record(&self, event: Event) {
        let _ = append::append(&self.layout.events(), event);
    }

    /// What happened since `since`, or, without it, what happens from now on.
    pub fn events(&self, since: Option<Timestamp>) -> EventReader {
        match since {
            Some(since) => EventReader::since(&self.layout.events(), since),
            None => EventReader::from_now(&self.layout.events()),
        }
    }

    /// Tells when there is more to read. Make it before the reader, and nothing is missed.
    ///
    /// # Errors
    /// [`Error::Io`]: no descriptors are left.
    pub fn watch_events(&self) -> Result<EventWatch, Error> {
        EventWatch::new(&self.layout.events())
    }

    /// An event of a container with what Docker tells in each: labels, image and name.
    pub fn container_event(&self, config: &ContainerConfig, action: impl Into<String>) -> Event {
        let name = self.current_name(config).unwrap_or_default();
        let mut event = Event::new(Subject::Container, action, config.id.as_str());
        event.actor.attributes = config.labels.clone();
        event
            .with_any("image", &config.image.reference)
            .with("name", name)
    }

    /// Writes an event of a container down that tells no more than which.
    pub fn record_of(&self, id: &ContainerId, action: &str) {
        if let Ok(config) = self.config(id) {
            self.record(self.container_event(&config, action));
        }
    }

    /// Writes a step of a further process in a container down.
    pub fn record_exec(&self, id: &ContainerId, exec_id: &str, step: ExecStep<'_>) {
        let Ok(config) = self.config(id) else { return };
        // As Docker has it: program, blank, arguments.
        let line = |command: &[String]| match command.split_first() {
            Some((program, arguments)) => format!("{program} {}", arguments.join(" ")),
            None => String::new(),
        };
        let (action, code) = match step {
            ExecStep::Create(command, _) => (format!("exec_create: {}", line(command)), None),
            ExecStep::Start(command) => (format!("exec_start: {}", line(command)), None),
            ExecStep::Die(code) => ("exec_die".to_owned(), Some(code)),
        };
        let mut event = self.container_event(&config, action);
        if let Some(code) = code {
            event = event.with("exitCode", code.to_string());
        }
        if let ExecStep::Create(_, true) = step {
            // Docker has no word for it; who watches what is granted needs one.
            event = event.with("privileged", "true");
        }
        self.record(event.with("execID", exec_id));
    }

    /// Writes an event of an image down. `actor` is its id; of one that went to or came from a registry its name.
    pub(crate) fn record_image(&self, action: &str, actor: &str, name: &str) {
        let mut event = Event::new(Subject::Image, action, actor);
        // One that is gone has none any more.
        if let Ok(found) = image::find(&self.store, actor) {
            event.actor.attributes = found.image.config.config.labels;
        }
        self.record(event.with("name", name));
    }

    /// As [`Engine::record_image`] for what docker tells of an image by its id alone.
    pub(crate) fn record_image_id(&self, action: &str, id: &Digest) {
        let id = id.to_string();
        self.record_image(action, &id, &id);
    }
}

#[cfg(test)]
mod tests;
