//! What can be wrong with what the server is told: its configuration, and the files that it names.

use std::path::PathBuf;
use std::sync::Arc;

use berth_model::ErrorKind;

/// The server cannot start like this.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // each variant's message says it
pub enum Error {
    #[error(transparent)]
    File(#[from] berth_serve::Error),
    #[error("line {line} of the users in `{}` is wrong: {reason}", path.display())]
    BadUser {
        path: PathBuf,
        line: usize,
        reason: &'static str,
    },
    #[error("cannot write {what} `{}`", path.display())]
    WriteFile {
        what: &'static str,
        path: PathBuf,
        source: berth_fs::Error,
    },
    #[error(
        "cannot understand the configuration{}{}: {message}",
        named(path),
        numbered(line)
    )]
    ParseConfig {
        path: Option<PathBuf>,
        line: Option<usize>,
        message: String,
        /// What was probably meant.
        near: Option<String>,
    },
    #[error("`{key}` in the configuration is wrong: {reason}")]
    InvalidSetting { key: String, reason: String },
    #[error("cannot listen on {address}")]
    Listen {
        address: std::net::SocketAddr,
        source: std::io::Error,
    },
    #[error("cannot write the access log `{}`", path.display())]
    OpenLog {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot open the registry's directory `{}`", root.display())]
    OpenStorage {
        root: PathBuf,
        source: crate::Failure,
    },
    #[error("cannot collect garbage")]
    Collect { source: crate::Failure },
    #[error("cannot read all that the registry keeps")]
    Check { source: crate::Failure },
    #[error("cannot start the server")]
    Start { source: std::io::Error },
    #[error("cannot reach upstream registries like this")]
    Client { source: berth_registry::Error },
    #[error("the system gives no random numbers")]
    Random,
}

fn named(path: &Option<PathBuf>) -> String {
    let path = path.as_ref();
    path.map_or(String::new(), |path| format!(" `{}`", path.display()))
}

fn numbered(line: &Option<usize>) -> String {
    line.map_or(String::new(), |line| format!(", line {line}"))
}

impl Error {
    /// The same, about the file at `path`.
    pub(crate) fn in_file(mut self, at: &std::path::Path) -> Error {
        if let Error::ParseConfig { path, .. } = &mut self {
            *path = Some(at.to_owned());
        }
        self
    }

    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Listen { source, .. } => match source.kind() {
                std::io::ErrorKind::AddrInUse => ErrorKind::Conflict,
                std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                _ => ErrorKind::InvalidInput,
            },
            Error::OpenLog { source, .. } => match source.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                _ => ErrorKind::InvalidInput,
            },
            Error::File(source) => source.kind(),
            Error::WriteFile { source, .. } => source.kind(),
            Error::Client { source } => source.kind(),
            Error::Random | Error::Start { .. } => ErrorKind::Internal,
            Error::Collect { source } if source.code == crate::Code::NoSpace => {
                ErrorKind::Unavailable
            }
            Error::OpenStorage { .. } | Error::Collect { .. } | Error::Check { .. } => {
                ErrorKind::Internal
            }
            _ => ErrorKind::InvalidInput,
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Error::ParseConfig {
                near: Some(near), ..
            } => {
                return Some(format!("did you mean `{near}`?"));
            }
            Error::BadUser { .. } => "`htpasswd -B FILE NAME` writes a line with a hash of bcrypt",
            Error::File(source) => return source.hint(),
            Error::WriteFile { source, .. } => return source.hint(),
            Error::Client { source } => return source.hint(),
            Error::Listen { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse => {
                "another program listens there: stop it, or choose another port (0 takes a free one)"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// Is told what goes on, although not as it should; only a face prints.
#[derive(Clone)]
pub struct Warnings(Arc<Told>);

type Told = dyn Fn(&Error, &str) + Send + Sync;

impl Default for Warnings {
    fn default() -> Warnings {
        Warnings::new(|_, _| {})
    }
}

impl Warnings {
    /// This is told the error, and what is done all the same.
    pub fn new(told: impl Fn(&Error, &str) + Send + Sync + 'static) -> Warnings {
        Warnings(Arc::new(told))
    }

    pub(crate) fn tell(&self, error: &Error, all_the_same: &str) {
        (self.0)(error, all_the_same);
    }
}

impl std::fmt::Debug for Warnings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Warnings")
    }
}
