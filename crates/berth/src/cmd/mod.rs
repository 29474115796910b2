//! The verbs, one a file: options, one call into the engine, output.

pub mod artifact;
pub mod attach;
pub mod bootstrap;
pub mod commit;
pub mod completion;
pub mod compose;
pub mod container_options;
pub mod container_prune;
pub mod context;
pub mod cp;
pub mod create;
pub mod daemon;
pub mod df;
pub mod dial_stdio;
pub mod diff;
pub mod each;
pub mod events;
pub mod exec;
pub mod explain;
pub mod export;
pub mod foreground;
pub mod fsck;
pub mod gc;
pub mod history;
pub mod image_prune;
pub mod images;
pub mod import;
pub mod info;
pub mod inspect;
pub mod internal;
pub mod kill;
pub mod load;
pub mod login;
pub mod logout;
pub mod logs;
pub mod manifest;
pub mod manual;
pub mod network;
pub mod pause;
pub mod port;
pub mod ps;
pub mod pull;
pub mod push;
pub mod registry;
pub mod rename;
pub mod restart;
pub mod rm;
pub mod rmi;
pub mod run;
pub mod save;
pub mod search;
pub mod start;
pub mod stats;
pub mod stop;
pub mod system_prune;
pub mod tag;
pub mod top;
pub mod trust;
pub mod unfinished;
pub mod unpause;
pub mod unshare;
pub mod update;
pub mod version;
pub mod volume;
pub mod wait;

use std::io::Write;

use crate::ui::diagnostic::{self, Failure};

/// Writes to standard output. A reader that has gone away (`| head`) ends the command quietly.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// As [`print`], for what need not be text: a container's names of files.
///
/// # Errors
/// As [`print`].
pub fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            Err(Failure::exit(diagnostic::FAILED))
        }
        Err(error) => Err(Failure::of(&error).within("cannot write to standard output")),
    }
}

/// Writes a message for the user to standard error; that it cannot be written changes nothing.
pub fn note(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// As [`note`], for what another process said.
pub fn note_bytes(bytes: &[u8]) {
    let _ = std::io::stderr().write_all(bytes);
}
