//! The whole server, from its sockets to its end.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use berth_engine::Engine;
use berth_model::ErrorKind;
use berth_serve::tls::{self, Tls};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::listen::{self, Name};
use crate::metrics::{self, Metrics};
use crate::{Docker, Environment, Listener, Server, SharedSettings};

/// Threads that wait for the engine, at most: each follower of a log or of events takes one.
const BLOCKING_THREADS: usize = 4096;
/// How long a handshake of TLS may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

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
            Error::Listen { address: Address::Given, .. } => Some(
                "with `fd://` a service manager opens the sockets: unix sockets that listen".to_owned(),
            ),
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
    /// Unix sockets that a service manager has opened, and keeps.
    Given,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
            Address::Tcp(address) => write!(f, "tcp://{address}"),
            Address::Given => f.write_str("fd://"),
        }
    }
}

/// How to serve.
pub struct Options {
    /// Where; all of them.
    pub addresses: Vec<Address>,
    /// Those that listen already.
    pub given: Vec<OwnedFd>,
    /// The program's.
    pub environment: Environment,
    /// What holds for clients that do not say.
    pub settings: SharedSettings,
    /// Where and what Prometheus is told.
    pub metrics: Option<(SocketAddr, Metrics)>,
    /// Of TCP; its clients need a certificate of `client_ca`.
    pub tls: Option<tls::Files>,
    /// Is told what is wrong with certificates that have changed.
    pub warn: Arc<dyn Fn(berth_serve::Error) + Send + Sync>,
}

/// Where the server is in its life.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// Clients may come, to these addresses.
    Listening(&'a [Address]),
    /// SIGHUP: settings are to be read again.
    Reload,
    /// SIGTERM or SIGINT: nobody is taken any more.
    Stopping,
}

/// Serves until SIGTERM or SIGINT. `tell` hears of each step.
///
/// # Errors
/// An address cannot be had; TCP without TLS; a certificate or key is not what it should be.
pub fn run(
    engine: Arc<Engine>,
    options: &Options,
    mut tell: impl FnMut(Step<'_>),
) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(Error::Start)?;
    runtime.block_on(async {
        let stop = berth_serve::stop_signal().map_err(Error::Start)?;
        let mut reload = signal(SignalKind::hangup()).map_err(Error::Start)?;
        let mut server = Server::new(Docker::new(
            engine,
            options.environment,
            options.settings.clone(),
        ));
        let mut addresses = Vec::new();
        let mut names = Vec::new();
        for address in &options.addresses {
            if *address == Address::Given {
                for listener in given(&options.given)? {
                    server = server.listen(listener);
                }
                addresses.push(Address::Given);
                continue;
            }
            let (listener, address, name) = listen(address, options).await?;
            server = server.listen(listener);
            addresses.push(address);
            names.extend(name);
        }
        if let Some((address, metrics)) = &options.metrics {
            let listener = TcpListener::bind(address).await;
            let listener = listener.map_err(|source| Error::Listen {
                address: Address::Tcp(*address),
                source,
            })?;
            tokio::spawn(metrics::serve(listener, metrics.clone()));
        }
        tell(Step::Listening(&addresses));
        server
            .run(async {
                let mut stop = pin!(stop);
                loop {
                    tokio::select! {
                        () = &mut stop => break tell(Step::Stopping),
                        _ = reload.recv() => tell(Step::Reload),
                    }
                }
            })
            .await;
        // Of the sockets that are still ours.
        drop(names);
        Ok::<_, Error>(())
    })?;
    // What still waits for a container's end has no client any more.
    runtime.shutdown_background();
    Ok(())
}

/// Servers on the sockets that listen already; none of them is a failure.
fn given(sockets: &[OwnedFd]) -> Result<Vec<Listener>, Error> {
    let failed = |source| Error::Listen {
        address: Address::Given,
        source,
    };
    if sockets.is_empty() {
        return Err(failed(io::ErrorKind::NotFound.into()));
    }
    let listeners = sockets.iter().map(listen::given);
    let listeners = listeners.collect::<io::Result<Vec<_>>>().map_err(failed)?;
    Ok(listeners.into_iter().map(Listener::Unix).collect())
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
        Address::Given => Err(failed(io::ErrorKind::InvalidInput.into())),
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
