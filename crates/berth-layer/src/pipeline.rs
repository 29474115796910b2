//! Decompression and the diff-id in one thread, the archive's reader in the other.
//!
//! ```text
//! blob → decompress → sha256 ┐ full chunks  ┌→ Chunks: BufRead → tar
//!            ↑               └──────────────┘     │
//!            └──────────── empty chunks ──────────┘
//! ```

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use berth_oci::digest::Digest;
use sha2::Digest as _;

use crate::Error;

/// Bytes of a chunk: large enough to make hand-overs rare, small enough for the caches of both threads.
const CHUNK_BYTES: usize = 256 << 10;
const CHUNKS: usize = 8;

/// What went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// sha256 of the uncompressed bytes.
    pub diff_id: Digest,
    /// Number of uncompressed bytes.
    pub size_bytes: u64,
}

/// The uncompressed bytes, on the reader's side.
pub struct Chunks {
    full: Receiver<io::Result<Vec<u8>>>,
    empty: Sender<Vec<u8>>,
    current: Vec<u8>,
    at: usize,
}

/// Starts the other thread on `input`; join it after reading `Chunks` to its end (or dropping it).
///
/// # Errors
/// `Thread`.
pub fn start<'scope, R: Read + Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    input: R,
) -> Result<(Chunks, ScopedJoinHandle<'scope, Stream>), Error> {
    let (full_sender, full) = sync_channel(CHUNKS);
    let (empty, empty_receiver) = channel();
    for _ in 0..CHUNKS {
        // The receiver is alive: it is in our hand.
        let _ = empty.send(Vec::with_capacity(CHUNK_BYTES));
    }
    let thread = std::thread::Builder::new()
        .name("decompress".to_owned())
        .spawn_scoped(scope, move || pump(input, &full_sender, &empty_receiver))
        .map_err(|source| Error::Thread { source })?;
    Ok((
        Chunks {
            full,
            empty,
            current: Vec::new(),
            at: 0,
        },
        thread,
    ))
}

/// Reads and hashes until the input ends or fails, or nobody listens any more.
fn pump<R: Read>(
    mut input: R,
    full: &SyncSender<io::Result<Vec<u8>>>,
    empty: &Receiver<Vec<u8>>,
) -> Stream {
    let mut hash = sha2::Sha256::new();
    let mut size_bytes = 0;
    while let Ok(mut chunk) = empty.recv() {
        chunk.clear();
        let result = input
            .by_ref()
            .take(CHUNK_BYTES as u64)
            .read_to_end(&mut chunk);
        hash.update(&chunk);
        size_bytes += chunk.len() as u64;
        let more = !chunk.is_empty();
        if more && full.send(Ok(chunk)).is_err() {
            break;
        }
        if let Err(error) = result {
            // Nobody may be listening: then there is nobody to tell.
            let _ = full.send(Err(error));
            break;
        }
        if !more {
            break;
        }
    }
    Stream {
        diff_id: Digest::sha256(hash.finalize().into()),
        size_bytes,
    }
}

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.current.len() {
            let next = match self.full.recv() {
                Ok(next) => next?,
                // The other thread has ended: so has the stream.
                Err(_) => Vec::new(),
            };
            let used = std::mem::replace(&mut self.current, next);
            self.at = 0;
            if used.capacity() > 0 {
                // The other thread may have ended: then nobody needs the chunk.
                let _ = self.empty.send(used);
            }
        }
        Ok(&self.current[self.at..])
    }

    fn consume(&mut self, length: usize) {
        self.at = (self.at + length).min(self.current.len());
    }
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(buffer.len());
        buffer[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_digest_come_through() {
        for size in [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 20 * CHUNK_BYTES + 7] {
            let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            std::thread::scope(|scope| {
                let (mut chunks, thread) = start(scope, &bytes[..]).unwrap();
                let mut out = Vec::new();
                chunks.read_to_end(&mut out).unwrap();
                assert!(out == bytes);
                let stream = thread.join().unwrap();
                assert_eq!(
                    stream,
                    Stream {
                        diff_id: Digest::of(&bytes),
                        size_bytes: size as u64
                    }
                );
            });
        }
    }

    #[test]
    fn a_failure_comes_through_after_the_bytes() {
        struct Fails(usize);
        impl Read for Fails {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if self.0 == 0 {
                    return Err(Error::Limit {
                        limit: 7,
                        unit: "tests",
                    }
                    .into());
                }
                let length = buffer.len().min(self.0);
                self.0 -= length;
                Ok(length)
            }
        }
        std::thread::scope(|scope| {
            let (mut chunks, thread) = start(scope, Fails(CHUNK_BYTES + 5)).unwrap();
            let mut out = Vec::new();
            let error = chunks.read_to_end(&mut out).unwrap_err();
            assert_eq!(out.len(), CHUNK_BYTES + 5);
            assert!(matches!(
                Error::from_io(error),
                Error::Limit { limit: 7, .. }
            ));
            drop(chunks);
            thread.join().unwrap();
        });
    }

    #[test]
    fn dropping_the_reader_ends_the_thread() {
        std::thread::scope(|scope| {
            let (chunks, thread) = start(scope, io::repeat(1)).unwrap();
            drop(chunks);
            thread.join().unwrap();
        });
    }
}
