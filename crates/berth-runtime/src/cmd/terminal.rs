//! The terminal of a container: handed to whoever listens on `--console-socket`, or relayed to the
//! terminal that the runtime itself runs in.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::termios::{
    OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};

use crate::error::{Error, Result};

/// Sends the master to the socket.
///
/// # Errors
/// [`Error::Step`].
pub(super) fn send(socket: &Path, master: &OwnedFd) -> Result<()> {
    let fail = |source| Error::Step {
        action: "hand the terminal to the console socket",
        source,
    };
    let stream = std::os::unix::net::UnixStream::connect(socket).map_err(fail)?;
    berth_sys::fdpass::send(&stream, b"/dev/ptmx", &[master.as_fd()])
        .map(drop)
        .map_err(|e| fail(e.into()))
}

/// Copies between this process's standard streams and a terminal. A terminal on standard input is
/// made raw, and restored at the end.
pub(super) struct Relay {
    master: OwnedFd,
    saved: Option<Termios>,
    input_open: bool,
}

impl Relay {
    pub(super) fn new(master: OwnedFd) -> Result<Relay> {
        let stdin = rustix::stdio::stdin();
        let fail = |errno: Errno| Error::Step {
            action: "set the terminal up",
            source: errno.into(),
        };
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
        wanted.push(PollFd::from_borrowed_fd(self.master.as_fd(), PollFlags::IN));
        if self.input_open {
            wanted.push(PollFd::from_borrowed_fd(
                rustix::stdio::stdin(),
                PollFlags::IN,
            ));
        }
    }

    /// Copies what is ready.
    pub(super) fn pump(&mut self, ready: &[bool]) {
        if ready.first() == Some(&true) {
            self.output();
        }
        if ready.get(1) == Some(&true) {
            self.input();
        }
    }

    /// Copies what the container wrote before it ended.
    pub(super) fn drain(&mut self) {
        let _ = rustix::io::ioctl_fionbio(&self.master, true);
        while self.output() {}
    }

    fn output(&mut self) -> bool {
        let mut buffer = [0; 8192];
        match rustix::io::read(&self.master, &mut buffer) {
            Ok(0) | Err(_) => {
                // Nobody has the other side open: input would wake us for ever.
                false
            }
            Ok(length) => {
                berth_fs::atomic::write_all(rustix::stdio::stdout(), &buffer[..length]).is_ok()
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
