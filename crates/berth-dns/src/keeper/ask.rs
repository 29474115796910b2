//! A question and its answer.

use std::net::SocketAddr;
use std::time::Instant;

use rustix::net::{RecvFlags, SendFlags};

use super::Keeper;
use crate::limits::{IN_FLIGHT, TURN};
use crate::message::{Code, MAX, Query, Unfit, kind, reply};

/// How a question came, and its answer goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    /// From a port of the container.
    Udp(SocketAddr),
    /// Over a connection.
    Stream(u64),
}

impl By {
    /// Bytes that an answer may have.
    pub(super) fn limit(self, query: &Query) -> usize {
        match self {
            By::Udp(_) => query.limit(),
            By::Stream(_) => MAX,
        }
    }
}

impl Keeper {
    /// Takes a container's questions, as many as are its turn.
    pub(super) fn datagrams(&mut self, number: u64) {
        let Some(service) = self.services.get(&number) else {
            return;
        };
        let mut taken = Vec::new();
        for _ in 0..TURN {
            let got = rustix::net::recvfrom(&service.udp, &mut self.buffer[..], RecvFlags::empty());
            let Ok((_, length, Some(from))) = got else {
                break;
            };
            if let (Ok(from), Some(bytes)) = (SocketAddr::try_from(from), self.buffer.get(..length))
            {
                taken.push((from, bytes.to_vec()));
            }
        }
        // After they came: what was written before they were asked is known now.
        self.follow();
        for (from, bytes) in taken {
            if let Some(answer) = self.ask(number, &bytes, By::Udp(from)) {
                self.send(number, from, &answer);
            }
        }
    }

    /// By UDP. What cannot be sent is lost, as anything may be.
    pub(super) fn send(&self, number: u64, to: SocketAddr, answer: &[u8]) {
        if let Some(service) = self.services.get(&number) {
            let _ = rustix::net::sendto(&service.udp, answer, SendFlags::NOSIGNAL, &to);
        }
    }

    /// The answer to a question; `None`: it comes later, or never.
    pub(super) fn ask(&mut self, number: u64, bytes: &[u8], by: By) -> Option<Vec<u8>> {
        let query = match Query::parse(bytes) {
            Ok(query) => query,
            Err(Unfit::Answer(answer)) => return Some(answer),
            Err(Unfit::Noise) => return None,
        };
        let service = self.services.get(&number)?;
        let task = &service.task;
        let say = |code, answers: &[_]| Some(reply(&query, code, answers, by.limit(&query)));
        self.turn = self.turn.wrapping_add(1);
        if let Some(answers) = self
            .table
            .answer(&task.networks, &query.question, self.turn)
        {
            return say(Code::NoError, &answers);
        }
        if task.ndots && is_single(&query) {
            return say(Code::NoError, &[]);
        }
        // Names that nobody here has are nobody's where nothing leaves (security: D11).
        if !task.forward {
            return say(Code::ServFail, &[]);
        }
        if let Some(answer) = service.negative.answer(&query, Instant::now()) {
            return Some(answer);
        }
        if service.in_flight >= IN_FLIGHT {
            return say(Code::Refused, &[]);
        }
        self.launch(number, query, bytes.to_vec(), by)
    }
}

/// A name of one label, which a search list may complete.
fn is_single(query: &Query) -> bool {
    let question = &query.question;
    [kind::A, kind::AAAA].contains(&question.kind) && question.name.labels().count() == 1
}
