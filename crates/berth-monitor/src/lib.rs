//! The words and decisions of the monitor: the process that stays with a container for its idle life.
//!
//! Pure: no I/O, no allocation, no unsafe; the program around it is `main.rs` (no libc). The engine
//! uses [`packet`] to speak with the monitor, the shim uses [`args`] to start it.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod args;
pub mod clock;
pub mod json;
pub mod lines;
pub mod oom;
pub mod packet;
pub mod queue;
pub mod record;
pub mod rotation;
pub mod template;
