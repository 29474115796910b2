//! A registry: the server's side of the distribution protocol, with a history for each tag.
//!
//! Nothing here reads the environment; nothing but `storage` touches the disk below the root.

pub mod access;
pub mod auth;
mod blocking;
pub mod cache;
pub mod config;
pub mod error;
pub mod name;
pub mod page;
pub mod range;
pub mod route;
pub mod run;
pub mod serve;
pub mod settings;
pub mod setup;
pub mod storage;
mod sync;

pub use access::{Access, Decide, Needed, Refusal, Rights, Scope, User};
pub use config::Config;
pub use error::{Code, Failure};
pub use name::{RepositoryName, Selector, Tag};
pub use serve::Server;
pub use settings::Settings;
pub use storage::Storage;
