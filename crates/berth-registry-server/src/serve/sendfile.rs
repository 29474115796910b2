//! Blobs go from the page cache to the socket, without a copy through this process.
//!
//! hyper knows bodies only as chunks of memory. A chunk that stands for a part of a file lies in one region of memory
//! that is never written or read: hyper queues chunks without looking into them, and the connection, which sees where a
//! chunk lies, sends the next part of its queue instead. Chunks and parts go in the same order and are of the same
//! length; where they are not, the connection ends before a byte of the region is sent.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use rustix::fs::{Advice, fadvise, sendfile};
use tokio::net::TcpStream;

use crate::sync::lock;

/// The most that one chunk stands for.
const CHUNK_BYTES: usize = 1 << 20;
/// How far ahead the disk is asked to read.
const AHEAD_BYTES: u64 = 4 << 20;

/// Never touched, so no page of it is ever in memory.
static REGION: LazyLock<&'static [u8]> =
    LazyLock::new(|| Box::leak(vec![0; CHUNK_BYTES].into_boxed_slice()));

/// What a connection is to send instead of chunks of the region.
#[derive(Debug, Default)]
pub(crate) struct Queue(Mutex<VecDeque<Piece>>);

#[derive(Debug)]
struct Piece {
    file: Arc<File>,
    bytes: Range<u64>,
}

/// Whether these bytes stand for a part of a file.
pub(crate) fn stands_for_file(bytes: &[u8]) -> bool {
    REGION.as_ptr_range().contains(&bytes.as_ptr())
}

impl Queue {
    /// Takes the first part of what is left to send, and gives the chunk that stands for it.
    pub(crate) fn take(&self, file: &Arc<File>, left: &mut Range<u64>) -> Bytes {
        let length = (left.end - left.start).min(CHUNK_BYTES as u64);
        let bytes = left.start..left.start + length;
        left.start = bytes.end;
        // Advice: where it is not taken, all goes on slower.
        let ahead = std::num::NonZeroU64::new(AHEAD_BYTES.min(left.end - left.start));
        if let Some(ahead) = ahead {
            _ = fadvise(file, left.start, Some(ahead), Advice::WillNeed);
        }
        let piece = Piece {
            file: file.clone(),
            bytes,
        };
        self.lock().push_back(piece);
        Bytes::from_static(&REGION[..length as usize])
    }

    /// Whether all was sent that was taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Sends some of the first part, at most `length` bytes.
    ///
    /// # Errors
    /// The socket takes no more now (`WouldBlock`), or the file has ended.
    pub(crate) fn send(&self, socket: &TcpStream, length: usize) -> io::Result<usize> {
        let mut pieces = self.lock();
        let piece = pieces.front_mut().ok_or(io::ErrorKind::InvalidData)?;
        let length = length.min((piece.bytes.end - piece.bytes.start) as usize);
        let sent = sendfile(socket, &piece.file, Some(&mut piece.bytes.start), length)?;
        if sent == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if piece.bytes.is_empty() {
            pieces.pop_front();
        }
        Ok(sent)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Piece>> {
        lock(&self.0)
    }
}
