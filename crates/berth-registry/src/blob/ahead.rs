//! Ranges of a blob that are fetched before their turn, each by a task and over a connection of its own.
//!
//! They begin only where one connection is what we wait for ([`Ranges`]): where it fills the pipe more of them
//! bring nothing but requests. What is fetched ahead is held in memory until its turn, so room for a whole range is
//! taken before it is asked for, of what all blobs of a client have together. A blob that gets no room is read over
//! one connection, which needs none; so nobody waits for room, and the range whose turn it is has its own already.
//!
//! ```text
//!          offset        ranges ahead
//! ───given─out──┼── read in order ──┼── range ──┼── range ──┼── range ──┼────────
//! ```
//! A range that fails is not the blob's failure: it is left out, and what it lacks is read in order like all else.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::part::Part;
use crate::limits::RANGES_HELD_BYTES;

/// Bytes that are given out at once.
const BLOCK: usize = 64 << 10;

/// Room for ranges of all blobs of a client, in blocks.
pub(crate) fn room() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(RANGES_HELD_BYTES / BLOCK))
}

/// The ranges of one blob.
#[derive(Default)]
pub(super) struct Ahead {
    /// One connection has shown that it is slow.
    begun: bool,
    /// More of them have shown that they are no faster.
    ended: bool,
    /// It is being given out.
    head: Option<Fetched>,
    queue: VecDeque<Fetched>,
}

/// A range that is being fetched, or is.
struct Fetched {
    start: u64,
    end: u64,
    blocks: mpsc::UnboundedReceiver<Block>,
    task: JoinHandle<()>,
}

/// Some bytes, and the room that they take.
struct Block {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl Ahead {
    /// Asks for more ranges, if that is of use and there is room.
    pub(super) fn fill(&mut self, part: &Part) {
        let ranges = part.client().ranges();
        self.begun |= part.left() >= ranges.least && part.is_slower(ranges.after, ranges.enough);
        if !self.begun || self.ended || !part.has_ranges() {
            return;
        }
        let size = part.offset() + part.left();
        while self.queue.len() < ranges.ahead {
            let last = self.queue.back().or(self.head.as_ref());
            let start = last.map_or(part.offset() + ranges.bytes, |range| range.end);
            let end = size.min(start + ranges.bytes);
            if start >= size {
                return;
            }
            // A range has some MiB, so it fits.
            let blocks = (end - start).div_ceil(BLOCK as u64) as u32;
            let room = part.client().range_room().try_acquire_many_owned(blocks);
            let Ok(room) = room else { return };
            let (sender, blocks) = mpsc::unbounded_channel();
            let task = tokio::spawn(fetch(part.range(start..end), room, sender));
            self.queue.push_back(Fetched {
                start,
                end,
                blocks,
                task,
            });
        }
    }

    /// The bytes from `offset` on, if they are fetched here.
    pub(super) async fn next(&mut self, offset: u64) -> Option<Bytes> {
        loop {
            if let Some(head) = &mut self.head {
                if let Some(block) = head.blocks.recv().await {
                    return Some(block.bytes);
                }
                self.head = None;
            }
            if self.queue.front().is_none_or(|range| range.start > offset) {
                return None;
            }
            self.head = self.queue.pop_front();
        }
    }

    /// `bytes` were read in order, until where the next range begins or over that. If it has come that far, it goes on
    /// from there; if not, who reads in order is the faster one: the range is left out, and no more are asked for.
    pub(super) fn meet(&mut self, part: &mut Part, mut bytes: Bytes) -> Bytes {
        while let Some(range) = self.queue.front()
            && range.start <= part.offset()
        {
            if !range.blocks.is_empty() {
                // It began within `bytes`, or it would have been met before.
                let over = (part.offset() - range.start) as usize;
                bytes.truncate(bytes.len() - over);
                part.stop_at(range.start);
                return bytes;
            }
            self.queue.pop_front();
            self.ended = true;
        }
        bytes
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Fetches a range as far as it can be had.
async fn fetch(mut range: Part, mut room: OwnedSemaphorePermit, to: mpsc::UnboundedSender<Block>) {
    // Copied, because what the network gives may be a few bytes of a large buffer: then room would be a fiction.
    let mut block = BytesMut::with_capacity(BLOCK);
    let mut send = |block: &mut BytesMut| {
        let bytes = std::mem::replace(block, BytesMut::with_capacity(BLOCK)).freeze();
        if let Some(room) = room.split(1) {
            // Nobody wants it: this task is about to be ended.
            let _ = to.send(Block { bytes, _room: room });
        }
    };
    while range.left() > 0 {
        match range.step().await {
            Ok(bytes) => {
                let mut bytes = bytes.unwrap_or_default();
                while !bytes.is_empty() {
                    let count = bytes.len().min(BLOCK - block.len());
                    block.extend_from_slice(&bytes.split_to(count));
                    if block.len() == BLOCK {
                        send(&mut block);
                    }
                }
            }
            Err(error) => {
                if !range.recover_range(&error).await {
                    break;
                }
            }
        }
    }
    if !block.is_empty() {
        send(&mut block);
    }
}
