//! Waiting for descriptors of any sort.

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::unix::AsyncFd;

/// Registers what owns a descriptor.
///
/// # Errors
/// The kernel's: there is no room, or this sort cannot be waited for.
#[expect(
    deprecated,
    reason = "its successor is unsafe, for types that do not own their descriptor; ours do"
)]
pub(crate) fn register<T: AsRawFd>(owner: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::new(owner)
}
