//! Questions on a terminal: on standard error, answered on standard input, a password without an echo.

use std::io::{BufRead, Write};

use berth_engine::attach::RawTerminal;

use super::diagnostic::Failure;

/// 128 + SIGINT, as a shell tells it.
const INTERRUPTED: u8 = 130;
/// Bytes of an answer.
const MAX_BYTES: usize = 4096;

/// Asks for a line.
///
/// # Errors
/// Standard input ends or cannot be read.
pub fn line(question: &str) -> Result<String, Failure> {
    ask(question);
    let mut text = String::new();
    let read = std::io::stdin().read_line(&mut text);
    read.map_err(|error| Failure::of(&error).within("cannot read the answer"))?;
    Ok(text.trim().to_owned())
}

/// Asks for a line that is not shown.
///
/// # Errors
/// As [`line`]; Ctrl-C was pressed.
pub fn hidden(question: &str) -> Result<String, Failure> {
    // Raw, so that Ctrl-C comes as a byte: the signal would leave the terminal without its echo.
    let raw = RawTerminal::enter(std::io::stdin())?;
    ask(question);
    let answer = read_typed(std::io::stdin().lock());
    drop(raw);
    ask("\n");
    answer
}

fn ask(question: &str) {
    // Without a standard error there is an answer all the same.
    let _ = std::io::stderr().write_all(question.as_bytes());
}

/// What was typed up to a line's end, as a terminal's line editing has it.
fn read_typed(input: impl BufRead) -> Result<String, Failure> {
    let mut typed = Vec::new();
    for byte in input.bytes() {
        let byte = byte.map_err(|error| Failure::of(&error).within("cannot read the answer"))?;
        match byte {
            b'\r' | b'\n' => break,
            CTRL_C => return Err(Failure::exit(INTERRUPTED)),
            CTRL_D if typed.is_empty() => break,
            CTRL_U => typed.clear(),
            BACKSPACE | DELETE => drop(pop_char(&mut typed)),
            byte if byte >= b' ' && typed.len() < MAX_BYTES => typed.push(byte),
            _ => {}
        }
    }
    String::from_utf8(typed).map_err(|_| Failure::new("what was typed is not UTF-8"))
}

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const CTRL_U: u8 = 0x15;
const DELETE: u8 = 0x7f;

/// Takes the last character away: its last byte, and those before that belong to it.
fn pop_char(typed: &mut Vec<u8>) -> Option<u8> {
    while typed.last().is_some_and(|byte| byte & 0xc0 == 0x80) {
        typed.pop();
    }
    typed.pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_edited_as_on_a_terminal() {
        for (typed, want) in [
            ("secret\rrest", "secret"),
            ("secrex\x7ft\n", "secret"),
            ("ä€\x7f\x08\x7fx\r", "x"),
            ("wrong\x15right\r", "right"),
            ("a\x1bb\r", "ab"),
            ("\x04", ""),
            ("no end", "no end"),
        ] {
            assert_eq!(read_typed(typed.as_bytes()).unwrap(), want, "{typed:?}");
        }
        let interrupted = read_typed(&b"secr\x03"[..]).unwrap_err();
        assert_eq!(interrupted.code, Some(INTERRUPTED));
    }
}
