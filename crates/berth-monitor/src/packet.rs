//! What goes over `shim.sock` (SOCK_SEQPACKET: one packet is one message). The first byte is the sort.
//!
//! ```text
//! client → monitor                          monitor → client
//! A version:u8 wants:u8   first packet      A version:u8                 attached
//! I bytes…                standard input    O bytes…                     standard output, or the terminal
//! E                       its end           S bytes…                     standard error
//! R rows:u16 cols:u16     resize            X code:i32 oom:u8            init ended; the last packet
//! D                       after X: the foreground client cleans up, the monitor need not
//! ```
//! Numbers are little-endian. Output begins with the `A` answer: what came before is in the log.
//! At most [`MAX_DATA`] bytes of data a packet; a longer one ends the connection, as does anything unknown.

/// The version of this protocol; the monitor of a running container may be older than the client.
pub const VERSION: u8 = 1;

/// Most bytes of data in one packet, its first byte not counted.
pub const MAX_DATA: usize = 32 * 1024;

/// First byte of `A`, both ways.
pub const ATTACH: u8 = b'A';
/// First byte of `I`.
pub const STDIN: u8 = b'I';
/// First byte of `E`.
pub const STDIN_END: u8 = b'E';
/// First byte of `R`.
pub const RESIZE: u8 = b'R';
/// First byte of `D`.
pub const DONE: u8 = b'D';
/// First byte of `O`.
pub const STDOUT: u8 = b'O';
/// First byte of `S`.
pub const STDERR: u8 = b'S';
/// First byte of `X`.
pub const EXIT: u8 = b'X';

/// What an attached client wants: bits of the `wants` byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wants {
    /// It feeds standard input: with "stdin once", its going closes the container's.
    pub stdin: bool,
    /// It takes standard output.
    pub stdout: bool,
    /// It takes standard error.
    pub stderr: bool,
}

impl Wants {
    /// As the byte on the wire.
    pub fn to_bits(self) -> u8 {
        u8::from(self.stdin) | u8::from(self.stdout) << 1 | u8::from(self.stderr) << 2
    }

    /// From the byte on the wire; bits of the future are ignored.
    pub fn from_bits(bits: u8) -> Self {
        Wants {
            stdin: bits & 1 != 0,
            stdout: bits & 2 != 0,
            stderr: bits & 4 != 0,
        }
    }
}

/// A packet from a client, its data left where it was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FromClient {
    /// `A`.
    Attach(Wants),
    /// `I`: the body is the data.
    Stdin,
    /// `E`.
    StdinEnd,
    /// `R`.
    Resize {
        /// Lines.
        rows: u16,
        /// Columns.
        cols: u16,
    },
    /// `D`.
    Done,
}

/// Reads a client's packet; `None` if it is none of ours, or of another version.
pub fn from_client(sort: u8, body: &[u8]) -> Option<FromClient> {
    match (sort, body) {
        (ATTACH, [VERSION, bits]) => Some(FromClient::Attach(Wants::from_bits(*bits))),
        (STDIN, _) => Some(FromClient::Stdin),
        (STDIN_END, []) => Some(FromClient::StdinEnd),
        (RESIZE, [r0, r1, c0, c1]) => Some(FromClient::Resize {
            rows: u16::from_le_bytes([*r0, *r1]),
            cols: u16::from_le_bytes([*c0, *c1]),
        }),
        (DONE, []) => Some(FromClient::Done),
        _ => None,
    }
}

/// A packet from the monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FromMonitor<'a> {
    /// `A`.
    Attached,
    /// `O`.
    Stdout(&'a [u8]),
    /// `S`.
    Stderr(&'a [u8]),
    /// `X`.
    Exit {
        /// The exit status; 128 + n for signal n.
        code: i32,
        /// The out-of-memory killer struck.
        oom: bool,
    },
}

/// Reads a whole packet of the monitor's; `None` if it is none of this version's.
pub fn from_monitor(packet: &[u8]) -> Option<FromMonitor<'_>> {
    match packet {
        [ATTACH, VERSION] => Some(FromMonitor::Attached),
        [STDOUT, data @ ..] => Some(FromMonitor::Stdout(data)),
        [STDERR, data @ ..] => Some(FromMonitor::Stderr(data)),
        [EXIT, a, b, c, d, oom] => Some(FromMonitor::Exit {
            code: i32::from_le_bytes([*a, *b, *c, *d]),
            oom: *oom != 0,
        }),
        _ => None,
    }
}

/// `A` of a client.
pub fn attach(wants: Wants) -> [u8; 3] {
    [ATTACH, VERSION, wants.to_bits()]
}

/// `R`.
pub fn resize(rows: u16, cols: u16) -> [u8; 5] {
    let ([r0, r1], [c0, c1]) = (rows.to_le_bytes(), cols.to_le_bytes());
    [RESIZE, r0, r1, c0, c1]
}

/// `X`.
pub fn exit(code: i32, oom: bool) -> [u8; 6] {
    let [a, b, c, d] = code.to_le_bytes();
    [EXIT, a, b, c, d, u8::from(oom)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_as_written() {
        let wants = Wants {
            stdin: true,
            stdout: false,
            stderr: true,
        };
        let packet = attach(wants);
        assert_eq!(
            from_client(packet[0], &packet[1..]),
            Some(FromClient::Attach(wants))
        );
        let packet = resize(24, 300);
        let resized = FromClient::Resize {
            rows: 24,
            cols: 300,
        };
        assert_eq!(from_client(packet[0], &packet[1..]), Some(resized));
        assert_eq!(
            from_monitor(&exit(-7, true)),
            Some(FromMonitor::Exit {
                code: -7,
                oom: true
            })
        );
        assert_eq!(from_monitor(b"Oabc"), Some(FromMonitor::Stdout(b"abc")));
        assert_eq!(from_monitor(b"S"), Some(FromMonitor::Stderr(b"")));
    }

    #[test]
    fn what_is_not_of_this_version_is_refused() {
        assert_eq!(from_client(ATTACH, &[2, 7]), None);
        assert_eq!(from_client(ATTACH, &[1]), None);
        assert_eq!(from_client(RESIZE, &[1, 2, 3]), None);
        assert_eq!(from_client(DONE, &[0]), None);
        assert_eq!(from_client(b'Z', &[]), None);
        assert_eq!(from_monitor(b""), None);
        assert_eq!(from_monitor(b"X123"), None);
        assert_eq!(from_monitor(&[ATTACH, 9]), None);
    }
}
