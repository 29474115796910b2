//! The body of an answer: nothing, bytes in memory, or a part of a file.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

use super::record::Record;
use super::sendfile::Queue;
use crate::cache::Coming;

/// What is read of a file at once, where it has to be encrypted.
const READ_BYTES: u64 = 128 << 10;

/// The body of an answer.
#[derive(Debug, Default)]
pub(crate) struct Body {
    content: Content,
    record: Option<Record>,
}

#[derive(Debug, Default)]
enum Content {
    #[default]
    Nothing,
    Bytes(Bytes),
    Sent(Part, Arc<Queue>),
    Read(Part, Option<JoinHandle<io::Result<Bytes>>>),
    Coming(Coming),
}

#[derive(Debug)]
struct Part {
    file: Arc<File>,
    left: Range<u64>,
}

impl Body {
    /// These bytes.
    pub(crate) fn bytes(bytes: impl Into<Bytes>) -> Body {
        let bytes = bytes.into();
        Body {
            content: if bytes.is_empty() {
                Content::Nothing
            } else {
                Content::Bytes(bytes)
            },
            record: None,
        }
    }

    /// This part of a file; with a queue, the connection sends it itself.
    pub(crate) fn file(file: File, range: Range<u64>, queue: Option<&Arc<Queue>>) -> Body {
        let part = Part {
            file: Arc::new(file),
            left: range,
        };
        let content = match queue {
            _ if part.left.is_empty() => Content::Nothing,
            Some(queue) => Content::Sent(part, queue.clone()),
            None => Content::Read(part, None),
        };
        Body {
            content,
            record: None,
        }
    }

    /// A blob that is still on its way.
    pub(crate) fn coming(coming: Coming) -> Body {
        Body {
            content: Content::Coming(coming),
            record: None,
        }
    }

    /// With what is to be told at its end.
    pub(crate) fn recorded(self, record: Record) -> Body {
        Body {
            record: Some(record),
            ..self
        }
    }

    fn left(&self) -> u64 {
        match &self.content {
            Content::Nothing => 0,
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Sent(part, _) => part.left.end - part.left.start,
            // What is being read is not taken off yet.
            Content::Read(part, _) => part.left.end - part.left.start,
            Content::Coming(coming) => coming.left(),
        }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let chunk = match &mut self.content {
            Content::Nothing => return Poll::Ready(Ok(None)),
            Content::Bytes(bytes) => std::mem::take(bytes),
            Content::Coming(coming) => match ready!(coming.poll_chunk(cx))? {
                Some(chunk) => chunk,
                None => return Poll::Ready(Ok(None)),
            },
            Content::Sent(part, queue) => queue.take(&part.file, &mut part.left),
            Content::Read(part, reading) => {
                let job = reading.get_or_insert_with(|| part.read());
                let read = ready!(Pin::new(job).poll(cx)).map_err(io::Error::other)?;
                *reading = None;
                let chunk = read?;
                part.left.start += chunk.len() as u64;
                chunk
            }
        };
        if self.left() == 0 {
            self.content = Content::Nothing;
        }
        Poll::Ready(Ok(Some(chunk)))
    }
}

impl Part {
    fn read(&self) -> JoinHandle<io::Result<Bytes>> {
        let (file, start) = (self.file.clone(), self.left.start);
        let length = (self.left.end - start).min(READ_BYTES);
        spawn_blocking(move || {
            let mut bytes = vec![0; length as usize];
            file.read_exact_at(&mut bytes, start)?;
            Ok(bytes.into())
        })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let chunk = ready!(self.poll_chunk(cx)).transpose();
        if let (Some(Ok(chunk)), Some(record)) = (&chunk, &mut self.record) {
            record.sent_bytes += chunk.len() as u64;
        }
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Nothing)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}
