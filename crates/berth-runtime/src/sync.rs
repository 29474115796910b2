//! The socket between the runtime and the process it makes: one packet a message.
//!
//! ```text
//! child → parent   'F' + JSON RuntimeFailure   it failed and ends
//!                  'T' + descriptor            master of the terminal
//!                  'S' + descriptor            seccomp listener
//!                  's' + number                the same, to be fetched; waits for the answer
//!                  'P' + descriptor + pid      the process made by an intermediate one (exec)
//!                  'U'                         a user namespace is made: write its id maps, then answer
//!                  'M' + index                 make this mount for me, and answer with it
//!                  'H'                         namespaces are there: run the hooks, then answer
//!                  'R'                         ready; waits for the start
//!                  end of file                 the program runs (close-on-exec)
//! parent → child   'g' [+ descriptor]          go on
//!                  'g' + paths between NULs    the first: go on, in these cgroups
//! ```

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use berth_model::task::RuntimeFailure;
use berth_sys::fdpass;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::error::{Error, Result};
use crate::filter::Listener;
use crate::json;

/// Bytes of a packet; a failure's text is cut to fit.
const MAX_PACKET: usize = 16 << 10;

/// One end of the socket.
#[derive(Debug)]
pub struct Sync(OwnedFd);

/// What arrives at the parent.
#[derive(Debug)]
pub enum Message {
    /// The child failed and ends.
    Failed(Box<RuntimeFailure>),
    /// Master of the terminal.
    Terminal(OwnedFd),
    /// Seccomp listener.
    Listener(Listener),
    /// Another process was made: its pidfd.
    Process(i32, OwnedFd),
    /// A user namespace was made: its id maps are due.
    Maps,
    /// A mount that init cannot make: its index in the spec.
    Mount(usize),
    /// Hooks are due.
    Hooks,
    /// Ready to start.
    Ready,
    /// The other end is closed: the program runs, or the child is dead.
    End,
}

impl Sync {
    /// Both ends: the parent's and the child's.
    ///
    /// # Errors
    /// The kernel's.
    pub fn pair() -> Result<(Sync, Sync)> {
        socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map(|(left, right)| (Sync(left), Sync(right)))
        .map_err(fail)
    }

    /// Child: tells what went wrong. Best effort: the parent may be gone.
    pub fn failed(&self, failure: &RuntimeFailure) -> bool {
        let packet = |failure| {
            let json = json::write(failure).unwrap_or_default();
            [b"F", json.as_slice()].concat()
        };
        let mut whole = packet(failure);
        if whole.len() > MAX_PACKET {
            let short = RuntimeFailure {
                causes: Vec::new(),
                message: clip(&failure.message),
                ..failure.clone()
            };
            whole = packet(&short);
        }
        fdpass::send(&self.0, &whole, &[]).is_ok()
    }

    /// Child: sends a descriptor under a tag.
    ///
    /// # Errors
    /// The parent is gone.
    pub fn send_fd(&self, tag: u8, fd: BorrowedFd<'_>) -> Result<()> {
        fdpass::send(&self.0, &[tag], &[fd]).map(drop).map_err(fail)
    }

    /// Intermediate child: sends the process that it made.
    ///
    /// # Errors
    /// The parent is gone.
    pub fn send_process(&self, pid: i32, pidfd: BorrowedFd<'_>) -> Result<()> {
        let mut packet = vec![b'P'];
        packet.extend_from_slice(&pid.to_ne_bytes());
        fdpass::send(&self.0, &packet, &[pidfd])
            .map(drop)
            .map_err(fail)
    }

    /// Child: has a mount of the spec made by the parent.
    ///
    /// # Errors
    /// The parent is gone: it could not.
    pub fn request_mount(&self, index: usize) -> Result<OwnedFd> {
        let mut packet = vec![b'M'];
        packet.extend_from_slice(&(index as u32).to_ne_bytes());
        fdpass::send(&self.0, &packet, &[]).map_err(fail)?;
        let got = fdpass::receive(&self.0, &mut [0; 1], 1).map_err(fail)?;
        got.fds
            .into_iter()
            .next()
            .ok_or_else(|| fail(io::ErrorKind::UnexpectedEof))
    }

    /// Child: shows a descriptor to the parent and waits until it has it. Takes the calls read and write alone.
    ///
    /// # Errors
    /// The parent is gone.
    pub fn show_fd(&self, fd: BorrowedFd<'_>) -> Result<()> {
        let mut packet = vec![b's'];
        packet.extend_from_slice(&fd.as_raw_fd().to_ne_bytes());
        rustix::io::write(&self.0, &packet).map_err(fail)?;
        match rustix::io::read(&self.0, &mut [0; 1]) {
            Ok(1) => Ok(()),
            Ok(_) => Err(fail(rustix::io::Errno::PIPE)),
            Err(errno) => Err(fail(errno)),
        }
    }

    /// Child: is ready, and says so without sendmsg.
    ///
    /// # Errors
    /// The parent is gone.
    pub fn ready_by_write(&self) -> Result<()> {
        rustix::io::write(&self.0, b"R").map(drop).map_err(fail)
    }

    /// Sends a bare tag.
    ///
    /// # Errors
    /// The other end is gone.
    pub fn send(&self, tag: u8) -> Result<()> {
        fdpass::send(&self.0, &[tag], &[]).map(drop).map_err(fail)
    }

    /// Child: waits until the parent says that it may go on.
    ///
    /// # Errors
    /// The parent is gone.
    pub fn wait_go(&self) -> Result<()> {
        let mut byte = [0];
        match fdpass::receive(&self.0, &mut byte, 0) {
            Ok(got) if got.bytes == 1 && byte[0] == b'g' => Ok(()),
            Ok(_) => Err(fail(io::ErrorKind::UnexpectedEof)),
            Err(errno) => Err(fail(errno)),
        }
    }

    /// Child: as [`Sync::wait_go`], for the answer by which it learns of its cgroups.
    ///
    /// # Errors
    /// The parent is gone.
    pub fn wait_place(&self) -> Result<Vec<PathBuf>> {
        let mut packet = vec![0; MAX_PACKET];
        let got = fdpass::receive(&self.0, &mut packet, 0).map_err(fail)?;
        match packet[..got.bytes].split_first() {
            Some((b'g', paths)) => Ok(paths
                .split(|byte| *byte == 0)
                .filter(|path| !path.is_empty())
                .map(|path| PathBuf::from(OsStr::from_bytes(path)))
                .collect()),
            _ => Err(fail(io::ErrorKind::UnexpectedEof)),
        }
    }

    /// Parent: lets the child go on, in these cgroups.
    ///
    /// # Errors
    /// The child is gone.
    pub fn go_in(&self, cgroups: &[PathBuf]) -> Result<()> {
        let mut packet = vec![b'g'];
        for path in cgroups {
            packet.extend(path.as_os_str().as_bytes());
            packet.push(0);
        }
        fdpass::send(&self.0, &packet, &[]).map(drop).map_err(fail)
    }

    /// Parent: lets the child go on.
    ///
    /// # Errors
    /// The child is gone.
    pub fn go(&self) -> Result<()> {
        self.send(b'g')
    }

    /// Parent: as [`Sync::receive`], from a child that may end while another process, which the parent does
    /// not know yet, holds the socket, too: then that is the end.
    ///
    /// # Errors
    /// Likewise.
    pub fn receive_from(&self, child: &OwnedFd) -> Result<Message> {
        let mut wanted = [
            PollFd::from_borrowed_fd(self.as_fd(), PollFlags::IN),
            PollFd::new(child, PollFlags::IN),
        ];
        let now = Timespec::default();
        // What it sent before its end may have come between the two looks of the first poll.
        for patience in [None, Some(&now)] {
            rustix::io::retry_on_intr(|| poll(&mut wanted, patience)).map_err(fail)?;
            if !wanted[0].revents().is_empty() {
                return self.receive();
            }
        }
        Ok(Message::End)
    }

    /// Parent: the next message.
    ///
    /// # Errors
    /// The kernel's; a packet that makes no sense.
    pub fn receive(&self) -> Result<Message> {
        let mut packet = vec![0; MAX_PACKET + 1];
        let mut got = match fdpass::receive(&self.0, &mut packet, 1) {
            // The child died with unread bytes of ours in its queue. The kernel says so first, and once: what
            // the child said before is still to be read.
            Err(rustix::io::Errno::CONNRESET) => fdpass::receive(&self.0, &mut packet, 1),
            other => other,
        }
        .map_err(fail)?;
        let Some((tag, body)) = packet[..got.bytes].split_first() else {
            return Ok(Message::End);
        };
        let nonsense = || fail(io::ErrorKind::InvalidData);
        match (*tag, got.fds.pop()) {
            (b'F', _) => {
                let failure = json::read(body).map_err(fail)?;
                Ok(Message::Failed(Box::new(failure)))
            }
            (b'T', Some(fd)) => Ok(Message::Terminal(fd)),
            (b'S', Some(fd)) => Ok(Message::Listener(Listener::Sent(fd))),
            (b's', None) => {
                let number = body.try_into().map_err(|_| nonsense())?;
                Ok(Message::Listener(Listener::At(i32::from_ne_bytes(number))))
            }
            (b'P', Some(fd)) => {
                let pid = body.try_into().map_err(|_| nonsense())?;
                Ok(Message::Process(i32::from_ne_bytes(pid), fd))
            }
            (b'U', _) => Ok(Message::Maps),
            (b'M', _) => {
                let index = body.try_into().map_err(|_| nonsense())?;
                Ok(Message::Mount(u32::from_ne_bytes(index) as usize))
            }
            (b'H', _) => Ok(Message::Hooks),
            (b'R', _) => Ok(Message::Ready),
            _ => Err(nonsense()),
        }
    }
}

impl AsFd for Sync {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn fail(source: impl Into<io::Error>) -> Error {
    Error::Sync {
        source: source.into(),
    }
}

fn clip(text: &str) -> String {
    text.chars().take(1000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_as_sent() {
        let (parent, child) = Sync::pair().unwrap();
        let failure = Error::InvalidSpec {
            reason: "x".repeat(MAX_PACKET * 2),
        }
        .to_failure();
        assert!(child.failed(&failure));
        let Message::Failed(got) = parent.receive().unwrap() else {
            panic!()
        };
        assert_eq!(got.exit_code, 125);
        assert!(got.message.len() <= 1000);

        child.send_process(7, child.as_fd()).unwrap();
        assert!(matches!(parent.receive().unwrap(), Message::Process(7, _)));
        child.send(b'H').unwrap();
        assert!(matches!(parent.receive().unwrap(), Message::Hooks));
        parent.go().unwrap();
        child.wait_go().unwrap();
        let paths = [PathBuf::from("/a b"), PathBuf::from("/c")];
        parent.go_in(&paths).unwrap();
        assert_eq!(child.wait_place().unwrap(), paths);
        parent.go_in(&[]).unwrap();
        assert!(child.wait_place().unwrap().is_empty());
        child.send(b'T').unwrap();
        assert!(parent.receive().is_err(), "no descriptor came with it");
        parent.go().unwrap();
        drop(child);
        assert!(matches!(parent.receive().unwrap(), Message::End));
    }

    /// As when a container's memory runs out: its exec waited for ever.
    #[test]
    fn a_dead_child_is_noticed_although_its_own_child_holds_the_socket() {
        let (parent, child) = Sync::pair().unwrap();
        let mut process = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = rustix::process::Pid::from_child(&process);
        let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
        child.send(b'U').unwrap();
        assert!(matches!(
            parent.receive_from(&pidfd).unwrap(),
            Message::Maps
        ));
        process.kill().unwrap();
        assert!(matches!(parent.receive_from(&pidfd).unwrap(), Message::End));
        child.send(b'R').unwrap();
        assert!(matches!(
            parent.receive_from(&pidfd).unwrap(),
            Message::Ready
        ));
        process.wait().unwrap();
    }

    #[test]
    fn last_words_are_heard_over_a_reset() {
        let (parent, child) = Sync::pair().unwrap();
        parent.go().unwrap();
        assert!(child.failed(&Error::Unsupported { what: "x" }.to_failure()));
        drop(child);
        assert!(matches!(parent.receive().unwrap(), Message::Failed(_)));
        assert!(matches!(parent.receive().unwrap(), Message::End));
    }

    #[test]
    fn a_dead_parent_is_noticed() {
        let (parent, child) = Sync::pair().unwrap();
        drop(parent);
        assert!(child.wait_go().is_err() && child.wait_place().is_err());
        assert!(!child.failed(&Error::Unsupported { what: "x" }.to_failure()));
    }
}
