//! Signals: back to the defaults before an exec, as a descriptor while waiting.
//!
//! Source: signal(7), signalfd(2).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::io::Errno;

use crate::check;

/// SIGKILL.
pub const KILL: i32 = libc::SIGKILL;
/// The highest signal number.
pub const MAX: i32 = 64;

fn set_of(signals: &[i32]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the whole set; sigaddset refuses numbers out of range.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

/// Gives every signal its default action and blocks none: how a program expects to be started.
/// A handler set up by this process is forgotten.
pub fn reset_all() {
    for signal in 1..=MAX {
        // SAFETY: SIG_DFL is no code of ours. The kernel and libc refuse SIGKILL, SIGSTOP and
        // libc's own two, which is what we want.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let none = set_of(&[]);
    // SAFETY: `none` is an initialised set; the old one is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) };
}

/// Lets the command start with every signal as [`reset_all`] leaves it: by itself it would inherit what
/// this process blocks.
pub fn reset_in_child(command: &mut Command) {
    // SAFETY: between fork and exec only calls that are safe there are made: signal and sigprocmask on
    // memory of the stack.
    unsafe {
        command.pre_exec(|| {
            reset_all();
            Ok(())
        });
    }
}

/// Blocks the signals and returns a descriptor (non-blocking) from which [`read`] takes them.
///
/// # Errors
/// `EMFILE`, `ENFILE`, `ENOMEM`.
pub fn listen(signals: &[i32]) -> io::Result<OwnedFd> {
    let set = set_of(signals);
    // SAFETY: `set` is an initialised set; the old one is not asked for.
    check(unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) })?;
    // SAFETY: as above; -1 asks for a new descriptor.
    let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    check(fd)?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The next signal that came, if one did. `fd` is from [`listen`].
///
/// # Errors
/// The kernel's.
pub fn read(fd: impl AsFd) -> Result<Option<i32>, Errno> {
    let mut info = [0u8; std::mem::size_of::<libc::signalfd_siginfo>()];
    match rustix::io::read(fd, &mut info) {
        Ok(_) => Ok(Some(i32::from_ne_bytes([
            info[0], info[1], info[2], info[3],
        ]))),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sends a signal (0: only asks whether it could) to the process behind a pidfd, never to one that
/// got its number later.
///
/// # Errors
/// `ESRCH` when it has ended, `EPERM`, `EINVAL`.
pub fn send(pidfd: impl AsFd, signal: i32) -> Result<(), Errno> {
    let pidfd = pidfd.as_fd().as_raw_fd();
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: numbers and a null pointer, which the call allows.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signal, no_info, 0) };
    match result {
        0 => Ok(()),
        _ => Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    /// Masks belong to threads, so the test makes its own and signals only that.
    #[test]
    fn a_blocked_signal_is_read() {
        std::thread::spawn(|| {
            let fd = listen(&[libc::SIGUSR2]).unwrap();
            assert_eq!(read(&fd), Ok(None));
            // SAFETY: sends a signal to this very thread, which blocks it.
            unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGUSR2) };
            assert_eq!(read(&fd), Ok(Some(libc::SIGUSR2)));
            assert_eq!(read(&fd), Ok(None));
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_child_inherits_no_mask() {
        use std::os::unix::process::ExitStatusExt as _;
        std::thread::spawn(|| {
            let _fd = listen(&[libc::SIGUSR2]).unwrap();
            let kill = || {
                let mut command = Command::new("/bin/sh");
                command.args(["-c", "kill -USR2 $$; exit 3"]);
                command
            };
            assert_eq!(kill().status().unwrap().code(), Some(3), "blocked");
            let mut command = kill();
            reset_in_child(&mut command);
            assert_eq!(command.status().unwrap().signal(), Some(libc::SIGUSR2));
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_pidfd_gets_the_signal_and_an_ended_process_does_not() {
        let mut child = std::process::Command::new("/bin/sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
        assert_eq!(send(&pidfd, 0), Ok(()));
        assert_eq!(send(&pidfd, 1000), Err(Errno::INVAL));
        assert_eq!(send(&pidfd, libc::SIGTERM), Ok(()));
        use std::os::unix::process::ExitStatusExt as _;
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
        assert_eq!(send(&pidfd, 0), Err(Errno::SRCH));
    }
}
