//! A client of the monitor: its side of `shim.sock`, one packet at a time (see `berth_monitor::packet`).

use std::os::fd::OwnedFd;
use std::path::Path;

use berth_monitor::packet::{self, FromMonitor, Wants};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with, socketpair,
};

/// All that a client can want.
pub const ALL: Wants = Wants {
    stdin: true,
    stdout: true,
    stderr: true,
};

/// Whatever is awaited comes within a minute.
const PATIENCE: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};

/// A packet, owned.
#[derive(Debug, PartialEq)]
pub enum Packet {
    /// `A`.
    Attached,
    /// `O`.
    Stdout(Vec<u8>),
    /// `S`.
    Stderr(Vec<u8>),
    /// `X`.
    Exit {
        /// The exit status.
        code: i32,
        /// The out-of-memory killer struck.
        oom: bool,
    },
    /// The connection ended.
    End,
}

/// A client's side of a connection.
pub struct Client(OwnedFd);

/// All methods panic when the monitor does not do its part.
#[allow(clippy::missing_panics_doc, reason = "it is said above, once")]
impl Client {
    /// A foreground client that has asked for all, and the descriptor for the other side.
    pub fn foreground() -> (Client, OwnedFd) {
        let (family, flags) = (AddressFamily::UNIX, SocketFlags::CLOEXEC);
        let (ours, theirs) =
            socketpair(family, SocketType::SEQPACKET, flags, None).expect("a socket pair");
        let client = Client(ours);
        client.send(&packet::attach(ALL));
        (client, theirs)
    }

    /// A client that has said nothing yet.
    pub fn connect(path: &Path) -> Client {
        let (family, flags) = (AddressFamily::UNIX, SocketFlags::CLOEXEC);
        let socket = socket_with(family, SocketType::SEQPACKET, flags, None).expect("a socket");
        let address = SocketAddrUnix::new(path).expect("a short path");
        connect(&socket, &address).expect("the monitor listens");
        Client(socket)
    }

    /// Sends a whole packet.
    pub fn send(&self, packet: &[u8]) {
        assert_eq!(send(&self.0, packet, SendFlags::NOSIGNAL), Ok(packet.len()));
    }

    /// Sends standard input.
    pub fn send_data(&self, data: &[u8]) {
        self.send(&[&[packet::STDIN], data].concat());
    }

    /// Takes the cleaning-up over. The monitor may be gone already: it waits for the foreground one only.
    pub fn done(&self) {
        let _ = send(&self.0, &[packet::DONE], SendFlags::NOSIGNAL);
    }

    /// The next packet.
    pub fn receive(&self) -> Packet {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        let ready = poll(&mut fds, Some(&PATIENCE)).expect("poll");
        assert!(ready > 0, "a packet within a minute");
        let mut place = vec![0; packet::MAX_DATA + 1];
        let length = match recv(&self.0, &mut place[..], RecvFlags::empty()) {
            Ok((length, _)) => length,
            Err(rustix::io::Errno::CONNRESET) => 0,
            Err(error) => panic!("receive: {error}"),
        };
        if length == 0 {
            return Packet::End;
        }
        match packet::from_monitor(&place[..length]).expect("a packet of ours") {
            FromMonitor::Attached => Packet::Attached,
            FromMonitor::Stdout(data) => Packet::Stdout(data.to_vec()),
            FromMonitor::Stderr(data) => Packet::Stderr(data.to_vec()),
            FromMonitor::Exit { code, oom } => Packet::Exit { code, oom },
        }
    }

    /// Reads output until it holds `text`.
    pub fn read_until(&self, text: &str) -> String {
        let mut read = String::new();
        while !read.contains(text) {
            match self.receive() {
                Packet::Stdout(data) | Packet::Stderr(data) => {
                    read.push_str(&String::from_utf8_lossy(&data));
                }
                Packet::Attached => {}
                other => panic!("{other:?} after {read:?}, waiting for {text:?}"),
            }
        }
        read
    }

    /// All output until the exit packet: standard output, standard error, exit code.
    pub fn drain(&self) -> (Vec<u8>, Vec<u8>, i32) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        loop {
            match self.receive() {
                Packet::Attached => {}
                Packet::Stdout(data) => out.extend(data),
                Packet::Stderr(data) => err.extend(data),
                Packet::Exit { code, .. } => return (out, err, code),
                Packet::End => panic!("ended without an exit packet: {out:?} {err:?}"),
            }
        }
    }
}
