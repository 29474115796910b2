//! The signals of a client that stands for a container: taken from a descriptor, then forwarded.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::error::Error;

/// SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM. Source: signal(7).
const FORWARDED: [i32; 6] = [1, 2, 3, 10, 12, 15];
/// The terminal's size changed.
const SIGWINCH: i32 = 28;

/// From its making on, the signals are blocked and wait here. To be made before the container starts,
/// in the only thread, so that none is missed.
#[derive(Debug)]
pub struct Signals(OwnedFd);

/// A signal that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The terminal's size changed.
    Resized,
    /// To be forwarded.
    Other(i32),
}

impl Signals {
    /// Blocks the signals and listens for them.
    ///
    /// # Errors
    /// [`Error::Signals`].
    pub fn listen() -> Result<Signals, Error> {
        let all: Vec<i32> = FORWARDED.into_iter().chain([SIGWINCH]).collect();
        berth_sys::signals::listen(&all)
            .map(Signals)
            .map_err(Error::Signals)
    }

    /// The next one, if one came.
    ///
    /// # Errors
    /// [`Error::Signals`].
    pub fn take(&self) -> Result<Option<Signal>, Error> {
        let number =
            berth_sys::signals::read(&self.0).map_err(|error| Error::Signals(error.into()))?;
        Ok(number.map(|number| match number {
            SIGWINCH => Signal::Resized,
            number => Signal::Other(number),
        }))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
