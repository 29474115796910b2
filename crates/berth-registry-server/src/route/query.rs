//! The query and percent-encoding of a request's target.
//!
//! `+` stands for itself: no parameter has a space in it, but media types and algorithms have plus signs.

use std::fmt::Write as _;

use super::Page;
use crate::error::{Code, Failure};

/// The longest `last` that is taken: longer than every name and tag.
const LAST_LENGTH: usize = 256;

/// What stands behind the `?`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<'a>(pub(crate) &'a str);

impl Query<'_> {
    /// The value of `key`, which may be there once: twice, two readers may take different ones.
    pub(crate) fn one(self, key: &str, code: Code) -> Result<Option<String>, Failure> {
        let mut values = self.values(key);
        let value = values.next().transpose()?;
        match values.next() {
            None => Ok(value),
            Some(_) => Err(Failure::new(
                code,
                format!("`{key}` is there more than once"),
            )),
        }
    }

    /// All values of `key`.
    pub(crate) fn all(self, key: &str, limit: usize) -> Result<Vec<String>, Failure> {
        let values: Vec<String> = self.values(key).take(limit + 1).collect::<Result<_, _>>()?;
        if values.len() > limit {
            let message = format!("`{key}` is there more than {limit} times");
            return Err(Failure::new(Code::TagInvalid, message));
        }
        Ok(values)
    }

    /// Which part of a list is wanted (security: G4).
    pub(crate) fn page(self) -> Result<Page, Failure> {
        let bad = || Failure::new(Code::SizeInvalid, "`n` must be a number, 0 or more");
        let entries = match self.one("n", Code::SizeInvalid)?.as_deref() {
            None => None,
            Some("") => return Err(bad()),
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                Some(digits.parse().unwrap_or(usize::MAX))
            }
            Some(_) => return Err(bad()),
        };
        let last = self.one("last", Code::NameInvalid)?;
        if last.as_ref().is_some_and(|last| last.len() > LAST_LENGTH) {
            return Err(Failure::new(Code::NameInvalid, "`last` is too long"));
        }
        Ok(Page {
            entries,
            last: last.filter(|last| !last.is_empty()),
        })
    }

    fn values(self, key: &str) -> impl Iterator<Item = Result<String, Failure>> {
        self.0.split('&').filter_map(move |pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name == key).then(|| {
                let bad = || Failure::new(Code::NameInvalid, format!("`{key}` is malformed"));
                decode(value).ok_or_else(bad)
            })
        })
    }
}

/// One part of a path. A `/` that was hidden stays one part, and so never is a name.
pub(crate) fn part(text: &str) -> Result<String, Failure> {
    decode(text)
        .filter(|text| !text.contains('/'))
        .ok_or_else(|| Failure::new(Code::NameInvalid, "the path is malformed"))
}

/// Undoes percent-encoding. `None`: it is broken, or hides what is not text.
/// Source: RFC 3986, section 2.1.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        (bytes, rest) = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |b: &u8| char::from(*b).to_digit(16);
                bytes.push((digit(high)? * 16 + digit(low)?) as u8);
                (bytes, after)
            }
            (b'%', _) => return None,
            (first, after) => {
                bytes.push(*first);
                (bytes, after)
            }
        };
    }
    String::from_utf8(bytes).ok()
}

/// For a query's value: all but the unreserved characters becomes `%XX`.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            byte => write!(encoded, "%{byte:02X}").expect("a string takes all"),
        }
    }
    encoded
}
