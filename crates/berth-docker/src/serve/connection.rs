//! One connection: its requests, one after the other, until it ends or becomes a stream.

use std::convert::Infallible;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::body::Body;
use crate::{Docker, route};

/// The longest head of a request, in bytes.
const HEAD_BYTES: usize = 64 << 10;
/// How long a head may take to come.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves it until it ends, for whatever reason: that is the client's matter. `peer` is the connection's descriptor, below
/// TLS. Once `stopped` becomes true it ends with the request that is under way.
pub(crate) async fn serve<S>(
    docker: Arc<Docker>,
    peer: OwnedFd,
    stream: S,
    mut stopped: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let peer = Arc::new(peer);
    let service = service_fn(move |request| respond(docker.clone(), peer.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection.with_upgrades());
    tokio::select! {
        _ = connection.as_mut() => return,
        // An error is the sender's end, which is a stop, too.
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    _ = connection.await;
}

async fn respond(
    docker: Arc<Docker>,
    peer: Arc<OwnedFd>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    Ok(route::answer(docker, peer, request).await)
}
