//! One output stream of the container: read once, to the log and to each attached client.
//!
//! Nothing more is read while a client has not taken the last chunk: a slow client slows the
//! container, loses nothing and costs no memory. So does a receiver of the log, where it was asked to.

use berth_monitor::args::Args;
use berth_monitor::clock;
use berth_monitor::lines;
use berth_monitor::packet;
use berth_monitor::record;

use super::clients::Clients;
use super::logs::Logs;
use super::sys::{self, Errno, Fd};

/// An output stream. Its buffer: `text from an unfinished line | chunk read last`.
pub struct Stream {
    fd: Fd,
    kind: record::Stream,
    buffer: &'static mut [u8],
    /// End of the data in the buffer.
    end: usize,
    /// Begin of what is not yet in the log.
    unlogged: usize,
    /// How much of the unlogged part is known to hold no line feed.
    seen: usize,
    /// Begin of the chunk read last, which clients take.
    chunk: usize,
    /// Clients, by bit, that have not yet taken the chunk.
    owed: u32,
    /// There are records that the log does not take now.
    stalled: bool,
    /// Nothing comes after what is in the buffer.
    ending: bool,
}

/// What a [`Stream::fill`] found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// Data.
    Some,
    /// Nothing now.
    Nothing,
    /// The end, now or earlier.
    Ended,
}

impl Stream {
    /// The two streams of the container; a terminal is the first alone.
    pub fn both(
        args: &Args<'_>,
        stdout: &'static mut [u8],
        stderr: &'static mut [u8],
    ) -> [Self; 2] {
        let fd = |number: Option<i32>| number.map_or(Fd::NONE, Fd);
        [
            Stream::new(fd(args.tty.or(args.stdout)), record::Stream::Stdout, stdout),
            Stream::new(fd(args.stderr), record::Stream::Stderr, stderr),
        ]
    }

    fn new(fd: Fd, kind: record::Stream, buffer: &'static mut [u8]) -> Self {
        Stream {
            fd,
            kind,
            buffer,
            end: 0,
            unlogged: 0,
            seen: 0,
            chunk: 0,
            owed: 0,
            stalled: false,
            ending: false,
        }
    }

    /// What to poll for reading.
    pub fn poll_fd(&self) -> Fd {
        if self.is_busy() { Fd::NONE } else { self.fd }
    }

    /// Whether client `index` has yet to take the last chunk.
    pub fn owes(&self, index: usize) -> bool {
        self.owed & 1 << index != 0
    }

    /// Whether any client has, or the log.
    pub fn is_busy(&self) -> bool {
        self.owed != 0 || self.stalled
    }

    /// Whether the log takes no more now.
    pub fn is_stalled(&self) -> bool {
        self.stalled
    }

    /// Client `index` is gone.
    pub fn forget(&mut self, index: usize) {
        self.owed &= !(1 << index);
    }

    /// Reads once and hands on. Only when it is not busy.
    pub fn fill(&mut self, logs: &mut Logs, clients: &mut Clients) -> Filled {
        if self.fd == Fd::NONE {
            return Filled::Ended;
        }
        self.make_room();
        match sys::read(self.fd, &mut self.buffer[self.end..]) {
            Ok(count) if count > 0 => {
                self.chunk = self.end;
                self.end += count;
                self.log(logs, false);
                self.owed = clients.takers(self.kind);
                self.deliver(clients);
                Filled::Some
            }
            Err(Errno::AGAIN | Errno::INTR) => Filled::Nothing,
            // End of a pipe; of a terminal it is EIO.
            _ => {
                self.chunk = self.end;
                self.log(logs, true);
                sys::close(self.fd);
                self.fd = Fd::NONE;
                Filled::Ended
            }
        }
    }

    /// Moves the unfinished line to the front: at least half of the buffer is then free.
    fn make_room(&mut self) {
        self.buffer.copy_within(self.unlogged..self.end, 0);
        self.end -= self.unlogged;
        self.unlogged = 0;
    }

    /// Writes what is complete to the log, and at the `last` also what is not.
    pub fn log(&mut self, logs: &mut Logs, last: bool) {
        self.ending |= last;
        self.stalled = false;
        if logs.is_none() {
            self.unlogged = self.end;
            return;
        }
        let (seconds, nanoseconds) = sys::now();
        let time = clock::rfc3339(seconds, nanoseconds);
        let limit = logs.max_piece();
        while let Some((text, used, whole, last)) = self.next_record(limit) {
            let text = &self.buffer[self.unlogged..self.unlogged + text];
            self.seen = 0;
            if !logs.takes(text, self.kind, &time) {
                self.stalled = true;
                break;
            }
            logs.add(text, (whole, last), self.kind, &time);
            self.unlogged += used;
        }
        if !self.stalled {
            self.seen = self.end - self.unlogged;
        }
        logs.commit();
    }

    /// Of the next record: bytes of text, bytes that it takes, whether its line ends, whether nothing comes after it.
    fn next_record(&self, limit: usize) -> Option<(usize, usize, bool, bool)> {
        let data = &self.buffer[self.unlogged..self.end];
        match lines::next(data, self.seen, limit) {
            Some(piece) => Some((piece.text, piece.used, piece.whole, false)),
            None if self.ending && !data.is_empty() => Some((data.len(), data.len(), false, true)),
            None => None,
        }
    }

    /// Goes on where the log took no more.
    pub fn resume(&mut self, logs: &mut Logs) {
        if self.stalled {
            self.log(logs, false);
        }
    }

    /// Sends the chunk to those who have yet to take it.
    pub fn deliver(&mut self, clients: &mut Clients) {
        let sort = match self.kind {
            record::Stream::Stdout => packet::STDOUT,
            record::Stream::Stderr => packet::STDERR,
        };
        for index in 0..u32::BITS as usize {
            if self.owes(index) && clients.send(index, sort, &self.buffer[self.chunk..self.end]) {
                self.forget(index);
            }
        }
    }

    /// Gives memory back that holds nothing.
    pub fn give_back(&mut self) {
        if !self.is_busy() {
            self.make_room();
            self.chunk = self.end;
            sys::give_back(&mut self.buffer[self.end..]);
        }
    }
}
