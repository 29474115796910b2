//! What is written to a registry. A blob comes from a [`Source`], a piece at a time: memory stays small, and after
//! a break it is read again from where the registry has it.

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::Error;

/// Bytes that are read at once.
const READ_BYTES: usize = 64 << 10;
/// Reads that are ahead of the network.
const AHEAD: usize = 4;

/// Where a blob's bytes come from; they are the same each time.
pub trait Source: Send + Sync {
    /// A reader of them from byte `from` on.
    ///
    /// # Errors
    /// They cannot be read.
    fn open(&self, from: u64) -> io::Result<Box<dyn Read + Send>>;
}

impl Source for Bytes {
    fn open(&self, from: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut reader = io::Cursor::new(self.clone());
        reader.set_position(from);
        Ok(Box::new(reader))
    }
}

/// Is told how many bytes of a blob have gone out.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// The body of a request.
#[derive(Clone)]
pub(crate) enum Content {
    /// None, as GET has it.
    None,
    /// One of no bytes.
    Empty,
    /// These.
    Bytes(Bytes),
    /// A part of a blob.
    Piece(Piece),
}

/// A part of a blob.
#[derive(Clone)]
pub(crate) struct Piece {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) from: u64,
    pub(crate) length: u64,
    pub(crate) progress: Option<Progress>,
}

/// What has become of a piece that is being sent.
pub(crate) struct Sent {
    length: u64,
    taken: AtomicU64,
    failure: Mutex<Option<io::Error>>,
}

impl Sent {
    /// Bytes that went to the network.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Whether that was all.
    pub(crate) fn is_all(&self) -> bool {
        self.taken() == self.length
    }

    /// Why the source could not be read, if it could not.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take().map(|source| Error::ReadSource { source })
    }
}

impl Piece {
    /// Starts reading, in a thread of its own.
    pub(crate) fn open(&self) -> Result<(reqwest::Body, Arc<Sent>), Error> {
        let reader = self
            .source
            .open(self.from)
            .map_err(|source| Error::ReadSource { source })?;
        let (sender, pieces) = mpsc::channel(AHEAD);
        let reader = reader.take(self.length);
        tokio::task::spawn_blocking(move || read(reader, &sender));
        let sent = Arc::new(Sent {
            length: self.length,
            taken: AtomicU64::new(0),
            failure: Mutex::default(),
        });
        let body = Stream {
            pieces,
            from: self.from,
            sent: sent.clone(),
            progress: self.progress.clone(),
        };
        Ok((reqwest::Body::wrap(body), sent))
    }
}

fn read(mut reader: impl Read, to: &mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let mut buffer = vec![0; READ_BYTES];
        let piece = match reader.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                buffer.truncate(count);
                Ok(buffer.into())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = piece.is_err();
        // Nobody waits for it any more: the request has ended.
        if to.blocking_send(piece).is_err() || failed {
            return;
        }
    }
}

struct Stream {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    from: u64,
    sent: Arc<Sent>,
    progress: Option<Progress>,
}

impl Stream {
    fn left(&self) -> u64 {
        self.sent.length - self.sent.taken()
    }

    fn fail(&self, error: io::Error) -> io::Error {
        let told = io::Error::from(error.kind());
        let mut failure = self.sent.failure.lock();
        *failure.as_deref_mut().unwrap_or(&mut None) = Some(error);
        told
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let next = ready!(self.pieces.poll_recv(context));
        Poll::Ready(match next {
            Some(Ok(bytes)) => {
                let count = bytes.len() as u64;
                let before = self.sent.taken.fetch_add(count, Ordering::Relaxed);
                if let Some(progress) = &self.progress {
                    progress(self.from + before + count);
                }
                Some(Ok(Frame::data(bytes)))
            }
            Some(Err(error)) => Some(Err(self.fail(error))),
            // Shorter than its descriptor says.
            None if self.left() > 0 => Some(Err(self.fail(io::ErrorKind::UnexpectedEof.into()))),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}
