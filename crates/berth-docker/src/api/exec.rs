//! Further processes in containers.

mod console;
pub(crate) mod create;
pub(crate) mod inspect;
mod process;
pub(crate) mod resize;
mod session;
pub(crate) mod start;
