//! A connection to a D-Bus: to the system's or a user's bus, or straight to the systemd behind it.
//!
//! ```text
//! us    NUL AUTH EXTERNAL ␍␊ DATA ␍␊ BEGIN ␍␊      whoever the kernel says we are
//! peer  DATA ␍␊ OK guid ␍␊                          then messages, both ways
//! ```
//! No name is given for EXTERNAL: the number of a user is another inside a user namespace, and the
//! peer has asked the kernel anyway. Everything is synchronous, with a deadline; descriptors are not
//! agreed on, so the kernel drops any that come.
//!
//! Source: D-Bus Specification 0.41, "Authentication Protocol" and "Server Addresses".

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with,
};

use super::wire::{Call, FIXED, Kind, MAX_MESSAGE, Message, Writer};
use crate::error::{Error, Result};

#[cfg(test)]
mod tests;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes of a line of the authentication.
const MAX_LINE: usize = 512;
/// Bytes read at once.
const CHUNK: usize = 16 << 10;

/// Where a bus listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// A path, or `@` and an abstract name.
    pub(crate) name: String,
    /// systemd itself listens: there is no bus in between, nor anybody else on it.
    pub(crate) direct: bool,
}

impl Address {
    /// A path's.
    pub(crate) fn path(path: impl AsRef<Path>, direct: bool) -> Address {
        Address {
            name: path.as_ref().to_string_lossy().into_owned(),
            direct,
        }
    }

    /// Those of `$DBUS_SESSION_BUS_ADDRESS` that are unix sockets, in their order.
    pub(crate) fn parse(text: &str) -> Vec<Address> {
        let one = |text: &str| {
            let mut parts = text.strip_prefix("unix:")?.split(',');
            parts.find_map(|part| {
                let name = match part.split_once('=')? {
                    ("path", value) => unescape(value)?,
                    ("abstract", value) => format!("@{}", unescape(value)?),
                    _ => return None,
                };
                Some(Address {
                    name,
                    direct: false,
                })
            })
        };
        text.split(';').filter_map(one).collect()
    }

    fn connect(&self) -> io::Result<OwnedFd> {
        let address = match self.name.strip_prefix('@') {
            Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes()),
            None => SocketAddrUnix::new(self.name.as_str()),
        }?;
        let socket = socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        // Also for connect, which waits while the peer is too busy to accept.
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
        connect(&socket, &address)?;
        Ok(socket)
    }
}

/// Undoes `%2f`.
fn unescape(value: &str) -> Option<String> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(after.get(..2)?).ok()?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &after[2..];
    }
    String::from_utf8(out).ok()
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Bus {
    socket: OwnedFd,
    /// For messages.
    name: String,
    pub(crate) direct: bool,
    serial: u32,
    /// What was read and not yet used.
    buffer: Vec<u8>,
}

impl Bus {
    /// Connects to the first of the addresses that answers.
    ///
    /// # Errors
    /// [`Error::NoSystemd`] when nobody listens at any of them; [`Error::Bus`].
    pub(crate) fn connect(addresses: &[Address]) -> Result<Bus> {
        for address in addresses {
            match address.connect() {
                Ok(socket) => return Bus::open(socket, address),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                    ) => {}
                Err(source) => {
                    let name = address.name.clone();
                    return Err(Error::Bus { name, source });
                }
            }
        }
        let missing = addresses.first().map(|a| a.name.clone());
        Err(Error::NoSystemd {
            missing: missing.unwrap_or_default(),
        })
    }

    fn open(socket: OwnedFd, address: &Address) -> Result<Bus> {
        let mut bus = Bus {
            socket,
            name: address.name.clone(),
            direct: address.direct,
            serial: 0,
            buffer: Vec::new(),
        };
        bus.authenticate()?;
        if !bus.direct {
            bus.ask_the_bus("Hello", "", Writer::default())?;
        }
        Ok(bus)
    }

    fn authenticate(&mut self) -> Result<()> {
        self.write(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")?;
        let deadline = Instant::now() + PATIENCE;
        for expected in ["DATA", "OK"] {
            let line = self.line(deadline)?;
            let word = line.split(' ').next().unwrap_or_default();
            if word == "REJECTED" {
                let source = io::ErrorKind::PermissionDenied.into();
                return Err(self.failed(source));
            }
            if word != expected {
                return Err(malformed("it does not speak the authentication protocol"));
            }
        }
        Ok(())
    }

    /// Calls a method of the bus itself.
    ///
    /// # Errors
    /// As [`Bus::call`].
    pub(crate) fn ask_the_bus(
        &mut self,
        member: &'static str,
        signature: &'static str,
        body: Writer,
    ) -> Result<Message> {
        self.call(&Call {
            destination: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member,
            signature,
            body,
        })
    }

    /// Calls a method and waits for its answer.
    ///
    /// # Errors
    /// [`Error::Refused`]: the answer is an error; [`Error::Bus`], [`Error::BusMessage`].
    pub(crate) fn call(&mut self, call: &Call<'_>) -> Result<Message> {
        self.serial += 1;
        let message = call.encode(self.serial);
        self.write(&message)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let message = self.next(deadline)?;
            // What answers another call, or none, is not for us.
            if message.reply_serial != self.serial {
                continue;
            }
            return match message.kind {
                Kind::Return => Ok(message),
                Kind::Error => Err(Error::Refused {
                    call: call.member,
                    message: legible(message.error_text()),
                    name: legible(&message.error_name),
                }),
                Kind::Call | Kind::Signal => Err(malformed("an answer is of a wrong kind")),
            };
        }
    }

    /// The next signal for which `wanted` has an answer; others are passed over.
    ///
    /// # Errors
    /// [`Error::Bus`], also when it takes too long; [`Error::BusMessage`].
    pub(crate) fn signal<T>(&mut self, wanted: impl Fn(&Message) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let message = self.next(deadline)?;
            if message.kind == Kind::Signal
                && let Some(found) = wanted(&message)
            {
                return Ok(found);
            }
        }
    }

    fn next(&mut self, deadline: Instant) -> Result<Message> {
        self.fill(FIXED, deadline)?;
        let length = self.buffer.first_chunk().map_or(Ok(FIXED), Message::length);
        let length = length.map_err(malformed)?;
        self.fill(length, deadline)?;
        let message = Message::decode(&self.buffer[..length]).map_err(malformed)?;
        self.buffer.drain(..length);
        Ok(message)
    }

    fn line(&mut self, deadline: Instant) -> Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).take(end).collect();
                return String::from_utf8(line)
                    .map_err(|_| malformed("it does not speak the authentication protocol"));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(malformed("a line of the authentication is too long"));
            }
            self.fill(self.buffer.len() + 1, deadline)?;
        }
    }

    /// Reads until `length` bytes are there.
    fn fill(&mut self, length: usize, deadline: Instant) -> Result<()> {
        debug_assert!(length <= MAX_MESSAGE + CHUNK);
        let mut chunk = [0; CHUNK];
        while self.buffer.len() < length {
            self.wait_readable(deadline)?;
            match recv(&self.socket, &mut chunk[..], RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Err(self.failed(io::ErrorKind::UnexpectedEof.into())),
                Ok((count, _)) => self.buffer.extend(&chunk[..count]),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Err(errno) => return Err(self.failed(errno.into())),
            }
        }
        Ok(())
    }

    fn wait_readable(&self, deadline: Instant) -> Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(self.failed(io::ErrorKind::TimedOut.into()));
        }
        let timeout = Timespec {
            tv_sec: left.as_secs() as i64,
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(errno) => Err(self.failed(errno.into())),
        }
    }

    fn write(&self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            match send(&self.socket, bytes, SendFlags::NOSIGNAL) {
                Ok(count) => bytes = &bytes[count..],
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(self.failed(errno.into())),
            }
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Bus {
            name: self.name.clone(),
            source,
        }
    }
}

pub(crate) fn malformed(why: &'static str) -> Error {
    Error::BusMessage { why }
}

/// A peer's text as it may be shown: not long, and nothing that moves a terminal's cursor.
fn legible(text: &str) -> String {
    text.chars()
        .take(300)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
