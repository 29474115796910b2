//! `pull`: an image from a registry, downloaded, verified, unpacked, and only then named.
//!
//! ```text
//! caller's thread   manifest → configuration ─────── progress events … ─────► tag
//! network thread    ┌ blobs as they come, several at a time (tokio, this thread only)
//! ≤ 4 fetchers      └► hash → ROOT/ingest → verified → ROOT/blobs
//! unpackers                 └► several layers at a time, as they come, in confined children
//! ```
//! What is unpacked while it comes is not verified yet; it becomes visible only if its content has the diff-id that
//! the configuration names, whose digest the manifest names.

//! What was downloaded stays under `ingest/` when a pull fails, and the next one goes on from there. A lease
//! keeps everything until the reference is written, which is the last step: before it, nothing is visible.
//! Two pulls of the same layer at the same time: the second waits for the first, then has it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use berth_oci::image::{MAX_CONFIG_BYTES, parse_config};
use berth_oci::{Descriptor, Digest, ImageConfig, Platform, Reference};
use berth_registry::{Client, Config, FetchedImage, PassedOver, Stop};
use berth_snapshot::Snapshots;
use berth_store::{Expected, Lease, Store};

use crate::trust::Trust;
use crate::unpack::UnpackOptions;

use arrivals::Arrivals;

mod arrivals;
mod error;
mod fetch;
mod unpack;

pub use error::{PullCause, PullError};

/// What a pull works with.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// Where blobs and the reference go.
    pub store: &'a Store,
    /// Where layers are unpacked.
    pub snapshots: &'a Snapshots,
    /// How they are.
    pub unpack: &'a UnpackOptions,
    /// What may be pulled.
    pub trust: &'a Trust,
}

/// News of a pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullEvent {
    /// The reference means this image, with so many layers.
    Resolved {
        /// Of the index or manifest.
        digest: Digest,
        /// Different layers.
        layers: usize,
    },
    /// A mirror was not believed; another one was asked, or the registry.
    PassedOver {
        /// Its host, and port.
        mirror: String,
        /// What it did.
        reason: String,
    },
    /// Something about a layer.
    Layer {
        /// Its digest.
        digest: Digest,
        /// Bytes of the blob.
        size_bytes: u64,
        /// What happened.
        step: LayerStep,
    },
}

/// How far a layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerStep {
    /// The store has it already.
    Exists,
    /// So many bytes of it are here.
    Downloading(u64),
    /// It is here and verified.
    Downloaded,
    /// It is unpacked.
    Unpacked,
}

/// An image that was pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The name that it has now.
    pub reference: Reference,
    /// What has the name: the index, if the registry had one, else the manifest.
    pub descriptor: Descriptor,
    /// Of the manifest.
    pub manifest: Digest,
    /// The image's id: the digest of its configuration.
    pub id: Digest,
    /// What the image says that it runs on.
    pub platform: Platform,
    /// Chain-ids of its layers, lowest first: all are unpacked.
    pub chains: Vec<Digest>,
    /// The name meant something else before, or nothing.
    pub changed: bool,
}

/// Pulls `reference` for `platform` (`None`: the host's, and any single image that there is).
///
/// # Errors
/// [`PullError`]. Then the reference is as before, and what was downloaded is kept for the next pull.
pub fn pull(
    parts: &Parts<'_>,
    config: Config,
    reference: &Reference,
    platform: Option<&Platform>,
    progress: &mut dyn FnMut(PullEvent),
) -> Result<Pulled, PullError> {
    pull_image(parts, config, reference, platform, progress).map_err(|source| PullError {
        reference: reference.familiar(),
        source,
    })
}

impl crate::Engine {
    /// Pulls an image into this engine: see [`pull`].
    ///
    /// # Errors
    /// [`PullError`].
    pub fn pull(
        &self,
        config: Config,
        trust: &Trust,
        reference: &Reference,
        platform: Option<&Platform>,
        progress: &mut dyn FnMut(PullEvent),
    ) -> Result<Pulled, PullError> {
        let parts = Parts {
            store: self.store(),
            snapshots: self.snapshots(),
            unpack: &self.unpack_options(),
            trust,
        };
        let pulled = pull(&parts, config, reference, platform, progress)?;
        self.record_image("pull", &reference.familiar(), &reference.familiar_name());
        Ok(pulled)
    }
}

fn pull_image(
    parts: &Parts<'_>,
    config: Config,
    reference: &Reference,
    platform: Option<&Platform>,
    progress: &mut dyn FnMut(PullEvent),
) -> Result<Pulled, PullCause> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|source| PullCause::Network { source })?;
    let stop = config.stop.clone();
    let client = Client::new(config);
    let gate = parts.trust.gate(reference)?;
    let lease = parts.store.lease()?;
    let host = Platform::host();
    let image = runtime.block_on(stop.or(async {
        let image = client.fetch_image(reference, platform.unwrap_or(&host));
        let image = image.await?;
        gate.admit(&client, reference, &image).await?;
        Ok::<_, PullCause>(image)
    }))?;
    let descriptor = image.index.as_ref().unwrap_or(&image.manifest).descriptor();
    let layers = fetch::distinct(&image.parsed.layers);
    progress(PullEvent::Resolved {
        digest: descriptor.digest.clone(),
        layers: layers.len(),
    });
    let settings = settings(&runtime, &stop, &client, reference, &lease, &image)?;
    check_platform(&settings, platform, image.index.is_some())?;
    tell_passed_over(&client, progress);
    let arrivals = Arrivals::new(fetch::fetchers(layers.len()));
    let chains = thread::scope(|scope| {
        let (news, heard) = mpsc::channel();
        let wanted = fetch::Wanted::start(scope, runtime, &stop, &client, reference);
        let team = Team {
            news,
            failed: Arc::new(AtomicBool::new(false)),
            stop: stop.clone(),
        };
        fetch::start(scope, &lease, &layers, &wanted, &arrivals, &team);
        // Its thread ends when all of these are dropped.
        drop(wanted);
        let (arrivals, manifest, settings) = (&arrivals, &image.parsed, &settings);
        let unpacking =
            scope.spawn(move || unpack::all(parts, manifest, settings, arrivals, &team));
        // Ends when all threads have dropped their end.
        let mut failure = None;
        for message in heard {
            tell_passed_over(&client, progress);
            match message {
                Ok(event) => progress(event),
                Err(cause) => failure = failure.or(Some(cause)),
            }
        }
        match (failure, unpacking.join()) {
            (None, Ok(Some(chains))) => Ok(chains),
            _ if stop.is_stopped() => Err(berth_registry::Error::Stopped.into()),
            (failure, _) => Err(failure.unwrap_or(PullCause::Panicked)),
        }
    })?;
    publish(
        parts.store,
        &lease,
        reference,
        &image,
        descriptor,
        &settings,
        chains,
    )
}

fn tell_passed_over(client: &Client, progress: &mut dyn FnMut(PullEvent)) {
    for PassedOver { mirror, reason } in client.passed_over() {
        progress(PullEvent::PassedOver { mirror, reason });
    }
}

/// What the threads of a pull share.
#[derive(Clone)]
struct Team {
    news: mpsc::Sender<Result<PullEvent, PullCause>>,
    /// One of them failed.
    failed: Arc<AtomicBool>,
    /// Nobody waits for them any more.
    stop: Stop,
}

impl Team {
    /// Tells the caller.
    fn tell(&self, layer: &Descriptor, step: LayerStep) {
        // The listener stays until all threads are gone.
        let _ = self.news.send(Ok(PullEvent::Layer {
            digest: layer.digest.clone(),
            size_bytes: layer.size,
            step,
        }));
    }

    /// Ends the work of all.
    fn fail(&self, cause: PullCause) {
        self.failed.store(true, Ordering::Relaxed);
        let _ = self.news.send(Err(cause));
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.stop.is_stopped()
    }
}

/// The last step: the documents, then the name.
fn publish(
    store: &Store,
    lease: &Lease,
    reference: &Reference,
    image: &FetchedImage,
    descriptor: Descriptor,
    settings: &ImageConfig,
    chains: Vec<Digest>,
) -> Result<Pulled, PullCause> {
    for document in [Some(&image.manifest), image.index.as_ref()]
        .into_iter()
        .flatten()
    {
        keep(lease, &document.descriptor(), &document.bytes)?;
    }
    let before = store.resolve(reference)?;
    let changed = before.is_none_or(|before| before.digest != descriptor.digest);
    store.tag(reference, &descriptor)?;
    Ok(Pulled {
        reference: reference.clone(),
        manifest: image.manifest.digest.clone(),
        id: image.parsed.config.digest.clone(),
        platform: settings.platform(),
        descriptor,
        chains,
        changed,
    })
}

/// The image's configuration: from the store, or else the registry.
fn settings(
    runtime: &tokio::runtime::Runtime,
    stop: &Stop,
    client: &Client,
    reference: &Reference,
    lease: &Lease,
    image: &FetchedImage,
) -> Result<ImageConfig, PullCause> {
    let descriptor = &image.parsed.config;
    let store = lease.store();
    let known = if lease.add(&descriptor.digest)? {
        store.read_blob(&descriptor.digest, MAX_CONFIG_BYTES).ok()
    } else {
        None
    };
    let bytes = match known {
        Some(bytes) => bytes,
        None => {
            let bytes = runtime.block_on(stop.or(client.fetch_config(reference, descriptor)))?;
            keep(lease, descriptor, &bytes)?;
            bytes
        }
    };
    let settings = parse_config(&bytes)?;
    image.parsed.check_against(&settings)?;
    Ok(settings)
}

/// Adds a document to the store; over a damaged one of the same name, if there is one.
fn keep(lease: &Lease, descriptor: &Descriptor, bytes: &[u8]) -> Result<(), PullCause> {
    if lease.add(&descriptor.digest)?
        && lease.store().size(&descriptor.digest)? == Some(bytes.len() as u64)
    {
        return Ok(());
    }
    let expected = Expected {
        digest: descriptor.digest.clone(),
        size: descriptor.size,
    };
    let mut ingest = lease.ingest(Some(expected))?;
    ingest.restart()?;
    ingest.append(bytes)?;
    ingest.commit()?;
    Ok(())
}

/// An image for another platform than the one asked for is no answer (T21); without an index, and if nobody
/// asked, there is nothing to choose from.
fn check_platform(
    settings: &ImageConfig,
    asked: Option<&Platform>,
    from_index: bool,
) -> Result<(), PullCause> {
    let host = Platform::host();
    let wanted = match asked {
        Some(asked) => asked,
        None if from_index => &host,
        None => return Ok(()),
    };
    let found = settings.platform();
    let (same_os, same_architecture) = {
        let (a, b) = (wanted.clone().normalised(), found.clone().normalised());
        (a.os == b.os, a.architecture == b.architecture)
    };
    if same_os && same_architecture {
        return Ok(());
    }
    Err(PullCause::Platform {
        wanted: wanted.to_string(),
        found: found.to_string(),
    })
}
