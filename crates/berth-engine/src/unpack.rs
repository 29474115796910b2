//! The parent's side of unpacking: one confined child per layer, bottom up.
//!
//! ```text
//! root      berth internal unpack REQUEST                              < blob > Outcome
//! rootless  berth-runtime unshare -- berth internal unpack REQUEST     < blob > Outcome
//! ```
//!
//! The child reports the diff-id that it computed; only if it is the one of the image's config does the layer
//! become visible (row T16 of the threat catalogue). See `berth_layer::child` for the other side.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use berth_layer::Limits;
use berth_layer::child::{Outcome, Request, Unpacked};
use berth_model::ErrorKind;
use berth_oci::digest::Digest;
use berth_snapshot::{Active, Content, Snapshots};

use crate::error::Chain;

/// The child's side: the main function behind `berth internal unpack`.
pub use berth_layer::child::main as child;
/// The main function behind `berth internal read`: a file of a container, read inside the user namespace.
pub use berth_layer::merged::main as read;
/// The main function behind `berth internal purge`: removes trees inside the user namespace.
pub use berth_layer::purge::main as purge;

/// Why a layer could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The snapshots refused.
    #[error("cannot keep the layer {diff_id}")]
    Snapshot {
        /// The layer.
        diff_id: Digest,
        /// Cause.
        #[source]
        source: Box<berth_snapshot::Error>,
    },
    /// The child could not be started or spoken with.
    #[error("cannot run the unpacker {program}")]
    Child {
        /// What was run.
        program: String,
        /// Cause.
        #[source]
        source: io::Error,
    },
    /// The child ended without a report.
    #[error("the unpacker of the layer {diff_id} ended without a report ({status})")]
    Died {
        /// The layer.
        diff_id: Digest,
        /// How it ended.
        status: String,
        /// What it wrote to standard error.
        #[source]
        source: ChildOutput,
    },
    /// The layer is no good, or the disk is full.
    #[error("cannot unpack the layer {diff_id}")]
    Layer {
        /// The layer.
        diff_id: Digest,
        /// The sort of failure.
        kind: ErrorKind,
        /// What the user can do, when known.
        hint: Option<String>,
        /// The child's report as a chain of causes.
        #[source]
        source: Chain,
    },
    /// The layer is not the one that the image's config names.
    #[error("the layer's content has the digest {found}, but the image's config says {expected}")]
    WrongDiffId {
        /// The config's.
        expected: Digest,
        /// The content's.
        found: Digest,
    },
}

impl UnpackError {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            UnpackError::Snapshot { source, .. } => source.kind(),
            UnpackError::Child { .. } | UnpackError::Died { .. } => ErrorKind::Internal,
            UnpackError::Layer { kind, .. } => *kind,
            UnpackError::WrongDiffId { .. } => ErrorKind::Corrupt,
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        match self {
            UnpackError::Snapshot { source, .. } => source.hint(),
            UnpackError::Layer { hint, .. } => hint.clone(),
            UnpackError::WrongDiffId { .. } => Some(
                "the image is damaged or forged: pull it again, or ask who built it".to_owned(),
            ),
            _ => None,
        }
    }
}

/// What a child wrote to standard error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ChildOutput(String);

/// How to unpack.
#[derive(Debug, Clone)]
pub struct UnpackOptions {
    /// The executable whose `internal unpack` is the child: berth itself.
    pub self_exe: PathBuf,
    /// `berth-runtime`, whose `unshare` makes the user namespace; used if `rootless`.
    pub runtime_exe: PathBuf,
    /// Unpack inside a user namespace with the user's subordinate ids.
    pub rootless: bool,
    /// What a layer may cost.
    pub limits: Limits,
}

/// Unpacks the layers of one image in order; a pull gives it each layer as its blob arrives.
pub struct LayerUnpacker<'a> {
    snapshots: &'a Snapshots,
    options: &'a UnpackOptions,
    chains: Vec<Digest>,
}

impl<'a> LayerUnpacker<'a> {
    /// Begins with the lowest layer.
    pub fn new(snapshots: &'a Snapshots, options: &'a UnpackOptions) -> LayerUnpacker<'a> {
        LayerUnpacker {
            snapshots,
            options,
            chains: Vec::new(),
        }
    }

    /// Goes over the next layer if it is unpacked already; then its blob is not needed.
    pub fn skip_next(&mut self, diff_id: &Digest) -> bool {
        let chain = self.next_chain(diff_id);
        let there = self.snapshots.has(&chain);
        if there {
            self.chains.push(chain);
        }
        there
    }

    /// Unpacks the next layer from its blob and makes it visible. `None`: it was there already, or another
    /// process unpacked it meanwhile.
    ///
    /// # Errors
    /// Then the layer is not visible, and may be tried again.
    pub fn unpack_next(
        &mut self,
        blob: File,
        media_type: &str,
        diff_id: &Digest,
    ) -> Result<Option<Unpacked>, UnpackError> {
        let keep = |error| UnpackError::Snapshot {
            diff_id: diff_id.clone(),
            source: Box::new(error),
        };
        self.chains.push(self.next_chain(diff_id));
        let result = match self.snapshots.prepare(&self.chains).map_err(keep) {
            Ok(Some(active)) => self.fill(active, blob, media_type, diff_id).map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        if result.is_err() {
            self.chains.pop();
        }
        result
    }

    /// The chain-ids of the layers so far, lowest first.
    pub fn chains(&self) -> &[Digest] {
        &self.chains
    }

    /// As [`LayerUnpacker::chains`].
    pub fn into_chains(self) -> Vec<Digest> {
        self.chains
    }

    fn next_chain(&self, diff_id: &Digest) -> Digest {
        berth_oci::chain::chain_id(self.chains.last(), diff_id)
    }

    fn fill(
        &self,
        active: Active,
        blob: File,
        media_type: &str,
        diff_id: &Digest,
    ) -> Result<Unpacked, UnpackError> {
        let keep = |error| UnpackError::Snapshot {
            diff_id: diff_id.clone(),
            source: Box::new(error),
        };
        let request = Request {
            target: active.target(),
            lowers: active.lowers().to_vec(),
            form: self.snapshots.form(),
            media_type: Some(media_type.to_owned()),
            skip_devices: self.options.rootless,
            limits: self.options.limits,
        };
        match run_child(self.options, &request, blob, diff_id) {
            Ok(unpacked) => {
                let content = Content {
                    diff_id: unpacked.diff_id.clone(),
                    size_bytes: unpacked.report.data_bytes,
                    entries: unpacked.report.entries + unpacked.report.whiteouts,
                };
                self.snapshots.commit(active, content).map_err(keep)?;
                Ok(unpacked)
            }
            Err(error) => {
                // The first failure is the one to tell; what is left behind here is swept later.
                let _ = self.snapshots.abort(active);
                Err(error)
            }
        }
    }
}

/// Unpacks all layers (media type and diff-id, lowest first) that are not there yet; `open_blob` is called with
/// the position of each layer whose blob is needed. Returns the chain-ids.
///
/// # Errors
/// `open_blob`'s own, and as [`LayerUnpacker::unpack_next`].
pub fn unpack_layers<E: From<UnpackError>>(
    snapshots: &Snapshots,
    options: &UnpackOptions,
    layers: &[(&str, &Digest)],
    mut open_blob: impl FnMut(usize) -> Result<File, E>,
) -> Result<Vec<Digest>, E> {
    let mut unpacker = LayerUnpacker::new(snapshots, options);
    for (at, (media_type, diff_id)) in layers.iter().enumerate() {
        if !unpacker.skip_next(diff_id) {
            unpacker.unpack_next(open_blob(at)?, media_type, diff_id)?;
        }
    }
    Ok(unpacker.into_chains())
}

/// More than any report is an attack or a bug.
const REPORT_BYTES: u64 = 1 << 20;

fn run_child(
    options: &UnpackOptions,
    request: &Request,
    blob: File,
    diff_id: &Digest,
) -> Result<Unpacked, UnpackError> {
    let mut command = command(
        options,
        [
            "internal".into(),
            "unpack".into(),
            encode(request, options)?,
        ],
    );
    let failed = |source| UnpackError::Child {
        program: options.self_exe.display().to_string(),
        source,
    };
    let mut child = command
        .stdin(blob)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let (report, complaint) = outputs(&mut child);
    let status = child.wait().map_err(failed)?;
    match serde_json::from_slice(&report) {
        Ok(Outcome::Unpacked(unpacked)) if unpacked.diff_id == *diff_id => Ok(unpacked),
        Ok(Outcome::Unpacked(unpacked)) => Err(UnpackError::WrongDiffId {
            expected: diff_id.clone(),
            found: unpacked.diff_id,
        }),
        Ok(Outcome::Failed(failure)) => Err(UnpackError::Layer {
            diff_id: diff_id.clone(),
            kind: failure.kind,
            source: Chain::of(&failure.message, &failure.causes),
            hint: failure.hint,
        }),
        Err(_) => Err(UnpackError::Died {
            diff_id: diff_id.clone(),
            status: status.to_string(),
            source: ChildOutput(String::from_utf8_lossy(&complaint).trim().to_owned()),
        }),
    }
}

/// `berth ARGS`, for a rootless engine inside the user namespace.
fn command(options: &UnpackOptions, args: [OsString; 3]) -> Command {
    let mut command = if options.rootless {
        // The environment stays: newuidmap and newgidmap are found by PATH.
        let mut command = Command::new(&options.runtime_exe);
        command.args(["unshare", "--"]).arg(&options.self_exe);
        command
    } else {
        let mut command = Command::new(&options.self_exe);
        command.env_clear();
        command
    };
    command.args(args).current_dir("/");
    command
}

fn encode(request: &Request, options: &UnpackOptions) -> Result<OsString, UnpackError> {
    let failed = |source| UnpackError::Child {
        program: options.self_exe.display().to_string(),
        source,
    };
    serde_json::to_string(request)
        .map(OsString::from)
        .map_err(|error| failed(io::Error::other(error)))
}

/// Standard output and error. The child writes the second only in the few words of a panic, so that reading
/// one after the other cannot block.
fn outputs(child: &mut Child) -> (Vec<u8>, Vec<u8>) {
    let (mut report, mut complaint) = (Vec::new(), Vec::new());
    // What could not be read is missing from the report, which then is no report.
    if let Some(stdout) = child.stdout.take() {
        let _ = stdout.take(REPORT_BYTES).read_to_end(&mut report);
    }
    if let Some(stderr) = child.stderr.take() {
        let _ = stderr.take(REPORT_BYTES).read_to_end(&mut complaint);
    }
    (report, complaint)
}
