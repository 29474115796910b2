//! What is remembered of a request until its answer has ended: for the metrics and the access log.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use http::{Method, StatusCode};

use super::log::{Line, Log, excerpt};
use super::metrics::{Metrics, Observed};
use crate::route::Action;

/// Told when it is dropped, which is when the answer has ended, or its connection has.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log: Log,
    pub(crate) started: Instant,
    pub(crate) remote: IpAddr,
    pub(crate) id: String,
    pub(crate) method: Method,
    /// With its query, as the client wrote it.
    pub(crate) target: String,
    pub(crate) agent: Option<String>,
    pub(crate) label: Option<usize>,
    pub(crate) user: Option<String>,
    pub(crate) status: StatusCode,
    /// What the client was not told.
    pub(crate) error: Option<String>,
    pub(crate) received_bytes: Arc<AtomicU64>,
    pub(crate) sent_bytes: u64,
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        let received_bytes = self.received_bytes.load(Ordering::Relaxed);
        self.metrics.observe(Observed {
            route: self.label,
            status: self.status,
            received_bytes,
            sent_bytes: self.sent_bytes,
            took,
        });
        self.log.add(&Line {
            time: jiff::Timestamp::now().to_string(),
            id: &self.id,
            remote: self.remote.to_string(),
            user: self.user.as_deref(),
            method: excerpt(self.method.as_str()),
            path: excerpt(&self.target),
            route: self
                .label
                .and_then(|label| Action::LABELS.get(label).copied()),
            status: self.status.as_u16(),
            bytes_in: received_bytes,
            bytes_out: self.sent_bytes,
            duration_us: took.as_micros() as u64,
            agent: self.agent.as_deref().map(excerpt),
            error: self.error.as_deref(),
        });
    }
}
