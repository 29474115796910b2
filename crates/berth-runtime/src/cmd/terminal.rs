//! The terminal of a container: handed to whoever listens on `--console-socket`, or relayed to the
//! terminal that the runtime itself runs in.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::termios::{
    OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};

use crate::error::{Result, step};

/// Sends the master to the socket.
///
/// # Errors
/// [`Error::Step`].
pub(super) fn send(socket: &Path, master: &OwnedFd) -> Result<()> {
    send_named(socket, b"/dev/ptmx", master)
        .map_err(|e| step("hand the terminal to the console socket", e))
}

/// Sends a process's pidfd to the socket.
///
/// # Errors
/// [`Error::Step`].
pub(super) fn send_pidfd(socket: &Path, pidfd: &OwnedFd) -> Result<()> {
    send_named(socket, b"pidfd", pidfd).map_err(|e| step("hand the process to the pidfd socket", e))
}

/// A descriptor with its name, as other runtimes send it. Source: runc 1.3, docs/terminals.md.
fn send_named(socket: &Path, name: &[u8], fd: &OwnedFd) -> std::io::Result<()> {
    let stream = std::os::unix::net::UnixStream::connect(socket)?;
    berth_sys::fdpass::send(&stream, name, &[fd.as_fd()])?;
    Ok(())
}

/// Copies between this process's standard streams and a terminal. A terminal on standard input is
/// made raw, and restored at the end.
pub(super) struct Relay {
    master: OwnedFd,
    saved: Option<Termios>,
    input_open: bool,
    /// No program has it open, which poll reports at every look: it is left out of the next one.
    hung_up: bool,
}

/// How long a terminal that hung up is left out. A program may open it again.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 10_000_000,
};

impl Relay {
    pub(super) fn new(master: OwnedFd) -> Result<Relay> {
        let stdin = rustix::stdio::stdin();
        let fail = |e: Errno| step("set the terminal up", e);
        let saved = if isatty(stdin) {
            let saved = tcgetattr(stdin).map_err(fail)?;
            let mut raw = saved.clone();
            raw.make_raw();
            tcsetattr(stdin, OptionalActions::Now, &raw).map_err(fail)?;
            Some(saved)
        } else {
            None
        };
        let relay = Relay {
            master,
            saved,
            input_open: true,
            hung_up: false,
        };
        relay.resize();
        Ok(relay)
    }

    /// Gives the container's terminal the size of ours.
    pub(super) fn resize(&self) {
        if let Ok(size) = tcgetwinsize(rustix::stdio::stdin()) {
            let _ = tcsetwinsize(&self.master, size);
        }
    }

    /// Adds what it waits for: the master, then standard input.
    pub(super) fn watch<'a>(&'a self, wanted: &mut Vec<PollFd<'a>>) {
        if !self.hung_up {
            wanted.push(PollFd::from_borrowed_fd(self.master.as_fd(), PollFlags::IN));
        }
        if self.input_open {
            wanted.push(PollFd::from_borrowed_fd(
                rustix::stdio::stdin(),
                PollFlags::IN,
            ));
        }
    }

    /// How long to wait at most.
    pub(super) fn patience(&self) -> Option<&'static Timespec> {
        self.hung_up.then_some(&PAUSE)
    }

    /// Copies what is ready, of what [`Relay::watch`] added.
    pub(super) fn pump(&mut self, ready: &[bool]) {
        let mut ready = ready.iter();
        let watched = !std::mem::take(&mut self.hung_up);
        if watched && ready.next() == Some(&true) {
            self.hung_up = !self.output();
        }
        if self.input_open && ready.next() == Some(&true) {
            self.input();
        }
    }

    /// Copies what the container wrote before it ended.
    pub(super) fn drain(&mut self) {
        let _ = rustix::io::ioctl_fionbio(&self.master, true);
        while self.output() {}
    }

    /// Whether there was anything to read.
    fn output(&mut self) -> bool {
        let mut buffer = [0; 8192];
        match rustix::io::read(&self.master, &mut buffer) {
            Ok(0) | Err(_) => false,
            Ok(length) => {
                // Who reads no more must not stop the program.
                let _ = berth_fs::atomic::write_all(rustix::stdio::stdout(), &buffer[..length]);
                true
            }
        }
    }

    fn input(&mut self) {
        let mut buffer = [0; 4096];
        match rustix::io::read(rustix::stdio::stdin(), &mut buffer) {
            Ok(length) if length > 0 => {
                let _ = berth_fs::atomic::write_all(&self.master, &buffer[..length]);
            }
            _ => {
                self.input_open = false;
                // The end of a file is a ^D to a terminal.
                let _ = rustix::io::write(&self.master, &[4]);
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(saved) = &self.saved {
            let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, saved);
        }
    }
}
