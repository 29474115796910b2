//! The Docker Engine API over the engine: what Docker's clients (its command, compose, SDKs, testcontainers) speak.
//!
//! A face: it translates, and no more. One request goes one way:
//!
//! ```text
//! connection ─ ask ─ route ─► api/GROUP/VERB ─► engine          serve/: HTTP and streams, nothing of Docker
//!                                  │                            api/: one handler an endpoint
//!                                  └─ form/: documents ↔ model  form/: Docker's spelling; pure
//! ```
//! Source: Docker Engine API 1.40 to 1.53.

mod answer;
mod api;
mod ask;
mod auth;
mod changes;
mod error;
mod execs;
mod filter;
pub mod form;
mod listen;
mod messages;
mod metrics;
mod pending;
mod query;
mod route;
mod run;
pub mod search;
pub mod select;
mod serve;
mod version;

pub use filter::{Filters, glob};
pub use form::info::info;
pub use form::inspect::{Extra, inspect};
pub use form::network::network;
pub use form::summary::command_line;
pub use metrics::Metrics;
pub use run::{Address, Error, Options, Step, run};
pub use serve::{Listener, Server};
pub use version::{MAX, MIN, Version};

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use berth_engine::Engine;
use berth_engine::roster::Roster;
use berth_model::config::LogConfig;

use changes::Watched;
use execs::Execs;
use pending::Waiting;

/// A variable of the environment, which the program reads for us: it says where registries' settings and policies are.
/// Both are read anew by each request.
pub type Environment = fn(&str) -> Option<String>;

/// What a daemon is told about the containers that clients make, and itself. It may change while it runs.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where output goes when the client does not say; `None`: the engine's default.
    pub log: Option<LogConfig>,
    /// Where ports are published when the client names no address of the host; `None`: everywhere.
    pub publish_at: Option<IpAddr>,
    /// What `info` tells.
    pub labels: Vec<String>,
}

/// The settings that hold now.
#[derive(Debug, Clone, Default)]
pub struct SharedSettings(Arc<Mutex<Arc<Settings>>>);

impl SharedSettings {
    /// From now on.
    pub fn set(&self, settings: Settings) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// Those of now.
    pub fn get(&self) -> Arc<Settings> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// What all requests share.
pub struct Docker {
    pub(crate) engine: Arc<Engine>,
    pub(crate) waiting: Waiting,
    pub(crate) execs: Execs,
    pub(crate) environment: Environment,
    pub(crate) roster: Roster<api::containers::list::Told>,
    pub(crate) changes: Watched,
    pub(crate) settings: SharedSettings,
}

impl Docker {
    /// Over this engine, the same that the command uses.
    pub fn new(engine: Arc<Engine>, environment: Environment, settings: SharedSettings) -> Docker {
        Docker {
            engine,
            waiting: Waiting::default(),
            execs: Execs::default(),
            environment,
            roster: Roster::default(),
            changes: Watched::default(),
            settings,
        }
    }
}
