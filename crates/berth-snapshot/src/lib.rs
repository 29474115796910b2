//! Snapshots: unpacked layers, kept by chain-id, and what a container mounts of them, as data.
//!
//! `store` keeps them, `share` stores equal files of them once, `snapshotter` knows the two ways to make a root file
//! system of them, `compare` finds damage.

pub mod compare;
pub mod error;
mod share;
pub mod snapshotter;
pub mod store;

pub use compare::first_difference;
pub use error::Error;
pub use snapshotter::Snapshotter;
pub use store::{Active, Content, Driver, Snapshot, Snapshots};
