//! Closing what takes long to close.
//!
//! Some files keep whoever closes them waiting until each processor has been idle or elsewhere once, ten milliseconds and
//! more: a watch of directories (Linux 6.12, fs/notify/mark.c, `fsnotify_wait_marks_destroyed`), a socket of nf_tables after
//! something was deleted (net/netfilter/nf_tables_api.c, `nft_rcv_nl_event`), the last hold of an overlay. The end of a
//! process waits for its files as well.

use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// What a process that ends soon has kept for its end; `None`: it lives on.
static KEPT: Mutex<Option<Vec<OwnedFd>>> = Mutex::new(None);
/// No more than these: it needs descriptors for its work.
const MOST: usize = 16;

fn kept() -> MutexGuard<'static, Option<Vec<OwnedFd>>> {
    // Whole, whatever panicked: it is changed by single calls.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that this process ends soon, by [`end`]: until then nothing is closed.
pub fn until_end() {
    kept().get_or_insert_default();
}

/// Says that this process lives on.
pub fn in_threads() {
    *kept() = None;
}

/// Closes it without waiting: in a thread, or with the process's end. Where there can be no thread, at once.
pub fn close(file: OwnedFd) {
    if let Some(kept) = &mut *kept()
        && kept.len() < MOST
    {
        return kept.push(file);
    }
    let named = thread::Builder::new().name("close".to_owned());
    let _ = named.spawn(move || drop(file));
}

/// What was kept is left to a child that does nothing else, for whom nobody waits. To be called last.
pub fn end() {
    let kept = kept().take().unwrap_or_default();
    if kept.is_empty() {
        return;
    }
    // SAFETY: the child makes one call, which is safe whatever locks its copy of the memory holds. Its files are closed in
    // their order, the standard ones first.
    unsafe {
        if libc::fork() == 0 {
            libc::_exit(0);
        }
    }
}
