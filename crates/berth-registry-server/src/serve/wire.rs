//! A connection as hyper writes to it: chunks that stand for files are sent as such, and one who takes nothing is left.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use tokio::io::{AsyncRead, AsyncWrite, Interest};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;

use super::metrics::Metrics;
use super::sendfile::{Queue, stands_for_file};

/// What a connection can be: TCP as it is, or with TLS on top.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// The socket, if what is written to it is what the client reads.
    fn socket(&self) -> Option<&TcpStream> {
        None
    }
}

impl Stream for TcpStream {
    fn socket(&self) -> Option<&TcpStream> {
        Some(self)
    }
}

impl Stream for TlsStream<TcpStream> {}

impl Stream for Box<dyn Stream> {
    fn socket(&self) -> Option<&TcpStream> {
        (**self).socket()
    }
}

/// How long a client may take nothing of an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) timeout: Duration,
    pub(crate) step_bytes: u64,
}

/// A connection.
pub(crate) struct Wire<S> {
    io: TokioIo<S>,
    queue: Arc<Queue>,
    metrics: Arc<Metrics>,
    pace: Pace,
    /// Runs while the client takes less than it has to.
    stall: Option<Pin<Box<Sleep>>>,
    moved_bytes: u64,
}

impl<S: Stream> Wire<S> {
    pub(crate) fn new(stream: S, queue: Arc<Queue>, metrics: Arc<Metrics>, pace: Pace) -> Wire<S> {
        Wire {
            io: TokioIo::new(stream),
            queue,
            metrics,
            pace,
            stall: None,
            moved_bytes: 0,
        }
    }

    pub(crate) fn into_stream(self) -> S {
        self.io.into_inner()
    }

    fn poll_some(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(first) = slices.iter().position(|slice| !slice.is_empty()) else {
            return Poll::Ready(Ok(0));
        };
        let slices = &slices[first..];
        let plain = slices.iter().position(|slice| stands_for_file(slice));
        match plain {
            None if !self.queue.is_empty() => Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            None => Pin::new(&mut self.io).poll_write_vectored(cx, slices),
            Some(0) => self.poll_file(cx, slices[0].len()),
            Some(plain) => self.poll_before_file(cx, &slices[..plain]),
        }
    }

    fn poll_file(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        let sent = ready!(self.poll_socket(cx, |wire, socket| wire.queue.send(socket, length)))?;
        self.metrics.sendfile_bytes.add(sent as u64);
        Poll::Ready(Ok(sent))
    }

    /// An answer's head goes into the same packet as what follows it.
    fn poll_before_file(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        self.poll_socket(cx, |_, socket| {
            let mut control = SendAncillaryBuffer::default();
            Ok(sendmsg(socket, slices, &mut control, flags)?)
        })
    }

    fn poll_socket(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&Self, &TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let socket = self.io.inner().socket().ok_or(io::ErrorKind::InvalidData)?;
        loop {
            ready!(socket.poll_write_ready(cx))?;
            match socket.try_io(Interest::WRITABLE, || write(self, socket)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// Ends with an error when too little has moved for too long (security: G10).
    fn poll_pace(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.moved_bytes += bytes as u64;
                if self.moved_bytes >= self.pace.step_bytes {
                    self.rest();
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                let timeout = self.pace.timeout;
                let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(timeout)));
                ready!(stall.as_mut().poll(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        written
    }

    fn rest(&mut self) {
        self.stall = None;
        self.moved_bytes = 0;
    }
}

impl<S: Stream> Read for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<S: Stream> Write for Wire<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.poll_some(cx, slices);
        self.poll_pace(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.rest();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
