//! The engine: what the faces (command, API) call to make images and containers live. It never prints and
//! never reads the environment.
//!
//! Where to begin: `engine` opens the state, `create` commits a container, `start` runs it, `remove` ends it;
//! `observe` says what is, `fsck` puts right what a crash left.

pub mod archive;
pub mod artifact;
pub mod attach;
mod children;
pub mod clock;
mod collect;
pub mod create;
mod devices;
mod ending;
pub mod engine;
mod env;
pub mod error;
pub mod events;
pub mod exec;
pub mod exit;
pub mod explain;
pub mod export;
mod frozen;
pub mod fsck;
pub mod health;
mod host;
pub mod image;
pub mod info;
mod inside;
mod join;
mod json;
pub mod layout;
pub mod login;
pub mod logs;
mod moniker;
mod names;
pub mod network;
pub mod observe;
mod profile;
pub mod prune;
pub mod ready;
pub mod registry;
mod remove;
pub mod request;
mod restart;
pub mod roster;
mod shm;
pub mod spec;
pub mod start;
pub mod stats;
mod stop;
pub mod top;
pub mod trust;
pub mod unpack;
pub mod update;
pub mod usage;
pub mod user;
pub mod volumes;
pub mod wait;

pub use engine::{Engine, Options};
pub use error::Error;
pub use observe::Container;

pub use berth_model::Status;
