//! berth's own nouns: what a container is asked to be, what is observed of it, and the kinds of errors.
//! Plain data with serde; no I/O.

pub mod command;
pub mod config;
pub mod duration;
pub mod elapsed;
pub mod error;
pub mod event;
pub mod health;
pub mod id;
pub mod near;
pub mod path;
pub mod restart;
pub mod signal;
pub mod size;
pub mod status;
pub mod task;
pub mod truth;

pub use config::ContainerConfig;
pub use error::ErrorKind;
pub use event::Event;
pub use id::ContainerId;
pub use status::{Facts, Status};
