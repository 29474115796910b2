//! The whole server, from its sockets to its end.

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_engine::Engine;
use berth_model::ErrorKind;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::{Docker, Listener, Server};

/// Threads that wait for the engine, at most: each follower of a log or of events takes one.
const BLOCKING_THREADS: usize = 4096;
/// The group whose members may use the engine, if it exists. They are root by it.
const GROUP: &str = "berth";

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Threads, signals.
    #[error("cannot start the daemon")]
    Start(#[source] io::Error),
    /// A socket.
    #[error("cannot listen at `{}`", path.display())]
    Listen {
        /// Its path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Start(_) => ErrorKind::Internal,
            Error::Listen { .. } => ErrorKind::Unavailable,
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Start(_) => None,
            Error::Listen { .. } => Some("its directory has to be there, and yours".to_owned()),
        }
    }
}

/// Serves at these unix sockets until SIGTERM or SIGINT. `listening` is called once clients may come.
///
/// # Errors
/// A socket cannot be had.
pub fn run(
    engine: Arc<Engine>,
    sockets: &[PathBuf],
    listening: impl FnOnce(),
) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(Error::Start)?;
    runtime.block_on(async {
        let stop = stop_signal().map_err(Error::Start)?;
        let mut server = Server::new(Docker::new(engine));
        for path in sockets {
            let listener = listen(path).map_err(|source| Error::Listen {
                path: path.clone(),
                source,
            })?;
            server = server.listen(Listener::Unix(listener));
        }
        listening();
        server.run(stop).await;
        for path in sockets {
            // Nobody listens there any more; the next one replaces it all the same.
            _ = std::fs::remove_file(path);
        }
        Ok(())
    })?;
    // What still waits for a container's end has no client any more.
    runtime.shutdown_background();
    Ok(())
}

/// A socket that never had other rights than it is to have: it is made where nobody else gets, then moved
/// (security: D15). What lies at `path` is replaced.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let private = directory.join(format!(".listen-{}", std::process::id()));
    std::fs::DirBuilder::new().mode(0o700).create(&private)?;
    let made = private.join("s");
    let listener = place(&made, path);
    std::fs::remove_dir(&private)?;
    listener
}

fn place(made: &Path, path: &Path) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(made)?;
    if let Some(group) = group() {
        std::os::unix::fs::chown(made, None, Some(group))?;
    }
    std::fs::set_permissions(made, std::fs::Permissions::from_mode(0o660))?;
    std::fs::rename(made, path)?;
    Ok(listener)
}

/// The group's number.
fn group() -> Option<u32> {
    let text = std::fs::read_to_string("/etc/group").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(GROUP)?.strip_prefix(':'))?;
    line.split(':').nth(1)?.parse().ok()
}

fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let (mut term, mut int) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}
