//! The whole server, from its sockets to its end.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use berth_engine::Engine;
use berth_model::ErrorKind;
use berth_serve::tls::{self, Tls};
use tokio::net::{TcpListener, UnixListener};

use crate::{Docker, Environment, Listener, Server};

/// Threads that wait for the engine, at most: each follower of a log or of events takes one.
const BLOCKING_THREADS: usize = 4096;
/// How long a handshake of TLS may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The group whose members may use the engine, if it exists. They are root by it.
const GROUP: &str = "berth";

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Threads, signals.
    #[error("cannot start the daemon")]
    Start(#[source] io::Error),
    /// A socket.
    #[error("cannot listen at {address}")]
    Listen {
        /// Where.
        address: Address,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// TCP without TLS.
    #[error("cannot listen at {address} without TLS")]
    Plain {
        /// Where.
        address: Address,
    },
    /// A certificate or key.
    #[error(transparent)]
    File(#[from] berth_serve::Error),
}

impl Error {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Start(_) => ErrorKind::Internal,
            Error::Listen { .. } => ErrorKind::Unavailable,
            Error::Plain { .. } => ErrorKind::Denied,
            Error::File(source) => source.kind(),
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Start(_) => None,
            Error::Listen { address: Address::Unix(_), .. } => {
                Some("its directory has to be there, and yours".to_owned())
            }
            Error::Listen { .. } => Some("the address has to be one of this host, and free".to_owned()),
            Error::Plain { .. } => Some(
                "whoever reaches the port would be root here: give --tlscert, --tlskey and --tlscacert, whose authority \
                 signs the clients' certificates"
                    .to_owned(),
            ),
            Error::File(source) => source.hint(),
        }
    }
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A path.
    Unix(PathBuf),
    /// An address of this host.
    Tcp(SocketAddr),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
            Address::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

/// How to serve.
pub struct Options {
    /// Where; all of them.
    pub addresses: Vec<Address>,
    /// The program's.
    pub environment: Environment,
    /// Of TCP; its clients need a certificate of `client_ca`.
    pub tls: Option<tls::Files>,
    /// Is told what is wrong with certificates that have changed.
    pub warn: Arc<dyn Fn(berth_serve::Error) + Send + Sync>,
}

/// Serves until SIGTERM or SIGINT. `listening` is told the addresses once clients may come.
///
/// # Errors
/// An address cannot be had; TCP without TLS; a certificate or key is not what it should be.
pub fn run(
    engine: Arc<Engine>,
    options: &Options,
    listening: impl FnOnce(&[Address]),
) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(Error::Start)?;
    runtime.block_on(async {
        let stop = berth_serve::stop_signal().map_err(Error::Start)?;
        let mut server = Server::new(Docker::new(engine, options.environment));
        let mut addresses = Vec::new();
        for address in &options.addresses {
            let (listener, address) = listen(address, options).await?;
            server = server.listen(listener);
            addresses.push(address);
        }
        listening(&addresses);
        server.run(stop).await;
        for address in &addresses {
            if let Address::Unix(path) = address {
                // Nobody listens there any more; the next one replaces it all the same.
                _ = std::fs::remove_file(path);
            }
        }
        Ok::<_, Error>(())
    })?;
    // What still waits for a container's end has no client any more.
    runtime.shutdown_background();
    Ok(())
}

async fn listen(address: &Address, options: &Options) -> Result<(Listener, Address), Error> {
    let failed = |source| Error::Listen {
        address: address.clone(),
        source,
    };
    match address {
        Address::Unix(path) => {
            let listener = listen_unix(path).map_err(failed)?;
            Ok((Listener::Unix(listener), address.clone()))
        }
        Address::Tcp(tcp) => {
            let files = options
                .tls
                .clone()
                .filter(|files| files.client_ca.is_some());
            let files = files.ok_or_else(|| Error::Plain {
                address: address.clone(),
            })?;
            let warn = options.warn.clone();
            let tls = Tls::load(files, HANDSHAKE, move |error| warn(error))?;
            let listener = TcpListener::bind(tcp).await.map_err(failed)?;
            let bound = listener.local_addr().map_err(failed)?;
            Ok((Listener::Tls(listener, Arc::new(tls)), Address::Tcp(bound)))
        }
    }
}

/// A socket that never had other rights than it is to have: it is made where nobody else gets, then moved
/// (security: D15). What lies at `path` is replaced.
fn listen_unix(path: &Path) -> io::Result<UnixListener> {
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
        let group = rustix::fs::Gid::from_raw(group);
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::chownat(rustix::fs::CWD, made, None, Some(group), flags)?;
    }
    // Nobody else gets into the directory: what has this name is the socket.
    let mode = rustix::fs::Mode::from_raw_mode(0o660);
    rustix::fs::chmodat(rustix::fs::CWD, made, mode, rustix::fs::AtFlags::empty())?;
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
