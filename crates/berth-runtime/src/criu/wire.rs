//! Protocol Buffers, as much as CRIU's messages need: numbers, strings and messages in messages.
//!
//! ```text
//! field   (number << 3 | 0) varint                a number; negative ones as 64 bits
//!         (number << 3 | 2) length bytes          a string or a message
//! ```
//! Source: protobuf.dev, "Encoding".

use std::io;

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// A message being written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn number(&mut self, field: u32, value: impl Into<i64>) {
        self.key(field, VARINT);
        self.varint(value.into().cast_unsigned());
    }

    /// Written only when it is set: `false` is what each defaults to.
    pub(super) fn flag(&mut self, field: u32, value: bool) {
        if value {
            self.number(field, 1);
        }
    }

    pub(super) fn text(&mut self, field: u32, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        self.key(field, BYTES);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    pub(super) fn message(&mut self, field: u32, value: &Message) {
        self.text(field, &value.0);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn key(&mut self, field: u32, kind: u64) {
        self.varint(u64::from(field) << 3 | kind);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    /// Of a 32-bit field.
    pub(super) fn number(self) -> i32 {
        match self {
            Value::Number(number) => number as i32,
            Value::Bytes(_) => 0,
        }
    }

    pub(super) fn bytes(self) -> &'a [u8] {
        match self {
            Value::Bytes(bytes) => bytes,
            Value::Number(_) => &[],
        }
    }

    pub(super) fn text(self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}

/// The fields of a message, in order. Those of a fixed size are passed over: CRIU has none.
///
/// # Errors
/// `InvalidData`: it is cut off, or no message.
pub(super) fn fields(mut bytes: &[u8]) -> io::Result<Vec<(u32, Value<'_>)>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = take_varint(&mut bytes)?;
        let field = u32::try_from(key >> 3).map_err(|_| malformed())?;
        match key & 7 {
            VARINT => found.push((field, Value::Number(take_varint(&mut bytes)?))),
            BYTES => {
                let length = take_varint(&mut bytes)?;
                found.push((field, Value::Bytes(take(&mut bytes, length)?)));
            }
            FIXED64 => drop(take(&mut bytes, 8)?),
            FIXED32 => drop(take(&mut bytes, 4)?),
            _ => return Err(malformed()),
        }
    }
    Ok(found)
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> io::Result<&'a [u8]> {
    let length = usize::try_from(length).map_err(|_| malformed())?;
    let (taken, rest) = bytes.split_at_checked(length).ok_or_else(malformed)?;
    *bytes = rest;
    Ok(taken)
}

fn take_varint(bytes: &mut &[u8]) -> io::Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(malformed())
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a malformed message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut inner = Message::default();
        inner.text(1, "extRootNetNS");
        inner.number(2, -1);
        let mut message = Message::default();
        message.number(1, 300);
        message.flag(2, true);
        message.flag(3, false);
        message.message(500, &inner);
        let read = fields(message.bytes()).unwrap();
        assert_eq!(read[0], (1, Value::Number(300)));
        assert_eq!(read[1], (2, Value::Number(1)));
        assert_eq!(read[2].0, 500);
        let inner = fields(read[2].1.bytes()).unwrap();
        assert_eq!(inner[0].1.text(), "extRootNetNS");
        assert_eq!(inner[1].1.number(), -1);
        assert_eq!(read.len(), 3);
    }

    /// The example of the documentation: field 1 with 150 is `08 96 01`.
    #[test]
    fn the_bytes_are_those_of_the_format() {
        let mut message = Message::default();
        message.number(1, 150);
        message.text(2, "testing");
        assert_eq!(message.bytes(), b"\x08\x96\x01\x12\x07testing");
    }

    #[test]
    fn nonsense_is_refused_and_never_panics() {
        for bytes in [
            &b"\x08"[..],
            b"\x12\x07test",
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x0b",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert!(fields(bytes).is_err(), "{bytes:x?}");
        }
        assert!(fields(b"\x09abcdefgh\x0dabcd").unwrap().is_empty());
    }
}
