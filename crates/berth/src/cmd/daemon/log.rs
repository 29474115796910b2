//! The daemon's own log, on standard error: lines for a reader, or a JSON object a line. Level and format may change while
//! it runs.
//!
//! ```text
//! {"time":"2026-01-01T00:00:00.000000000Z","level":"warn","msg":"cannot …","causes":["…"],"hint":"…"}
//! {"time":"…","level":"audit","msg":"…","container":"…","grants":["privileged"]}
//! ```

use std::sync::{Mutex, PoisonError};

use berth_daemon::{Audit, Format, Level, Live};
use serde::Serialize;

use crate::cmd::note;
use crate::ui::clean;
use crate::ui::diagnostic::Failure;

/// What is said how.
#[derive(Debug, Default)]
pub struct Log(Mutex<(Level, Format)>);

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    level: &'a str,
    msg: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    causes: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(flatten)]
    audit: Option<&'a Audit>,
}

impl Log {
    /// As the settings say, from now on.
    pub fn set(&self, live: &Live) {
        *self.settings() = (live.log_level, live.log_format);
    }

    fn settings(&self) -> std::sync::MutexGuard<'_, (Level, Format)> {
        // Two words, whole whatever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the daemon does.
    pub fn info(&self, message: &str) {
        let (level, format) = *self.settings();
        if level > Level::Info {
            return;
        }
        match format {
            Format::Text => note(&format!("{}\n", clean::terminal(message))),
            Format::Json => line("info", message, None, None),
        }
    }

    /// What went wrong and is no reason to end.
    pub fn warn(&self, failure: &Failure) {
        let (level, format) = *self.settings();
        if level > Level::Warn {
            return;
        }
        match format {
            Format::Text => note(&format!("warning: {failure}")),
            Format::Json => line("warn", &failure.message, Some(failure), None),
        }
    }

    /// What somebody was granted: said at each level.
    pub fn audit(&self, audit: &Audit) {
        let (_, format) = *self.settings();
        let message = audit.to_string();
        match format {
            Format::Text => note(&format!("audit: {}\n", clean::terminal(&message))),
            Format::Json => line("audit", &message, None, Some(audit)),
        }
    }
}

fn line(level: &str, msg: &str, failure: Option<&Failure>, audit: Option<&Audit>) {
    let line = Line {
        time: berth_engine::clock::now(),
        level,
        msg,
        causes: failure.map(|failure| &*failure.causes),
        hint: failure.and_then(|failure| failure.hint.as_deref()),
        audit,
    };
    // Strings and lists are always JSON.
    let text = serde_json::to_string(&line).unwrap_or_default();
    note(&(text + "\n"));
}
