//! Signals: none of them ends the monitor. SIGCHLD and SIGTERM are read from a descriptor, the rest is ignored.

use super::sys::{self, Errno, Fd, SignalSet};

const SIGKILL: usize = 9;
const SIGTERM: usize = 15;
const SIGCHLD: usize = 17;
const SIGSTOP: usize = 19;
const LAST: usize = 64;

/// What [`take`] found.
#[derive(Default, Clone, Copy)]
pub struct Taken {
    /// A child died.
    pub child: bool,
    /// Somebody asks us to end; heeded only when init is dead.
    pub terminate: bool,
}

/// Arranges signals for the monitor's life.
pub fn prepare() -> Result<Fd, Errno> {
    let heard = SignalSet(1 << (SIGCHLD - 1) | 1 << (SIGTERM - 1));
    sys::block(heard);
    let fd = sys::signal_fd(heard)?;
    for signal in (1..=LAST).filter(|&signal| signal != SIGKILL && signal != SIGSTOP) {
        // An ignored SIGCHLD would reap children behind our back.
        let ignored = signal != SIGCHLD && signal != SIGTERM;
        sys::set_ignored(signal, ignored);
    }
    Ok(fd)
}

/// Reads all pending signals.
pub fn take(fd: Fd) -> Taken {
    let mut taken = Taken::default();
    // struct signalfd_siginfo is 128 bytes and begins with the signal's number.
    let mut info = [0u8; 128];
    while sys::read(fd, &mut info) == Ok(info.len()) {
        match u32::from_le_bytes([info[0], info[1], info[2], info[3]]) as usize {
            SIGCHLD => taken.child = true,
            SIGTERM => taken.terminate = true,
            _ => {}
        }
    }
    taken
}

/// Back to what a fresh process has, for the program that the monitor becomes.
pub fn restore(fd: Fd) {
    // A SIGTERM that still waits was meant for the monitor.
    take(fd);
    for signal in (1..=LAST).filter(|&signal| signal != SIGKILL && signal != SIGSTOP) {
        sys::set_ignored(signal, false);
    }
    sys::block(SignalSet(0));
}
