//! The log file. Writing never fails towards the container: what the disk does not take is dropped
//! and counted, and the next record that it takes says how many (security: N10).
//!
//! Invariants: the file holds whole records only (a batch that is cut short is truncated away), and
//! never more than the rotation's bound.

use core::ffi::CStr;

use berth_monitor::args;
use berth_monitor::clock;
use berth_monitor::json::Sink;
use berth_monitor::record::{self, Stream};
use berth_monitor::rotation::{self, Rotation};

use super::sys::{self, Errno, Fd, Open};

/// Room for the longest path and a number.
const PATH: usize = 4096 + rotation::MAX_SUFFIX;

/// An open log.
pub struct Log {
    fd: Fd,
    path: &'static CStr,
    rotation: Rotation,
    attributes: &'static [u8],
    /// Length of the file up to the last batch that was written whole.
    committed: u64,
    /// Bytes of records in the current batch, written or buffered.
    batch_bytes: u64,
    batch_records: u64,
    /// Part of the batch could not be written; the rest is discarded.
    failed: bool,
    /// Records lost and not yet confessed.
    dropped: u64,
    /// How many of them the current batch confesses, in its first record.
    confessed: u64,
    buffer: &'static mut [u8],
    buffered: usize,
}

impl Log {
    pub fn new(args: &args::Log<'static>, buffer: &'static mut [u8]) -> Self {
        let fd = Fd(args.fd);
        Log {
            fd,
            path: args.path,
            rotation: Rotation::new(args.max_bytes, args.max_files, args.attributes.len()),
            attributes: args.attributes,
            committed: sys::length(fd).unwrap_or(0),
            batch_bytes: 0,
            batch_records: 0,
            failed: false,
            dropped: 0,
            confessed: 0,
            buffer,
            buffered: 0,
        }
    }

    /// Most bytes of text that one record may have.
    pub fn max_piece(&self) -> usize {
        self.rotation.max_piece()
    }

    /// Adds a record to the batch; a full file is rotated first.
    pub fn add(&mut self, text: &[u8], whole: bool, stream: Stream, time: &[u8; clock::LEN]) {
        if self.dropped > 0 && self.batch_bytes == 0 {
            self.make_room(record::OVERHEAD as u64 + 40);
            let mut written = Counted {
                log: self,
                bytes: 0,
            };
            record::write_dropped(written.log.dropped, time, &mut written);
            self.batch_bytes += written.bytes;
            self.confessed = self.dropped;
        }
        let length = record::length(text, whole, self.attributes) as u64;
        self.make_room(length);
        record::write(text, whole, stream, self.attributes, time, self);
        self.batch_bytes += length;
        self.batch_records += 1;
    }

    fn make_room(&mut self, length: u64) {
        if self
            .rotation
            .is_due(self.committed + self.batch_bytes, length)
        {
            self.commit();
            if self.rotation.is_due(self.committed, length) {
                self.rotate();
            }
        }
    }

    /// Ends the batch: all of it is in the file, or none.
    pub fn commit(&mut self) {
        self.flush();
        if self.failed {
            // If this fails too, a torn line stays, which readers skip.
            let _ = sys::truncate(self.fd, self.committed);
            self.committed = sys::length(self.fd).unwrap_or(self.committed);
            self.dropped = self.dropped.saturating_add(self.batch_records);
        } else {
            self.committed += self.batch_bytes;
            self.dropped -= self.confessed;
        }
        (self.batch_bytes, self.batch_records) = (0, 0);
        (self.confessed, self.failed) = (0, false);
    }

    fn rotate(&mut self) {
        match self.rotate_files() {
            Ok(fresh) => {
                sys::close(self.fd);
                self.fd = fresh;
            }
            // The bound comes before the history.
            Err(_) => drop(sys::truncate(self.fd, 0)),
        }
        self.committed = sys::length(self.fd).unwrap_or(0);
    }

    fn rotate_files(&self) -> Result<Fd, Errno> {
        let (mut from_place, mut to_place) = ([0; PATH], [0; PATH]);
        let path = self.path.to_bytes();
        for (from, to) in self.rotation.renames() {
            let name_too_long = Errno(36);
            let from_path = rotation::numbered(path, from, &mut from_place).ok_or(name_too_long)?;
            let to_path = rotation::numbered(path, to, &mut to_place).ok_or(name_too_long)?;
            match sys::rename(from_path, to_path) {
                // The older ones need not exist yet.
                Err(_) if from > 0 => {}
                other => other?,
            }
        }
        if self.rotation.renames().next().is_none() {
            sys::truncate(self.fd, 0)?;
        }
        sys::open(self.path, Open::Append)
    }

    fn flush(&mut self) {
        let mut from = 0;
        while from < self.buffered && !self.failed {
            match sys::write(self.fd, &self.buffer[from..self.buffered]) {
                Ok(count) if count > 0 => from += count,
                Err(Errno::INTR) => {}
                _ => self.failed = true,
            }
        }
        self.buffered = 0;
    }

    /// Gives unused memory back; between batches only.
    pub fn give_back(&mut self) {
        sys::give_back(self.buffer);
    }
}

impl Sink for Log {
    fn put(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.failed {
            let room = self.buffer.len() - self.buffered;
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.buffer[self.buffered..self.buffered + now.len()].copy_from_slice(now);
            self.buffered += now.len();
            bytes = later;
            if self.buffered == self.buffer.len() {
                self.flush();
            }
        }
    }
}

/// Counts what goes to the log.
struct Counted<'a> {
    log: &'a mut Log,
    bytes: u64,
}

impl Sink for Counted<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.log.put(bytes);
    }
}
