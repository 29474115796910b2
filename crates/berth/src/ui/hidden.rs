//! A secret that the user types: nothing of it is shown.

use std::io::{IsTerminal, Read, stdin};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

use super::diagnostic::Failure;

/// Bytes that a secret may have.
const MAX_BYTES: usize = 4096;
/// Ctrl-C as the terminal sends it.
const INTERRUPT: u8 = 3;

/// Asks on the terminal for one line; `instead` is the hint where there is none.
///
/// # Errors
/// There is no terminal; the user gives up.
pub fn ask(question: &str, instead: &str) -> Result<Vec<u8>, Failure> {
    if !stdin().is_terminal() {
        let asked = question.trim_end_matches([':', ' ']).to_lowercase();
        return Err(Failure::new(format!("nobody can be asked for the {asked}")).hint(instead));
    }
    let silent = Silent::begin()?;
    crate::cmd::note(question);
    let answer = line();
    drop(silent);
    crate::cmd::note("\n");
    answer
}

fn line() -> Result<Vec<u8>, Failure> {
    let (mut answer, mut byte) = (Vec::new(), [0]);
    // What follows the line stays for the next question.
    while stdin().read(&mut byte)? == 1 {
        match byte[0] {
            b'\n' => return Ok(answer),
            INTERRUPT => break,
            _ if answer.len() == MAX_BYTES => break,
            other => answer.push(other),
        }
    }
    Err(Failure::new("no answer was given"))
}

/// While this lives what is typed is not shown, and Ctrl-C is a byte that ends the line: the terminal is never
/// left silent.
struct Silent(Termios);

impl Silent {
    fn begin() -> Result<Silent, Failure> {
        let failed =
            |error: rustix::io::Errno| Failure::of(&error).within("cannot use the terminal");
        let before = tcgetattr(stdin()).map_err(failed)?;
        let mut silent = before.clone();
        silent.local_modes -= LocalModes::ECHO | LocalModes::ISIG;
        silent.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
        let guard = Silent(before);
        tcsetattr(stdin(), OptionalActions::Flush, &silent).map_err(failed)?;
        Ok(guard)
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}
