//! The body of a request: counted, and given up when it comes too slowly (security: G5, G10).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::wire::Pace;
use crate::error::{Code, Failure};

/// The body of a request.
#[derive(Debug)]
pub(crate) struct Intake {
    body: Incoming,
    pace: Pace,
    /// When so much has to have moved.
    step: Option<(Instant, u64)>,
    ended: bool,
    received_bytes: Arc<AtomicU64>,
    /// Set when this is dropped before its end: the connection cannot go on then.
    left_over: Arc<AtomicBool>,
}

impl Intake {
    pub(crate) fn new(
        body: Incoming,
        pace: Pace,
        received_bytes: Arc<AtomicU64>,
        left_over: Arc<AtomicBool>,
    ) -> Intake {
        Intake {
            body,
            pace,
            step: None,
            ended: false,
            received_bytes,
            left_over,
        }
    }

    /// How long it is, if that was announced.
    pub(crate) fn announced_bytes(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// The next part of it; `None`: there is no more.
    ///
    /// # Errors
    /// The client is gone, or too slow.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let received = self.received_bytes.load(Ordering::Relaxed);
            let (end, enough) = *self.step.get_or_insert_with(|| {
                (
                    Instant::now() + self.pace.timeout,
                    received + self.pace.step_bytes,
                )
            });
            let frame = match timeout_at(end, self.body.frame()).await {
                Ok(None) => {
                    self.ended = true;
                    return Ok(None);
                }
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => {
                    let message = "the content ended before its time";
                    return Err(Failure {
                        cause: Some(Box::new(error)),
                        ..Failure::new(Code::BlobUploadInvalid, message)
                    });
                }
                Err(_) => {
                    let message = "the content comes too slowly";
                    return Err(Failure::new(Code::BlobUploadInvalid, message));
                }
            };
            // Trailers are of no use here.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let received = self
                .received_bytes
                .fetch_add(data.len() as u64, Ordering::Relaxed);
            if received + data.len() as u64 >= enough {
                self.step = None;
            }
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }

    /// All of it, unless it is longer than `limit_bytes`.
    ///
    /// # Errors
    /// As above; or too large, which what was announced tells before any of it is taken.
    pub(crate) async fn collect(mut self, limit_bytes: u64) -> Result<Bytes, Failure> {
        let too_large = || {
            let message = format!("larger than {limit_bytes} bytes, which is the limit");
            Failure::new(Code::TooLarge, message)
        };
        if self.body.size_hint().lower() > limit_bytes {
            return Err(too_large());
        }
        let mut all = BytesMut::new();
        while let Some(data) = self.next().await? {
            if (all.len() + data.len()) as u64 > limit_bytes {
                return Err(too_large());
            }
            if all.is_empty() {
                // Announced lengths are within the limit, but not true for that.
                all.reserve(self.announced_bytes().unwrap_or(0).min(64 << 10) as usize);
            }
            all.extend_from_slice(&data);
        }
        Ok(all.freeze())
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        if !self.ended && !self.body.is_end_stream() {
            self.left_over.store(true, Ordering::Relaxed);
        }
    }
}
