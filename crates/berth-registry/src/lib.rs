//! The client's side of the distribution protocol: manifests and blobs from registries and mirrors, and to
//! registries.
//!
//! ```text
//! Client ── endpoint   which servers have the repository (registries.toml: mirrors, insecure, blocked)
//!    │  ── token       a 401's challenge → Authorization, bound to an origin
//!    │  ── transport   one request: redirects, limits; connect: TLS, proxies
//!    ├── BlobStream    a blob's bytes, resumed by Range when the connection breaks; over several where one is slow
//!    ├── upload        a blob to the registry, resumed where the registry has it
//!    └── manifest write referrers pages    documents, both ways
//! ```
//! What a registry says is believed in nothing that counts: a manifest is checked against its digest, a blob's
//! length against its descriptor, and a secret goes to the origin that it is for and nowhere else. `urls` of
//! descriptors are never followed (security: T20). Nothing here reads the environment, and of the disk only its
//! settings and logins: `config` says which.

mod blob;
mod certificates;
mod client;
mod config;
mod connect;
mod content;
mod credentials;
mod endpoint;
mod error;
mod history;
mod limits;
mod login;
mod manifest;
mod origin;
mod pages;
mod proxies;
mod reach;
mod redirect;
mod referrers;
mod registries;
mod runtime;
mod search;
mod stop;
mod token;
mod transport;
mod upload;
mod write;

pub use blob::BlobStream;
pub use bytes::Bytes;
pub use client::{Client, PassedOver};
pub use config::Config;
pub use content::{Progress, Source};
pub use credentials::{Credentials, Login, Secret, Server, Stored};
pub use error::Error;
pub use history::Change;
pub use limits::{Patience, Ranges};
pub use manifest::{Fetched, FetchedImage};
pub use proxies::Proxies;
pub use registries::{Registries, Registry};
pub use runtime::runtime;
pub use search::Hit;
pub use stop::Stop;
pub use upload::{PushOptions, PushedBlob};
