//! The words of `POST /berth/v1/command`: a verb of `berth` that a daemon runs for a client elsewhere.
//!
//! The connection becomes a stream of frames in both directions, as for Docker's attach.
//!
//! ```text
//! frame     kind:u8 0 0 0 length:u32be bytes…
//! client ►  S start (JSON, first)   i input   I its end   K signal:i32be   W rows:u16be columns:u16be
//! daemon ►  o output   e error output   t taken:u32be   f file:u32be bytes   X exit code:i32be, last   ! what failed, last
//! ```
//! A client sends at most [`WINDOW`] bytes of input that are not `taken` yet: a program that does not read holds up
//! neither signals nor sizes. The connection's end is the client's, and the verb is killed.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};

/// Where it is asked for.
pub const PATH: &str = "/berth/v1/command";
/// What the connection is upgraded to.
pub const PROTOCOL: &str = "berth-command";
/// The longest frame but the first, in bytes.
pub const FRAME_MAX: usize = 64 << 10;
/// The longest first frame, in bytes: arguments, and the files that they name.
pub const START_MAX: usize = 16 << 20;
/// Input that may be under way, in bytes.
pub const WINDOW: usize = 256 << 10;

/// Variables of the client that mean the same on the daemon's side; others stay where they are.
pub const VARIABLES: [&str; 12] = [
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "COLUMNS",
    "LINES",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "SOURCE_DATE_EPOCH",
    "DOCKER_DEFAULT_PLATFORM",
    "DOCKER_AUTH_CONFIG",
];

/// What a client asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The verb and all behind it.
    pub arguments: Vec<Argument>,
    /// Of [`VARIABLES`].
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Which of the three standard streams are the client's terminal.
    #[serde(default)]
    pub terminal: [bool; 3],
    /// The terminal's size.
    #[serde(default)]
    pub size: Size,
    /// Input comes; else standard input is empty, or a terminal on which nothing is typed.
    #[serde(default)]
    pub input: bool,
}

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Argument {
    /// As it is.
    Text(String),
    /// Behind these words, the path of a file with this content.
    Content(String, String),
    /// Behind these words, the path of a file; what is written to it comes back as `f` with this number.
    File(String, u32),
}

/// A terminal's size, in characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Characters a line.
    pub columns: u16,
}

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Up {
    /// First.
    Start(Box<Start>),
    /// For standard input.
    Input(Vec<u8>),
    /// No more of it comes.
    InputEnd,
    /// By number.
    Signal(i32),
    /// The terminal has changed.
    Resize(Size),
}

/// What a daemon sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Down {
    /// Of standard output.
    Output(Vec<u8>),
    /// Of standard error.
    Errors(Vec<u8>),
    /// So many bytes of input were taken.
    Taken(u32),
    /// For the client's file of this number.
    File(u32, Vec<u8>),
    /// It ended.
    Exit(i32),
    /// It could not be started, or went wrong.
    Failed(String),
}

/// Why bytes are no frame.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection.
    #[error("the connection broke")]
    Read(#[from] io::Error),
    /// Too long.
    #[error("a frame of {0} bytes is too long")]
    TooLong(usize),
    /// Something else than was agreed.
    #[error("a frame that makes no sense (kind {0})")]
    Nonsense(u8),
}

impl Up {
    /// As bytes.
    pub fn frame(&self) -> Vec<u8> {
        match self {
            Up::Start(start) => {
                let bytes = serde_json::to_vec(start).expect("texts and numbers become JSON");
                frame(b'S', &[&bytes])
            }
            Up::Input(bytes) => frame(b'i', &[bytes]),
            Up::InputEnd => frame(b'I', &[]),
            Up::Signal(number) => frame(b'K', &[&number.to_be_bytes()]),
            Up::Resize(size) => frame(
                b'W',
                &[&size.rows.to_be_bytes(), &size.columns.to_be_bytes()],
            ),
        }
    }

    /// The next one; `None` at the end of the connection.
    ///
    /// # Errors
    /// [`Error`].
    pub fn read(from: &mut impl Read) -> Result<Option<Up>, Error> {
        let Some((kind, bytes)) = next(
            from,
            |kind| if kind == b'S' { START_MAX } else { FRAME_MAX },
        )?
        else {
            return Ok(None);
        };
        let nonsense = || Error::Nonsense(kind);
        let up = match kind {
            b'S' => serde_json::from_slice(&bytes).ok().map(Up::Start),
            b'i' => Some(Up::Input(bytes)),
            b'I' => Some(Up::InputEnd),
            b'K' => number(&bytes).map(|number| Up::Signal(i32::from_be_bytes(number))),
            b'W' => number(&bytes).map(|[a, b, c, d]| {
                Up::Resize(Size {
                    rows: u16::from_be_bytes([a, b]),
                    columns: u16::from_be_bytes([c, d]),
                })
            }),
            _ => None,
        };
        up.map(Some).ok_or_else(nonsense)
    }
}

impl Down {
    /// As bytes.
    pub fn frame(&self) -> Vec<u8> {
        match self {
            Down::Output(bytes) => frame(b'o', &[bytes]),
            Down::Errors(bytes) => frame(b'e', &[bytes]),
            Down::Taken(count) => frame(b't', &[&count.to_be_bytes()]),
            Down::File(number, bytes) => frame(b'f', &[&number.to_be_bytes(), bytes]),
            Down::Exit(code) => frame(b'X', &[&code.to_be_bytes()]),
            Down::Failed(message) => frame(b'!', &[message.as_bytes()]),
        }
    }

    /// The next one; `None` at the end of the connection.
    ///
    /// # Errors
    /// [`Error`].
    pub fn read(from: &mut impl Read) -> Result<Option<Down>, Error> {
        let Some((kind, bytes)) = next(from, |_| FRAME_MAX)? else {
            return Ok(None);
        };
        let down = match kind {
            b'o' => Some(Down::Output(bytes)),
            b'e' => Some(Down::Errors(bytes)),
            b't' => number(&bytes).map(|number| Down::Taken(u32::from_be_bytes(number))),
            b'f' if bytes.len() >= 4 => {
                let (number, rest) = bytes.split_at(4);
                let number = [number[0], number[1], number[2], number[3]];
                Some(Down::File(u32::from_be_bytes(number), rest.to_vec()))
            }
            b'X' => number(&bytes).map(|number| Down::Exit(i32::from_be_bytes(number))),
            b'!' => Some(Down::Failed(String::from_utf8_lossy(&bytes).into_owned())),
            _ => None,
        };
        down.map(Some).ok_or(Error::Nonsense(kind))
    }
}

fn frame(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let length = u32::try_from(length).expect("a frame is short");
    let mut bytes = vec![kind, 0, 0, 0];
    bytes.extend(length.to_be_bytes());
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

/// Kind and content; `None` at the end. The length is believed only up to `longest`.
fn next(
    from: &mut impl Read,
    longest: impl Fn(u8) -> usize,
) -> Result<Option<(u8, Vec<u8>)>, Error> {
    let mut head = [0; 8];
    let mut have = 0;
    while have < head.len() {
        match from.read(&mut head[have..]) {
            Ok(0) if have == 0 => return Ok(None),
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(more) => have += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let [kind, _, _, _, a, b, c, d] = head;
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if length > longest(kind) {
        return Err(Error::TooLong(length));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok(Some((kind, bytes)))
}

fn number(bytes: &[u8]) -> Option<[u8; 4]> {
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests;
