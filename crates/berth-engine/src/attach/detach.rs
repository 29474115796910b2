//! The keys that detach a terminal session: `ctrl-p,ctrl-q` unless told otherwise.
//!
//! Source: docker run(1), `--detach-keys`: letters, or `ctrl-` and one of `a-z @ [ \ ] ^ _`.

use std::str::FromStr;

use super::error::Error;

/// A sequence of keys; empty: none detaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachKeys {
    keys: Vec<u8>,
    /// How many of them were typed, and held back.
    matched: usize,
}

impl Default for DetachKeys {
    fn default() -> Self {
        DetachKeys {
            keys: vec![0x10, 0x11],
            matched: 0,
        }
    }
}

impl DetachKeys {
    /// No keys: the session cannot be detached from.
    pub fn none() -> Self {
        DetachKeys {
            keys: Vec::new(),
            matched: 0,
        }
    }

    /// Appends to `typed` what of `input` is for the container; `true` once the sequence is complete.
    /// A beginning of the sequence is held back until the next key decides.
    pub fn filter(&mut self, input: &[u8], typed: &mut Vec<u8>) -> bool {
        if self.keys.is_empty() {
            typed.extend_from_slice(input);
            return false;
        }
        for &byte in input {
            if byte == self.keys[self.matched] {
                self.matched += 1;
                if self.matched == self.keys.len() {
                    self.matched = 0;
                    return true;
                }
                continue;
            }
            // What was held back, its first key at least, was meant for the container.
            let mut held = self.keys[..self.matched].to_vec();
            held.push(byte);
            let keep = (0..held.len())
                .rev()
                .find(|&keep| self.keys.starts_with(&held[held.len() - keep..]));
            self.matched = keep.unwrap_or(0);
            typed.extend_from_slice(&held[..held.len() - self.matched]);
        }
        false
    }
}

impl FromStr for DetachKeys {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Ok(DetachKeys::none());
        }
        let key = |word: &str| match word.as_bytes() {
            [byte @ 0x21..=0x7e] => Some(*byte),
            _ => match word.strip_prefix("ctrl-")?.as_bytes() {
                [byte @ (b'a'..=b'z' | b'A'..=b'Z' | b'@' | b'['..=b'_')] => Some(byte & 0x1f),
                _ => None,
            },
        };
        let keys: Option<Vec<u8>> = text.split(',').map(key).collect();
        let keys = keys.ok_or_else(|| Error::DetachKeys(text.to_owned()))?;
        Ok(DetachKeys { keys, matched: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str, inputs: &[&[u8]]) -> (Vec<u8>, bool) {
        let mut keys: DetachKeys = keys.parse().unwrap();
        let mut typed = Vec::new();
        let done = inputs.iter().any(|input| keys.filter(input, &mut typed));
        (typed, done)
    }

    #[test]
    fn sequences_are_parsed() {
        assert_eq!(
            "ctrl-p,ctrl-q".parse::<DetachKeys>().unwrap(),
            DetachKeys::default()
        );
        assert_eq!("a,ctrl-[".parse::<DetachKeys>().unwrap().keys, [b'a', 0x1b]);
        assert_eq!("".parse::<DetachKeys>().unwrap(), DetachKeys::none());
        for bad in ["ctrl-", "ctrl-1", "ab", "a,", ",", "é"] {
            assert!(bad.parse::<DetachKeys>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_the_whole_sequence_detaches() {
        assert_eq!(
            typed("ctrl-p,ctrl-q", &[b"ab\x10\x11cd"]),
            (b"ab".to_vec(), true)
        );
        assert_eq!(typed("ctrl-p,ctrl-q", &[b"\x10", b"\x11"]), (vec![], true));
        assert_eq!(
            typed("ctrl-p,ctrl-q", &[b"\x10", b"x", b"\x11"]),
            (b"\x10x\x11".to_vec(), false)
        );
        assert_eq!(
            typed("ctrl-p,ctrl-q", &[b"\x10\x10\x11"]),
            (b"\x10".to_vec(), true)
        );
        assert_eq!(typed("a,a,b", &[b"aaab"]), (b"a".to_vec(), true));
        assert_eq!(typed("", &[b"\x10\x11"]), (b"\x10\x11".to_vec(), false));
    }
}
