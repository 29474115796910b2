//! The layers of an image, several at a time.
//!
//! ```text
//! this thread      layer by layer, the lowest first: skip, or prepare its snapshot and start a worker
//! ≤ 4 workers      blob (as it comes, or whole) → child │ layers below whole → its gate │ report → commit
//! ```
//! A child needs the layers below only at its end (see `berth_layer::apply`), and layers become visible in order.
//! The lowest layer that is not whole always has a worker, so nothing waits in a circle.
//!
//! What fails while its blob is still coming fails because of the transfer, or of bytes that nobody has verified:
//! it is tried once more, from whole blobs, and only then told.

use std::fs::File;
use std::io::PipeWriter;
use std::os::fd::OwnedFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use berth_layer::apply::Form;
use berth_layer::child::{Request, Unpacked};
use berth_oci::{Digest, ImageConfig, Manifest};
use berth_snapshot::{Active, Content, Snapshots};

use super::child::Unpacker;
use super::{UnpackError, UnpackOptions};

/// Layers that are unpacked at the same time, on a machine with as many processors.
const AT_ONCE: usize = 4;

/// Writes a blob's bytes into a pipe as they come, and returns when there are no more or nobody reads them.
pub type Feed<'a> = Box<dyn FnOnce(PipeWriter) + Send + 'a>;

/// Where the blobs of an image's layers are, by their position (the lowest is 0).
pub trait Blobs: Sync {
    /// Why a blob cannot be had.
    type Error: From<UnpackError> + Send;

    /// The whole blob, verified; waits until it is there.
    ///
    /// # Errors
    /// It will not come.
    fn whole(&self, at: usize) -> Result<File, Self::Error>;

    /// The blob as it comes; waits until it begins to. `None`: only the whole is to be had.
    fn early(&self, _at: usize) -> Option<Feed<'_>> {
        None
    }

    /// The layer is unpacked and visible.
    fn unpacked(&self, _at: usize) {}
}

impl<F, E> Blobs for F
where
    F: Fn(usize) -> Result<File, E> + Sync,
    E: From<UnpackError> + Send,
{
    type Error = E;

    fn whole(&self, at: usize) -> Result<File, E> {
        self(at)
    }
}

/// An image's layers as [`unpack_layers`] wants them.
pub(crate) fn layers_of<'a>(
    manifest: &'a Manifest,
    config: &'a ImageConfig,
) -> Vec<(&'a str, &'a Digest)> {
    let types = manifest
        .layers
        .iter()
        .map(|layer| layer.media_type.as_str());
    types.zip(&config.rootfs.diff_ids).collect()
}

/// Unpacks all layers (media type and diff-id, the lowest first) that are not there yet, and makes them visible.
/// Returns the chain-ids.
///
/// # Errors
/// The first failure. The layers below the one that failed may be visible; it and those above are not.
pub fn unpack_layers<B: Blobs>(
    snapshots: &Snapshots,
    options: &UnpackOptions,
    layers: &[(&str, &Digest)],
    blobs: &B,
) -> Result<Vec<Digest>, B::Error> {
    let diff_ids: Vec<Digest> = layers
        .iter()
        .map(|(_, diff_id)| (*diff_id).clone())
        .collect();
    let chains = berth_oci::chain::chain_ids(&diff_ids);
    let run = |early| {
        let stack = Stack {
            snapshots,
            options,
            layers,
            chains: &chains,
            blobs,
            early,
            state: Mutex::new(State {
                whole: vec![false; layers.len()],
                at_work: 0,
                failure: None,
            }),
            changed: Condvar::new(),
        };
        stack.run()
    };
    match run(true) {
        Err(Failure {
            was_early: true, ..
        }) => run(false),
        result => result,
    }
    .map(|()| chains.clone())
    .map_err(|failure| failure.cause)
}

/// One try.
struct Stack<'a, B: Blobs> {
    snapshots: &'a Snapshots,
    options: &'a UnpackOptions,
    layers: &'a [(&'a str, &'a Digest)],
    chains: &'a [Digest],
    blobs: &'a B,
    /// Blobs are taken as they come.
    early: bool,
    state: Mutex<State<B::Error>>,
    changed: Condvar,
}

struct State<E> {
    /// Which layers are visible.
    whole: Vec<bool>,
    /// Workers.
    at_work: usize,
    /// The first one; then nothing new is begun.
    failure: Option<Failure<E>>,
}

struct Failure<E> {
    cause: E,
    was_early: bool,
}

impl<B: Blobs> Stack<'_, B> {
    fn run(self) -> Result<(), Failure<B::Error>> {
        let at_once = match self.snapshots.form() {
            Form::Overlay => {
                thread::available_parallelism().map_or(2, |n| n.get().clamp(2, AT_ONCE))
            }
            // Each begins with a copy of the one below.
            Form::Plain => 1,
        };
        thread::scope(|scope| {
            let stack = &self;
            for at in 0..stack.layers.len() {
                if !stack.wait(|state| state.at_work < at_once) {
                    break;
                }
                match stack.snapshots.prepare(&stack.chains[..=at]) {
                    Ok(None) => stack.change(|state| state.whole[at] = true),
                    Ok(Some(active)) => {
                        stack.change(|state| state.at_work += 1);
                        scope.spawn(move || {
                            stack.layer(at, active);
                            stack.change(|state| state.at_work -= 1);
                        });
                    }
                    Err(error) => stack.fail(stack.keep(at)(error).into(), false),
                }
            }
        });
        let state = self.state.into_inner();
        let failure = state.unwrap_or_else(PoisonError::into_inner).failure;
        failure.map_or(Ok(()), Err)
    }

    /// A worker.
    fn layer(&self, at: usize, active: Active) {
        let feed = if self.early {
            self.blobs.early(at)
        } else {
            None
        };
        let was_early = feed.is_some();
        match self.fill(at, &active, feed) {
            Ok(Some(content)) => match self.snapshots.commit(active, content) {
                Ok(()) => {
                    self.change(|state| state.whole[at] = true);
                    self.blobs.unpacked(at);
                }
                Err(error) => self.fail(self.keep(at)(error).into(), false),
            },
            outcome => {
                // The first failure is the one to tell; what is left behind here is swept later.
                let _ = self.snapshots.abort(active);
                if let Err(cause) = outcome {
                    self.fail(cause, was_early);
                }
            }
        }
    }

    /// Unpacks into the snapshot; `None`: another layer failed meanwhile.
    fn fill(
        &self,
        at: usize,
        active: &Active,
        feed: Option<Feed<'_>>,
    ) -> Result<Option<Content>, B::Error> {
        let (media_type, diff_id) = self.layers[at];
        let request = Request {
            target: active.target(),
            lowers: active.lowers().to_vec(),
            lowers_are_filling: !active.lowers().is_empty(),
            form: self.snapshots.form(),
            media_type: Some(media_type.to_owned()),
            skip_devices: self.options.rootless,
            limits: self.options.limits,
        };
        let start = |blob| Unpacker::start(self.options, &request, blob, diff_id);
        let unpacked = match feed {
            None => {
                let blob = OwnedFd::from(self.blobs.whole(at)?);
                self.see_through(at, start(blob)?)?
            }
            Some(feed) => {
                let (blob, pipe) = pipe(self.options)?;
                let unpacker = start(blob)?;
                thread::scope(|scope| {
                    // It ends with the child: nobody reads then.
                    scope.spawn(move || feed(pipe));
                    self.see_through(at, unpacker)
                })?
            }
        };
        let Some(unpacked) = unpacked else {
            return Ok(None);
        };
        if self.snapshots.form() == Form::Overlay && !unpacked.report.large.is_empty() {
            let shared = self.snapshots.share(active, &unpacked.report.large);
            shared.map_err(self.keep(at))?;
        }
        Ok(Some(Content {
            diff_id: unpacked.diff_id,
            size_bytes: unpacked.report.data_bytes,
            entries: unpacked.report.entries + unpacked.report.whiteouts,
        }))
    }

    /// From the child's start to its report.
    fn see_through(
        &self,
        at: usize,
        mut unpacker: Unpacker<'_>,
    ) -> Result<Option<Unpacked>, UnpackError> {
        if !self.wait(|state| state.whole[..at].iter().all(|whole| *whole)) {
            unpacker.kill();
            return Ok(None);
        }
        unpacker.open_gate();
        unpacker.report().map(Some)
    }

    fn keep(&self, at: usize) -> impl Fn(berth_snapshot::Error) -> UnpackError {
        let diff_id = self.layers[at].1.clone();
        move |error| UnpackError::Snapshot {
            diff_id: diff_id.clone(),
            source: Box::new(error),
        }
    }

    fn fail(&self, cause: B::Error, was_early: bool) {
        self.change(|state| {
            state.failure.get_or_insert(Failure { cause, was_early });
        });
    }

    /// Waits until `ready`; false: a layer failed.
    fn wait(&self, ready: impl Fn(&State<B::Error>) -> bool) -> bool {
        let waits = |state: &mut State<B::Error>| state.failure.is_none() && !ready(state);
        let state = self
            .changed
            .wait_while(self.lock(), waits)
            .unwrap_or_else(PoisonError::into_inner);
        state.failure.is_none()
    }

    fn change(&self, change: impl FnOnce(&mut State<B::Error>)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<B::Error>> {
        // Each change is one step, so a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pipe that holds more than the usual 64 KiB, so that the two sides wake each other less often.
fn pipe(options: &UnpackOptions) -> Result<(OwnedFd, PipeWriter), UnpackError> {
    const PIPE_BYTES: usize = 512 << 10;
    let (reader, writer) = std::io::pipe().map_err(|source| UnpackError::Child {
        program: options.self_exe.display().to_string(),
        source,
    })?;
    // The user may have too many pipes for that.
    let _ = rustix::pipe::fcntl_setpipe_size(&writer, PIPE_BYTES);
    Ok((reader.into(), writer))
}
