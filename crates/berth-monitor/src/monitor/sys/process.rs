//! Children, signals, and becoming another program.

use core::ffi::{CStr, c_char};

use super::{Errno, Fd, O_CLOEXEC, Result, number, plain, syscall};

/// Reaps one dead child, whatever signal it reports by: pid and wait status. `None`: none is dead now.
pub fn reap() -> Option<(i32, i32)> {
    const WNOHANG: usize = 1;
    const WALL: usize = 0x4000_0000;
    let mut status = 0i32;
    let a = [
        -1isize as usize,
        &raw mut status as usize,
        WNOHANG | WALL,
        0,
        0,
        0,
    ];
    // SAFETY: the kernel fills `status`.
    match unsafe { syscall(number::WAIT4, a) } {
        Ok(pid) if pid > 0 => Some((pid as i32, status)),
        _ => None,
    }
}

/// Whether `pid` is a child of ours, alive or not yet reaped.
pub fn is_child(pid: i32) -> bool {
    const P_PID: usize = 1;
    const LOOK: usize = 4 | 1 | 0x0100_0000 | 0x4000_0000; // WEXITED, WNOHANG, WNOWAIT, __WALL
    plain(number::WAITID, [P_PID, pid as usize, 0, LOOK, 0, 0]).is_ok()
}

/// A set of signals, bit n-1 for signal n.
#[derive(Clone, Copy)]
#[repr(transparent)]
#[allow(dead_code)] // the kernel reads it
pub struct SignalSet(pub u64);

/// Blocks exactly the signals of `set`.
pub fn block(set: SignalSet) {
    const SIG_SETMASK: usize = 2;
    // SAFETY: the set lives through the call and has the kernel's size; no old set is asked for.
    let _ = unsafe {
        syscall(
            number::RT_SIGPROCMASK,
            [SIG_SETMASK, &raw const set as usize, 0, 8, 0, 0],
        )
    };
}

/// `struct sigaction` as the kernel has it; no handler of ours ever runs, so no restorer.
#[repr(C)]
struct Action {
    handler: usize,
    rest: [usize; 3],
}

/// Ignores `signal`, or gives it back its default.
pub fn set_ignored(signal: usize, ignored: bool) {
    let action = Action {
        handler: usize::from(ignored),
        rest: [0; 3],
    };
    // SAFETY: the structure lives through the call; SIG_DFL and SIG_IGN run no code of ours.
    let _ = unsafe {
        syscall(
            number::RT_SIGACTION,
            [signal, &raw const action as usize, 0, 8, 0, 0],
        )
    };
}

/// A descriptor that becomes readable with a signal of `set`.
pub fn signal_fd(set: SignalSet) -> Result<Fd> {
    const NONBLOCK: usize = 0o4000;
    let a = [
        -1isize as usize,
        &raw const set as usize,
        8,
        NONBLOCK | O_CLOEXEC,
        0,
        0,
    ];
    // SAFETY: the set lives through the call.
    unsafe { syscall(number::SIGNALFD4, a) }.map(|fd| Fd(fd as i32))
}

/// Orphans below this process become its children.
pub fn become_subreaper() {
    const PR_SET_CHILD_SUBREAPER: usize = 36;
    let _ = plain(number::PRCTL, [PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0, 0]);
}

/// Becomes another program; returns only if that fails.
///
/// # Safety
/// Both vectors must end in NULL and point to NUL-terminated strings.
pub unsafe fn execve(
    path: &CStr,
    arguments: *const *const c_char,
    environment: *const *const c_char,
) -> Errno {
    let a = [
        path.as_ptr() as usize,
        arguments as usize,
        environment as usize,
        0,
        0,
        0,
    ];
    // SAFETY: the path is NUL-terminated, the vectors as the caller vouches.
    unsafe { syscall(number::EXECVE, a) }
        .err()
        .unwrap_or(Errno(0))
}
