//! The whole server, from its sockets to its end.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use berth_engine::Engine;
use berth_model::ErrorKind;
use berth_serve::tls::{self, Tls};
use tokio::net::TcpListener;

use crate::listen::{self, Name};
use crate::{Docker, Environment, Listener, Server};

/// Threads that wait for the engine, at most: each follower of a log or of events takes one.
const BLOCKING_THREADS: usize = 4096;
/// How long a handshake of TLS may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often is looked for containers whose monitor or reaper was killed.
const LOOK_EVERY: Duration = Duration::from_secs(5);

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
    /// Is told what could not be done for no client in particular.
    pub failed: Failed,
}

type Failed = Arc<dyn Fn(&str, &berth_engine::Error) + Send + Sync>;

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
        let mut server = Server::new(Docker::new(engine.clone(), options.environment));
        let mut addresses = Vec::new();
        let mut names = Vec::new();
        for address in &options.addresses {
            let (listener, address, name) = listen(address, options).await?;
            server = server.listen(listener);
            addresses.push(address);
            names.extend(name);
        }
        tokio::spawn(reside(engine, options.failed.clone()));
        listening(&addresses);
        server.run(stop).await;
        // Of the sockets that are still ours.
        drop(names);
        Ok::<_, Error>(())
    })?;
    // What still waits for a container's end has no client any more.
    runtime.shutdown_background();
    Ok(())
}

/// What a resident does beside serving: takes up what others left, starts what is to run with a daemon, and takes notice
/// of ends that nobody else sees.
async fn reside(engine: Arc<Engine>, failed: Failed) {
    let (start, tell) = (engine.clone(), failed.clone());
    let begun = tokio::task::spawn_blocking(move || {
        for (what, error) in start.begin_daemon() {
            tell(&what, &error);
        }
    });
    // One that panicked has told so itself.
    _ = begun.await;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        let (engine, failed) = (engine.clone(), failed.clone());
        let look = move || {
            if let Err(error) = engine.reconcile_ends() {
                failed("cannot see to containers that have ended", &error);
            }
        };
        _ = tokio::task::spawn_blocking(look).await;
    }
}

async fn listen(
    address: &Address,
    options: &Options,
) -> Result<(Listener, Address, Option<Name>), Error> {
    let failed = |source| Error::Listen {
        address: address.clone(),
        source,
    };
    match address {
        Address::Unix(path) => {
            let (listener, name) = listen::unix(path).map_err(failed)?;
            Ok((Listener::Unix(listener), address.clone(), Some(name)))
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
            let listener = Listener::Tls(listener, Arc::new(tls));
            Ok((listener, Address::Tcp(bound), None))
        }
    }
}
