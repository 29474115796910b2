//! One connection to a monitor.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use berth_monitor::packet::{self, FromMonitor, Wants};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with, socketpair,
};

use super::error::Error;

/// A connection to the monitor of one container.
#[derive(Debug)]
pub struct AttachStream {
    socket: OwnedFd,
    packet: Vec<u8>,
}

/// What the monitor tells.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Standard output, or the terminal's.
    Stdout(&'a [u8]),
    /// Standard error.
    Stderr(&'a [u8]),
    /// Init ended, and all output was delivered.
    Exit {
        /// The exit status; 128 + n for signal n.
        code: i32,
        /// The out-of-memory killer struck.
        oom_killed: bool,
    },
    /// The connection ended without an exit: the monitor died, or this is after [`Event::Exit`].
    End,
}

impl AttachStream {
    /// A connection for a container that is yet to start, already attached: nothing of its output is
    /// missed. The second value becomes descriptor 4 of the shim.
    ///
    /// # Errors
    /// [`Error::Talk`].
    pub fn foreground(wants: Wants) -> Result<(AttachStream, OwnedFd), Error> {
        let pair = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        );
        let (ours, theirs) = pair.map_err(talk("reach"))?;
        let stream = AttachStream::over(ours);
        stream.send(&packet::attach(wants))?;
        Ok((stream, theirs))
    }

    /// Attaches to a running container.
    ///
    /// # Errors
    /// [`Error::NotRunning`] when nobody listens, [`Error::Refused`], [`Error::Talk`].
    pub fn connect(task_dir: &Path, wants: Wants) -> Result<AttachStream, Error> {
        let not_running = |source| match source {
            Errno::NOENT | Errno::CONNREFUSED => Error::NotRunning {
                task_dir: task_dir.to_owned(),
                source,
            },
            source => talk("reach")(source),
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(task_dir, flags, Mode::empty()).map_err(not_running)?;
        let socket = socket_with(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(not_running)?;
        // A socket's path holds 107 bytes; a task's directory may be longer.
        let path = format!("/proc/self/fd/{}/shim.sock", raw(&dir));
        let address = SocketAddrUnix::new(path).map_err(not_running)?;
        connect(&socket, &address).map_err(not_running)?;
        let mut stream = AttachStream::over(socket);
        stream
            .send(&packet::attach(wants))
            .map_err(|_| Error::Refused)?;
        match stream.receive_packet(RecvFlags::empty())? {
            Some(FromMonitor::Attached) => Ok(stream),
            _ => Err(Error::Refused),
        }
    }

    fn over(socket: OwnedFd) -> Self {
        AttachStream {
            socket,
            packet: vec![0; packet::MAX_DATA + 1],
        }
    }

    /// What came, if anything did: `None` when it would have to wait.
    ///
    /// # Errors
    /// [`Error::Talk`], [`Error::Protocol`].
    pub fn try_receive(&mut self) -> Result<Option<Event<'_>>, Error> {
        loop {
            match self.receive_packet(RecvFlags::DONTWAIT) {
                // The answer to a foreground connection; what follows it may be there already.
                Ok(Some(FromMonitor::Attached)) => {}
                Err(Error::Talk {
                    source: Errno::AGAIN,
                    ..
                }) => return Ok(None),
                Ok(_) => return Ok(Some(event(self.parse()?))),
                Err(error) => return Err(error),
            }
        }
    }

    /// Receives into the buffer; `None` at the end of the connection.
    fn receive_packet(&mut self, flags: RecvFlags) -> Result<Option<FromMonitor<'_>>, Error> {
        self.packet.resize(packet::MAX_DATA + 1, 0);
        let length = loop {
            match recv(&self.socket, self.packet.as_mut_slice(), flags) {
                Ok((length, _)) => break length,
                Err(Errno::INTR) => {}
                // A monitor that died with our packets unread.
                Err(Errno::CONNRESET) => break 0,
                Err(source) => return Err(talk("read from")(source)),
            }
        };
        self.packet.truncate(length);
        self.parse()
    }

    fn parse(&self) -> Result<Option<FromMonitor<'_>>, Error> {
        if self.packet.is_empty() {
            return Ok(None);
        }
        packet::from_monitor(&self.packet)
            .map(Some)
            .ok_or(Error::Protocol)
    }

    /// Sends a first part of `data`, if that can be done without waiting; how many bytes.
    ///
    /// # Errors
    /// [`Error::Talk`]: the monitor is gone.
    pub fn try_write_stdin(&self, data: &[u8]) -> Result<usize, Error> {
        let chunk = &data[..data.len().min(packet::MAX_DATA)];
        let sent = self.try_send(&[&[packet::STDIN], chunk].concat())?;
        Ok(if sent { chunk.len() } else { 0 })
    }

    /// Ends standard input (half close), if that can be done without waiting; `false`: try again.
    ///
    /// # Errors
    /// [`Error::Talk`]: the monitor is gone.
    pub fn try_close_stdin(&self) -> Result<bool, Error> {
        self.try_send(&[packet::STDIN_END])
    }

    /// Sets the terminal's size in characters, if that can be done without waiting; `false`: try again.
    ///
    /// # Errors
    /// [`Error::Talk`]: the monitor is gone.
    pub fn try_resize(&self, rows: u16, columns: u16) -> Result<bool, Error> {
        self.try_send(&packet::resize(rows, columns))
    }

    /// After [`Event::Exit`] on a foreground connection: we clean up, the monitor need not. Returns
    /// when the monitor is gone. Without this call it cleans up itself.
    ///
    /// # Errors
    /// [`Error::Talk`], also when the monitor has already begun to clean up.
    pub fn take_over(mut self) -> Result<(), Error> {
        self.send(&[packet::DONE])?;
        while self.receive_packet(RecvFlags::empty())?.is_some() {}
        Ok(())
    }

    fn try_send(&self, packet: &[u8]) -> Result<bool, Error> {
        match send(
            &self.socket,
            packet,
            SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
        ) {
            Ok(_) => Ok(true),
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(source) => Err(talk("write to")(source)),
        }
    }

    fn send(&self, packet: &[u8]) -> Result<(), Error> {
        loop {
            match send(&self.socket, packet, SendFlags::NOSIGNAL) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(source) => return Err(talk("write to")(source)),
            }
        }
    }
}

impl AsRawFd for AttachStream {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl AsFd for AttachStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn event(packet: Option<FromMonitor<'_>>) -> Event<'_> {
    match packet {
        Some(FromMonitor::Stdout(data)) => Event::Stdout(data),
        Some(FromMonitor::Stderr(data)) => Event::Stderr(data),
        Some(FromMonitor::Exit { code, oom }) => Event::Exit {
            code,
            oom_killed: oom,
        },
        // A second answer is none of this version's monitors; treat the connection as over.
        Some(FromMonitor::Attached) | None => Event::End,
    }
}

fn talk(action: &'static str) -> impl Fn(Errno) -> Error {
    move |source| Error::Talk { action, source }
}

fn raw(fd: &OwnedFd) -> i32 {
    std::os::fd::AsRawFd::as_raw_fd(fd)
}
