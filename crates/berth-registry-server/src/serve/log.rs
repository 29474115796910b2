//! The access log: one JSON object a line, written by a thread of its own, so that who reads it slowly stops nobody.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use serde::Serialize;

use super::metrics::Metrics;
use crate::settings::AccessLog;
use crate::setup::Error;

/// Lines that may wait.
const WAITING_LINES: usize = 8192;
/// The most that is written at once.
const BATCH_BYTES: usize = 64 << 10;
/// The longest path, and name, that is logged whole.
const TEXT_BYTES: usize = 1024;

/// Where lines go.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    lines: Option<SyncSender<Vec<u8>>>,
    metrics: Arc<Metrics>,
}

/// One request, as it is logged.
#[derive(Debug, Serialize)]
pub(crate) struct Line<'a> {
    pub(crate) time: String,
    pub(crate) id: &'a str,
    pub(crate) remote: String,
    pub(crate) user: Option<&'a str>,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) route: Option<&'a str>,
    pub(crate) status: u16,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) duration_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<&'a str>,
}

impl Log {
    /// Starts the thread.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn start(to: &AccessLog, metrics: Arc<Metrics>) -> Result<Log, Error> {
        let file = match to {
            AccessLog::Off => {
                return Ok(Log {
                    lines: None,
                    metrics,
                });
            }
            AccessLog::Stderr => None,
            AccessLog::File(path) => Some(open(path)?),
        };
        let (lines, waiting) = sync_channel::<Vec<u8>>(WAITING_LINES);
        let work = move || {
            while let Ok(mut batch) = waiting.recv() {
                while batch.len() < BATCH_BYTES
                    && let Ok(line) = waiting.try_recv()
                {
                    batch.extend(line);
                }
                // Nobody can be told of a log that cannot be written.
                _ = match &file {
                    Some(file) => (&*file).write_all(&batch),
                    None => std::io::stderr().write_all(&batch),
                };
            }
        };
        std::thread::spawn(work);
        Ok(Log {
            lines: Some(lines),
            metrics,
        })
    }

    /// Adds a line, unless too many wait.
    pub(crate) fn add(&self, line: &Line<'_>) {
        let Some(lines) = &self.lines else { return };
        let mut text = serde_json::to_vec(line).expect("text and numbers become JSON");
        text.push(b'\n');
        if lines.try_send(text).is_err() {
            self.metrics.log_lines_lost.add(1);
        }
    }
}

/// As much of a text as is logged.
pub(crate) fn excerpt(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES)]
}

fn open(path: &Path) -> Result<File, Error> {
    let options = OpenOptions::new().append(true).create(true).open(path);
    options.map_err(|source| Error::OpenLog {
        path: path.to_owned(),
        source,
    })
}
