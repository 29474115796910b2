//! The errors of this crate: what was wrong with a layer, or what could not be done with it.

use std::io;

use berth_model::ErrorKind;
use rustix::io::Errno;

/// A failure to read, apply, write or confine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The compressed bytes could not be had.
    #[error("cannot read the layer")]
    Read {
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The compressed bytes are not what their magic says.
    #[error("cannot decompress the {format} layer")]
    Decompress {
        /// `gzip` or `zstd`.
        format: &'static str,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// A compression (or media type) that berth does not read.
    #[error("a layer of the type {name} is not supported")]
    UnsupportedLayer {
        /// Media type, or name of the compression.
        name: String,
    },
    /// The bytes are no archive that every reader would read alike.
    #[error("malformed archive at byte {offset}: {reason}")]
    Archive {
        /// Offset in the uncompressed stream.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// An entry that must not be unpacked.
    #[error("refused entry `{path}`: {reason}")]
    Entry {
        /// The entry's name, escaped.
        path: String,
        /// Why.
        reason: String,
    },
    /// A limit of [`crate::Limits`] is exceeded.
    #[error("the layer exceeds the limit of {limit} {unit}")]
    Limit {
        /// The limit.
        limit: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// The kernel refused a step of unpacking.
    #[error("cannot {operation} `{path}`")]
    Apply {
        /// `create`, `set the owner of`, …
        operation: &'static str,
        /// Path inside the layer, escaped.
        path: String,
        /// Cause.
        #[source]
        source: Errno,
    },
    /// A tree could not be read for writing it to an archive.
    #[error("cannot {operation} `{path}`")]
    Tree {
        /// `open`, `read`, …
        operation: &'static str,
        /// Path inside the tree, escaped.
        path: String,
        /// Cause.
        #[source]
        source: Errno,
    },
    /// The archive's receiver failed.
    #[error("cannot write the archive")]
    Write {
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The process could not give up its rights.
    #[error("cannot confine the unpacker: {step}")]
    Confine {
        /// Which right.
        step: &'static str,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The request on the command line of the child is none.
    #[error("cannot understand the request")]
    Request {
        /// Cause.
        #[source]
        source: serde_json::Error,
    },
    /// A directory of the request could not be opened.
    #[error("cannot open the directory {path}")]
    OpenDir {
        /// The directory.
        path: String,
        /// Cause.
        #[source]
        source: Errno,
    },
    /// What a copy into or out of a container may not do, in Docker's words.
    #[error("{reason}")]
    Copy {
        /// The sort of failure.
        kind: ErrorKind,
        /// Why.
        reason: String,
    },
    /// A container's files could not be reached.
    #[error("cannot {step} of the container")]
    Enter {
        /// What was being done.
        step: &'static str,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start the decompressing thread")]
    Thread {
        /// Cause.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Decompress { .. } | Error::Archive { .. } => ErrorKind::Corrupt,
            Error::Entry { .. } | Error::Limit { .. } => ErrorKind::InvalidInput,
            Error::UnsupportedLayer { .. } => ErrorKind::Unsupported,
            Error::Apply { source, .. } | Error::Tree { source, .. } => errno_kind(*source),
            Error::OpenDir { source, .. } => errno_kind(*source),
            Error::Copy { kind, .. } => *kind,
            Error::Enter { source, .. } => io_kind(source),
            Error::Read { source } | Error::Write { source } => io_kind(source),
            Error::Confine { .. } | Error::Request { .. } | Error::Thread { .. } => {
                ErrorKind::Internal
            }
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Apply { operation: "set the owner of", source: Errno::INVAL, .. } => Some(
                "the layer uses a user or group id outside the range of /etc/subuid and /etc/subgid".to_owned(),
            ),
            Error::Apply { source: Errno::NOSPC, .. } => {
                Some("free space in berth's root directory (`berth image prune`)".to_owned())
            }
            // What is read is kept at the same time.
            Error::Write { source } | Error::Read { source }
                if source.kind() == io::ErrorKind::StorageFull =>
            {
                Some("the disk is full: free space, or remove images and containers".to_owned())
            }
            Error::Tree { operation: "make a layer of the renamed", .. } => Some(
                "overlay was mounted with redirect_dir or metacopy, which the engine never asks for: copy it inside the container (`cp -a`) and remove the first one"
                    .to_owned(),
            ),
            Error::Limit { .. } => Some("the layer looks like a decompression bomb".to_owned()),
            _ => None,
        }
    }

    /// Takes back an `Error` that travelled inside an `io::Error`; any other becomes `Read`.
    pub(crate) fn from_io(error: io::Error) -> Error {
        match error.downcast::<Error>() {
            Ok(inner) => inner,
            Err(source) => Error::Read { source },
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        io::Error::other(error)
    }
}

/// The kind of a system call's failure.
pub(crate) fn errno_kind(errno: Errno) -> ErrorKind {
    match errno {
        Errno::NOENT => ErrorKind::NotFound,
        Errno::EXIST => ErrorKind::AlreadyExists,
        Errno::ACCESS | Errno::PERM | Errno::ROFS => ErrorKind::Denied,
        Errno::NOSPC | Errno::DQUOT | Errno::MFILE | Errno::NFILE | Errno::NOMEM => {
            ErrorKind::Unavailable
        }
        Errno::OPNOTSUPP | Errno::NOSYS => ErrorKind::Unsupported,
        Errno::INVAL => ErrorKind::InvalidInput,
        _ => ErrorKind::Internal,
    }
}

fn io_kind(error: &io::Error) -> ErrorKind {
    match error.raw_os_error() {
        Some(code) => errno_kind(Errno::from_raw_os_error(code)),
        None if error.kind() == io::ErrorKind::UnexpectedEof => ErrorKind::Corrupt,
        None => ErrorKind::Internal,
    }
}

/// `Tree`, with the path for people; the empty one is the root.
pub(crate) fn tree(operation: &'static str, path: &[u8], source: Errno) -> Error {
    let path = if path.is_empty() { b"/" } else { path };
    Error::Tree {
        operation,
        path: shown(path),
        source,
    }
}

/// `?` for a step on what an entry makes.
pub(crate) fn apply(operation: &'static str, path: &[u8], source: Errno) -> Error {
    Error::Apply {
        operation,
        path: match path {
            b"" => "/".to_owned(),
            path => shown(path),
        },
        source,
    }
}

/// A path of an archive for people: control characters and bytes that are no UTF-8 are escaped, and a
/// long one is cut.
pub(crate) fn shown(path: &[u8]) -> String {
    const LONGEST: usize = 256;
    let cut = &path[..path.len().min(LONGEST)];
    let mut text = String::with_capacity(cut.len());
    for chunk in cut.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || character == '`' {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    if path.len() > LONGEST {
        text.push('…');
    }
    text
}
