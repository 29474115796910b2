//! A connection of a client in a container: questions and answers, each behind its length (RFC 7766).

use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};

use super::Keeper;
use super::ask::By;
use super::key::{Key, Kind};
use crate::limits::{CONNECTIONS, SILENCE, TURN, UNSENT};

/// Bytes that are read in one turn.
const PIECE: usize = 4096;

/// The connection.
pub(super) struct Stream {
    pub(super) service: u64,
    socket: OwnedFd,
    /// Not yet a whole question.
    come: Vec<u8>,
    /// Not yet sent.
    out: Vec<u8>,
    /// Questions without an answer.
    open: usize,
    /// The client has no more questions.
    ended: bool,
    due: Instant,
}

impl Keeper {
    /// Somebody connects.
    pub(super) fn accept_stream(&mut self, service: u64) {
        for _ in 0..TURN {
            let Some(listener) = self.services.get(&service).map(|one| &one.tcp) else {
                return;
            };
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            match rustix::net::accept_with(listener, flags) {
                Ok(socket) => self.add_stream(service, socket),
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    return self.rest(Key::of(Kind::Listener, service));
                }
                Err(Errno::AGAIN) => return,
                // Of a connection that is gone already.
                Err(_) => {}
            }
        }
    }

    fn add_stream(&mut self, service: u64, socket: OwnedFd) {
        let others = self
            .streams
            .iter()
            .filter(|(_, one)| one.service == service);
        if others.clone().count() >= CONNECTIONS {
            let silent = others
                .min_by_key(|(_, one)| one.due)
                .map(|(number, _)| *number);
            if let Some(silent) = silent {
                self.close_stream(silent);
            }
        }
        let number = self.new_number();
        let key = Key::of(Kind::Stream, number);
        if self.wait_for(&socket, key).is_err() {
            return;
        }
        let due = Instant::now() + SILENCE;
        self.timers.insert((due, key));
        let stream = Stream {
            service,
            socket,
            come: Vec::new(),
            out: Vec::new(),
            open: 0,
            ended: false,
            due,
        };
        self.streams.insert(number, stream);
    }

    /// It can be read from or written to.
    pub(super) fn stream_ready(&mut self, number: u64, flags: EventFlags) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        // Nobody is there to be told any more.
        let mut fine = !flags.intersects(EventFlags::ERR | EventFlags::HUP);
        if fine && !stream.out.is_empty() {
            fine = stream.flush().is_ok();
        }
        if fine && stream.reads() {
            fine = stream.fill().is_ok();
        }
        if !fine {
            return self.close_stream(number);
        }
        let service = stream.service;
        self.touch(number);
        self.follow();
        while let Some(question) = self.streams.get_mut(&number).and_then(Stream::question) {
            match self.ask(service, &question, By::Stream(number)) {
                Some(answer) => self.answer_stream(number, &answer),
                None => self.settle(number),
            }
        }
        self.settle(number);
    }

    /// An answer to one of its questions.
    pub(super) fn answer_stream(&mut self, number: u64, answer: &[u8]) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        stream.open = stream.open.saturating_sub(1);
        stream.out.extend((answer.len() as u16).to_be_bytes());
        stream.out.extend_from_slice(answer);
        if stream.flush().is_err() {
            return self.close_stream(number);
        }
        self.settle(number);
    }

    pub(super) fn close_stream(&mut self, number: u64) {
        if let Some(stream) = self.streams.remove(&number) {
            self.timers
                .remove(&(stream.due, Key::of(Kind::Stream, number)));
        }
    }

    /// It is not silent.
    fn touch(&mut self, number: u64) {
        let key = Key::of(Kind::Stream, number);
        if let Some(stream) = self.streams.get_mut(&number) {
            self.timers.remove(&(stream.due, key));
            stream.due = Instant::now() + SILENCE;
            self.timers.insert((stream.due, key));
        }
    }

    /// Waits for what it can go on with, or ends it.
    fn settle(&mut self, number: u64) {
        let Some(stream) = self.streams.get(&number) else {
            return;
        };
        if stream.ended && stream.open == 0 && stream.out.is_empty() {
            return self.close_stream(number);
        }
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, stream.reads());
        flags.set(EventFlags::OUT, !stream.out.is_empty());
        let key = Key::of(Kind::Stream, number);
        if self.change_flags(&stream.socket, key, flags).is_err() {
            self.close_stream(number);
        }
    }
}

impl Stream {
    /// Who does not take answers asks no more.
    fn reads(&self) -> bool {
        !self.ended && self.out.len() < UNSENT
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut piece = [0; PIECE];
        match rustix::net::recv(&self.socket, &mut piece[..], RecvFlags::empty()) {
            Ok((0, _)) => self.ended = true,
            Ok((got, _)) => self.come.extend_from_slice(&piece[..got]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match rustix::net::send(&self.socket, &self.out, SendFlags::NOSIGNAL) {
                Ok(sent) => drop(self.out.drain(..sent)),
                Err(Errno::AGAIN | Errno::INTR) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The next whole question that has come, unless too much waits to be sent: then that goes first.
    fn question(&mut self) -> Option<Vec<u8>> {
        if self.out.len() >= UNSENT {
            return None;
        }
        let (length, rest) = self.come.split_first_chunk()?;
        let question = rest.get(..u16::from_be_bytes(*length).into())?.to_vec();
        self.come.drain(..2 + question.len());
        self.open += 1;
        Some(question)
    }
}
