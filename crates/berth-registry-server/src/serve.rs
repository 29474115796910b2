//! The server's side of HTTP: connections, requests and answers.
//!
//! HTTP/1.1 only. HTTP/2 would save clients of a registry little, since they move large contents over few connections,
//! and its ways to flood a server (security: G10) do not exist here.

mod answer;
mod blob;
mod body;
mod connection;
mod handle;
mod intake;
mod list;
mod log;
mod manifest;
mod metrics;
mod record;
mod sendfile;
mod status;
mod tag;
mod upload;
mod wire;

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::access::Access;
use crate::cache::Cache;
use crate::settings::Settings;
use crate::setup::Error;
use crate::storage::Storage;
use crate::sync::lock;
use berth_serve::tls::Tls;
use log::Log;
use metrics::Metrics;
pub use wire::Stream;

/// How long no connection is taken when the system has no room for one.
const NO_ROOM: Duration = Duration::from_millis(100);

/// Makes a connection into one with TLS.
pub trait Handshake: Send + Sync + 'static {
    /// Shakes hands; who takes too long is left.
    fn shake(self: Arc<Self>, stream: TcpStream) -> Shaken;
}

/// A handshake under way.
pub type Shaken = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

impl Handshake for Tls {
    fn shake(self: Arc<Self>, stream: TcpStream) -> Shaken {
        Box::pin(async move {
            let stream: Box<dyn Stream> = Box::new(self.accept(stream).await?);
            Ok(stream)
        })
    }
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<dyn Handshake>>,
    registry: Arc<Registry>,
}

/// What all connections share.
pub(crate) struct Registry {
    pub(crate) storage: Storage,
    pub(crate) access: Access,
    pub(crate) settings: Settings,
    pub(crate) cache: Option<Cache>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log: Log,
    /// The connections of each address.
    addresses: Mutex<HashMap<IpAddr, usize>>,
    /// The next request's; they begin anywhere, so that those of two runs differ.
    ids: AtomicU64,
}

impl Server {
    /// Listens, so that whoever comes waits for [`Server::run`]. Port 0 takes a free one. The process may have as many
    /// files open from then on as the system lets it: each connection is one.
    ///
    /// # Errors
    /// The address cannot be had, or the log cannot be written.
    pub async fn bind(
        address: SocketAddr,
        storage: Storage,
        access: Access,
        settings: Settings,
    ) -> Result<Server, Error> {
        raise_files_limit();
        let failed = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let metrics = Arc::new(Metrics::default());
        let log = Log::start(&settings.access_log, metrics.clone())?;
        let registry = Arc::new(Registry {
            storage,
            access,
            settings,
            cache: None,
            metrics,
            log,
            addresses: Mutex::default(),
            ids: AtomicU64::new(getrandom::u64().map_err(|_| Error::Random)?),
        });
        Ok(Server {
            listener,
            address,
            tls: None,
            registry,
        })
    }

    /// As a cache of other registries.
    pub fn with_cache(mut self, cache: Cache) -> Server {
        let registry = Arc::get_mut(&mut self.registry);
        registry.expect("nobody is served yet").cache = Some(cache);
        self
    }

    /// With TLS on each connection.
    pub fn with_tls(self, handshake: impl Handshake) -> Server {
        Server {
            tls: Some(Arc::new(handshake)),
            ..self
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is ready; then takes no connection any more, and ends when the running requests have, or
    /// when they take too long.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let room = Arc::new(Semaphore::new(self.registry.settings.limits.connections));
        let mut connections = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                Some(_) = connections.join_next() => continue,
                accepted = accept(&self.listener, &room) => accepted,
            };
            let Some((stream, peer, place)) = accepted else {
                continue;
            };
            let Some(guest) = Guest::enter(&self.registry, peer.ip(), place) else {
                continue;
            };
            let connection = connection::Connection {
                registry: self.registry.clone(),
                remote: peer.ip(),
                stopped: stopped.clone(),
            };
            let tls = self.tls.clone();
            connections.spawn(async move {
                connection.serve(stream, tls).await;
                drop(guest);
            });
        }
        drop(self.listener);
        _ = stopping.send(true);
        let all = async { while connections.join_next().await.is_some() {} };
        _ = timeout(self.registry.settings.limits.stop_timeout, all).await;
    }
}

/// Programs are started with a low limit for the sake of `select`, which nobody here uses.
fn raise_files_limit() {
    let limit = getrlimit(Resource::Nofile);
    // With less it goes on as well.
    _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    );
}

/// The next connection, once there is a place for it. `None`: it was gone, or the system has no room.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = room.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) if is_clients(&error) => None,
        Err(_) => {
            sleep(NO_ROOM).await;
            None
        }
    }
}

fn is_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// A connection that is counted.
struct Guest {
    registry: Arc<Registry>,
    /// An address, or the network that one customer has.
    from: IpAddr,
    _place: OwnedSemaphorePermit,
}

impl Guest {
    /// `None`: there are too many from there.
    fn enter(registry: &Arc<Registry>, from: IpAddr, place: OwnedSemaphorePermit) -> Option<Guest> {
        let from = match from.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
            v4 => v4,
        };
        let metrics = &registry.metrics;
        let mut addresses = registry.addresses();
        let count = addresses.entry(from).or_default();
        if *count >= registry.settings.limits.connections_per_address {
            metrics.connections_refused.add(1);
            return None;
        }
        *count += 1;
        metrics.connections.add(1);
        Some(Guest {
            registry: registry.clone(),
            from,
            _place: place,
        })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.registry.metrics.connections.take(1);
        let mut addresses = self.registry.addresses();
        if let Some(count) = addresses.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.from);
            }
        }
    }
}

impl Registry {
    fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    fn addresses(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, usize>> {
        lock(&self.addresses)
    }
}
