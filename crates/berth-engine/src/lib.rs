//! berth-engine.

pub mod request;
