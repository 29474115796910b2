//! Messages of DNS, as far as a resolver between a container and a name server reads them.
//!
//! ```text
//! header      id, flags, four counts of 16 bits
//! question    name, type, class
//! records     name, type, class, ttl u32, length u16, data: of the answer, the authority, and additional ones
//! ```
//! What is asked elsewhere and what is answered there pass as they are, byte for byte but the id: so nothing is lost that
//! is not known here, and a library that takes messages apart and builds them anew is of no use.
//!
//! Source: RFC 1035, RFC 2308 (negative answers), RFC 6891 (EDNS).

mod name;
mod reply;

pub use name::Name;
pub use reply::{Answer, Negative, fits, negative, reply, truncated};

/// Bytes of a header.
pub const HEADER: usize = 12;
/// What every client takes by UDP.
pub const SMALL: usize = 512;
/// What is sent by UDP at most: it has to stay whole.
pub const LARGE: usize = 4096;
/// What fits into a message at all.
pub const MAX: usize = 65535;

/// Types of records.
pub mod kind {
    /// An IPv4 address.
    pub const A: u16 = 1;
    /// What is known of a zone.
    pub const SOA: u16 = 6;
    /// A name for an address.
    pub const PTR: u16 = 12;
    /// An IPv6 address.
    pub const AAAA: u16 = 28;
    /// What a client can do: EDNS.
    pub const OPT: u16 = 41;
    /// All.
    pub const ANY: u16 = 255;
}

/// Class `IN`.
pub const INTERNET: u16 = 1;

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// All is well.
    NoError = 0,
    /// The question cannot be read.
    FormErr = 1,
    /// No answer can be had.
    ServFail = 2,
    /// There is no such name.
    NxDomain = 3,
    /// Such questions are not answered.
    NotImp = 4,
    /// The client asks too much.
    Refused = 5,
}

pub(crate) mod flag {
    pub(crate) const RESPONSE: u16 = 0x8000;
    pub(crate) const OPERATION: u16 = 0x7800;
    pub(crate) const TRUNCATED: u16 = 0x0200;
    pub(crate) const RECURSION_WANTED: u16 = 0x0100;
    pub(crate) const RECURSION_HAD: u16 = 0x0080;
    pub(crate) const UNCHECKED: u16 = 0x0010;
    pub(crate) const CODE: u16 = 0x000f;
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// In small letters.
    pub name: Name,
    /// Of [`kind`].
    pub kind: u16,
    /// Mostly [`INTERNET`].
    pub class: u16,
}

/// What a client says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edns {
    /// Bytes that it takes by UDP.
    pub size: u16,
    /// It wants signatures, too.
    pub signed: bool,
}

/// A question that can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Chosen by who asks.
    pub id: u16,
    pub(crate) flags: u16,
    /// What is asked.
    pub question: Question,
    /// As it was written, capitals included.
    pub(crate) written: Vec<u8>,
    /// Of the client, if it says so.
    pub edns: Option<Edns>,
}

/// Why a message is not a [`Query`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// Nothing is answered.
    Noise,
    /// This is.
    Answer(Vec<u8>),
}

impl Query {
    /// Reads a message of a client.
    ///
    /// # Errors
    /// [`Unfit`] for all that is not one question.
    pub fn parse(bytes: &[u8]) -> Result<Query, Unfit> {
        let header = Header::of(bytes).ok_or(Unfit::Noise)?;
        if header.flags & flag::RESPONSE != 0 {
            return Err(Unfit::Noise);
        }
        let refuse = |code| Unfit::Answer(reply::bare(&header, code));
        if header.flags & flag::OPERATION != 0 {
            return Err(refuse(Code::NotImp));
        }
        if header.counts[0] != 1 {
            return Err(refuse(Code::FormErr));
        }
        let (question, end) = question(bytes).ok_or_else(|| refuse(Code::FormErr))?;
        let edns = edns(bytes, end, &header.counts).ok_or_else(|| refuse(Code::FormErr))?;
        Ok(Query {
            id: header.id,
            flags: header.flags,
            question,
            written: bytes[HEADER..end].to_vec(),
            edns,
        })
    }

    /// Bytes that the client takes by UDP.
    pub fn limit(&self) -> usize {
        let size = self.edns.map_or(SMALL, |edns| edns.size.into());
        size.clamp(SMALL, LARGE)
    }
}

/// The first twelve bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) id: u16,
    pub(crate) flags: u16,
    /// Questions, answers, authority, additional.
    pub(crate) counts: [u16; 4],
}

impl Header {
    pub(crate) fn of(bytes: &[u8]) -> Option<Header> {
        let word = |at| number(bytes, at);
        Some(Header {
            id: word(0)?,
            flags: word(2)?,
            counts: [word(4)?, word(6)?, word(8)?, word(10)?],
        })
    }
}

/// A record: where its parts are.
pub(crate) struct Record {
    pub(crate) name: Name,
    pub(crate) kind: u16,
    pub(crate) class: u16,
    pub(crate) ttl: u32,
    /// Where its data begins and ends.
    pub(crate) data: std::ops::Range<usize>,
}

/// The record at `at`.
pub(crate) fn record(bytes: &[u8], at: usize) -> Option<Record> {
    let (name, at) = Name::read(bytes, at)?;
    let begin = at + 10;
    let end = begin + usize::from(number(bytes, at + 8)?);
    (end <= bytes.len()).then_some(Record {
        name,
        kind: number(bytes, at)?,
        class: number(bytes, at + 2)?,
        ttl: u32::from(number(bytes, at + 4)?) << 16 | u32::from(number(bytes, at + 6)?),
        data: begin..end,
    })
}

/// The question, and where it ends.
pub(crate) fn question(bytes: &[u8]) -> Option<(Question, usize)> {
    let (name, at) = Name::read(bytes, HEADER)?;
    let question = Question {
        name,
        kind: number(bytes, at)?,
        class: number(bytes, at + 2)?,
    };
    Some((question, at + 4))
}

/// `None`: what follows the question is broken.
fn edns(bytes: &[u8], mut at: usize, counts: &[u16; 4]) -> Option<Option<Edns>> {
    let mut found = None;
    for _ in 0..counts[1..].iter().copied().map(u32::from).sum::<u32>() {
        let record = record(bytes, at)?;
        at = record.data.end;
        if record.kind != kind::OPT {
            continue;
        }
        let edns = Edns {
            size: record.class,
            signed: record.ttl & 0x8000 != 0,
        };
        // Once at most.
        if found.replace(edns).is_some() {
            return None;
        }
    }
    Some(found)
}

pub(crate) fn number(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|two| u16::from_be_bytes(*two))
}

#[cfg(test)]
pub(crate) mod tests;
