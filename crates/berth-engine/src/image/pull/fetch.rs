//! Blobs from the registry into the store: one thread for the network, a few that hash and write.
//!
//! The network's thread only moves bytes, so that hashing does not hold it up; the channel between is short,
//! so that a slow disk slows the network down and memory stays small.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Scope;
use std::time::{Duration, Instant};

use berth_oci::{Descriptor, Reference};
use berth_registry::{Bytes, Client, Stop};
use berth_store::{Expected, Ingest, Lease};
use tokio::runtime::Runtime;
use tokio::sync::mpsc as channel;

use super::arrivals::Arrivals;
use super::{LayerStep, PullCause, Team};

/// Layers that are downloaded at the same time.
const AT_ONCE: usize = 4;
/// Pieces of a blob on their way from network to disk; each is at most some hundred KiB.
const IN_FLIGHT: usize = 16;
/// Progress is told no more often than this.
const TELL_EVERY: Duration = Duration::from_millis(50);

/// The way to the network's thread, which ends when all of these are dropped.
#[derive(Clone)]
pub(super) struct Wanted {
    requests: channel::UnboundedSender<Request>,
    client: Client,
    reference: Reference,
}

struct Request {
    blob: Descriptor,
    from: u64,
    reply: channel::Sender<Result<Bytes, berth_registry::Error>>,
}

impl Wanted {
    /// Starts the network's thread.
    pub(super) fn start<'s>(
        scope: &'s Scope<'s, '_>,
        runtime: Runtime,
        stop: &Stop,
        client: &Client,
        reference: &Reference,
    ) -> Wanted {
        let (sender, mut requests) = channel::unbounded_channel::<Request>();
        let wanted = Wanted {
            requests: sender,
            client: client.clone(),
            reference: reference.clone(),
        };
        let (client, reference) = (client.clone(), reference.clone());
        let stop = stop.clone();
        scope.spawn(move || {
            runtime.block_on(async {
                let mut transfers = tokio::task::JoinSet::new();
                let mut next = async || Ok::<_, berth_registry::Error>(requests.recv().await);
                while let Ok(Some(request)) = stop.or(next()).await {
                    let stream = client.fetch_blob(&reference, &request.blob, request.from);
                    transfers.spawn(transfer(stream, request.reply));
                }
                // Nobody listens any more; what still runs is of no use.
                transfers.shutdown().await;
            });
        });
        wanted
    }

    /// Whether a mirror sent bytes that are not the blob's; it is asked no more.
    fn blame_mirror(&self, blob: &Descriptor) -> Result<bool, berth_registry::Error> {
        self.client.blame(&self.reference, &blob.digest)
    }

    /// The blob's bytes from `from` on, as they come.
    fn ask(
        &self,
        blob: &Descriptor,
        from: u64,
    ) -> channel::Receiver<Result<Bytes, berth_registry::Error>> {
        let (reply, answer) = channel::channel(IN_FLIGHT);
        let blob = blob.clone();
        // If the thread is gone, so is `reply`, and the answer says that.
        let _ = self.requests.send(Request { blob, from, reply });
        answer
    }
}

async fn transfer(
    mut stream: berth_registry::BlobStream,
    reply: channel::Sender<Result<Bytes, berth_registry::Error>>,
) {
    loop {
        // The receiver may be gone while the registry is silent.
        let next = tokio::select! {
            next = stream.next() => next,
            () = reply.closed() => return,
        };
        let Some(piece) = next.transpose() else {
            return;
        };
        let ended = piece.is_err();
        if reply.send(piece).await.is_err() || ended {
            return;
        }
    }
}

/// The different blobs among `layers`, in order.
pub(super) fn distinct(layers: &[Descriptor]) -> Vec<Descriptor> {
    let mut seen = HashSet::new();
    let first = |layer: &&Descriptor| seen.insert(layer.digest.clone());
    layers.iter().filter(first).cloned().collect()
}

/// How many fetchers there are for so many layers.
pub(super) fn fetchers(layers: usize) -> usize {
    layers.min(AT_ONCE)
}

/// Starts the threads that bring `layers` into the store.
pub(super) fn start<'s, 'e>(
    scope: &'s Scope<'s, 'e>,
    lease: &'e Lease,
    layers: &'e [Descriptor],
    wanted: &Wanted,
    arrivals: &'e Arrivals,
    team: &Team,
) {
    let next = Arc::new(AtomicUsize::new(0));
    for _ in 0..fetchers(layers.len()) {
        let fetcher = Fetcher {
            lease,
            wanted: wanted.clone(),
            arrivals,
            team: team.clone(),
        };
        let next = next.clone();
        scope.spawn(move || {
            while let Some(layer) = layers.get(next.fetch_add(1, Ordering::Relaxed)) {
                match fetcher.fetch(layer) {
                    Ok(true) if arrivals.complete(&layer.digest) => {
                        fetcher.team.tell(layer, LayerStep::Unpacked);
                    }
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(cause) => return fetcher.team.fail(cause),
                }
            }
        });
    }
}

struct Fetcher<'e> {
    lease: &'e Lease,
    wanted: Wanted,
    arrivals: &'e Arrivals,
    team: Team,
}

impl Drop for Fetcher<'_> {
    fn drop(&mut self) {
        self.arrivals.leave();
    }
}

impl Fetcher<'_> {
    /// Brings one layer into the store; `false`: the pull has failed elsewhere.
    fn fetch(&self, layer: &Descriptor) -> Result<bool, PullCause> {
        let expected = Expected {
            digest: layer.digest.clone(),
            size: layer.size,
        };
        if self.team.has_failed() {
            return Ok(false);
        }
        self.drop_wrong_size(layer)?;
        let mut first = true;
        loop {
            let Some(mut ingest) = self.lease.ingest_alone(expected.clone())? else {
                self.team.tell(layer, LayerStep::Exists);
                return Ok(true);
            };
            // What an earlier pull left may be of no use: then once more, from the start.
            let may_be_rubbish = first && ingest.offset() > 0;
            if first {
                self.arrivals.begin(&layer.digest, &ingest);
            } else {
                self.arrivals.close(&layer.digest);
            }
            first = false;
            match self.fill(&mut ingest, layer) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(PullCause::Registry(berth_registry::Error::WrongRange { .. }))
                    if may_be_rubbish =>
                {
                    ingest.restart()?;
                    continue;
                }
                Err(cause) => return Err(cause),
            }
            match ingest.commit() {
                Ok(_) => {
                    self.team.tell(layer, LayerStep::Downloaded);
                    return Ok(true);
                }
                Err(berth_store::Error::DigestMismatch { .. })
                    if may_be_rubbish || self.wanted.blame_mirror(layer)? => {}
                Err(error) => return Err(wrong_layer(layer, error)),
            }
        }
    }

    /// A blob that was cut short by something outside of berth would never be mended otherwise.
    fn drop_wrong_size(&self, layer: &Descriptor) -> Result<(), PullCause> {
        let store = self.lease.store();
        match store.size(&layer.digest)? {
            Some(size) if size != layer.size => Ok(store.drop_damaged(&layer.digest)?),
            _ => Ok(()),
        }
    }

    fn fill(&self, ingest: &mut Ingest<'_>, layer: &Descriptor) -> Result<bool, PullCause> {
        let mut pieces = self.wanted.ask(layer, ingest.offset());
        self.team
            .tell(layer, LayerStep::Downloading(ingest.offset()));
        let mut told = Instant::now();
        while let Some(piece) = pieces.blocking_recv() {
            if self.team.has_failed() {
                return Ok(false);
            }
            ingest
                .append(&piece?)
                .map_err(|error| wrong_layer(layer, error))?;
            self.arrivals.grow(&layer.digest, ingest.offset());
            if told.elapsed() >= TELL_EVERY {
                self.team
                    .tell(layer, LayerStep::Downloading(ingest.offset()));
                told = Instant::now();
            }
        }
        Ok(!self.team.has_failed())
    }
}

/// An error of the store that is the registry's fault is told as such.
fn wrong_layer(layer: &Descriptor, error: berth_store::Error) -> PullCause {
    use berth_store::Error as E;
    match error {
        E::DigestMismatch { .. } | E::SizeMismatch { .. } => PullCause::WrongLayer {
            digest: layer.digest.clone(),
            source: Box::new(error),
        },
        other => other.into(),
    }
}
