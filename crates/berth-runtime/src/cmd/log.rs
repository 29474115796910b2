//! Where a failure is told: standard error for people, and `--log` for the engine that called
//! (one JSON object a line, as other runtimes write it).

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use crate::error::{Error, one_line};

/// The log of one command.
#[derive(Debug, Default)]
pub(crate) struct Log {
    file: Option<PathBuf>,
    json: bool,
}

impl Log {
    pub(crate) fn new(file: Option<PathBuf>, json: bool) -> Log {
        Log { file, json }
    }

    /// Tells the failure and returns the exit code.
    pub(crate) fn fail(&self, error: &Error) -> i32 {
        let failure = error.to_failure();
        if failure.message.is_empty() {
            return 0;
        }
        let line = one_line(&failure);
        if let Some(path) = &self.file {
            // The log is an engine's convenience: that it cannot be written is told with the rest.
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(path);
            let text = if self.json {
                format!("{}\n", serde_json::json!({ "level": "error", "msg": line }))
            } else {
                format!("level=error msg={line:?}\n")
            };
            if let Err(source) = file.and_then(|mut file| file.write_all(text.as_bytes())) {
                eprintln!("error: write the log {}: {source}", path.display());
            }
        }
        eprintln!("error: {line}");
        if let Some(hint) = &failure.hint {
            eprintln!("hint: {hint}");
        }
        failure.exit_code
    }
}
