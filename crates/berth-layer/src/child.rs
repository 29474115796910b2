//! The child process that unpacks one layer: `berth internal unpack REQUEST`.
//!
//! ```text
//! argv    one JSON object: [`Request`]
//! stdin   the blob
//! stdout  one JSON line: [`Outcome`]; with `lowers_are_filling` a socket, from which one byte is read when they are whole
//! exit    0 if unpacked, 1 if not
//! ```
//!
//! It opens the directories of the request, gives up its rights (see `confine`), and only then reads the blob.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use berth_model::ErrorKind;
use berth_oci::digest::Digest;
use rustix::fs::{Mode, OFlags};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::apply::{self, Form, Lowers, Options, Report};
use crate::tar::Reader;
use crate::{Error, Limits, confine, decompress, pipeline};

/// What to unpack where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The directory to fill.
    pub target: PathBuf,
    /// The layers below, topmost first; none for [`Form::Plain`].
    pub lowers: Vec<PathBuf>,
    /// They are being unpacked, too: see above.
    pub lowers_are_filling: bool,
    /// What the target becomes.
    pub form: Form,
    /// The layer's media type; `None`: known to be a layer.
    pub media_type: Option<String>,
    /// Leave device nodes out: rootless.
    pub skip_devices: bool,
    /// What the layer may cost.
    pub limits: Limits,
}

/// What the child prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Outcome {
    /// The target holds the layer.
    Unpacked(Unpacked),
    /// The target is to be thrown away.
    Failed(Failure),
}

/// A layer unpacked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unpacked {
    /// sha256 of the uncompressed archive.
    pub diff_id: Digest,
    /// Bytes of the uncompressed archive.
    pub size_bytes: u64,
    /// What was made.
    pub report: Report,
    /// The kernel had landlock.
    pub landlocked: bool,
}

/// Why a layer could not be unpacked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The sort of failure.
    pub kind: ErrorKind,
    /// What was wrong.
    pub message: String,
    /// Causes, outermost first.
    pub causes: Vec<String>,
    /// What the user can do, when known.
    pub hint: Option<String>,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Failure {
        Failure {
            kind: error.kind(),
            message: error.to_string(),
            causes: berth_model::error::causes(error)
                .map(ToString::to_string)
                .collect(),
            hint: error.hint(),
        }
    }
}

/// The child's main function; `args` come after `unpack`. Call it before any thread is started.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let outcome = match run(args) {
        Ok(unpacked) => Outcome::Unpacked(unpacked),
        Err(error) => Outcome::Failed(Failure::from(&error)),
    };
    let code = if matches!(outcome, Outcome::Unpacked(_)) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    };
    let written = serde_json::to_vec(&outcome)
        .map_err(std::io::Error::other)
        .and_then(|mut line| {
            line.push(b'\n');
            std::io::stdout().write_all(&line)
        });
    // Without its reader the child has nobody to report to.
    if written.is_err() {
        ExitCode::FAILURE
    } else {
        code
    }
}

/// The request that a child of the engine's was given.
fn request<R: DeserializeOwned>(args: impl IntoIterator<Item = OsString>) -> Result<R, Error> {
    let arg = args.into_iter().next().unwrap_or_default();
    serde_json::from_slice(arg.as_encoded_bytes()).map_err(|source| Error::Request { source })
}

/// The main function of a child that says nothing when it succeeds, and one line on standard error when not.
pub(crate) fn serve<R: DeserializeOwned>(
    args: impl IntoIterator<Item = OsString>,
    run: impl FnOnce(R) -> Result<(), Error>,
) -> ExitCode {
    let Err(error) = request(args).and_then(run) else {
        return ExitCode::SUCCESS;
    };
    // Standard error is the only place to complain to.
    let _ = serde_json::to_writer(std::io::stderr(), &Failure::from(&error));
    ExitCode::FAILURE
}

fn run(args: impl IntoIterator<Item = OsString>) -> Result<Unpacked, Error> {
    let request: Request = request(args)?;
    if let Some(media_type) = &request.media_type {
        decompress::check_media_type(media_type)?;
    }
    rustix::process::umask(Mode::empty());
    let stdin = duplicate(std::io::stdin())?;
    let target = open_dir(&request.target)?;
    let lowers = request
        .lowers
        .iter()
        .map(|lower| open_dir(lower))
        .collect::<Result<Vec<_>, _>>()?;
    let gate = if request.lowers_are_filling {
        Some(apply::Gate(duplicate(std::io::stdout())?))
    } else {
        None
    };
    let landlocked = confine::confine(&target, &lowers, &request.limits)?;
    let lowers = Lowers { dirs: lowers, gate };
    let options = Options {
        form: request.form,
        skip_devices: request.skip_devices,
        limits: request.limits,
    };
    let (stream, report) = unpack(File::from(stdin), target, lowers, options)?;
    Ok(Unpacked {
        diff_id: stream.diff_id,
        size_bytes: stream.size_bytes,
        report,
        landlocked,
    })
}

/// Decompresses, hashes and applies the blob in two threads.
fn unpack(
    blob: File,
    target: OwnedFd,
    lowers: Lowers,
    options: Options,
) -> Result<(pipeline::Stream, Report), Error> {
    let input = decompress::decompress(blob, options.limits)?;
    std::thread::scope(|scope| {
        let (chunks, thread) = pipeline::start(scope, input)?;
        let mut reader = Reader::new(chunks, options.limits);
        let report = apply::apply(&mut reader, target, lowers, options);
        // The other thread ends when nobody listens.
        drop(reader);
        let stream = thread.join().map_err(|_| Error::Thread {
            source: std::io::Error::other("it panicked"),
        })?;
        Ok((stream, report?))
    })
}

fn duplicate(stream: impl AsFd) -> Result<OwnedFd, Error> {
    stream
        .as_fd()
        .try_clone_to_owned()
        .map_err(|source| Error::Read { source })
}

/// Opens a directory of the request's; never through a link.
pub(crate) fn open_dir(path: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|source| Error::OpenDir {
        path: path.display().to_string(),
        source,
    })
}
