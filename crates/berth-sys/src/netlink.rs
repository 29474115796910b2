//! Routing netlink: requests that are answered or acknowledged, and lists.
//!
//! ```text
//! message     length u32, type u16, flags u16, sequence u32, port u32, body
//! body        a fixed structure, then attributes
//! attribute   length u16, type u16, value, padding to 4 bytes
//! ```
//! Numbers are the host's. What the kernel sends is read defensively all the same: a length that does not
//! fit ends the reading.
//!
//! Source: netlink(7), rtnetlink(7), linux/rtnetlink.h.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

const ERROR: u16 = 2;
const DONE: u16 = 3;
/// For the kernel.
const REQUEST: u16 = 1;
/// An answer is wanted in any case.
const ACK: u16 = 4;
/// All entries are wanted.
pub(crate) const DUMP: u16 = 0x300;
/// Made, and it must not be there yet.
pub(crate) const CREATE: u16 = 0x400 | 0x200;

const HEADER: usize = 16;
/// Bytes of one read; the kernel makes its parts smaller.
const READ: usize = 64 << 10;

/// A request under construction.
pub(crate) struct Request(Vec<u8>);

impl Request {
    pub(crate) fn new(kind: u16, flags: u16, body: &[u8]) -> Request {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        let all = if flags & DUMP == DUMP {
            REQUEST | flags
        } else {
            REQUEST | ACK | flags
        };
        bytes[6..8].copy_from_slice(&all.to_ne_bytes());
        bytes.extend_from_slice(body);
        Request(bytes)
    }

    /// Appends an attribute; values here are far below 64 KiB.
    pub(crate) fn with(mut self, kind: u16, value: &[u8]) -> Request {
        let length = (4 + value.len()) as u16;
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }
}

/// A socket in the network namespace in which it was opened.
pub(crate) struct Socket(OwnedFd);

impl Socket {
    pub(crate) fn open() -> io::Result<Socket> {
        Ok(Socket(rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            None, // NETLINK_ROUTE is 0
        )?))
    }

    /// Sends a request; returns the bodies of what is answered, after the last of them or the
    /// acknowledgement has come.
    pub(crate) fn ask(&self, request: Request) -> io::Result<Vec<Vec<u8>>> {
        let Request(mut bytes) = request;
        let length = bytes.len() as u32;
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        let kernel = SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(self.0.as_fd(), &bytes, SendFlags::empty(), &kernel)?;
        let mut answers = Vec::new();
        let mut buffer = vec![0; READ];
        loop {
            let (got, _) = rustix::io::retry_on_intr(|| {
                rustix::net::recv(self.0.as_fd(), &mut *buffer, RecvFlags::empty())
            })?;
            for (kind, body) in messages(&buffer[..got]) {
                match kind {
                    DONE => return Ok(answers),
                    ERROR => {
                        return match body.first_chunk().map(|n| i32::from_ne_bytes(*n)) {
                            Some(0) => Ok(answers),
                            Some(errno) => Err(io::Error::from_raw_os_error(-errno)),
                            None => Err(io::ErrorKind::InvalidData.into()),
                        };
                    }
                    _ => answers.push(body.to_vec()),
                }
            }
        }
    }
}

/// Type and body of each message.
fn messages(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    while let Some(length) = bytes.first_chunk().map(|n| u32::from_ne_bytes(*n) as usize) {
        if length < HEADER || length > bytes.len() {
            break;
        }
        let kind = u16::from_ne_bytes([bytes[4], bytes[5]]);
        found.push((kind, &bytes[HEADER..length]));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

/// The value of an attribute in a body, behind its fixed structure of `fixed` bytes.
pub(crate) fn attribute(body: &[u8], fixed: usize, wanted: u16) -> Option<&[u8]> {
    let mut bytes = body.get(fixed.next_multiple_of(4)..)?;
    loop {
        let length = u16::from_ne_bytes(*bytes.first_chunk()?) as usize;
        let value = bytes.get(4..length)?;
        // The two highest bits are flags.
        if u16::from_ne_bytes([bytes[2], bytes[3]]) & 0x3fff == wanted {
            return Some(value);
        }
        bytes = bytes.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let request = Request::new(7, 0, &[1, 2, 3, 4])
            .with(5, b"abc")
            .with(6 | 0x8000, b"");
        let mut bytes = request.0;
        let length = bytes.len() as u32;
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        bytes.extend_from_slice(&bytes.clone());
        let found = messages(&bytes);
        assert_eq!(found.len(), 2);
        let (kind, body) = found[1];
        assert_eq!((kind, attribute(body, 4, 5)), (7, Some(&b"abc"[..])));
        assert_eq!(attribute(body, 4, 6), Some(&b""[..]));
        assert_eq!(attribute(body, 4, 9), None);
    }

    #[test]
    fn nonsense_ends_the_reading() {
        for bytes in [&[][..], &[1], &[0; 40], &[255; 40], &[16, 0, 0, 0]] {
            assert!(messages(bytes).is_empty(), "{bytes:?}");
            assert_eq!(attribute(bytes, 4, 3), None);
        }
        for length in 0..=255_u8 {
            let bytes = [length, 0, 3, 0, length, 0, 3, 0, 9];
            let _ = (
                messages(&bytes),
                attribute(&bytes, 0, 4),
                attribute(&bytes, 3, 3),
            );
        }
    }
}
