//! Names: labels of 1 to 63 bytes, 255 in all.

use std::net::IpAddr;

use super::{HEADER, number};

const LABEL: usize = 63;
const NAME: usize = 255;
/// The two bits of a label's length that say: it goes on elsewhere.
const POINTER: u8 = 0xc0;

/// A name as it is in a message, uncompressed, in small letters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Vec<u8>);

impl Name {
    /// Reads one; where it ends. A pointer leads back only: so every reading ends.
    pub(crate) fn read(bytes: &[u8], at: usize) -> Option<(Name, usize)> {
        let mut name = Vec::new();
        let (mut at, mut first, mut end) = (at, at, None);
        loop {
            let length = *bytes.get(at)?;
            match length & POINTER {
                0 => {
                    let next = at + 1 + usize::from(length);
                    name.extend_from_slice(bytes.get(at..next)?);
                    at = next;
                    if name.len() > NAME {
                        return None;
                    }
                    if length == 0 {
                        break;
                    }
                }
                POINTER => {
                    end = end.or(Some(at + 2));
                    let target = usize::from(number(bytes, at)? & 0x3fff);
                    if target >= first || target < HEADER {
                        return None;
                    }
                    (at, first) = (target, target);
                }
                _ => return None,
            }
        }
        // Lengths are below the letters.
        name.make_ascii_lowercase();
        Some((Name(name), end.unwrap_or(at)))
    }

    /// Of a text, `web.front`. `None`: it does not fit.
    pub fn of(text: &str) -> Option<Name> {
        let mut name = Vec::with_capacity(text.len() + 2);
        for label in text.trim_end_matches('.').split('.') {
            if label.is_empty() || label.len() > LABEL {
                return None;
            }
            name.push(label.len() as u8);
            name.extend_from_slice(label.as_bytes());
        }
        name.push(0);
        name.make_ascii_lowercase();
        (name.len() <= NAME).then_some(Name(name))
    }

    /// As it is in a message.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its labels, without the last, empty one.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first()?;
            if *length == 0 {
                return None;
            }
            let (label, after) = after.split_at_checked((*length).into())?;
            rest = after;
            Some(label)
        })
    }

    /// `web.front`. `None`: a label is no text, or has a dot.
    pub fn text(&self) -> Option<String> {
        let mut text = String::with_capacity(self.0.len());
        for label in self.labels() {
            if !text.is_empty() {
                text.push('.');
            }
            let label = str::from_utf8(label).ok()?;
            if label.contains('.') {
                return None;
            }
            text.push_str(label);
        }
        Some(text)
    }

    /// The address that is asked about: `2.0.9.10.in-addr.arpa`.
    pub fn address(&self) -> Option<IpAddr> {
        let text = self.text()?;
        if let Some(reverse) = text.strip_suffix(".in-addr.arpa") {
            let mut octets = [0_u8; 4];
            let mut parts = reverse.split('.');
            for octet in octets.iter_mut().rev() {
                *octet = parts.next()?.parse().ok()?;
            }
            return parts.next().is_none().then(|| octets.into());
        }
        let digits: Vec<&str> = text.strip_suffix(".ip6.arpa")?.split('.').collect();
        if digits.len() != 32 {
            return None;
        }
        let mut bits = 0_u128;
        for digit in digits.iter().rev() {
            if digit.len() != 1 {
                return None;
            }
            bits = bits << 4 | u128::from_str_radix(digit, 16).ok()?;
        }
        Some(IpAddr::V6(bits.into()))
    }
}
