//! Packets over the attach socket.

use super::{Errno, Fd, O_CLOEXEC, Result, number, plain, syscall};

/// `struct iovec`.
#[repr(C)]
struct Piece {
    base: *mut u8,
    length: usize,
}

/// `struct msghdr` of 64-bit Linux.
#[repr(C)]
struct Message {
    name: usize,
    name_length: u32,
    pieces: *mut Piece,
    piece_count: usize,
    control: usize,
    control_length: usize,
    flags: i32,
}

fn message(pieces: &mut [Piece; 2]) -> Message {
    Message {
        name: 0,
        name_length: 0,
        pieces: pieces.as_mut_ptr(),
        piece_count: pieces.len(),
        control: 0,
        control_length: 0,
        flags: 0,
    }
}

const MSG_DONTWAIT: usize = 0x40;

/// Sends one packet: `sort`, then `body`.
pub fn send(fd: Fd, sort: u8, body: &[u8]) -> Result<()> {
    send_parts(fd, &[sort], body).map(drop)
}

/// Sends both parts as one packet, or as much as a stream takes of them; the number of bytes.
pub fn send_parts(fd: Fd, one: &[u8], two: &[u8]) -> Result<usize> {
    const MSG_NOSIGNAL: usize = 0x4000;
    let piece = |bytes: &[u8]| Piece {
        base: bytes.as_ptr().cast_mut(),
        length: bytes.len(),
    };
    let mut pieces = [piece(one), piece(two)];
    let message = message(&mut pieces);
    let a = [
        fd.0 as usize,
        &raw const message as usize,
        MSG_NOSIGNAL | MSG_DONTWAIT,
        0,
        0,
        0,
    ];
    // SAFETY: the message and its pieces live through the call; sending only reads them.
    unsafe { syscall(number::SENDMSG, a) }
}

/// A socket of the address's family, non-blocking, on its way to be connected to it: packets or a `stream`.
pub fn connect(address: &[u8], stream: bool) -> Result<Fd> {
    const NONBLOCK: usize = 0o4000;
    let [low, high, ..] = address else {
        return Err(Errno::INVAL);
    };
    let family = usize::from(u16::from_ne_bytes([*low, *high]));
    let sort = if stream { 1 } else { 2 } | NONBLOCK | O_CLOEXEC;
    let fd = plain(number::SOCKET, [family, sort, 0, 0, 0, 0])?;
    let a = [fd, address.as_ptr() as usize, address.len(), 0, 0, 0];
    // SAFETY: the kernel reads within `address`.
    match unsafe { syscall(number::CONNECT, a) } {
        Ok(_) | Err(Errno::INPROGRESS) => Ok(Fd(fd as i32)),
        Err(error) => {
            super::close(Fd(fd as i32));
            Err(error)
        }
    }
}

/// How connecting went, or what else went wrong since it was last asked.
pub fn socket_error(fd: Fd) -> Result<()> {
    const SOL_SOCKET: usize = 1;
    const SO_ERROR: usize = 4;
    let (mut error, mut length) = (0i32, 4u32);
    let a = [
        fd.0 as usize,
        SOL_SOCKET,
        SO_ERROR,
        &raw mut error as usize,
        &raw mut length as usize,
        0,
    ];
    // SAFETY: the kernel fills 4 bytes and the length.
    unsafe { syscall(number::GETSOCKOPT, a) }?;
    if error == 0 {
        Ok(())
    } else {
        Err(Errno(error))
    }
}

/// What [`receive`] got.
pub enum Received {
    /// A packet of this sort, its body of so many bytes in the place given.
    Packet(u8, usize),
    /// The peer is gone.
    End,
    /// The packet was longer than the place.
    TooLong,
}

/// Receives one packet: its first byte, and the rest into `body`. Descriptors sent along are refused.
pub fn receive(fd: Fd, body: &mut [u8]) -> Result<Received> {
    const MSG_TRUNC: i32 = 0x20;
    let mut sort = 0u8;
    let mut pieces = [
        Piece {
            base: &raw mut sort,
            length: 1,
        },
        Piece {
            base: body.as_mut_ptr(),
            length: body.len(),
        },
    ];
    let mut message = message(&mut pieces);
    let a = [
        fd.0 as usize,
        &raw mut message as usize,
        MSG_DONTWAIT,
        0,
        0,
        0,
    ];
    // SAFETY: the kernel writes within the pieces and the message, which live through the call.
    let length = unsafe { syscall(number::RECVMSG, a) }?;
    if message.flags & MSG_TRUNC != 0 {
        return Ok(Received::TooLong);
    }
    Ok(if length == 0 {
        Received::End
    } else {
        Received::Packet(sort, length - 1)
    })
}

/// Accepts a connection; it is non-blocking.
pub fn accept(fd: Fd) -> Result<Fd> {
    const NONBLOCK: usize = 0o4000;
    let a = [fd.0 as usize, 0, 0, NONBLOCK | O_CLOEXEC, 0, 0];
    plain(number::ACCEPT4, a).map(|fd| Fd(fd as i32))
}

/// The user id of a socket's peer, as it was on connecting.
pub fn peer_uid(fd: Fd) -> Result<u32> {
    const SOL_SOCKET: usize = 1;
    const SO_PEERCRED: usize = 17;
    // struct ucred: pid, uid, gid.
    let mut credentials = [0u32; 3];
    let mut length = 12u32;
    let place = &raw mut credentials as usize;
    let a = [
        fd.0 as usize,
        SOL_SOCKET,
        SO_PEERCRED,
        place,
        &raw mut length as usize,
        0,
    ];
    // SAFETY: the kernel fills 12 bytes and the length.
    unsafe { syscall(number::GETSOCKOPT, a) }?;
    Ok(credentials[1])
}
