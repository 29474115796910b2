//! One output stream of the container: read once, to the log and to each attached client.
//!
//! Nothing more is read while a client has not taken the last chunk: a slow client slows the
//! container, loses nothing and costs no memory.

use berth_monitor::args::Args;
use berth_monitor::clock;
use berth_monitor::lines::{self, MAX_PIECE};
use berth_monitor::packet;
use berth_monitor::record;

use super::clients::Clients;
use super::log::Log;
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
        }
    }

    /// What to poll for reading.
    pub fn poll_fd(&self) -> Fd {
        if self.owed == 0 { self.fd } else { Fd::NONE }
    }

    /// Whether client `index` has yet to take the last chunk.
    pub fn owes(&self, index: usize) -> bool {
        self.owed & 1 << index != 0
    }

    /// Whether any client has.
    pub fn owes_any(&self) -> bool {
        self.owed != 0
    }

    /// Client `index` is gone.
    pub fn forget(&mut self, index: usize) {
        self.owed &= !(1 << index);
    }

    /// Reads once and hands on. Only when nothing is owed.
    pub fn fill(&mut self, log: &mut Option<Log>, clients: &mut Clients) -> Filled {
        if self.fd == Fd::NONE {
            return Filled::Ended;
        }
        self.make_room();
        match sys::read(self.fd, &mut self.buffer[self.end..]) {
            Ok(count) if count > 0 => {
                self.chunk = self.end;
                self.end += count;
                self.log(log, false);
                self.owed = clients.takers(self.kind);
                self.deliver(clients);
                Filled::Some
            }
            Err(Errno::AGAIN | Errno::INTR) => Filled::Nothing,
            // End of a pipe; of a terminal it is EIO.
            _ => {
                self.chunk = self.end;
                self.log(log, true);
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
    pub fn log(&mut self, log: &mut Option<Log>, last: bool) {
        let Some(log) = log else {
            self.unlogged = self.end;
            return;
        };
        let (seconds, nanoseconds) = sys::now();
        let time = clock::rfc3339(seconds, nanoseconds);
        let limit = log.max_piece().min(MAX_PIECE);
        while let Some(piece) = lines::next(&self.buffer[self.unlogged..self.end], self.seen, limit)
        {
            let text = &self.buffer[self.unlogged..self.unlogged + piece.text];
            log.add(text, piece.whole, self.kind, &time);
            self.unlogged += piece.used;
            self.seen = 0;
        }
        if last && self.unlogged < self.end {
            log.add(
                &self.buffer[self.unlogged..self.end],
                false,
                self.kind,
                &time,
            );
            self.unlogged = self.end;
        }
        self.seen = self.end - self.unlogged;
        log.commit();
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

    /// Gives memory back that holds nothing; only when nothing is owed.
    pub fn give_back(&mut self) {
        if self.owed == 0 {
            self.make_room();
            self.chunk = self.end;
            sys::give_back(&mut self.buffer[self.end..]);
        }
    }
}
