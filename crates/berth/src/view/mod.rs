//! The engine's data in Docker's shapes: pure functions.

pub mod container;
pub mod image;
pub mod inspect;
