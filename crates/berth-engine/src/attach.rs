//! Speaking with a container's monitor: output, input, size and end, over `shim.sock`.
//!
//! [`AttachStream`] is the connection; [`session::Session`] joins one to a terminal or to pipes.
//! The packets are described in `berth_monitor::packet`.

pub mod detach;
pub mod error;
pub mod output;
pub mod session;
pub mod signals;
pub mod stream;
pub mod terminal;

use berth_model::ContainerId;

use crate::Engine;

pub use berth_monitor::packet::Wants;
pub use detach::DetachKeys;
pub use error::Error;
pub use session::{Outcome, Session};
pub use signals::{Signal, Signals};
pub use stream::{AttachStream, Event};
pub use terminal::RawTerminal;

impl Engine {
    /// Connects to a running container's monitor.
    ///
    /// # Errors
    /// As [`AttachStream::connect`].
    pub fn attach(&self, id: &ContainerId, wants: Wants) -> Result<AttachStream, Error> {
        let stream = AttachStream::connect(&self.layout.task(id), wants)?;
        self.record_of(id, "attach");
        Ok(stream)
    }
}
