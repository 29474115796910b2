//! Where a handler that works in a thread writes what a client gets: bounded, so a client that reads slowly slows the
//! writer and never fills our memory; and a way back, the client's body as a reader.

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

use super::body::Body;
use super::upload::Upload;

/// Pieces that wait for the client, at most.
const PIECES: usize = 8;

/// Writes to the body of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Sink(mpsc::Sender<io::Result<Bytes>>);

/// A sink, and the body that it fills.
pub(crate) fn channel() -> (Sink, Body) {
    let (sink, pieces) = raw_channel();
    (sink, Body::pieces(None, pieces))
}

/// A sink, and what is written to it.
pub(crate) fn raw_channel() -> (Sink, mpsc::Receiver<io::Result<Bytes>>) {
    let (sender, receiver) = mpsc::channel(PIECES);
    (Sink(sender), receiver)
}

impl Sink {
    /// Whether the client is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Until the client is gone.
    pub(crate) async fn closed(&self) {
        self.0.closed().await;
    }

    /// Sends from async code.
    ///
    /// # Errors
    /// The client is gone.
    pub(crate) async fn send(&self, bytes: impl Into<Bytes>) -> io::Result<()> {
        self.0.send(Ok(bytes.into())).await.map_err(|_| gone())
    }

    /// Breaks the body off, so that the client sees that something is missing.
    pub(crate) fn fail(&self, error: io::Error) {
        // A client that is gone has seen the end already.
        _ = self.0.blocking_send(Err(error));
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        self.0.blocking_send(Ok(piece)).map_err(|_| gone())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the client is gone")
}

/// The body of a request, for a thread.
#[derive(Debug)]
pub(crate) struct Source {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    now: Bytes,
}

impl Source {
    /// Takes the body over; to be called where tokio runs.
    pub(crate) fn new(mut body: Upload) -> Source {
        let (sender, pieces) = mpsc::channel(PIECES);
        tokio::spawn(async move {
            while let Some(piece) = body.next().await {
                if sender.send(piece.map_err(io::Error::other)).await.is_err() {
                    return;
                }
            }
        });
        Source {
            pieces,
            now: Bytes::new(),
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.now.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.now = piece?,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.now.len());
        self.now.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
