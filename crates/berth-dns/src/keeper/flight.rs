//! A question that is asked elsewhere: of one name server after the other, while answers of those asked before still count.
//!
//! Each asking has a socket of its own, so a port that the kernel chose at random, and an id at random; what does not come
//! from the server, has another id or answers another question is passed over (RFC 5452).

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::ask::By;
use super::key::{Key, Kind};
use super::{Keeper, namespace};
use crate::limits::{ATTEMPTS, PATIENCE, TURN};
use crate::message::{Code, Query, fits, negative, reply, truncated};

/// The question.
pub(super) struct Flight {
    pub(super) service: u64,
    by: By,
    query: Query,
    /// As the client wrote it.
    bytes: Vec<u8>,
    servers: Vec<SocketAddr>,
    /// How many were asked.
    asked: usize,
    attempts: Vec<u64>,
    due: Instant,
    /// What a server said that could not answer: told when no other one can.
    failure: Option<Vec<u8>>,
}

/// One asking.
pub(super) struct Attempt {
    flight: u64,
    server: SocketAddr,
    id: u16,
    socket: OwnedFd,
    /// By TCP: what is still to be sent, and what has come.
    stream: Option<(Vec<u8>, Vec<u8>)>,
}

/// What became of an attempt.
enum Outcome {
    Answer(u16, Vec<u8>),
    Waiting,
    Failed,
}

impl Keeper {
    /// Asks. `Some`: there is nobody to ask.
    pub(super) fn launch(
        &mut self,
        number: u64,
        query: Query,
        bytes: Vec<u8>,
        by: By,
    ) -> Option<Vec<u8>> {
        let now = Instant::now();
        let flight = self.new_number();
        let service = self.services.get_mut(&number)?;
        let servers = match service.task.servers.is_empty() {
            true => self.host.servers(now).order(now),
            false => service.servers.order(now),
        };
        service.in_flight += 1;
        let new = Flight {
            service: number,
            by,
            query,
            bytes,
            servers,
            asked: 0,
            attempts: Vec::new(),
            due: now,
            failure: None,
        };
        self.flights.insert(flight, new);
        self.next_attempt(flight);
        None
    }

    /// Asks the next server; when none is left and none can answer any more, that is the answer.
    fn next_attempt(&mut self, number: u64) {
        loop {
            let Some(flight) = self.flights.get(&number) else {
                return;
            };
            if flight.asked >= ATTEMPTS || flight.servers.is_empty() {
                if flight.attempts.is_empty() {
                    self.give_up(number);
                }
                return;
            }
            let server = flight.servers[flight.asked % flight.servers.len()];
            let service = flight.service;
            let opened = self.open_attempt(number, server);
            let Some(flight) = self.flights.get_mut(&number) else {
                return;
            };
            flight.asked += 1;
            match opened {
                Ok(attempt) => {
                    flight.attempts.push(attempt);
                    return self.be_patient(number);
                }
                Err(_) => self.note(service, server, false),
            }
        }
    }

    fn be_patient(&mut self, number: u64) {
        let key = Key::of(Kind::Flight, number);
        if let Some(flight) = self.flights.get_mut(&number) {
            self.timers.remove(&(flight.due, key));
            flight.due = Instant::now() + PATIENCE;
            self.timers.insert((flight.due, key));
        }
    }

    /// From the host, or from inside the container where its user named the servers.
    fn open_attempt(&mut self, number: u64, server: SocketAddr) -> io::Result<u64> {
        let none = || io::Error::from(io::ErrorKind::NotFound);
        let id = self.random.next().ok_or_else(none)?;
        let flight = self.flights.get(&number).ok_or_else(none)?;
        let service = self.services.get(&flight.service).ok_or_else(none)?;
        let by_stream = matches!(flight.by, By::Stream(_));
        let socket = match service.task.servers.is_empty() {
            true => connect(server, by_stream)?,
            false => namespace::inside(&service.namespace, &self.home, || {
                connect(server, by_stream)
            })??,
        };
        let mut bytes = flight.bytes.clone();
        bytes[..2].copy_from_slice(&id.to_be_bytes());
        let (stream, flags) = match by_stream {
            true => {
                let length = (bytes.len() as u16).to_be_bytes();
                (
                    Some(([&length, &bytes[..]].concat(), Vec::new())),
                    EventFlags::OUT,
                )
            }
            false => {
                rustix::net::send(&socket, &bytes, SendFlags::NOSIGNAL)?;
                (None, EventFlags::IN)
            }
        };
        let attempt = self.new_number();
        self.watch_flags(&socket, Key::of(Kind::Attempt, attempt), flags)?;
        let new = Attempt {
            flight: number,
            server,
            id,
            socket,
            stream,
        };
        self.attempts.insert(attempt, new);
        Ok(attempt)
    }

    /// A server says something.
    pub(super) fn attempt_ready(&mut self, number: u64) {
        let Some(attempt) = self.attempts.get_mut(&number) else {
            return;
        };
        let Some(flight) = self.flights.get(&attempt.flight) else {
            return;
        };
        let outcome = match &mut attempt.stream {
            None => receive(&attempt.socket, attempt.id, &flight.query, &mut self.buffer),
            Some((out, come)) => exchange(&attempt.socket, attempt.id, &flight.query, out, come),
        };
        let (flight, service, server) = (attempt.flight, flight.service, attempt.server);
        match outcome {
            Outcome::Waiting => self.await_answer(number),
            Outcome::Failed => {
                self.note(service, server, false);
                self.end_attempt(flight, number, None);
            }
            Outcome::Answer(code, answer) => {
                self.note(service, server, true);
                match code == Code::NoError as u16 || code == Code::NxDomain as u16 {
                    true => self.finish(flight, answer),
                    // Another one may know.
                    false => self.end_attempt(flight, number, Some(answer)),
                }
            }
        }
    }

    /// Once all is sent.
    fn await_answer(&self, number: u64) {
        if let Some(attempt) = self.attempts.get(&number)
            && matches!(&attempt.stream, Some((out, _)) if out.is_empty())
        {
            let key = Key::of(Kind::Attempt, number);
            let _ = self.change_flags(&attempt.socket, key, EventFlags::IN);
        }
    }

    fn end_attempt(&mut self, number: u64, attempt: u64, failure: Option<Vec<u8>>) {
        self.attempts.remove(&attempt);
        if let Some(flight) = self.flights.get_mut(&number) {
            flight.attempts.retain(|known| *known != attempt);
            flight.failure = failure.or(flight.failure.take());
            self.next_attempt(number);
        }
    }

    /// The server that was asked last has not answered.
    pub(super) fn flight_due(&mut self, number: u64) {
        let Some(flight) = self.flights.get(&number) else {
            return;
        };
        let service = flight.service;
        let last = flight
            .attempts
            .last()
            .and_then(|last| self.attempts.get(last));
        if let Some(server) = last.map(|attempt| attempt.server) {
            self.note(service, server, false);
        }
        match self.flights.get(&number) {
            Some(flight) if flight.asked >= ATTEMPTS => self.give_up(number),
            _ => {
                // Before: it may find nobody, while others can still answer.
                self.be_patient(number);
                self.next_attempt(number);
            }
        }
    }

    fn give_up(&mut self, number: u64) {
        let Some(flight) = self.flights.get(&number) else {
            return;
        };
        let answer = flight.failure.clone().unwrap_or_else(|| {
            let limit = flight.by.limit(&flight.query);
            reply(&flight.query, Code::ServFail, &[], limit)
        });
        self.finish(number, answer);
    }

    fn finish(&mut self, number: u64, mut answer: Vec<u8>) {
        let Some(flight) = self.drop_flight(number) else {
            return;
        };
        let query = &flight.query;
        if let Some(id) = answer.get_mut(..2) {
            id.copy_from_slice(&query.id.to_be_bytes());
        }
        if let Some(negative) = negative(&answer, query)
            && let Some(service) = self.services.get_mut(&flight.service)
        {
            service.negative.keep(query, negative, Instant::now());
        }
        match flight.by {
            By::Udp(to) => {
                if answer.len() > flight.by.limit(query) {
                    answer = truncated(query, &answer);
                }
                self.send(flight.service, to, &answer);
            }
            By::Stream(stream) => self.answer_stream(stream, &answer),
        }
    }

    pub(super) fn drop_flight(&mut self, number: u64) -> Option<Flight> {
        let flight = self.flights.remove(&number)?;
        self.timers
            .remove(&(flight.due, Key::of(Kind::Flight, number)));
        for attempt in &flight.attempts {
            self.attempts.remove(attempt);
        }
        if let Some(service) = self.services.get_mut(&flight.service) {
            service.in_flight -= 1;
        }
        Some(flight)
    }

    fn note(&mut self, service: u64, server: SocketAddr, answered: bool) {
        let now = Instant::now();
        match self.services.get_mut(&service) {
            Some(service) if !service.task.servers.is_empty() => {
                service.servers.note(server, answered, now);
            }
            _ => self.host.note(server, answered, now),
        }
    }
}

/// Begins to. UDP is connected at once.
fn connect(server: SocketAddr, by_stream: bool) -> io::Result<OwnedFd> {
    let family = match server {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let kind = match by_stream {
        true => SocketType::STREAM,
        false => SocketType::DGRAM,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, kind, flags, None)?;
    match rustix::net::connect(&socket, &server) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

fn receive(socket: &OwnedFd, id: u16, query: &Query, buffer: &mut [u8]) -> Outcome {
    for _ in 0..TURN {
        match rustix::net::recv(socket, &mut *buffer, RecvFlags::empty()) {
            Ok((got, _)) => {
                let answer = buffer.get(..got).unwrap_or_default();
                if let Some(code) = fits(answer, id, query) {
                    return Outcome::Answer(code, answer.to_vec());
                }
            }
            Err(Errno::AGAIN | Errno::INTR) => return Outcome::Waiting,
            Err(_) => return Outcome::Failed,
        }
    }
    Outcome::Waiting
}

/// Sends what is left, then reads until the answer is whole.
fn exchange(
    socket: &OwnedFd,
    id: u16,
    query: &Query,
    out: &mut Vec<u8>,
    come: &mut Vec<u8>,
) -> Outcome {
    while !out.is_empty() {
        match rustix::net::send(socket, out, SendFlags::NOSIGNAL) {
            Ok(sent) => drop(out.drain(..sent)),
            Err(Errno::AGAIN | Errno::INTR) => return Outcome::Waiting,
            Err(_) => return Outcome::Failed,
        }
    }
    let mut piece = [0; 4096];
    for _ in 0..TURN {
        match rustix::net::recv(socket, &mut piece[..], RecvFlags::empty()) {
            Ok((0, _)) => return Outcome::Failed,
            Ok((got, _)) => come.extend_from_slice(&piece[..got]),
            Err(Errno::AGAIN | Errno::INTR) => return Outcome::Waiting,
            Err(_) => return Outcome::Failed,
        }
        let Some((length, rest)) = come.split_first_chunk() else {
            continue;
        };
        if let Some(answer) = rest.get(..u16::from_be_bytes(*length).into()) {
            return match fits(answer, id, query) {
                Some(code) => Outcome::Answer(code, answer.to_vec()),
                None => Outcome::Failed,
            };
        }
    }
    Outcome::Waiting
}
