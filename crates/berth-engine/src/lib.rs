//! berth-engine.

pub mod attach;
pub mod exit;
pub mod logs;
pub mod request;
pub mod unpack;
