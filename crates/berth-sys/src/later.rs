//! Closing what takes long to close.
//!
//! Some files keep whoever closes them waiting until each processor has been idle or elsewhere once, ten milliseconds and
//! more: a watch of directories (Linux 6.12, fs/notify/mark.c, `fsnotify_wait_marks_destroyed`), a socket of nf_tables after
//! something was deleted (net/netfilter/nf_tables_api.c, `nft_rcv_nl_event`), the last hold of an overlay. The end of a
//! process waits for its files as well.

use std::os::fd::{AsRawFd, OwnedFd};
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
    let mut kept = kept().take().unwrap_or_default();
    if kept.is_empty() {
        return;
    }
    kept.sort_by_key(AsRawFd::as_raw_fd);
    // SAFETY: the child makes no more than system calls, which are safe whatever locks its copy of the memory holds.
    unsafe {
        if libc::fork() == 0 {
            // All others first: somebody may wait for the end of a pipe, or for a lock.
            let mut first = 0;
            for file in &kept {
                close_range(first, file.as_raw_fd() - 1);
                first = file.as_raw_fd() + 1;
            }
            close_range(first, libc::c_int::MAX);
            libc::_exit(0);
        }
    }
}

/// # Safety
/// Whoever owns one of these descriptors has to be done with it.
unsafe fn close_range(first: libc::c_int, last: libc::c_int) {
    if first <= last {
        // SAFETY: the kernel takes numbers. What it cannot do (before Linux 5.9) the end of the process does.
        unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    }
}
