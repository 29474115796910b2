//! The user's terminal in raw mode, and back again whatever happens.

use std::os::fd::{AsFd, OwnedFd};

use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

use super::error::Error;

/// While this lives the terminal is raw: keys go to the container as typed. Dropping it restores the
/// terminal, also when a panic unwinds.
#[derive(Debug)]
pub struct RawTerminal {
    terminal: OwnedFd,
    before: Termios,
}

impl RawTerminal {
    /// Makes `terminal` raw; `None` when it is no terminal.
    ///
    /// # Errors
    /// [`Error::Terminal`].
    pub fn enter(terminal: impl AsFd) -> Result<Option<RawTerminal>, Error> {
        let terminal = terminal.as_fd();
        if !isatty(terminal) {
            return Ok(None);
        }
        let before = tcgetattr(terminal).map_err(Error::Terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        // The guard is made first: what follows cannot leave the terminal raw.
        let terminal = rustix::io::fcntl_dupfd_cloexec(terminal, 0).map_err(Error::Terminal)?;
        let guard = RawTerminal { terminal, before };
        tcsetattr(&guard.terminal, OptionalActions::Now, &raw).map_err(Error::Terminal)?;
        Ok(Some(guard))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

/// Rows and columns of a terminal; `None` when it is none, or does not know.
pub fn size(terminal: impl AsFd) -> Option<(u16, u16)> {
    let size = tcgetwinsize(terminal).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::termios::{InputModes, LocalModes};

    #[test]
    fn raw_and_back() {
        let pair = berth_sys::pty::open().unwrap();
        berth_sys::pty::resize(&pair.master, 7, 9).unwrap();
        assert_eq!(size(&pair.slave), Some((7, 9)));
        let modes = || {
            let now = tcgetattr(&pair.slave).unwrap();
            (now.local_modes, now.input_modes, now.output_modes)
        };
        let before = modes();
        let guard = RawTerminal::enter(&pair.slave).unwrap().unwrap();
        assert!(!modes().0.contains(LocalModes::ECHO) && !modes().1.contains(InputModes::ICRNL));
        drop(guard);
        assert_eq!(modes(), before);

        let unwound = std::panic::catch_unwind(|| {
            let _guard = RawTerminal::enter(&pair.slave).unwrap();
            panic!("on purpose");
        });
        assert!(unwound.is_err());
        assert_eq!(modes(), before);
    }

    #[test]
    fn what_is_no_terminal_stays_alone() {
        let file = tempfile::tempfile().unwrap();
        assert!(RawTerminal::enter(&file).unwrap().is_none());
        assert_eq!(size(&file), None);
    }
}
