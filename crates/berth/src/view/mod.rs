//! The engine's data in Docker's shapes: pure functions.

pub mod container;
pub mod event;
pub mod image;
pub mod inspect;
pub mod network;
pub mod stats;
pub mod usage;
pub mod volume;
