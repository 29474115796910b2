//! The verbs on images, one a file.

mod archive;
mod bootstrap;
mod change;
mod commit;
mod error;
mod find;
mod import;
pub mod index;
mod inspect;
mod layer;
mod list;
mod load;
mod parts;
pub mod pull;
pub mod push;
mod remove;
mod save;
mod tag;

pub use bootstrap::BootstrapOptions;
pub use commit::{CommitOptions, Committed};
pub use error::Error;
pub(crate) use error::store as store_error;
pub use find::{Found, all, find, pinned};
pub use import::ImportOptions;
pub use inspect::Details;
pub use list::{Listed, Row};
pub use load::{LoadFrom, Loaded};
pub use parts::{Part, PartKind};
pub use remove::Removed;
pub use save::SaveFormat;
pub use tag::new_name;

/// An entry of the store's index.
pub use berth_store::Entry;

/// How registries are reached, which the face reads from its environment.
pub use berth_registry::Config as RegistryConfig;
/// Ends a pull or push early: a part of [`RegistryConfig`].
pub use berth_registry::Stop;
