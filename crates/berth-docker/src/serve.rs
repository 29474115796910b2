//! Connections: a listening socket, and HTTP/1.1 on each connection that comes.
//!
//! A connection ends when its client ends it, when it is handed over to a stream (`stream.rs`), or when the server
//! stops. Nothing of Docker is known here.

pub(crate) mod body;
mod connection;
pub(crate) mod ready;
pub(crate) mod sink;
pub(crate) mod stream;
pub(crate) mod upload;
pub(crate) mod websocket;

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use berth_serve::tls::Tls;
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Docker;

/// How long no connection is taken when the system has no room for one (security: N11).
const NO_ROOM: Duration = Duration::from_millis(100);
/// After how much silence a peer over TCP is asked whether it is there; after as much again it is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long requests may go on once the server is to stop, and how long until nothing is waited for.
const REST: Duration = Duration::from_secs(2);
const GRACE: Duration = Duration::from_secs(5);
/// Without a connection for so long, a server is at rest: most of what it holds then is code that it has run before.
const AT_REST: Duration = Duration::from_secs(10);

/// Where clients come to.
pub enum Listener {
    /// A unix socket; who may open it may do everything.
    Unix(UnixListener),
    /// TCP with TLS; who has a certificate of our clients' authority may do everything.
    Tls(TcpListener, Arc<Tls>),
}

/// A server that listens.
pub struct Server {
    docker: Arc<Docker>,
    listeners: Vec<Listener>,
}

impl Server {
    /// Over this engine.
    pub fn new(docker: Docker) -> Server {
        Server {
            docker: Arc::new(docker),
            listeners: Vec::new(),
        }
    }

    /// One more place to come to.
    pub fn listen(mut self, listener: Listener) -> Server {
        self.listeners.push(listener);
        self
    }

    /// Serves until `stop`; then what is under way may end for some seconds.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (tell, stopped) = watch::channel(false);
        let mut accepting = JoinSet::new();
        for listener in self.listeners {
            accepting.spawn(accept(listener, self.docker.clone(), stopped.clone()));
        }
        stop.await;
        // Nobody listens any more when every receiver is gone already.
        _ = tell.send(true);
        let end = async { while accepting.join_next().await.is_some() {} };
        _ = timeout(GRACE, end).await;
    }
}

/// Takes connections until the server is to stop, then waits for theirs.
async fn accept(listener: Listener, docker: Arc<Docker>, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let theirs = stopped.clone();
    let mut stop = pin!(async move {
        // An error is the sender's end, which is a stop, too.
        _ = stopped.wait_for(|stopped| *stopped).await;
    });
    // Its start, to begin with.
    let mut worked = true;
    loop {
        let at_rest = worked && connections.is_empty();
        tokio::select! {
            taken = listener.take(&docker, &theirs) => match taken {
                Ok(connection) => _ = connections.spawn(connection),
                Err(error) if is_the_connections(&error) => {}
                Err(_) => sleep(NO_ROOM).await,
            },
            Some(_) = connections.join_next() => worked = true,
            () = sleep(AT_REST), if at_rest => {
                berth_sys::code::forget_used();
                worked = false;
            }
            () = &mut stop => break,
        }
    }
    drop(listener);
    // What follows a log or an event stream would never end by itself.
    let ended = async { while connections.join_next().await.is_some() {} };
    _ = timeout(REST, ended).await;
    connections.abort_all();
}

/// Whether only this one connection is affected.
fn is_the_connections(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// A peer that vanishes without a word is noticed though nothing is sent to it: some follow what never speaks.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEP_ALIVE)?;
    sockopt::set_tcp_keepintvl(stream, KEEP_ALIVE / 3)?;
    sockopt::set_tcp_keepcnt(stream, 3)?;
    // Also when something was sent that nobody acknowledges.
    sockopt::set_tcp_user_timeout(stream, (KEEP_ALIVE * 2).as_millis() as u32)?;
    Ok(())
}

/// The next connection, and it once more. It wants two descriptors, so one is there before anybody is taken: where there
/// is no more than one, he waits.
async fn with_peer<S: AsFd, A>(
    listener: &impl AsFd,
    next: impl Future<Output = io::Result<(S, A)>>,
) -> io::Result<(S, OwnedFd)> {
    let mut peer = listener.as_fd().try_clone_to_owned()?;
    let (stream, _) = next.await?;
    rustix::io::dup3(&stream, &mut peer, rustix::io::DupFlags::CLOEXEC)?;
    Ok((stream, peer))
}

type Connection = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Listener {
    /// The next connection, to be served.
    async fn take(
        &self,
        docker: &Arc<Docker>,
        stopped: &watch::Receiver<bool>,
    ) -> io::Result<Connection> {
        let (docker, stopped) = (docker.clone(), stopped.clone());
        match self {
            Listener::Unix(listener) => {
                let (stream, peer) = with_peer(listener, listener.accept()).await?;
                Ok(Box::pin(connection::serve(docker, peer, stream, stopped)))
            }
            Listener::Tls(listener, tls) => {
                let (stream, peer) = with_peer(listener, listener.accept()).await?;
                // What is typed in a terminal is sent by the key.
                stream.set_nodelay(true)?;
                keep_alive(&stream)?;
                let tls = tls.clone();
                Ok(Box::pin(async move {
                    // Who has no certificate does not get in; he is told so by TLS.
                    if let Ok(stream) = tls.accept(stream).await {
                        connection::serve(docker, peer, stream, stopped).await;
                    }
                }))
            }
        }
    }
}
