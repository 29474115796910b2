//! One handler an endpoint: reads what the client asks, calls the engine, answers in Docker's documents.

pub(crate) mod command;
pub(crate) mod containers;
pub(crate) mod exec;
pub(crate) mod images;
pub(crate) mod system;
