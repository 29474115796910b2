//! The body of an answer: nothing, bytes, or what somebody sends piece by piece.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

/// The body of an answer.
#[derive(Debug, Default)]
pub(crate) enum Body {
    #[default]
    Empty,
    Whole(Bytes),
    Pieces(mpsc::Receiver<io::Result<Bytes>>),
    /// The same, whose first piece has come already.
    Begun(Bytes, mpsc::Receiver<io::Result<Bytes>>),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut *self {
            Body::Empty => Poll::Ready(None),
            Body::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Body::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Body::Begun(first, _) => {
                let first = std::mem::take(first);
                if let Body::Begun(_, rest) = std::mem::take(&mut *self) {
                    *self = Body::Pieces(rest);
                }
                Poll::Ready(Some(Ok(Frame::data(first))))
            }
            Body::Pieces(pieces) => pieces
                .poll_recv(cx)
                .map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Body::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Empty => SizeHint::with_exact(0),
            Body::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::Pieces(_) | Body::Begun(..) => SizeHint::default(),
        }
    }
}
