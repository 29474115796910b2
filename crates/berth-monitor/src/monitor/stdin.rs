//! The container's standard input: one packet of one client at a time, kept until the container took it.

use berth_monitor::args::Args;

use super::sys::{self, Errno, Fd};

/// Standard input.
pub struct Stdin {
    fd: Fd,
    /// It is the terminal, which is never closed.
    terminal: bool,
    once: bool,
    buffer: &'static mut [u8],
    from: usize,
    to: usize,
    /// To be closed once the buffer is empty.
    ending: bool,
}

impl Stdin {
    pub fn new(args: &Args<'_>, buffer: &'static mut [u8]) -> Self {
        Stdin {
            fd: args.stdin.map_or(Fd::NONE, Fd),
            terminal: args.tty.is_some(),
            once: args.stdin_once,
            buffer,
            from: 0,
            to: 0,
            ending: false,
        }
    }

    /// Whether the next packet may be received into [`Self::place`].
    pub fn is_free(&self) -> bool {
        self.from == self.to
    }

    /// Where a packet's body goes. Only when free.
    pub fn place(&mut self) -> &mut [u8] {
        self.buffer
    }

    /// What to poll for writing.
    pub fn poll_fd(&self) -> Fd {
        if self.is_free() { Fd::NONE } else { self.fd }
    }

    /// Takes the first `length` bytes of the place for the container.
    pub fn accept(&mut self, length: usize) {
        if self.fd != Fd::NONE && !self.ending {
            (self.from, self.to) = (0, length);
            self.flush();
        }
    }

    /// Writes as much as the container takes.
    pub fn flush(&mut self) {
        while self.from < self.to {
            match sys::write(self.fd, &self.buffer[self.from..self.to]) {
                Ok(count) => self.from += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                // Nobody reads it any more.
                Err(_) => {
                    self.close();
                    return;
                }
            }
        }
        if self.ending {
            self.close();
        }
    }

    /// A client that feeds it ended, or went away.
    pub fn end(&mut self) {
        if self.once && !self.terminal && self.fd != Fd::NONE {
            self.ending = true;
            self.flush();
        }
    }

    /// Init is dead, or does not read: what waits is discarded.
    pub fn close(&mut self) {
        if self.fd != Fd::NONE && !self.terminal {
            sys::close(self.fd);
        }
        self.fd = Fd::NONE;
        (self.from, self.to) = (0, 0);
    }

    /// Gives memory back that holds nothing.
    pub fn give_back(&mut self) {
        if self.is_free() {
            sys::give_back(self.buffer);
        }
    }
}
