//! Downloads of blobs: one for each blob of a repository, however many wait for it.
//!
//! It goes on when those who wait have gone away: they, or others, will come again.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex};

use berth_oci::Digest;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use super::upstream::Source;
use super::{Arrival, Cache, Coming};
use crate::blocking::blocking;
use crate::error::{Code, Failure};
use crate::name::RepositoryName;
use crate::storage::Upload;
use crate::sync::lock;

/// What is written at once, if the disk is slower than the network.
const PART_BYTES: usize = 256 << 10;

type Key = (RepositoryName, Digest);

/// Those under way.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Key, watch::Receiver<State>>>);

/// How far one is.
#[derive(Clone)]
pub(super) enum State {
    /// Upstream is asked.
    Asking,
    /// Bytes come.
    Coming(Arc<File>, Progress),
    /// It is here, and is what its digest says.
    Here,
    /// It is not, and nothing is kept. The cause is told once, to whoever began.
    Failed(Code, String),
}

/// How much of a blob is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    pub(super) bytes: u64,
    pub(super) size: u64,
}

/// Goes along with the download of a blob, which begins if there is none.
pub(super) async fn join(
    cache: &Cache,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Arrival, Failure> {
    let key = (name.clone(), digest.clone());
    let mut state = cache.0.flights.enter(cache, key);
    let ready = |state: &State| !matches!(state, State::Asking);
    let state_now = match state.wait_for(ready).await {
        Ok(state) => state.clone(),
        Err(_) => return Err(lost()),
    };
    match state_now {
        State::Coming(file, progress) => {
            Ok(Arrival::Coming(Coming::new(state, file, progress.size)))
        }
        State::Here => Ok(Arrival::Here),
        State::Failed(code, message) => Err(Failure::new(code, message)),
        State::Asking => Err(lost()),
    }
}

pub(super) fn lost() -> Failure {
    Failure::new(Code::Internal, "the download was given up")
}

impl Flights {
    fn enter(&self, cache: &Cache, key: Key) -> watch::Receiver<State> {
        let mut flights = lock(&self.0);
        if let Some(state) = flights.get(&key) {
            return state.clone();
        }
        let (sender, state) = watch::channel(State::Asking);
        flights.insert(key.clone(), state.clone());
        drop(flights);
        let cache = cache.clone();
        tokio::spawn(async move {
            // Also if this is dropped in mid-way, nobody waits for it any more.
            let leave = Leave(&cache, &key);
            let end = match download(&cache, &key, &sender).await {
                Ok(()) => State::Here,
                Err(failure) => State::Failed(failure.code, failure.message),
            };
            drop(leave);
            sender.send_replace(end);
        });
        state
    }
}

struct Leave<'a>(&'a Cache, &'a Key);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        lock(&self.0.0.flights.0).remove(self.1);
    }
}

async fn download(cache: &Cache, key: &Key, state: &watch::Sender<State>) -> Result<(), Failure> {
    let (name, digest) = key;
    let _room = cache.0.room.acquire().await.map_err(|_| lost())?;
    let source = cache.0.source(name).ok_or_else(Failure::no_blob)?;
    let repository = cache.0.storage.repository(name);
    let wanted = digest.clone();
    let there = repository.clone();
    // Somebody else may have fetched it since we looked.
    if blocking(move || there.blob(&wanted)).await?.is_some() {
        return Ok(());
    }
    let size = source.blob_size(name, digest).await?;
    if size > cache.0.max_blob_bytes {
        let message = "the blob is larger than this registry takes";
        return Err(Failure::new(Code::TooLarge, message));
    }
    let rules = cache.0.rules.of(name);
    let begun = blocking(move || {
        let upload = repository.begin_upload()?.under(&rules);
        let file = upload.reader()?;
        Ok((upload, Arc::new(file)))
    });
    let (upload, file) = begun.await?;
    let progress = Progress { bytes: 0, size };
    state.send_replace(State::Coming(file, progress));

    let upload = fetch(source, key, size, upload, state).await?;
    let expected = digest.clone();
    let finished = blocking(move || upload.finish(&expected)).await;
    finished.map(drop).map_err(|failure| match failure.code {
        Code::DigestInvalid => {
            source.blame(name, digest);
            Failure {
                code: Code::Unavailable,
                message: "the upstream registry sends another blob than that of the digest".into(),
                cause: Some(Box::new(failure)),
            }
        }
        _ => failure,
    })
}

/// All that upstream sends, on the disk; or nothing.
async fn fetch(
    source: &Source,
    key: &Key,
    size: u64,
    upload: Upload,
    state: &watch::Sender<State>,
) -> Result<Upload, Failure> {
    let mut disk = Disk {
        upload: Some(upload),
        writing: None,
    };
    let poured = pour(source, key, size, &mut disk, state).await;
    let upload = disk.rest().await?;
    match poured {
        Ok(()) => Ok(upload),
        Err(failure) => {
            let cancel = move || {
                upload.cancel();
                Ok(())
            };
            blocking(cancel).await?;
            Err(failure)
        }
    }
}

async fn pour(
    source: &Source,
    (name, digest): &Key,
    size: u64,
    disk: &mut Disk,
    state: &watch::Sender<State>,
) -> Result<(), Failure> {
    let mut stream = source.blob(name, digest, size)?;
    let (mut part, mut length) = (Vec::new(), 0);
    while let Some(bytes) = source.heard(stream.next().await, Failure::no_blob)? {
        length += bytes.len();
        part.push(bytes);
        // While the disk is busy more is gathered, so that many small pieces become one task.
        if length >= PART_BYTES || disk.is_idle() {
            disk.write(std::mem::take(&mut part), state).await?;
            length = 0;
        }
    }
    disk.write(part, state).await
}

/// An upload that is written to in the background, a part at a time.
struct Disk {
    upload: Option<Upload>,
    writing: Option<JoinHandle<Result<Upload, Failure>>>,
}

impl Disk {
    fn is_idle(&self) -> bool {
        self.writing.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits until nothing is written any more.
    async fn rest(&mut self) -> Result<Upload, Failure> {
        if let Some(writing) = self.writing.take() {
            let written = writing.await.unwrap_or_else(|_| Err(lost()));
            self.upload = Some(written?);
        }
        self.upload.take().ok_or_else(lost)
    }

    /// Writes this, once the part before it is written, and tells then how much there is.
    async fn write(
        &mut self,
        part: Vec<Bytes>,
        state: &watch::Sender<State>,
    ) -> Result<(), Failure> {
        let mut upload = self.rest().await?;
        let told = state.clone();
        self.writing = Some(spawn_blocking(move || {
            for bytes in part {
                upload.append(&bytes)?;
            }
            told.send_modify(|state| {
                if let State::Coming(_, progress) = state {
                    progress.bytes = upload.offset();
                }
            });
            Ok(upload)
        }));
        Ok(())
    }
}
