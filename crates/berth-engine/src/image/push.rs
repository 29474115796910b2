//! `push`: an image to its registry. Only what the registry lacks is sent; the name comes last.
//!
//! ```text
//! plan      what is pushed: manifests, their blobs, and repositories that may have them (from the store)
//! blobs     ≤ 4 at a time: there already, mounted, or uploaded from ROOT/blobs
//! manifests by digest, children first; then the one that gets the tag
//! ```
//! The network is one thread; blobs are read by others as it takes them; the caller's thread hears of it. Nothing is written on this side, so a push
//! that dies leaves nothing (N4); what the registry has then, the next push does not send again.

use std::collections::HashSet;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use berth_oci::{Descriptor, Digest, Platform, Reference};
use berth_registry::{Client, Config, PushOptions, PushedBlob, Source};
use berth_store::Store;
use tokio::task::JoinSet;

mod error;
mod plan;

pub use error::{PushCause, PushError};
use plan::{Blob, Plan};

/// Blobs that are uploaded at the same time.
const AT_ONCE: usize = 4;
/// Progress is told no more often than this.
const TELL_EVERY: Duration = Duration::from_millis(50);

/// News of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushEvent {
    /// The index has images that are not here: only this one of it is pushed, under the index's name.
    OnlyOne {
        /// Of the index.
        index: Digest,
        /// Of the image.
        manifest: Digest,
        /// What it runs on.
        platform: Platform,
    },
    /// Something about a layer.
    Layer {
        /// Its digest.
        digest: Digest,
        /// Bytes of the blob.
        size_bytes: u64,
        /// What happened.
        step: PushStep,
    },
}

/// How far a layer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushStep {
    /// Its turn comes.
    Waiting,
    /// The repository has it already.
    Exists,
    /// This repository of the registry had it.
    Mounted(String),
    /// So many bytes of it are sent.
    Pushing(u64),
    /// All of it is there.
    Pushed,
}

/// An image that was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The name that it has there.
    pub reference: Reference,
    /// What has the name.
    pub descriptor: Descriptor,
}

impl crate::Engine {
    /// Pushes the image called `reference`: an index whole, or if it is not all here, its image for the host;
    /// with `platform`, that image alone.
    ///
    /// # Errors
    /// [`PushError`]. Then the name in the registry is as before.
    pub fn push_image(
        &self,
        config: Config,
        reference: &Reference,
        platform: Option<&Platform>,
        progress: &mut dyn FnMut(PushEvent),
    ) -> Result<Pushed, PushError> {
        let pushed = push(self.store(), config, reference, platform, progress);
        let pushed = pushed.map_err(|source| PushError {
            reference: reference.familiar(),
            source,
        })?;
        self.record_image("push", &reference.familiar(), &reference.familiar_name());
        Ok(pushed)
    }

    /// The names of images in the repository of `reference`, sorted.
    ///
    /// # Errors
    /// The store's index cannot be read.
    pub fn tags_of(&self, reference: &Reference) -> Result<Vec<Reference>, super::Error> {
        let entries = self
            .store()
            .refs()
            .map_err(super::error::store("list the images"))?;
        let names = entries.into_iter().filter_map(|entry| entry.reference);
        let mut names: Vec<Reference> = names
            .filter(|name| name.name() == reference.name() && name.digest().is_none())
            .collect();
        names.sort();
        Ok(names)
    }
}

fn push(
    store: &Store,
    config: Config,
    reference: &Reference,
    platform: Option<&Platform>,
    progress: &mut dyn FnMut(PushEvent),
) -> Result<Pushed, PushCause> {
    if reference.digest().is_some() {
        return Err(PushCause::ByDigest);
    }
    // Whoever removes the image meanwhile must not take the content with it.
    let lease = store.lease()?;
    let named = store.resolve(reference)?.ok_or(PushCause::NoImage)?;
    lease.add(&named.digest)?;
    let plan = Plan::of(store, reference, &named, platform)?;
    if let Some((manifest, platform)) = &plan.only {
        progress(PushEvent::OnlyOne {
            index: named.digest.clone(),
            manifest: manifest.clone(),
            platform: platform.clone(),
        });
    }
    let runtime = berth_registry::runtime()?;
    let stop = config.stop.clone();
    let client = Client::new(config);
    thread::scope(|scope| {
        let (news, heard) = mpsc::channel();
        let pushing = scope.spawn(move || {
            runtime.block_on(stop.or(async {
                // One request first: whether we may, and a token that all others share.
                client.has_manifest(reference).await?;
                push_blobs(&client, store, reference, &plan, news).await?;
                push_manifests(&client, reference, plan).await
            }))
        });
        // Ends when nobody has news any more.
        heard.into_iter().for_each(progress);
        pushing.join().unwrap_or(Err(PushCause::Panicked))
    })
}

async fn push_manifests(
    client: &Client,
    reference: &Reference,
    plan: Plan,
) -> Result<Pushed, PushCause> {
    let mut last = None;
    let count = plan.manifests.len();
    for (n, document) in plan.manifests.into_iter().enumerate() {
        let place = match n + 1 == count {
            true => reference.clone(),
            false => reference.with_digest(document.digest),
        };
        let pushed = client
            .push_manifest(&place, &document.media_type, &document.bytes)
            .await?;
        last = Some(pushed);
    }
    let descriptor = last.ok_or(PushCause::NoImage)?;
    Ok(Pushed {
        reference: reference.clone(),
        descriptor,
    })
}

async fn push_blobs(
    client: &Client,
    store: &Store,
    reference: &Reference,
    plan: &Plan,
    news: mpsc::Sender<PushEvent>,
) -> Result<(), PushCause> {
    let mut seen = HashSet::new();
    let distinct = |blob: &&Blob| seen.insert(blob.descriptor.digest.clone());
    let mut waiting: Vec<&Blob> = plan.blobs.iter().filter(distinct).collect();
    let tell = Teller(news);
    for blob in &waiting {
        tell.tell(blob, PushStep::Waiting);
    }
    waiting.reverse();
    let mut running = JoinSet::new();
    loop {
        while running.len() < AT_ONCE
            && let Some(blob) = waiting.pop()
        {
            let (client, reference) = (client.clone(), reference.clone());
            running.spawn(push_blob(
                client,
                store.clone(),
                reference,
                blob.clone(),
                tell.clone(),
            ));
        }
        match running.join_next().await {
            // The first failure ends the others with the set.
            Some(done) => done.map_err(|_| PushCause::Panicked)??,
            None => return Ok(()),
        }
    }
}

async fn push_blob(
    client: Client,
    store: Store,
    reference: Reference,
    blob: Blob,
    tell: Teller,
) -> Result<(), PushCause> {
    let descriptor = &blob.descriptor;
    let source = Arc::new(Stored::of(&store, &descriptor.digest));
    let options = PushOptions {
        mount_from: blob.known_in.clone(),
        progress: Some(tell.steadily(&blob)),
    };
    let pushed = client
        .push_blob(&reference, descriptor, source, &options)
        .await;
    let step = match pushed {
        Ok(PushedBlob::Existed) => PushStep::Exists,
        Ok(PushedBlob::Mounted(from)) => PushStep::Mounted(from),
        Ok(PushedBlob::Uploaded) => PushStep::Pushed,
        Err(error) => return Err(whose_fault(store, blob, error).await),
    };
    tell.tell(&blob, step);
    Ok(())
}

/// A registry that refuses a blob may be right: then it is damaged here (N14).
async fn whose_fault(store: Store, blob: Blob, error: berth_registry::Error) -> PushCause {
    let refused = matches!(
        error,
        berth_registry::Error::Status { .. } | berth_registry::Error::DigestMismatch { .. }
    );
    if !refused {
        return error.into();
    }
    let digest = blob.descriptor.digest;
    let checked = tokio::task::spawn_blocking(move || {
        let mut reader = store.reader(&digest)?;
        let read = std::io::copy(&mut reader, &mut std::io::sink());
        read.map_err(|_| berth_store::Error::CorruptBlob { digest })
    });
    match checked.await {
        Ok(Err(damage)) => damage.into(),
        _ => error.into(),
    }
}

/// A blob of the store, opened when its bytes are needed.
pub(super) struct Stored(PathBuf);

impl Stored {
    /// The blob with this digest, whether it is there or not.
    pub(super) fn of(store: &Store, digest: &Digest) -> Stored {
        Stored(store.blob_path(digest))
    }
}

impl Source for Stored {
    fn open(&self, from: u64) -> std::io::Result<Box<dyn Read + Send>> {
        use std::io::{Seek as _, SeekFrom};
        let mut file = std::fs::File::open(&self.0)?;
        file.seek(SeekFrom::Start(from))?;
        Ok(Box::new(file))
    }
}

/// The way to the caller.
#[derive(Clone)]
struct Teller(mpsc::Sender<PushEvent>);

impl Teller {
    fn tell(&self, blob: &Blob, step: PushStep) {
        if !blob.is_layer {
            return;
        }
        // The listener stays until all is done.
        let _ = self.0.send(PushEvent::Layer {
            digest: blob.descriptor.digest.clone(),
            size_bytes: blob.descriptor.size,
            step,
        });
    }

    /// Tells of the bytes that go out, now and then.
    fn steadily(&self, blob: &Blob) -> berth_registry::Progress {
        let (tell, blob) = (self.clone(), blob.clone());
        let told = Mutex::new(None::<Instant>);
        Arc::new(move |bytes| {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                *told = Some(Instant::now());
                tell.tell(&blob, PushStep::Pushing(bytes));
            }
        })
    }
}
