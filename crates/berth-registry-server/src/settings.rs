//! What can be set: plain values, which the command's flags and the configuration's file fill in.

use std::path::PathBuf;
use std::time::Duration;

use berth_oci::image::MAX_MANIFEST_BYTES;

use crate::storage::RuleSet;

/// All that the server has to be told, besides where it listens, its storage, and who may do what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// How much of anything.
    pub limits: Limits,
    /// What may not be asked for at all.
    pub allowed: Allowed,
    /// What holds for tags and contents, by repository.
    pub rules: RuleSet,
    /// Where the access log goes.
    pub access_log: AccessLog,
}

/// Limits: the defaults are for a registry in the open (security: G4, G5, G10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time; who comes then waits until one ends.
    pub connections: usize,
    /// Connections at a time from one address; more are closed.
    pub connections_per_address: usize,
    /// How long a connection may take until a request's head is there, counted from the answer before it.
    pub head_timeout: Duration,
    /// In each such span of a body, to us or from us, something has to move: at least `body_step_bytes`, or the end.
    pub body_timeout: Duration,
    /// See `body_timeout`.
    pub body_step_bytes: u64,
    /// The largest manifest.
    pub manifest_bytes: u64,
    /// The largest blob.
    pub blob_bytes: u64,
    /// The most entries of a list in one answer.
    pub page_entries: usize,
    /// How long running requests may take to end once the server is to stop.
    pub stop_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 8192,
            connections_per_address: 2048,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(60),
            body_step_bytes: 4 << 10,
            manifest_bytes: MAX_MANIFEST_BYTES,
            blob_bytes: 256 << 30,
            page_entries: 1000,
            stop_timeout: Duration::from_secs(10),
        }
    }
}

/// What is allowed at all, whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Manifests, tags and blobs may be removed.
    pub delete: bool,
    /// Anything may be pushed.
    pub push: bool,
    /// Metrics may be read by all; otherwise by who may list the repositories.
    pub metrics: bool,
}

impl Default for Allowed {
    fn default() -> Allowed {
        Allowed {
            delete: true,
            push: true,
            metrics: false,
        }
    }
}

/// Where the access log goes: a JSON object a line for each request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AccessLog {
    /// Nowhere.
    Off,
    /// To standard error.
    #[default]
    Stderr,
    /// To the end of this file.
    File(PathBuf),
}
