//! The verbs, one a file: options, one call into the engine, output.

pub mod completion;
pub mod container_options;
pub mod version;

use std::io::Write;

use crate::ui::diagnostic::Failure;

/// Writes to standard output. A reader that has gone away (`| head`) ends the command quietly.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Failure::exit(1)),
        Err(error) => Err(Failure::of(&error).within("cannot write to standard output")),
    }
}
