//! One handler an endpoint: reads what the client asks, calls the engine, answers in Docker's documents.

pub(crate) mod build;
pub(crate) mod command;
pub(crate) mod commit;
pub(crate) mod containers;
pub(crate) mod distribution;
pub(crate) mod exec;
pub(crate) mod images;
pub(crate) mod networks;
pub(crate) mod system;
pub(crate) mod volumes;
