//! Descriptors over a unix socket. What arrives is close-on-exec; what was not asked for is closed
//! (security: R30).
//!
//! Source: unix(7), SCM_RIGHTS.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

/// Most descriptors that the kernel puts into one message (SCM_MAX_FD).
pub const MAX_FDS: usize = 253;

/// What [`receive`] got.
#[derive(Debug)]
pub struct Received {
    /// Number of bytes written to the buffer; 0 is the end of a stream.
    pub bytes: usize,
    /// The descriptors, at most as many as asked for.
    pub fds: Vec<OwnedFd>,
    /// More descriptors came than were asked for; they are closed.
    pub extra: bool,
}

/// Sends `bytes` (at least one, or a stream socket would carry nothing) with descriptors.
///
/// # Errors
/// `EINVAL` for more than [`MAX_FDS`]; the kernel's. A peer that is gone gives `EPIPE`, no signal.
pub fn send(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<usize, Errno> {
    if fds.len() > MAX_FDS {
        return Err(Errno::INVAL);
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::INVAL);
    }
    rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(
            &socket,
            &[IoSlice::new(bytes)],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )
    })
}

/// Receives into `bytes`, with at most `max_fds` descriptors.
///
/// # Errors
/// The kernel's.
pub fn receive(socket: impl AsFd, bytes: &mut [u8], max_fds: usize) -> Result<Received, Errno> {
    // Room for all that can come: what does not fit would be dropped by the kernel unseen.
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let message = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(
            &socket,
            &mut [IoSliceMut::new(bytes)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )
    })?;
    let (mut fds, mut extra) = (Vec::new(), false);
    for part in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = part {
            for fd in received {
                if fds.len() < max_fds {
                    fds.push(fd);
                } else {
                    extra = true;
                }
            }
        }
    }
    Ok(Received {
        bytes: message.bytes,
        fds,
        extra,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap()
    }

    #[test]
    fn a_descriptor_arrives_close_on_exec() {
        let (left, right) = pair();
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        send(&left, b"x", &[writer.as_fd()]).unwrap();
        let mut byte = [0];
        let got = receive(&right, &mut byte, 1).unwrap();
        assert_eq!(
            (got.bytes, got.fds.len(), got.extra, byte),
            (1, 1, false, *b"x")
        );
        assert!(
            rustix::io::fcntl_getfd(&got.fds[0])
                .unwrap()
                .contains(rustix::io::FdFlags::CLOEXEC)
        );
        rustix::io::write(&got.fds[0], b"y").unwrap();
        assert_eq!(rustix::io::read(&reader, &mut byte), Ok(1));
    }

    /// R30: after the read the only writers of the pipe are ours, so all 199 others are closed.
    #[test]
    fn r30_extra_descriptors_are_closed() {
        let (left, right) = pair();
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        send(&left, b"x", &[writer.as_fd(); 200]).unwrap();
        let got = receive(&right, &mut [0], 1).unwrap();
        assert_eq!((got.fds.len(), got.extra), (1, true));
        drop((got, writer));
        assert_eq!(
            rustix::io::read(&reader, &mut [0; 1]),
            Ok(0),
            "end of file: nobody can write"
        );
    }

    #[test]
    fn too_many_are_refused_and_a_dead_peer_is_an_error() {
        let (left, right) = pair();
        assert_eq!(
            send(&left, b"x", &[right.as_fd(); MAX_FDS + 1]),
            Err(Errno::INVAL)
        );
        drop(right);
        assert_eq!(send(&left, b"x", &[]), Err(Errno::PIPE));
    }
}
