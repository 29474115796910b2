//! What every server of berth's needs: the files that its operator writes, and TLS for those who come.

pub mod error;
pub mod files;
pub mod tls;

pub use error::Error;

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Is done when the process is asked to end: SIGTERM or SIGINT.
///
/// # Errors
/// The kernel's.
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
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
