//! The whole server, from its configuration to its end: storage, access, connections, and a collector beside them.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::access::Access;
use crate::cache::Upstream;
use crate::config::{Collect, Config};
use crate::serve::Server;
use crate::setup::{Error, Warnings};
use crate::storage::{CollectOptions, Collected, Problem, RuleSet, Storage};

/// Threads that wait for the disk or hash a password, at most.
const BLOCKING_THREADS: usize = 64;
/// The first collection waits so long: whoever starts the server wants to use it.
const FIRST_COLLECTION: Duration = Duration::from_secs(60);

/// Serves until SIGTERM or SIGINT. `env` is the face's environment: upstream registries are reached as `registries.toml`
/// and the proxies in it say, but only with the logins of the configuration. `listening` is told the address once
/// clients may come, and whether it wants TLS.
///
/// # Errors
/// Something that the configuration names is not what it should be; the address cannot be had.
pub fn run(
    config: &Config,
    warnings: Warnings,
    env: impl Fn(&str) -> Option<String>,
    listening: impl FnOnce(SocketAddr, bool),
) -> Result<(), Error> {
    let start = |source| Error::Start { source };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(start)?;
    let storage = open(&config.root)?;
    let access = match config.auth(warnings.clone())? {
        Some(auth) => Access::new(auth),
        None => Access::open(),
    };
    let tls = config.handshake(warnings.clone())?;
    let cache = config.cache(&storage, env)?;
    runtime.block_on(async {
        let stop = berth_serve::stop_signal().map_err(start)?;
        let settings = config.settings.clone();
        let mut server = Server::bind(config.addr, storage.clone(), access, settings).await?;
        if let Some(cache) = cache {
            server = server.with_cache(cache);
        }
        let is_tls = tls.is_some();
        if let Some(tls) = tls {
            server = server.with_tls(tls);
        }
        let collector = collecting(
            storage,
            config.collect,
            config.settings.rules.clone(),
            warnings,
        );
        let collector = tokio::spawn(collector);
        listening(server.address(), is_tls);
        server.run(stop).await;
        collector.abort();
        Ok(())
    })
    // Dropping the runtime waits for a step of the collector that is under way.
}

/// Collects garbage once, beside a server that may run.
///
/// # Errors
/// The disk's.
pub fn collect(root: &Path, options: &CollectOptions, rules: &RuleSet) -> Result<Collected, Error> {
    let storage = open(root)?;
    storage
        .collect(options, &|name| rules.of(name))
        .map_err(|source| Error::Collect { source })
}

/// Looks for damage, beside a server that may run; with `repair`, removes blobs that are damaged, so that the next push
/// brings them again. What a cache (`caches`) has not fetched yet is no damage.
///
/// # Errors
/// The disk's.
pub fn check(root: &Path, caches: &[Upstream], repair: bool) -> Result<Vec<Problem>, Error> {
    let storage = open(root)?;
    let found = match repair {
        true => storage.repair(),
        false => storage.check(),
    };
    let mut problems = found.map_err(|source| Error::Check { source })?;
    problems.retain(|problem| {
        let cached = problem.repository.as_ref();
        let cached = cached.is_some_and(|name| caches.iter().any(|cache| cache.covers(name)));
        !(problem.is_absent && cached)
    });
    Ok(problems)
}

fn open(root: &Path) -> Result<Storage, Error> {
    Storage::open(root).map_err(|source| Error::OpenStorage {
        root: root.to_owned(),
        source,
    })
}

/// Collects from time to time, for ever.
async fn collecting(storage: Storage, when: Collect, rules: RuleSet, warnings: Warnings) {
    let Some(every) = when.every else {
        return;
    };
    let options = when.options();
    let mut wait = every.min(FIRST_COLLECTION);
    loop {
        tokio::time::sleep(wait).await;
        wait = every;
        let (storage, rules, options) = (storage.clone(), rules.clone(), options.clone());
        let work = move || storage.collect(&options, &|name| rules.of(name));
        if let Ok(Err(source)) = tokio::task::spawn_blocking(work).await {
            warnings.tell(&Error::Collect { source }, "it is tried again later");
        }
    }
}
