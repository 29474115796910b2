//! What is counted, and how Prometheus reads it.
//! Source: Prometheus, "Exposition formats", text format 0.0.4.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;

use crate::route::Action;

/// The statuses that are counted on their own; 0 is for all others.
const STATUSES: [u16; 20] = [
    200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 408, 409, 413, 416, 429, 500, 502, 507,
    0,
];
/// Routes, and what is none.
const ROUTES: usize = Action::LABELS.len() + 1;
/// Upper ends of the histogram's buckets, in milliseconds; what takes longer is in the last one.
const BUCKETS_MS: [u64; 9] = [1, 5, 25, 100, 500, 2500, 10_000, 60_000, 600_000];

/// A number that only grows, or that tells how many there are now.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn take(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }
}

/// All that is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: [[Counter; STATUSES.len()]; ROUTES],
    buckets: [[Counter; BUCKETS_MS.len()]; ROUTES],
    micros: [Counter; ROUTES],
    received_bytes: Counter,
    sent_bytes: Counter,
    pub(crate) sendfile_bytes: Counter,
    pub(crate) connections: Counter,
    pub(crate) connections_refused: Counter,
    pub(crate) uploads: Counter,
    pub(crate) log_lines_lost: Counter,
}

/// One answered request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observed {
    /// `None`: its path led nowhere.
    pub(crate) route: Option<usize>,
    pub(crate) status: StatusCode,
    pub(crate) received_bytes: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) took: Duration,
}

impl Metrics {
    pub(crate) fn observe(&self, seen: Observed) {
        let route = seen.route.unwrap_or(ROUTES - 1);
        let status = STATUSES.iter().position(|s| *s == seen.status.as_u16());
        self.requests[route][status.unwrap_or(STATUSES.len() - 1)].add(1);
        let took_ms = seen.took.as_millis() as u64;
        if let Some(bucket) = BUCKETS_MS.iter().position(|end| took_ms < *end) {
            self.buckets[route][bucket].add(1);
        }
        self.micros[route].add(seen.took.as_micros() as u64);
        self.received_bytes.add(seen.received_bytes);
        self.sent_bytes.add(seen.sent_bytes);
    }

    /// As Prometheus reads it; `disk` are the bytes that the root's file system has, and has free.
    pub(crate) fn text(&self, disk: Option<(u64, u64)>) -> String {
        let mut text = String::new();
        self.write(&mut text, disk).expect("a string takes all");
        text
    }

    fn write(&self, out: &mut String, disk: Option<(u64, u64)>) -> fmt::Result {
        let (requests, seconds) = (
            "berth_registry_requests_total",
            "berth_registry_request_seconds",
        );
        head(out, requests, "counter", "Requests that were answered.")?;
        for (route, counts) in self.requests.iter().enumerate() {
            for (count, status) in counts
                .iter()
                .zip(STATUSES)
                .filter(|(count, _)| count.get() > 0)
            {
                let (label, count) = (label(route), count.get());
                writeln!(
                    out,
                    "{requests}{{route=\"{label}\",status=\"{status}\"}} {count}"
                )?;
            }
        }
        head(
            out,
            seconds,
            "histogram",
            "From the head of a request to the end of its answer.",
        )?;
        for route in 0..ROUTES {
            self.write_histogram(out, seconds, route)?;
        }
        let (total, free) = disk.unzip();
        for (name, kind, help, value) in [
            (
                "received_bytes_total",
                "counter",
                "Bodies of requests.",
                Some(self.received_bytes.get()),
            ),
            (
                "sent_bytes_total",
                "counter",
                "Bodies of answers.",
                Some(self.sent_bytes.get()),
            ),
            (
                "sendfile_bytes_total",
                "counter",
                "Of these, without a copy.",
                Some(self.sendfile_bytes.get()),
            ),
            (
                "connections",
                "gauge",
                "Connections that are open.",
                Some(self.connections.get()),
            ),
            (
                "connections_refused_total",
                "counter",
                "Connections beyond the limit of their address.",
                Some(self.connections_refused.get()),
            ),
            (
                "uploads_in_progress",
                "gauge",
                "Requests that bring content.",
                Some(self.uploads.get()),
            ),
            (
                "log_lines_lost_total",
                "counter",
                "Lines of the access log that nobody took in time.",
                Some(self.log_lines_lost.get()),
            ),
            (
                "disk_bytes",
                "gauge",
                "Size of the file system that the root is on.",
                total,
            ),
            ("disk_free_bytes", "gauge", "What is free of it.", free),
        ] {
            if let Some(value) = value {
                head(out, &format!("berth_registry_{name}"), kind, help)?;
                writeln!(out, "berth_registry_{name} {value}")?;
            }
        }
        Ok(())
    }

    fn write_histogram(&self, out: &mut String, name: &str, route: usize) -> fmt::Result {
        let count: u64 = self.requests[route].iter().map(Counter::get).sum();
        if count == 0 {
            return Ok(());
        }
        let (label, mut below) = (label(route), 0);
        for (bucket, end_ms) in self.buckets[route].iter().zip(BUCKETS_MS) {
            below += bucket.get();
            let end = end_ms as f64 / 1e3;
            writeln!(
                out,
                "{name}_bucket{{route=\"{label}\",le=\"{end}\"}} {below}"
            )?;
        }
        // The counters move while they are read; a histogram must not shrink towards its end.
        let count = count.max(below);
        writeln!(
            out,
            "{name}_bucket{{route=\"{label}\",le=\"+Inf\"}} {count}"
        )?;
        let sum = self.micros[route].get() as f64 / 1e6;
        writeln!(out, "{name}_sum{{route=\"{label}\"}} {sum}")?;
        writeln!(out, "{name}_count{{route=\"{label}\"}} {count}")
    }
}

fn label(route: usize) -> &'static str {
    Action::LABELS.get(route).copied().unwrap_or("none")
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}
