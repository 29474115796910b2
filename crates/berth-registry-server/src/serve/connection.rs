//! One connection: its requests, one after the other, until it ends.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::header::{CONNECTION, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::body::Body;
use super::intake::Intake;
use super::record::Record;
use super::sendfile::Queue;
use super::wire::{Pace, Stream, Wire};
use super::{Handshake, Registry, handle::handle};

/// The longest head of a request.
const HEAD_BYTES: usize = 32 << 10;
/// What is read at once, and at most kept before it is sent.
const BUFFER_BYTES: usize = 128 << 10;
/// The most headers of a request.
const HEADERS: usize = 64;
/// How long, and for how much, we listen to a client that still sends what was refused: to close at once would throw
/// away what we have answered.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: u64 = 64 << 20;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A connection that was taken.
pub(crate) struct Connection {
    pub(crate) registry: Arc<Registry>,
    pub(crate) remote: IpAddr,
    /// Becomes true when the server is to stop.
    pub(crate) stopped: watch::Receiver<bool>,
}

/// What the handlers of a connection's requests share.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) registry: Arc<Registry>,
    /// Where files are sent from, where they are not to be encrypted.
    pub(crate) queue: Option<Arc<Queue>>,
    remote: IpAddr,
    pace: Pace,
    /// Whether a request's body was not taken whole, so that no request can follow.
    left_over: Arc<AtomicBool>,
}

impl Connection {
    /// Serves it until it ends, for whatever reason: that is the client's matter.
    pub(crate) async fn serve(self, stream: TcpStream, tls: Option<Arc<dyn Handshake>>) {
        _ = stream.set_nodelay(true);
        let Some(tls) = tls else {
            return self.serve_stream(stream).await;
        };
        let limit = self.registry.settings.limits.head_timeout;
        if let Ok(Ok(stream)) = timeout(limit, tls.shake(stream)).await {
            self.serve_stream(stream).await;
        }
    }

    async fn serve_stream<S: Stream>(mut self, stream: S) {
        let limits = &self.registry.settings.limits;
        let pace = Pace {
            timeout: limits.body_timeout,
            step_bytes: limits.body_step_bytes,
        };
        let queue = Arc::new(Queue::default());
        let context = Context {
            registry: self.registry.clone(),
            queue: stream.socket().is_some().then(|| queue.clone()),
            remote: self.remote,
            pace,
            left_over: Arc::default(),
        };
        let left_over = context.left_over.clone();
        let wire = Wire::new(stream, queue, self.registry.metrics.clone(), pace);
        let service = service_fn(move |request| Box::pin(respond(context.clone(), request)));
        let mut http = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_headers(HEADERS)
            .max_header_size(HEAD_BYTES)
            .max_buf_size(BUFFER_BYTES)
            .writev(true)
            .serve_connection(wire, service);
        let mut stopping = false;
        loop {
            tokio::select! {
                ended = poll_fn(|cx| http.poll_without_shutdown(cx)) => {
                    if ended.is_err() && !left_over.load(Ordering::Relaxed) {
                        return;
                    }
                    break;
                }
                _ = self.stopped.wait_for(|stopped| *stopped), if !stopping => {
                    stopping = true;
                    Pin::new(&mut http).graceful_shutdown();
                }
            }
        }
        let linger = left_over.load(Ordering::Relaxed);
        close(http.into_parts().io.into_stream(), linger).await;
    }
}

/// Ends a connection.
async fn close<S: Stream>(mut stream: S, linger: bool) {
    if stream.shutdown().await.is_err() || !linger {
        return;
    }
    let listen = async {
        let mut rest = (&mut stream).take(LINGER_BYTES);
        _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
    };
    _ = timeout(LINGER, listen).await;
}

async fn respond(
    context: Context,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let received_bytes = Arc::<AtomicU64>::default();
    let (head, body) = request.into_parts();
    let intake = Intake::new(
        body,
        context.pace,
        received_bytes.clone(),
        context.left_over.clone(),
    );
    let agent = head.headers.get(USER_AGENT);
    let mut record = Record {
        metrics: context.registry.metrics.clone(),
        log: context.registry.log.clone(),
        started: Instant::now(),
        remote: context.remote,
        id: format!("{:016x}", context.registry.next_id()),
        method: head.method.clone(),
        target: head
            .uri
            .path_and_query()
            .map_or_else(String::new, |p| p.as_str().to_owned()),
        agent: agent
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
        label: None,
        user: None,
        status: StatusCode::OK,
        error: None,
        received_bytes,
        sent_bytes: 0,
    };
    let answer = handle(&context, head, intake, &mut record).await;
    let (mut response, error) = answer.finish();
    record.status = response.status();
    record.error = error;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&record.id) {
        headers.insert(REQUEST_ID, id);
    }
    if context.left_over.load(Ordering::Relaxed) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| body.recorded(record)))
}
