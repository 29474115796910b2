//! The other side: we are the verb that a daemon runs for a client.

use std::io;
use std::os::fd::AsFd;

use rustix::process::{Signal, ioctl_tiocsctty, set_parent_process_death_signal, setsid};
use rustix::termios::isatty;

use crate::ui::diagnostic::Failure;

/// Ends with the daemon, and takes the client's terminal for ours: its keys are to be our signals.
///
/// # Errors
/// The system refuses.
pub fn settle() -> Result<(), Failure> {
    let failed = |error: rustix::io::Errno| {
        Failure::of(&io::Error::from(error)).within("cannot serve a client elsewhere")
    };
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed)?;
    let streams = [
        io::stdin().as_fd().try_clone_to_owned(),
        io::stdout().as_fd().try_clone_to_owned(),
        io::stderr().as_fd().try_clone_to_owned(),
    ];
    let mut terminals = streams
        .into_iter()
        .flatten()
        .filter(|stream| isatty(stream));
    if let Some(terminal) = terminals.next() {
        // Who leads a group already would have been started by somebody else than a daemon.
        setsid().map_err(failed)?;
        ioctl_tiocsctty(&terminal).map_err(failed)?;
    }
    Ok(())
}
