//! A process of an exec instance: the runtime that stands for it, and its streams.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Child;
use std::sync::Arc;

use berth_engine::exec::PreparedExec;
use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::unix::AsyncFd;

use crate::serve::ready::register;

/// Bytes that are read at once.
const READ_BYTES: usize = 32 << 10;

/// It runs.
pub(crate) struct Process {
    child: Child,
    /// Kept until its end: the runtime reads from it when it likes.
    _prepared: PreparedExec,
    pub(crate) pidfd: OwnedFd,
    /// Master of its terminal, if it has one.
    pub(crate) terminal: Option<Arc<OwnedFd>>,
}

impl Process {
    /// Of a runtime that was started.
    pub(crate) fn new(child: Child, prepared: PreparedExec) -> io::Result<Process> {
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
        Ok(Process {
            child,
            _prepared: prepared,
            pidfd,
            terminal: None,
        })
    }

    /// Until the runtime has written this file, or ended.
    pub(crate) fn wait_for(&self, file: &Path) {
        let pause = Timespec {
            tv_sec: 0,
            tv_nsec: 500_000,
        };
        while !file.exists() {
            let mut ended = [PollFd::new(&self.pidfd, PollFlags::IN)];
            if !matches!(poll(&mut ended, Some(&pause)), Ok(0) | Err(Errno::INTR)) {
                return;
            }
        }
    }

    /// Its streams; asked once.
    pub(crate) fn streams(&mut self) -> io::Result<Streams> {
        let runtime_says = self.child.stderr.take().map(OwnedFd::from);
        if let Some(terminal) = &self.terminal {
            let terminal = Stream::new(terminal.clone())?;
            return Ok(Streams {
                stdin: Some(terminal.clone()),
                stdout: Some(terminal),
                stderr: None,
            });
        }
        let stream = |fd: Option<OwnedFd>| fd.map(|fd| Stream::new(Arc::new(fd))).transpose();
        Ok(Streams {
            stdin: stream(self.child.stdin.take().map(OwnedFd::from))?,
            stdout: stream(self.child.stdout.take().map(OwnedFd::from))?,
            stderr: stream(runtime_says)?,
        })
    }

    /// Its end: the exit code.
    pub(crate) async fn wait(mut self) -> i32 {
        if let Ok(pidfd) = register(self.pidfd) {
            // An error here is answered by the wait itself.
            _ = pidfd.readable().await;
        }
        match self.child.wait() {
            Ok(status) => status.code().unwrap_or(137),
            Err(_) => 137,
        }
    }
}

/// Those that it has.
pub(crate) struct Streams {
    pub(crate) stdin: Option<Stream>,
    pub(crate) stdout: Option<Stream>,
    pub(crate) stderr: Option<Stream>,
}

/// One of them, at our end.
#[derive(Clone)]
pub(crate) struct Stream(Arc<AsyncFd<Arc<OwnedFd>>>);

/// What a read brought.
pub(crate) enum Piece {
    Bytes(Bytes),
    Nothing,
    End,
}

impl Stream {
    fn new(fd: Arc<OwnedFd>) -> io::Result<Stream> {
        fcntl_setfl(&fd, fcntl_getfl(&fd)? | OFlags::NONBLOCK)?;
        Ok(Stream(Arc::new(register(fd)?)))
    }

    /// Waits for a piece; `None` at its end.
    pub(crate) async fn next(&self) -> Option<Bytes> {
        loop {
            let mut ready = self.0.readable().await.ok()?;
            match self.take() {
                Piece::Bytes(bytes) => return Some(bytes),
                Piece::End => return None,
                Piece::Nothing => ready.clear_ready(),
            }
        }
    }

    /// What is there.
    pub(crate) fn take(&self) -> Piece {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            return match rustix::io::read(self.0.get_ref().as_fd(), &mut buffer[..]) {
                // A terminal that nobody has open any more says EIO.
                Ok(0) | Err(Errno::IO) => Piece::End,
                Ok(length) => {
                    buffer.truncate(length);
                    Piece::Bytes(buffer.into())
                }
                Err(Errno::AGAIN) => Piece::Nothing,
                Err(Errno::INTR) => continue,
                Err(_) => Piece::End,
            };
        }
    }

    /// Writes a first part as soon as there is room; how much. `None`: nobody reads it.
    pub(crate) async fn write(&self, bytes: &[u8]) -> Option<usize> {
        loop {
            let mut ready = self.0.writable().await.ok()?;
            match rustix::io::write(self.0.get_ref().as_fd(), bytes) {
                Ok(length) => return Some(length),
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
    }
}
