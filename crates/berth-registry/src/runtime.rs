//! What requests run on.

use tokio::runtime::{Builder, Runtime};

use crate::Error;

/// For one run of a client, on the caller's thread.
///
/// # Errors
/// The system has no room for it.
pub fn runtime() -> Result<Runtime, Error> {
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|source| Error::Network { source })
}
