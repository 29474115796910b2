//! The resolver of containers in user networks, at 127.0.0.11: names, aliases and addresses of the containers there; all
//! else is asked elsewhere.
//!
//! ```text
//! container ── 127.0.0.11:53 ─ redirect ─► its sockets ─┐
//!                                                       keeper ── table: files of RUN_DIR, watched
//! engine ── client ── RUN_DIR/dns/sock ─────────────────┘   └──── name servers of the user, or of the host
//! ```
//! One process serves all containers of a RUN_DIR. It holds two sockets in each one's network namespace, knows nothing that
//! is not in files, and can be killed at any time: whoever starts it again finds all as it was. One thread, which waits for
//! many descriptors at once: a container, a name server or a client that is slow or hostile keeps nobody else waiting, and
//! has its [`limits`].

pub mod client;
mod error;
pub mod keeper;
pub mod limits;
pub mod message;
mod negative;
mod random;
pub mod record;
mod table;
mod upstream;

pub use client::Resolver;
pub use error::{Error, Result};
pub use table::Table;
pub use upstream::Servers;
