//! A connection that becomes a stream in both directions (Docker's "hijacking"): raw, or the client's output in frames.
//!
//! A client that asks with `Upgrade: tcp` gets `101` and the connection itself, and may end its direction alone (half
//! close). Another one gets `200`, sends its input as the body of the request, and reads the body of the answer.
//!
//! ```text
//! frame: stream:u8 (1 output, 2 error output) 0 0 0 length:u32be bytes…      only without a terminal
//! ```

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use super::sink::Sink;
use super::upload::Upload;
use super::websocket;

/// Bytes that are read of a client at once.
const READ_BYTES: usize = 32 << 10;
/// How often is looked whether a client has read the head of an answer, and how many times.
const HEARD_EVERY: Duration = Duration::from_millis(1);
const HEARD_LOOKS: u32 = 50;

/// Which of a process's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Stdout = 1,
    Stderr = 2,
}

/// The bytes as one frame.
pub(crate) fn frame(output: Output, bytes: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(8 + bytes.len());
    framed.put_slice(&[output as u8, 0, 0, 0]);
    framed.put_u32(bytes.len() as u32);
    framed.put_slice(bytes);
    framed.freeze()
}

/// The bytes as a client gets them: as a frame, or as they are.
pub(crate) fn piece(framed: bool, output: Output, bytes: Bytes) -> Bytes {
    match framed {
        true => frame(output, &bytes),
        false => bytes,
    }
}

/// What comes from the client.
pub(crate) enum Input {
    Connection(ReadHalf<TokioIo<Upgraded>>),
    Body(Upload),
    Websocket(websocket::Reader),
    /// Nothing comes.
    Ended,
}

impl Input {
    /// The next piece; `None` at its end, or when the client is gone.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        match self {
            Input::Connection(half) => {
                let mut piece = BytesMut::with_capacity(READ_BYTES);
                match half.read_buf(&mut piece).await {
                    Ok(0) | Err(_) => None,
                    Ok(_) => Some(piece.freeze()),
                }
            }
            Input::Body(body) => body.next().await?.ok(),
            Input::Websocket(reader) => reader.next().await,
            Input::Ended => None,
        }
    }
}

/// Where the client reads.
pub(crate) enum Back {
    /// And the connection, until something was sent.
    Connection(WriteHalf<TokioIo<Upgraded>>, Option<Arc<OwnedFd>>),
    Body(Sink),
    Websocket(websocket::Writer),
}

impl Back {
    /// Sends a piece.
    ///
    /// # Errors
    /// The client is gone.
    pub(crate) async fn send(&mut self, bytes: Bytes) -> io::Result<()> {
        match self {
            Back::Connection(half, fresh) => {
                if let Some(peer) = fresh.take() {
                    until_heard(&peer).await;
                }
                half.write_all(&bytes).await
            }
            Back::Body(sink) => sink.send(bytes).await,
            Back::Websocket(writer) => writer.send(&bytes).await,
        }
    }

    /// Ends our direction.
    pub(crate) async fn end(self) {
        match self {
            Back::Connection(mut half, _) => {
                // A client that is gone needs no end.
                _ = half.shutdown().await;
            }
            Back::Body(_) => {}
            Back::Websocket(writer) => writer.end().await,
        }
    }
}

/// Until the client has read the head of our answer, for a moment at most. Some (docker-py) read it through a buffer and
/// then the connection itself: what came together with the head is lost to them.
async fn until_heard(peer: &OwnedFd) {
    for _ in 0..HEARD_LOOKS {
        if !matches!(berth_sys::net::unread_bytes(peer), Ok(1..)) {
            return;
        }
        tokio::time::sleep(HEARD_EVERY).await;
    }
}

/// Whether nobody reads any more at the other end. A client that has only ended its own direction is still there; a
/// peer over TCP that vanished is known to be gone when it is written to, or asked in vain whether it is there.
pub(crate) fn is_gone(peer: &OwnedFd) -> bool {
    let mut look = [PollFd::new(peer, PollFlags::empty())];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut look, Some(&now)).is_ok()
        && look[0]
            .revents()
            .intersects(PollFlags::HUP | PollFlags::ERR)
}

/// Both directions of a connection that was upgraded.
///
/// # Errors
/// The client went before.
pub(crate) async fn upgraded(
    upgrade: OnUpgrade,
    peer: Arc<OwnedFd>,
) -> hyper::Result<(Input, Back)> {
    let (read, write) = tokio::io::split(TokioIo::new(upgrade.await?));
    let back = Back::Connection(write, Some(peer));
    Ok((Input::Connection(read), back))
}
