//! Answers: written, and those of name servers looked at.

use std::net::IpAddr;

use super::{
    Code, HEADER, Header, INTERNET, Name, Query, SMALL, flag, kind, number, question, record,
};

/// Seconds for which a client may keep an answer about a container. Docker's.
const TTL: u32 = 600;
/// The longest time for which a name is known not to be, whatever its zone says.
const NEGATIVE_TTL: u32 = 60;
/// What we take by UDP, told to clients: the value that keeps messages whole on most paths.
const OUR_SIZE: u16 = 1232;
/// Where the question's name is: a pointer.
const QUESTION: [u8; 2] = [0xc0, HEADER as u8];

/// A record of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Of the name that was asked for.
    Address(IpAddr),
    /// Of the address that was asked for.
    Name(Name),
}

/// What a name server said about what is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negative {
    /// No such name, or none of that type.
    pub code: Code,
    /// Seconds for which it holds.
    pub ttl: u32,
    /// The zone, whose record says so.
    zone: Name,
    class: u16,
    soa: Vec<u8>,
}

/// An answer of our own, of at most `limit` bytes: if it is longer the client has to ask by TCP.
pub fn reply(query: &Query, code: Code, answers: &[Answer], limit: usize) -> Vec<u8> {
    let mut message = begin(query, code);
    let room = limit.saturating_sub(query.edns.map_or(0, |_| EDNS));
    for (place, answer) in answers.iter().enumerate() {
        let whole = message.len();
        append(&mut message, answer);
        if message.len() > room {
            message.truncate(whole);
            message[2] |= (flag::TRUNCATED >> 8) as u8;
            break;
        }
        count(&mut message, 1, place as u16 + 1);
    }
    end(message, query)
}

impl Negative {
    /// The same for somebody else, `ttl` seconds before it ends.
    pub fn reply(&self, query: &Query, ttl: u32) -> Vec<u8> {
        let mut message = begin(query, self.code);
        message.extend_from_slice(self.zone.bytes());
        message.extend(kind::SOA.to_be_bytes());
        message.extend(self.class.to_be_bytes());
        message.extend(ttl.to_be_bytes());
        message.extend((self.soa.len() as u16).to_be_bytes());
        message.extend_from_slice(&self.soa);
        count(&mut message, 2, 1);
        end(message, query)
    }
}

/// An answer to what could not be read.
pub(super) fn bare(header: &Header, code: Code) -> Vec<u8> {
    let kept = header.flags & (flag::OPERATION | flag::RECURSION_WANTED);
    let flags = flag::RESPONSE | kept | flag::RECURSION_HAD | code as u16;
    let mut message = header.id.to_be_bytes().to_vec();
    message.extend(flags.to_be_bytes());
    message.resize(HEADER, 0);
    message
}

/// A name server's answer, for a client that does not take as much by UDP.
pub fn truncated(query: &Query, answer: &[u8]) -> Vec<u8> {
    let mut message = begin(query, Code::NoError);
    // Its code, and whatever else it says.
    message[2] = answer.get(2).copied().unwrap_or(message[2]) | (flag::TRUNCATED >> 8) as u8;
    message[3] = answer.get(3).copied().unwrap_or(message[3]);
    end(message, query)
}

/// Whether this is the answer of a name server to what it was asked under `id`; its code.
pub fn fits(answer: &[u8], id: u16, query: &Query) -> Option<u16> {
    let header = Header::of(answer)?;
    if header.id != id || header.flags & flag::RESPONSE == 0 {
        return None;
    }
    let code = header.flags & flag::CODE;
    if header.counts[0] == 0 && code != Code::NoError as u16 {
        // Who does not understand a question need not repeat it.
        return Some(code);
    }
    let (asked, _) = question(answer)?;
    (header.counts[0] == 1 && asked == query.question).then_some(code)
}

/// What a name server's answer says about what is not there. Only what a zone's record vouches for; signatures are for
/// those who ask for them.
///
/// Source: RFC 2308, 2.1, 2.2, 5.
pub fn negative(answer: &[u8], query: &Query) -> Option<Negative> {
    let header = Header::of(answer)?;
    let code = match header.flags & flag::CODE {
        0 => Code::NoError,
        3 => Code::NxDomain,
        _ => return None,
    };
    let cut = header.flags & flag::TRUNCATED != 0;
    if cut || header.counts[1] != 0 || query.edns.is_some_and(|edns| edns.signed) {
        return None;
    }
    let (_, mut at) = question(answer)?;
    for _ in 0..header.counts[2] {
        let record = record(answer, at)?;
        at = record.data.end;
        if record.kind != kind::SOA || !holds(&record.name, &query.question.name) {
            continue;
        }
        let (server, next) = Name::read(answer, record.data.start)?;
        let (person, next) = Name::read(answer, next)?;
        let numbers = answer.get(next..record.data.end)?;
        let numbers: [u8; 20] = numbers.try_into().ok()?;
        let minimum = u32::from_be_bytes(*numbers.last_chunk()?);
        return Some(Negative {
            code,
            ttl: record.ttl.min(minimum).min(NEGATIVE_TTL),
            zone: record.name,
            class: record.class,
            soa: [server.bytes(), person.bytes(), &numbers].concat(),
        });
    }
    None
}

/// Whether a name is in a zone.
fn holds(zone: &Name, name: &Name) -> bool {
    let (zone, name): (Vec<_>, Vec<_>) = (zone.labels().collect(), name.labels().collect());
    name.ends_with(&zone)
}

/// Bytes of the record by which we speak EDNS.
const EDNS: usize = 11;

fn begin(query: &Query, code: Code) -> Vec<u8> {
    let kept = query.flags & (flag::RECURSION_WANTED | flag::UNCHECKED);
    let flags = flag::RESPONSE | kept | flag::RECURSION_HAD | code as u16;
    let mut message = Vec::with_capacity(SMALL);
    message.extend(query.id.to_be_bytes());
    message.extend(flags.to_be_bytes());
    message.extend([0, 1, 0, 0, 0, 0, 0, 0]);
    message.extend_from_slice(&query.written);
    message
}

fn append(message: &mut Vec<u8>, answer: &Answer) {
    let (kind, data) = match answer {
        Answer::Address(IpAddr::V4(address)) => (kind::A, address.octets().to_vec()),
        Answer::Address(IpAddr::V6(address)) => (kind::AAAA, address.octets().to_vec()),
        Answer::Name(name) => (kind::PTR, name.bytes().to_vec()),
    };
    message.extend(QUESTION);
    message.extend(kind.to_be_bytes());
    message.extend(INTERNET.to_be_bytes());
    message.extend(TTL.to_be_bytes());
    message.extend((data.len() as u16).to_be_bytes());
    message.extend(data);
}

fn end(mut message: Vec<u8>, query: &Query) -> Vec<u8> {
    if let Some(edns) = query.edns {
        message.push(0);
        message.extend(kind::OPT.to_be_bytes());
        message.extend(OUR_SIZE.to_be_bytes());
        message.extend([0, 0, if edns.signed { 0x80 } else { 0 }, 0, 0, 0]);
        count(&mut message, 3, 1);
    }
    message
}

/// Sets one of the four counts.
fn count(message: &mut [u8], which: usize, count: u16) {
    let at = 4 + 2 * which;
    debug_assert!(number(message, at).is_some(), "a header is there");
    message[at..at + 2].copy_from_slice(&count.to_be_bytes());
}
