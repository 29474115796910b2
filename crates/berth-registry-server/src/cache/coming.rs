//! A blob that is read while it comes. Its last byte is not given out before its digest was found right: whoever
//! counts knows then that all is well, and who gets less knows that it is not.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;

use super::flight::State;
use crate::error::Failure;

/// What is read at once.
const READ_BYTES: u64 = 128 << 10;
/// What it is worth to read, if more will come.
const WORTH_BYTES: u64 = 32 << 10;
/// Reads that are ahead of the network.
const AHEAD: usize = 2;

/// A blob on its way.
pub struct Coming {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    size: u64,
    left: u64,
    state: watch::Receiver<State>,
}

impl Coming {
    pub(super) fn new(state: watch::Receiver<State>, file: Arc<File>, size: u64) -> Coming {
        let (sender, chunks) = mpsc::channel(AHEAD);
        tokio::spawn(feed(state.clone(), file, size, sender));
        Coming {
            chunks,
            size,
            left: size,
            state,
        }
    }

    /// Bytes of the whole blob.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes that were not given out yet.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The next bytes; `None`: that was all of them.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        self.chunks.poll_recv(cx).map(|chunk| match chunk {
            Some(Ok(bytes)) => {
                self.left -= bytes.len() as u64;
                Ok(Some(bytes))
            }
            Some(Err(error)) => Err(error),
            None if self.left > 0 => Err(cut()),
            None => Ok(None),
        })
    }

    /// Waits until it is here as a whole, for who wants only a part of it.
    ///
    /// # Errors
    /// It did not come.
    pub async fn whole(mut self) -> Result<(), Failure> {
        // Nobody reads along.
        self.chunks.close();
        let over = |state: &State| matches!(state, State::Here | State::Failed(..));
        match self.state.wait_for(over).await.as_deref() {
            Ok(State::Here) => Ok(()),
            Ok(State::Failed(code, message)) => Err(Failure::new(*code, message.clone())),
            _ => Err(super::flight::lost()),
        }
    }
}

impl std::fmt::Debug for Coming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Coming({} of {})", self.size - self.left, self.size)
    }
}

fn cut() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the blob did not come as a whole",
    )
}

async fn feed(
    mut state: watch::Receiver<State>,
    file: Arc<File>,
    size: u64,
    chunks: mpsc::Sender<io::Result<Bytes>>,
) {
    let mut at = 0;
    while at < size {
        let may = shown(&state.borrow_and_update(), at, size);
        let Some(may) = may else {
            let _ = chunks.send(Err(cut())).await;
            return;
        };
        if may == at {
            tokio::select! {
                // The download was dropped in mid-way.
                changed = state.changed() => if changed.is_err() { return },
                () = chunks.closed() => return,
            }
            continue;
        }
        let (source, length) = (file.clone(), (may - at).min(READ_BYTES));
        let read = spawn_blocking(move || {
            let mut bytes = vec![0; length as usize];
            source.read_exact_at(&mut bytes, at)?;
            Ok(Bytes::from(bytes))
        });
        let read = read
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)));
        let failed = read.is_err();
        if chunks.send(read).await.is_err() || failed {
            return;
        }
        at += length;
    }
}

/// Up to where the bytes may be given out, who has those up to `at`; `None`: no more of them.
fn shown(state: &State, at: u64, size: u64) -> Option<u64> {
    match state {
        State::Coming(_, progress) => {
            let may = progress.bytes.min(size - 1);
            // Not each packet is worth a read.
            let worth = may - at >= WORTH_BYTES || progress.bytes == size;
            Some(if worth { may } else { at })
        }
        State::Here => Some(size),
        State::Asking | State::Failed(..) => None,
    }
}
