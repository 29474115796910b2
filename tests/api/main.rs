//! The Docker Engine API as its clients see it: a daemon in a sandbox, raw HTTP, and each answer checked against
//! Docker's own definitions (`definitions/`, extracted from the API's published descriptions 1.41 and 1.55).

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "what is not as expected fails the test; a rig is read with them"
)]

mod definition;
mod rig;

mod clients;
mod containers;
mod exec;
mod faults;
mod health;
mod http;
mod images;
mod lifecycle;
mod networks;
mod random;
mod registries;
mod streams;
mod tls;
mod volumes;

pub use rig::Api;
