//! Where a command tells what went wrong (and, with `--debug`, what it does): the file of `--log` for the
//! engine that called, standard error for people. As other runtimes write it, a line each:
//!
//! ```text
//! text   time="2026-11-25T19:36:40Z" level=error msg="exec `x`: permission denied"
//! json   {"level":"error","msg":"exec `x`: permission denied","time":"2026-11-25T19:36:40Z"}
//! ```
//! A failure is one line: podman reads the file as one JSON object, containerd takes the last error.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::error::{Error, Result, one_line};
use crate::state::now;

/// There only with `--debug`. Opened at once: what a container's processes-to-be say goes to the same file,
/// whatever their root is.
static DEBUG: OnceLock<(Log, Option<File>)> = OnceLock::new();

/// The log of one command.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    pub(super) file: Option<PathBuf>,
    pub(super) json: bool,
}

/// Tells what is being done, if anybody asked to know.
pub(crate) fn debug(what: fmt::Arguments<'_>) {
    if let Some((log, file)) = DEBUG.get() {
        let line = log.line("debug", &what.to_string());
        // A full disk is no reason to stop.
        let _ = match file {
            Some(file) => (&mut &*file).write_all(line.as_bytes()),
            None => std::io::stderr().write_all(line.as_bytes()),
        };
    }
}

impl Log {
    /// From here on [`debug`] writes here.
    ///
    /// # Errors
    /// [`Error::WriteFile`].
    pub(super) fn start_debugging(&self) -> Result<()> {
        let file = match &self.file {
            None => None,
            Some(path) => Some(open(path).map_err(|source| Error::WriteFile {
                path: path.clone(),
                source,
            })?),
        };
        let _ = DEBUG.set((self.clone(), file));
        Ok(())
    }

    /// Writes a warning to the file, if there is one.
    pub(super) fn warn(&self, what: &str) {
        if let Some(path) = &self.file {
            let line = self.line("warning", what);
            // As for `debug`.
            let _ = open(path).and_then(|mut file| file.write_all(line.as_bytes()));
        }
    }

    /// Tells the failure and returns the exit code.
    pub(super) fn fail(&self, error: &Error) -> i32 {
        let failure = error.to_failure();
        let line = one_line(&failure);
        if let Some(path) = &self.file {
            let text = self.line("error", &line);
            let written = open(path).and_then(|mut file| file.write_all(text.as_bytes()));
            if let Err(source) = written {
                eprintln!("error: write the log {}: {source}", path.display());
            }
        } else if self.json {
            eprint!("{}", self.line("error", &line));
            return failure.exit_code;
        }
        eprintln!("error: {line}");
        if let Some(hint) = &failure.hint {
            eprintln!("hint: {hint}");
        }
        failure.exit_code
    }

    fn line(&self, level: &str, message: &str) -> String {
        let now = now();
        // To the second, as the others.
        let time = format!("{}Z", now.split('.').next().unwrap_or_default());
        if self.json {
            let fields = serde_json::json!({ "level": level, "msg": message, "time": time });
            format!("{fields}\n")
        } else {
            format!("time=\"{time}\" level={level} msg={message:?}\n")
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o644)
        .open(path)
}
