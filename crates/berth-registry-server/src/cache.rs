//! A cache for other registries: what is not here is fetched there, and kept.
//!
//! ```text
//! tag      believed for a time; then upstream is asked what it names now. Away: what is here is served
//! digest   never changes: asked for once
//! blob     one download at a time, however many wait for it (`flight`). They read along in the upload's file, all but
//!          its last byte, which is given out when the digest is right (`coming`); otherwise they are cut off, and
//!          nothing is kept
//! ```
//! A manifest is stored before its blobs are here. Nothing can be pushed where upstream decides. What somebody may
//! read is decided before, by our own rights; upstream is asked with the login that we were set up with.

mod coming;
mod flight;
mod upstream;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use berth_oci::Digest;
use tokio::sync::Semaphore;

pub use coming::Coming;
use flight::Flights;
pub use upstream::Upstream;
use upstream::{Known, Source};

use crate::blocking::blocking;
use crate::error::{Code, Failure};
use crate::name::{RepositoryName, Selector};
use crate::setup::Error;
use crate::storage::{RuleSet, Storage};
use crate::sync::{Remembered, lock};

/// Downloads at a time; who comes then waits.
const MAX_DOWNLOADS: usize = 32;
/// Tags of which it is known when they were checked last.
const MAX_CHECKED: usize = 10_000;
/// How long a registry that was away is left alone, by those for whom there is something here.
const AWAY: Duration = Duration::from_secs(10);
/// Who moves tags, in their history.
const WHO: &str = "upstream";

/// The caches. Clones share all.
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    storage: Storage,
    rules: RuleSet,
    sources: Vec<Source>,
    flights: Flights,
    room: Semaphore,
    max_blob_bytes: u64,
    /// Who asks upstream for a manifest now, so that others wait instead of asking, too.
    asking: Mutex<HashMap<Key, Weak<Turn>>>,
    /// Tags that are believed.
    believed: Remembered<Key>,
}

/// A repository, and a tag or digest in it.
type Key = (RepositoryName, String);

type Turn = tokio::sync::Mutex<()>;

/// A blob that was not here.
#[derive(Debug)]
pub enum Arrival {
    /// It is now.
    Here,
    /// It comes.
    Coming(Coming),
}

impl Cache {
    /// Of these registries, which are reached as `client` says (mirrors, proxies).
    ///
    /// # Errors
    /// A file of a password cannot be read; a registry that cannot be spoken to.
    pub fn new(
        upstreams: &[Upstream],
        client: &berth_registry::Config,
        storage: Storage,
        rules: RuleSet,
        max_blob_bytes: u64,
    ) -> Result<Cache, Error> {
        let sources: Result<Vec<Source>, Error> = upstreams
            .iter()
            .map(|upstream| Source::new(upstream, client))
            .collect();
        Ok(Cache(Arc::new(Inner {
            storage,
            rules,
            sources: sources?,
            flights: Flights::default(),
            room: Semaphore::new(MAX_DOWNLOADS),
            max_blob_bytes,
            asking: Mutex::default(),
            believed: Remembered::new(MAX_CHECKED),
        })))
    }

    /// Whether the repository is another registry's.
    pub fn covers(&self, name: &RepositoryName) -> bool {
        self.0.source(name).is_some()
    }

    /// What whoever wants to change something there is told.
    pub fn refusal(&self) -> Failure {
        let message = "this repository is a cache of another registry's: push there";
        Failure::new(Code::Unsupported, message)
    }

    /// Sees to it that a manifest is here, and that a tag names what it names upstream. Does nothing where upstream
    /// cannot be asked and there is something here.
    ///
    /// # Errors
    /// Not there; upstream is away, and there is nothing here; the disk's.
    pub async fn manifest(
        &self,
        name: &RepositoryName,
        selector: &Selector,
    ) -> Result<(), Failure> {
        let Some(source) = self.0.source(name) else {
            return Ok(());
        };
        let key = (name.clone(), selector_text(selector));
        if self.0.believed.has(&key) {
            return Ok(());
        }
        let turn = self.0.turn(&key);
        let _turn = turn.lock().await;
        // Whoever had the turn before may have asked the same.
        if self.0.believed.has(&key) {
            return Ok(());
        }
        let here = self.here(name, selector).await?;
        if here.is_some() && (matches!(selector, Selector::Digest(_)) || source.is_away()) {
            return Ok(());
        }
        let has_any = here.is_some();
        match source.manifest(name, selector, here).await {
            Ok(Known::Same) => {}
            Ok(Known::New(fetched)) => {
                let stored = self.store(name, selector, fetched).await;
                // An immutable tag stays, a full disk keeps what it has.
                if let Err(failure) = stored
                    && !(has_any && matches!(failure.code, Code::Denied | Code::NoSpace))
                {
                    return Err(failure);
                }
            }
            Err(failure) if has_any && failure.code != Code::ManifestUnknown => return Ok(()),
            Err(failure) => return Err(failure),
        }
        if matches!(selector, Selector::Tag(_)) {
            self.0.believed.add(key, source.ttl());
        }
        Ok(())
    }

    /// The size of a blob that is not here.
    ///
    /// # Errors
    /// Not there; upstream is away.
    pub async fn blob_size(&self, name: &RepositoryName, digest: &Digest) -> Result<u64, Failure> {
        match self.0.source(name) {
            Some(source) => source.blob_size(name, digest).await,
            None => Err(Failure::no_blob()),
        }
    }

    /// Fetches a blob that is not here, or goes along with who does already.
    ///
    /// # Errors
    /// Not there; upstream is away; the disk's.
    pub async fn blob(&self, name: &RepositoryName, digest: &Digest) -> Result<Arrival, Failure> {
        if !self.covers(name) {
            return Err(Failure::no_blob());
        }
        flight::join(self, name, digest).await
    }

    async fn here(
        &self,
        name: &RepositoryName,
        selector: &Selector,
    ) -> Result<Option<Digest>, Failure> {
        let (repository, selector) = (self.0.storage.repository(name), selector.clone());
        blocking(move || {
            // A damaged one is as none: it is fetched again.
            let found = repository.manifest(&selector);
            Ok(found.ok().flatten().map(|manifest| manifest.digest))
        })
        .await
    }

    async fn store(
        &self,
        name: &RepositoryName,
        selector: &Selector,
        fetched: berth_registry::Fetched,
    ) -> Result<(), Failure> {
        let (repository, rules) = (self.0.storage.repository(name), self.0.rules.of(name));
        let selector = selector.clone();
        let stored = blocking(move || {
            let (kind, bytes) = (&fetched.media_type, &fetched.bytes);
            repository.cache_manifest(&selector, kind, bytes, WHO, &rules)
        });
        match stored.await {
            Err(failure) if failure.code == Code::ManifestInvalid => Err(Failure {
                code: Code::Unavailable,
                message: format!(
                    "upstream sends a manifest that is none: {}",
                    failure.message
                ),
                cause: failure.cause,
            }),
            stored => stored.map(drop),
        }
    }
}

impl Inner {
    /// Who has the repository: the longest prefix.
    fn source(&self, name: &RepositoryName) -> Option<&Source> {
        let fitting = self.sources.iter().filter(|source| source.has(name));
        fitting.max_by_key(|source| source.prefix_length())
    }

    /// Whoever holds it asks upstream.
    fn turn(&self, key: &Key) -> Arc<Turn> {
        let mut asking = lock(&self.asking);
        if let Some(turn) = asking.get(key).and_then(Weak::upgrade) {
            return turn;
        }
        asking.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::default();
        asking.insert(key.clone(), Arc::downgrade(&turn));
        turn
    }
}

fn selector_text(selector: &Selector) -> String {
    match selector {
        Selector::Digest(digest) => digest.to_string(),
        Selector::Tag(tag) => tag.as_str().to_owned(),
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cache")
    }
}
