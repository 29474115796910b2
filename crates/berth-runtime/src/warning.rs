//! Warnings: what does not stop an operation, and somebody should know.
//!
//! Source: runtime.md "Warnings".

use std::fmt;
use std::sync::OnceLock;

type Sink = Box<dyn Fn(&str) + Send + Sync>;

/// There only where the caller keeps a log.
static SINK: OnceLock<Sink> = OnceLock::new();

/// From here on warnings go there, not to standard error.
pub(crate) fn send_to(sink: impl Fn(&str) + Send + Sync + 'static) {
    let _ = SINK.set(Box::new(sink));
}

/// Warns.
pub(crate) fn warn(what: fmt::Arguments<'_>) {
    match SINK.get() {
        Some(sink) => sink(&what.to_string()),
        None => eprintln!("warning: {what}"),
    }
}
