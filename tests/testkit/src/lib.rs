//! For integration tests: a place of one's own for a berth ([`Sandbox`]), what may not be left behind
//! ([`Ledger`]), a client of the monitor ([`attach`]), a terminal session ([`Session`]), registries that are honest ([`Registry`], our own: [`Served`]), die
//! ([`DyingProxy`]) or lie ([`EvilRegistry`]), an ordinary user ([`TestUser`]), and a root file system.
//!
//! Tests run as root, and say so instead of passing silently when they do not.

pub mod attach;
pub mod busybox;
pub mod corpus;
pub mod daemon;
pub mod docker;
pub mod dying_proxy;
pub mod evil_registry;
pub mod faults;
pub mod finished;
pub mod harness;
pub mod hierarchies;
pub mod http;
pub mod ledger;
pub mod network;
pub mod programs;
pub mod pty;
pub mod registry;
pub mod sandbox;
pub mod served;
pub mod user;
pub mod wait;

pub use docker::Dockerd;
pub use dying_proxy::DyingProxy;
pub use evil_registry::EvilRegistry;
pub use finished::Finished;
pub use ledger::Ledger;
pub use pty::Session;
pub use registry::Registry;
pub use sandbox::Sandbox;
pub use served::Served;
pub use user::TestUser;
pub use wait::eventually;
