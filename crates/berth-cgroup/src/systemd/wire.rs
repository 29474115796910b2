//! D-Bus messages as bytes: those that the systemd driver sends and hears.
//!
//! ```text
//! 'l' kind flags 1 | length of the body | serial | array of (field code, variant) | 0… to 8 | body
//! ```
//! Numbers are little-endian and aligned to their size, from the message's first byte on; so are
//! structures, to 8. What is read is checked whole before any of it is used: lengths against caps
//! and against what is there, texts as UTF-8 without NUL, padding as zeros, the known fields' types.
//!
//! Source: D-Bus Specification 0.41, "Marshaling" and "Message Protocol".

#[cfg(test)]
mod tests;

/// Most bytes of a message from the bus; real ones have some hundred. (The protocol: 128 MiB.)
pub(crate) const MAX_MESSAGE: usize = 1 << 20;
/// The part that is there in every message, and tells its length.
pub(crate) const FIXED: usize = 16;
/// Only ask what is there: a bus without systemd shall start nothing. (NO_AUTO_START)
const FLAGS: u8 = 2;

/// Why bytes are no message.
pub(crate) type Malformed = &'static str;
type Read<T> = std::result::Result<T, Malformed>;

/// A value of a property, sent as a variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Bool(bool),
    U64(u64),
    Text(String),
    Bytes(Vec<u8>),
    U32s(Vec<u32>),
    Pairs(Vec<(String, String)>),
}

/// Property name and value.
pub(crate) type Property = (&'static str, Value);

/// Builds the bytes of a body or of a whole message.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    pub(crate) fn bool(mut self, value: bool) -> Self {
        self.u32(value.into());
        self
    }

    pub(crate) fn text(mut self, text: &str) -> Self {
        self.put_text(text);
        self
    }

    pub(crate) fn u32s(mut self, list: &[u32]) -> Self {
        self.array(4, |w| list.iter().for_each(|n| w.u32(*n)));
        self
    }

    /// `a(sv)`.
    pub(crate) fn properties(mut self, list: &[Property]) -> Self {
        self.array(8, |w| {
            for (name, value) in list {
                w.align(8);
                w.put_text(name);
                w.variant(value);
            }
        });
        self
    }

    /// `a(sa(sv))`, and there are none.
    pub(crate) fn no_units(mut self) -> Self {
        self.array(8, |_| {});
        self
    }

    fn u32(&mut self, number: u32) {
        self.align(4);
        self.0.extend(number.to_le_bytes());
    }

    fn put_text(&mut self, text: &str) {
        self.u32(text.len() as u32);
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }

    fn signature(&mut self, signature: &str) {
        self.0.push(signature.len() as u8);
        self.0.extend(signature.as_bytes());
        self.0.push(0);
    }

    /// The length counts from the first element, not from the padding before it.
    fn array(&mut self, align: usize, elements: impl FnOnce(&mut Self)) {
        self.u32(0);
        let length = self.0.len() - 4;
        self.align(align);
        let start = self.0.len();
        elements(self);
        let bytes = (self.0.len() - start) as u32;
        self.0[length..length + 4].copy_from_slice(&bytes.to_le_bytes());
    }

    fn variant(&mut self, value: &Value) {
        match value {
            Value::Bool(value) => {
                self.signature("b");
                self.u32((*value).into());
            }
            Value::U64(number) => {
                self.signature("t");
                self.align(8);
                self.0.extend(number.to_le_bytes());
            }
            Value::Text(text) => {
                self.signature("s");
                self.put_text(text);
            }
            Value::Bytes(bytes) => {
                self.signature("ay");
                self.array(1, |w| w.0.extend(bytes));
            }
            Value::U32s(list) => {
                self.signature("au");
                self.array(4, |w| list.iter().for_each(|n| w.u32(*n)));
            }
            Value::Pairs(list) => {
                self.signature("a(ss)");
                self.array(8, |w| {
                    for (first, second) in list {
                        w.align(8);
                        w.put_text(first);
                        w.put_text(second);
                    }
                });
            }
        }
    }

    fn field(&mut self, code: u8, kind: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        self.align(8);
        self.0.push(code);
        self.signature(kind);
        if kind == "g" {
            self.signature(text);
        } else {
            self.put_text(text);
        }
    }
}

/// A method to call.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) destination: &'a str,
    pub(crate) path: &'a str,
    pub(crate) interface: &'a str,
    pub(crate) member: &'static str,
    /// Types of the body.
    pub(crate) signature: &'a str,
    pub(crate) body: Writer,
}

impl Call<'_> {
    /// The message.
    pub(crate) fn encode(&self, serial: u32) -> Vec<u8> {
        let mut out = Writer(vec![b'l', Kind::Call as u8, FLAGS, 1]);
        out.u32(self.body.0.len() as u32);
        out.u32(serial);
        out.array(8, |w| {
            w.field(code::PATH, "o", self.path);
            w.field(code::MEMBER, "s", self.member);
            w.field(code::INTERFACE, "s", self.interface);
            w.field(code::DESTINATION, "s", self.destination);
            w.field(code::SIGNATURE, "g", self.signature);
        });
        out.align(8);
        out.0.extend(&self.body.0);
        out.0
    }
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Call = 1,
    Return = 2,
    Error = 3,
    Signal = 4,
}

/// Codes of header fields.
mod code {
    pub(super) const PATH: u8 = 1;
    pub(super) const INTERFACE: u8 = 2;
    pub(super) const MEMBER: u8 = 3;
    pub(super) const ERROR_NAME: u8 = 4;
    pub(super) const REPLY_SERIAL: u8 = 5;
    pub(super) const DESTINATION: u8 = 6;
    pub(super) const SENDER: u8 = 7;
    pub(super) const SIGNATURE: u8 = 8;
    pub(super) const UNIX_FDS: u8 = 9;
}

/// A message from the bus.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    /// Serial of the call that this answers; 0 when it answers none.
    pub(crate) reply_serial: u32,
    pub(crate) path: String,
    pub(crate) interface: String,
    pub(crate) member: String,
    pub(crate) error_name: String,
    pub(crate) sender: String,
    pub(crate) signature: String,
    body: Vec<u8>,
}

impl Message {
    /// The whole message's length, by its first [`FIXED`] bytes.
    pub(crate) fn length(fixed: &[u8; FIXED]) -> Read<usize> {
        if fixed[0] != b'l' {
            return Err("a message is not little-endian");
        }
        if fixed[3] != 1 {
            return Err("a message is not of protocol version 1");
        }
        let at =
            |i: usize| u32::from_le_bytes([fixed[i], fixed[i + 1], fixed[i + 2], fixed[i + 3]]);
        let (body, fields) = (at(4) as usize, at(12) as usize);
        // Each below the cap, so that their sum cannot overflow.
        if body > MAX_MESSAGE || fields > MAX_MESSAGE {
            return Err("a message is too long");
        }
        let length = (FIXED + fields).next_multiple_of(8) + body;
        if length > MAX_MESSAGE {
            return Err("a message is too long");
        }
        Ok(length)
    }

    /// Takes a message of exactly [`Message::length`] bytes apart.
    pub(crate) fn decode(bytes: &[u8]) -> Read<Message> {
        let fixed = bytes.first_chunk().ok_or("a message is cut short")?;
        if Message::length(fixed)? != bytes.len() {
            return Err("a message is cut short");
        }
        let kind = match fixed[1] {
            1 => Kind::Call,
            2 => Kind::Return,
            3 => Kind::Error,
            4 => Kind::Signal,
            _ => return Err("a message is of no known kind"),
        };
        let mut reader = Reader { bytes, at: 8 };
        if reader.u32()? == 0 {
            return Err("a message has no serial");
        }
        let mut message = Message {
            kind,
            reply_serial: 0,
            path: String::new(),
            interface: String::new(),
            member: String::new(),
            error_name: String::new(),
            sender: String::new(),
            signature: String::new(),
            body: Vec::new(),
        };
        let end = reader.u32()? as usize + FIXED;
        while reader.at < end {
            reader.align(8)?;
            message.field(&mut reader)?;
        }
        if reader.at != end {
            return Err("the header's length is wrong");
        }
        reader.align(8)?;
        message.body = bytes[reader.at..].to_vec();
        message.check()?;
        Ok(message)
    }

    fn field(&mut self, reader: &mut Reader<'_>) -> Read<()> {
        let code = reader.u8()?;
        let kind = reader.signature()?;
        let (slot, wanted) = match code {
            code::PATH => (&mut self.path, "o"),
            code::INTERFACE => (&mut self.interface, "s"),
            code::MEMBER => (&mut self.member, "s"),
            code::ERROR_NAME => (&mut self.error_name, "s"),
            code::SENDER => (&mut self.sender, "s"),
            code::SIGNATURE => (&mut self.signature, "g"),
            code::REPLY_SERIAL if kind == "u" && self.reply_serial == 0 => {
                self.reply_serial = reader.u32()?;
                return Ok(());
            }
            code::UNIX_FDS if kind == "u" => {
                // Passing descriptors was not agreed on.
                return match reader.u32()? {
                    0 => Ok(()),
                    _ => Err("a message brings descriptors"),
                };
            }
            0 | code::REPLY_SERIAL | code::UNIX_FDS => return Err("a header field is wrong"),
            // DESTINATION, which is us, and what later versions may add.
            _ => return reader.skip(kind),
        };
        if kind != wanted || !slot.is_empty() {
            return Err("a header field is of a wrong type or there twice");
        }
        *slot = match kind {
            "g" => reader.signature()?,
            _ => reader.text()?,
        }
        .to_owned();
        Ok(())
    }

    /// What each kind must have. Source: "Header Fields", the column "Required In".
    fn check(&self) -> Read<()> {
        let complete = match self.kind {
            Kind::Call => !self.path.is_empty() && !self.member.is_empty(),
            Kind::Return => self.reply_serial != 0,
            Kind::Error => self.reply_serial != 0 && !self.error_name.is_empty(),
            Kind::Signal => {
                !self.path.is_empty() && !self.interface.is_empty() && !self.member.is_empty()
            }
        };
        if !complete {
            return Err("a header field is missing");
        }
        if self.signature.is_empty() != self.body.is_empty() {
            return Err("the body does not match its signature");
        }
        Ok(())
    }

    /// The body, when it is of these types.
    pub(crate) fn body(&self, signature: &str) -> Read<Reader<'_>> {
        if self.signature != signature {
            return Err("an answer is of another type");
        }
        Ok(Reader {
            bytes: &self.body,
            at: 0,
        })
    }

    /// An error's text: the body's first value, where that is one.
    pub(crate) fn error_text(&self) -> &str {
        let mut reader = Reader {
            bytes: &self.body,
            at: 0,
        };
        match self.signature.starts_with('s') {
            true => reader.text().unwrap_or_default(),
            false => "",
        }
    }
}

/// Takes bytes apart; each value must lie within them.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let end = self
            .at
            .checked_add(count)
            .filter(|e| *e <= self.bytes.len());
        let end = end.ok_or("a value goes beyond its message")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn align(&mut self, to: usize) -> Read<()> {
        let padding = self.take(self.at.next_multiple_of(to) - self.at)?;
        match padding.iter().all(|b| *b == 0) {
            true => Ok(()),
            false => Err("padding is not zero"),
        }
    }

    fn u8(&mut self) -> Read<u8> {
        self.take(1).map(|b| b[0])
    }

    /// `u`.
    pub(crate) fn u32(&mut self) -> Read<u32> {
        self.align(4)?;
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// `s` or `o`.
    pub(crate) fn text(&mut self) -> Read<&'a str> {
        let length = self.u32()? as usize;
        self.terminated(length)
    }

    /// `g`.
    fn signature(&mut self) -> Read<&'a str> {
        let length = self.u8()?.into();
        self.terminated(length)
    }

    /// `v` with a text in it.
    pub(crate) fn variant_text(&mut self) -> Read<&'a str> {
        match self.signature()? {
            "s" | "o" => self.text(),
            _ => Err("an answer is of another type"),
        }
    }

    /// Everything was read.
    pub(crate) fn end(&self) -> Read<()> {
        match self.at == self.bytes.len() {
            true => Ok(()),
            false => Err("an answer is longer than its type"),
        }
    }

    fn terminated(&mut self, length: usize) -> Read<&'a str> {
        let text = self.take(length)?;
        if self.u8()? != 0 || text.contains(&0) {
            return Err("a text does not end where it should");
        }
        std::str::from_utf8(text).map_err(|_| "a text is not UTF-8")
    }

    /// Passes over a value of a type without parts.
    fn skip(&mut self, kind: &str) -> Read<()> {
        match kind {
            "y" => self.u8().map(drop),
            "b" | "u" | "i" | "h" => self.u32().map(drop),
            "t" | "x" | "d" => {
                self.align(8)?;
                self.take(8).map(drop)
            }
            "s" | "o" => self.text().map(drop),
            "g" => self.signature().map(drop),
            _ => Err("a header field is of an unknown type"),
        }
    }
}
