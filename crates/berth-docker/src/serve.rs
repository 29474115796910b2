//! Connections: a listening socket, and HTTP/1.1 on each connection that comes.
//!
//! A connection ends when its client ends it, when it is handed over to a stream (`stream.rs`), or when the server
//! stops. Nothing of Docker is known here.

pub(crate) mod body;
mod connection;
pub(crate) mod ready;
pub(crate) mod sink;
pub(crate) mod stream;

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Docker;

/// How long no connection is taken when the system has no room for one (security: N11).
const NO_ROOM: Duration = Duration::from_millis(100);
/// How long requests may go on once the server is to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Where clients come to.
#[derive(Debug)]
pub enum Listener {
    /// A unix socket; who may open it may do everything.
    Unix(UnixListener),
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
    let Listener::Unix(listener) = listener;
    let mut connections = JoinSet::new();
    let mut stop = pin!(async move {
        // An error is the sender's end, which is a stop, too.
        _ = stopped.wait_for(|stopped| *stopped).await;
        stopped
    });
    let stopped = loop {
        tokio::select! {
            taken = listener.accept() => match taken {
                Ok((stream, _)) => {
                    let docker = docker.clone();
                    connections.spawn(connection::serve(docker, stream));
                }
                Err(error) if is_the_connections(&error) => {}
                Err(_) => sleep(NO_ROOM).await,
            },
            Some(_) = connections.join_next() => {}
            stopped = &mut stop => break stopped,
        }
    };
    drop((listener, stopped));
    // What follows a log or an event stream would never end by itself.
    let ended = async { while connections.join_next().await.is_some() {} };
    _ = timeout(Duration::from_secs(2), ended).await;
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
