//! What a resident adds to the engine: the health of containers is looked after, what a policy or a reboot wants
//! started is started, and what nobody else finishes is finished. Containers do not need it to run.
//!
//! ```text
//! instance     one daemon on a directory: a lock, free when its holder is gone, however it went
//! supervisor   a thread that follows the log of events; asleep where nothing happens and nothing is due
//!   probes     health checks: when, which run now, what comes of them
//!   ends       which monitors are gone
//! history      a thread that writes down what containers use, if it is told to
//! deeds        a thread of slow deeds: starts after a reboot, restarts of the unhealthy, what nobody else finishes
//! settings     daemon.toml
//! audit        what of the host a container is granted
//! notify       the service manager's protocols: readiness, sockets that it has opened
//! ```
//! It keeps nothing that it cannot read again: killed at any time, the next one goes on where it was.

mod audit;
mod backoff;
mod counters;
mod deeds;
mod ends;
mod error;
mod history;
mod instance;
mod names;
mod networks;
mod notify;
mod probes;
mod settings;
mod supervisor;

pub use audit::Audit;
pub use counters::Counters;
pub use error::Error;
pub use instance::Instance;
pub use notify::{inherited_sockets, notify};
pub use settings::{Format, Host, Level, Live, PublishDefault, Settings, TlsFiles};
pub use supervisor::Supervisor;

use std::sync::Arc;
use std::thread::JoinHandle;

/// What happens without anybody having asked for it.
#[derive(Debug)]
pub enum Told<'a> {
    /// Something is done.
    Info(&'a str),
    /// Something could not be done.
    Failed(&'a str, &'a berth_engine::Error),
    /// A container is more than the usual.
    Audit(&'a Audit),
}

/// Who is told.
pub type Note = Arc<dyn Fn(Told<'_>) + Send + Sync>;

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(Error::Start)
}
