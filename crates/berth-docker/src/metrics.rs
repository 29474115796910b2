//! `GET /metrics`, at an address of its own: what Prometheus asks for. There is nothing else there, and nothing to be had
//! but counts, so it is plain HTTP.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Connections at the same time, at most.
const CONNECTIONS: usize = 16;
/// How long a request may take to come, and its answer to go.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest head of a request, in bytes.
const HEAD_BYTES: usize = 8 << 10;

/// What is told: text of Prometheus's exposition format, version 0.0.4. It may take its time.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// Answers for ever.
pub(crate) async fn serve(listener: TcpListener, metrics: Metrics) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // It is never closed.
        let Ok(place) = room.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // No descriptors, for example.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let metrics = metrics.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(request, metrics.clone()));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .max_buf_size(HEAD_BYTES)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // Whatever it is, it is the client's matter.
            _ = tokio::time::timeout(PATIENCE * 2, connection).await;
            drop(place);
        });
    }
}

async fn respond(
    request: Request<Incoming>,
    metrics: Metrics,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let answer = |status, text: String| {
        let mut response = Response::new(Full::from(text));
        *response.status_mut() = status;
        let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    };
    Ok(match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => match tokio::task::spawn_blocking(move || metrics()).await {
            Ok(text) => answer(StatusCode::OK, text),
            Err(_) => answer(StatusCode::INTERNAL_SERVER_ERROR, String::new()),
        },
        (_, "/metrics") => answer(StatusCode::METHOD_NOT_ALLOWED, "GET only\n".to_owned()),
        _ => answer(StatusCode::NOT_FOUND, "here is /metrics only\n".to_owned()),
    })
}
