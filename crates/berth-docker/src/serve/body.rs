//! The body of an answer: nothing, bytes, or what somebody sends piece by piece.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::time::Interval;

use super::stream::is_gone;

/// How often is looked whether a client that nothing is sent to is still there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The body of an answer.
#[derive(Debug, Default)]
pub(crate) struct Body {
    content: Content,
    /// The connection, and when it is looked at next: one whose client may end its direction alone is not heard to end
    /// while nothing is sent.
    watch: Option<(Arc<OwnedFd>, Interval)>,
}

#[derive(Debug, Default)]
enum Content {
    #[default]
    Empty,
    Whole(Bytes),
    Pieces(mpsc::Receiver<io::Result<Bytes>>),
    /// The same, whose first piece has come already.
    Begun(Bytes, mpsc::Receiver<io::Result<Bytes>>),
}

impl Body {
    /// These bytes.
    pub(crate) fn whole(bytes: Bytes) -> Body {
        Content::Whole(bytes).into()
    }

    /// What comes; `first` has come already.
    pub(crate) fn pieces(first: Option<Bytes>, rest: mpsc::Receiver<io::Result<Bytes>>) -> Body {
        match first {
            Some(first) => Content::Begun(first, rest).into(),
            None => Content::Pieces(rest).into(),
        }
    }

    /// Broken off when nobody reads at the other end of this connection any more. To be called where tokio runs.
    pub(crate) fn watched(self, peer: &Arc<OwnedFd>) -> Body {
        let comes = matches!(self.content, Content::Pieces(_) | Content::Begun(..));
        Body {
            watch: comes.then(|| (peer.clone(), tokio::time::interval(LOOK_EVERY))),
            ..self
        }
    }

    fn is_left(&mut self, cx: &mut Context<'_>) -> bool {
        let Some((peer, looks)) = &mut self.watch else {
            return false;
        };
        while looks.poll_tick(cx).is_ready() {
            if is_gone(peer) {
                return true;
            }
        }
        false
    }
}

impl From<Content> for Body {
    fn from(content: Content) -> Body {
        Body {
            content,
            watch: None,
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = match std::mem::take(&mut self.content) {
            Content::Empty => return Poll::Ready(None),
            Content::Whole(bytes) => Ok(bytes),
            Content::Begun(first, rest) => {
                self.content = Content::Pieces(rest);
                Ok(first)
            }
            Content::Pieces(mut pieces) => {
                let next = pieces.poll_recv(cx);
                self.content = Content::Pieces(pieces);
                match next {
                    Poll::Ready(Some(piece)) => piece,
                    Poll::Ready(None) => return Poll::Ready(None),
                    Poll::Pending if self.is_left(cx) => Err(io::ErrorKind::BrokenPipe.into()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        };
        Poll::Ready(Some(piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Pieces(_) | Content::Begun(..) => SizeHint::default(),
        }
    }
}
