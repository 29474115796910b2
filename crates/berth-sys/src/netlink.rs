//! Netlink: requests that are answered or acknowledged, lists, and batches that happen whole or not at all.
//!
//! ```text
//! message     length u32, type u16, flags u16, sequence u32, port u32, body
//! body        a fixed structure, then attributes
//! attribute   length u16, type u16, value, padding to 4 bytes
//! ```
//! Numbers are the host's, but in nf_tables' attributes, which have the network's order. What the kernel sends is read
//! defensively all the same: a length that does not fit ends the reading.
//!
//! Source: netlink(7), rtnetlink(7), linux/rtnetlink.h, linux/netfilter/nfnetlink.h.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

const ERROR: u16 = 2;
const DONE: u16 = 3;
/// For the kernel.
const REQUEST: u16 = 1;
/// An answer is wanted in any case.
const ACK: u16 = 4;
/// All entries are wanted.
pub const DUMP: u16 = 0x300;
/// Made, and it must not be there yet.
pub const CREATE: u16 = 0x400 | 0x200;
/// Made, in the place of what is there.
pub const REPLACE: u16 = 0x400 | 0x100;
/// Made, or left as it is.
pub const ENSURE: u16 = 0x400;
/// Made after those that are there.
pub const APPEND: u16 = 0x400 | 0x800;
/// Attributes are inside.
const NESTED: u16 = 0x8000;

const HEADER: usize = 16;
/// Bytes of one read; the kernel makes its parts smaller.
const READ: usize = 64 << 10;
/// Bytes that a socket sends at once without being told to send more.
const SEND: usize = 100 << 10;

/// Which part of the kernel a socket speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Links, addresses, routes.
    Route,
    /// Firewall and connection tracking.
    Netfilter,
}

/// Attributes under construction.
#[derive(Debug, Clone, Default)]
pub struct Attributes(Vec<u8>);

impl Attributes {
    /// None yet.
    pub fn new() -> Attributes {
        Attributes::default()
    }

    /// Appends one; a value is below 64 KiB.
    #[must_use]
    pub fn with(mut self, kind: u16, value: &[u8]) -> Attributes {
        push(&mut self.0, kind, value);
        self
    }

    /// A number in the host's order.
    #[must_use]
    pub fn number(self, kind: u16, value: u32) -> Attributes {
        self.with(kind, &value.to_ne_bytes())
    }

    /// A number in the network's order.
    #[must_use]
    pub fn big(self, kind: u16, value: u32) -> Attributes {
        self.with(kind, &value.to_be_bytes())
    }

    /// A string and its NUL.
    #[must_use]
    pub fn text(self, kind: u16, value: &str) -> Attributes {
        self.with(kind, &[value.as_bytes(), b"\0"].concat())
    }

    /// Attributes inside one.
    #[must_use]
    pub fn nest(self, kind: u16, inner: &Attributes) -> Attributes {
        self.with(kind | NESTED, &inner.0)
    }

    /// As bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

fn push(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = (4 + value.len()) as u16;
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// A request under construction.
#[derive(Debug, Clone)]
pub struct Request(Vec<u8>);

impl Request {
    /// Of a type, with flags ([`DUMP`], [`CREATE`], …) and a fixed structure.
    pub fn new(kind: u16, flags: u16, body: &[u8]) -> Request {
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

    /// Appends an attribute; a value is below 64 KiB.
    #[must_use]
    pub fn with(mut self, kind: u16, value: &[u8]) -> Request {
        push(&mut self.0, kind, value);
        self
    }

    /// Appends attributes.
    #[must_use]
    pub fn attributes(mut self, attributes: &Attributes) -> Request {
        self.0.extend_from_slice(&attributes.0);
        self
    }

    /// As bytes, before it is sent.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn finish(&mut self, sequence: u32, acknowledged: bool) -> &[u8] {
        let Request(bytes) = self;
        let length = bytes.len() as u32;
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        if !acknowledged {
            bytes[6] &= !(ACK as u8);
        }
        bytes
    }
}

/// A message of the kernel.
struct Answer<'a> {
    kind: u16,
    sequence: u32,
    body: &'a [u8],
}

/// A socket in the network namespace in which it was opened.
#[derive(Debug)]
pub struct Socket {
    file: OwnedFd,
    sequence: Cell<u32>,
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> OwnedFd {
        socket.file
    }
}

impl Socket {
    /// Opens one in the caller's network namespace.
    ///
    /// # Errors
    /// The kernel's: `EPROTONOSUPPORT` where it has no such part.
    pub fn open(protocol: Protocol) -> io::Result<Socket> {
        let protocol = match protocol {
            Protocol::Route => None, // NETLINK_ROUTE is 0
            Protocol::Netfilter => Some(rustix::net::netlink::NETFILTER),
        };
        Ok(Socket {
            file: rustix::net::socket_with(
                AddressFamily::NETLINK,
                SocketType::RAW,
                SocketFlags::CLOEXEC,
                protocol,
            )?,
            sequence: Cell::new(0),
        })
    }

    /// Has the kernel heed what a request for a list says, such as a route's table, and send no more than that. One that
    /// cannot (before Linux 4.20) sends all.
    pub fn strict(&self) {
        const STRICT: libc::c_int = 12;
        let on: libc::c_int = 1;
        // SAFETY: the kernel reads one int, which lives through the call.
        unsafe {
            libc::setsockopt(
                self.file.as_raw_fd(),
                libc::SOL_NETLINK,
                STRICT,
                (&raw const on).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            );
        }
    }

    /// Has the kernel tell of changes: bit n of `groups` is group n + 1. Such a socket is for [`Socket::changes`] only.
    ///
    /// # Errors
    /// The kernel's.
    pub fn join(&self, groups: u32) -> io::Result<()> {
        rustix::net::bind(&self.file, &SocketAddrNetlink::new(0, groups))?;
        Ok(())
    }

    /// Hands over type and body of each change that has come. `false`: some were lost, since there were too many.
    ///
    /// # Errors
    /// The kernel's.
    pub fn changes(&self, mut take: impl FnMut(u16, &[u8])) -> io::Result<bool> {
        let mut buffer = vec![0; READ];
        let mut whole = true;
        loop {
            let flags = RecvFlags::DONTWAIT;
            match rustix::net::recv(&self.file, &mut *buffer, flags) {
                Ok((got, _)) => {
                    for answer in messages(&buffer[..got]) {
                        take(answer.kind, answer.body);
                    }
                }
                Err(rustix::io::Errno::AGAIN) => return Ok(whole),
                Err(rustix::io::Errno::NOBUFS) => whole = false,
                Err(rustix::io::Errno::INTR) => {}
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// Sends a request; returns the bodies of what is answered, after the last of them or the acknowledgement has come.
    ///
    /// # Errors
    /// The kernel's.
    pub fn ask(&self, mut request: Request) -> io::Result<Vec<Vec<u8>>> {
        let sequence = self.next();
        self.send(request.finish(sequence, true))?;
        let mut answers = Vec::new();
        self.receive(|answer| {
            if answer.sequence != sequence {
                // To a request whose answers nobody read to the end.
                return None;
            }
            match answer.kind {
                // With what broke it off, if something did.
                DONE if answer.body.len() >= 4 => Some(outcome(answer.body)),
                DONE => Some(Ok(())),
                ERROR => Some(outcome(answer.body)),
                _ => {
                    answers.push(answer.body.to_vec());
                    None
                }
            }
        })?;
        Ok(answers)
    }

    /// Sends requests at once, between the messages that begin and end a transaction: all of it happens, or nothing.
    ///
    /// # Errors
    /// The kernel's first one, with the place of the request that it is about (the number of requests: it is about
    /// all of them).
    pub fn transaction(
        &self,
        begin: Request,
        mut requests: Vec<Request>,
        end: Request,
    ) -> Result<(), (usize, io::Error)> {
        let count = requests.len();
        if count == 0 {
            // Nothing would be answered.
            return Ok(());
        }
        let all = |error: io::Error| (count, error);
        let first = self.next();
        let (mut begin, mut end) = (begin, end);
        let mut bytes = begin.finish(first, false).to_vec();
        let mut last = first;
        for (index, request) in requests.iter_mut().enumerate() {
            last = self.next();
            // The kernel answers after the commit, and one answer is enough.
            bytes.extend_from_slice(request.finish(last, index + 1 == count));
        }
        bytes.extend_from_slice(end.finish(self.next(), false));
        self.send(&bytes).map_err(all)?;
        let mut place = count;
        let answer = |answer: Answer<'_>| {
            let about = answer.sequence.wrapping_sub(first) as usize;
            if answer.kind != ERROR || about > count {
                return None;
            }
            match outcome(answer.body) {
                Ok(()) => (answer.sequence == last).then_some(Ok(())),
                Err(error) => {
                    place = if about == 0 { count } else { about - 1 };
                    Some(Err(error))
                }
            }
        };
        self.receive(answer).map_err(|error| (place, error))
    }

    fn next(&self) -> u32 {
        let next = self.sequence.get().wrapping_add(1);
        self.sequence.set(next);
        next
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > SEND {
            // The kernel's own bookkeeping counts, too.
            rustix::net::sockopt::set_socket_send_buffer_size_force(&self.file, bytes.len() * 2)?;
        }
        let kernel = SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(self.file.as_fd(), bytes, SendFlags::empty(), &kernel)?;
        Ok(())
    }

    /// Hands over each message until one of them is the end.
    fn receive(
        &self,
        mut take: impl FnMut(Answer<'_>) -> Option<io::Result<()>>,
    ) -> io::Result<()> {
        let mut buffer = vec![0; READ];
        loop {
            let (got, _) = rustix::io::retry_on_intr(|| {
                rustix::net::recv(self.file.as_fd(), &mut *buffer, RecvFlags::empty())
            })?;
            for answer in messages(&buffer[..got]) {
                if let Some(end) = take(answer) {
                    return end;
                }
            }
        }
    }
}

/// What an error message says; errno 0 is an acknowledgement.
fn outcome(body: &[u8]) -> io::Result<()> {
    match body.first_chunk().map(|n| i32::from_ne_bytes(*n)) {
        Some(0) => Ok(()),
        Some(errno) => Err(io::Error::from_raw_os_error(errno.wrapping_neg())),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Each message. One that was cut off, as the kernel does with the copy of a long request in its answer, counts with
/// what is there.
fn messages(mut bytes: &[u8]) -> Vec<Answer<'_>> {
    let mut found = Vec::new();
    while let Some(length) = bytes.first_chunk().map(|n| u32::from_ne_bytes(*n) as usize) {
        if length < HEADER || bytes.len() < HEADER {
            break;
        }
        let word = |at: usize| {
            u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let kind = u16::from_ne_bytes([bytes[4], bytes[5]]);
        if length > bytes.len() && kind != ERROR {
            break;
        }
        found.push(Answer {
            kind,
            sequence: word(8),
            body: &bytes[HEADER..length.min(bytes.len())],
        });
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

/// The value of an attribute in a body, behind its fixed structure of `fixed` bytes.
pub fn attribute(body: &[u8], fixed: usize, wanted: u16) -> Option<&[u8]> {
    attributes(body, fixed)
        .into_iter()
        .find(|(kind, _)| *kind == wanted)
        .map(|(_, value)| value)
}

/// The text of an attribute, without its NUL.
pub fn text(body: &[u8], fixed: usize, wanted: u16) -> Option<String> {
    let text = String::from_utf8_lossy(attribute(body, fixed, wanted)?);
    Some(text.trim_end_matches('\0').to_owned())
}

/// All attributes in a body, behind its fixed structure of `fixed` bytes, in their order.
pub fn attributes(body: &[u8], fixed: usize) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    let mut bytes = body.get(fixed.next_multiple_of(4)..).unwrap_or_default();
    while let Some(length) = bytes.first_chunk().map(|n| u16::from_ne_bytes(*n) as usize) {
        let Some(value) = bytes.get(4..length) else {
            break;
        };
        // The two highest bits are flags.
        found.push((u16::from_ne_bytes([bytes[2], bytes[3]]) & 0x3fff, value));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let mut request = Request::new(7, 0, &[1, 2, 3, 4])
            .with(5, b"abc")
            .attributes(&Attributes::new().nest(6, &Attributes::new().big(1, 2)));
        let mut bytes = request.finish(9, true).to_vec();
        bytes.extend_from_slice(&bytes.clone());
        let found = messages(&bytes);
        assert_eq!(found.len(), 2);
        let Answer {
            kind,
            sequence,
            body,
        } = found[1];
        assert_eq!(
            (kind, sequence, attribute(body, 4, 5)),
            (7, 9, Some(&b"abc"[..]))
        );
        let inner = attribute(body, 4, 6).unwrap();
        assert_eq!(attribute(inner, 0, 1), Some(&[0, 0, 0, 2][..]));
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
                messages(&bytes).len(),
                attribute(&bytes, 0, 4),
                attribute(&bytes, 3, 3),
            );
        }
    }
}
