//! The whole server, from its configuration to its end: storage, access, connections, and a collector beside them.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};

use crate::access::Access;
use crate::config::Config;
use crate::serve::Server;
use crate::setup::{Error, Warnings};
use crate::storage::Storage;

/// Threads that wait for the disk or hash a password, at most.
const BLOCKING_THREADS: usize = 64;

/// Serves until SIGTERM or SIGINT. `listening` is told the address once clients may come, and whether it wants TLS.
///
/// # Errors
/// Something that the configuration names is not what it should be; the address cannot be had.
pub fn run(
    config: &Config,
    warnings: Warnings,
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
    let tls = config.handshake(warnings)?;
    runtime.block_on(async {
        let stop = stop_signal().map_err(start)?;
        let settings = config.settings.clone();
        let mut server = Server::bind(config.addr, storage, access, settings).await?;
        let is_tls = tls.is_some();
        if let Some(tls) = tls {
            server = server.with_tls(tls);
        }
        listening(server.address(), is_tls);
        server.run(stop).await;
        Ok(())
    })
}

fn open(root: &Path) -> Result<Storage, Error> {
    Storage::open(root).map_err(|source| Error::OpenStorage {
        root: root.to_owned(),
        source,
    })
}

fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let (mut term, mut int) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}
