//! Digests: `sha256:` and 64, or `sha512:` and 128, lower-case hexadecimal digits; nothing else.
//!
//! A [`Digest`] can only be made from valid parts, so it is safe as a file name (security: T16).
//! Source: OCI image-spec, descriptor.md, "Digests".

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::Error;

mod hasher;

pub use hasher::Hasher;

/// A hash function that a digest may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// `sha256`.
    Sha256,
    /// `sha512`.
    Sha512,
}

impl Algorithm {
    /// The name as digests and the directories under `blobs/` have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }

    /// How many hexadecimal digits a digest has.
    pub fn hex_len(self) -> usize {
        match self {
            Algorithm::Sha256 => 64,
            Algorithm::Sha512 => 128,
        }
    }
}

/// The name of some content by its hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

impl Digest {
    /// Reads `algorithm:hex`.
    ///
    /// # Errors
    /// Another algorithm, upper case, or a wrong number of digits.
    pub fn parse(text: &str) -> Result<Digest, Error> {
        let bad = |reason| Error::ParseDigest {
            text: excerpt(text),
            reason,
        };
        let (name, hex) = text.split_once(':').ok_or_else(|| bad("no `:` in it"))?;
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            _ => return Err(bad("only sha256 and sha512 are supported")),
        };
        if hex.len() != algorithm.hex_len() {
            return Err(bad("wrong number of digits"));
        }
        if !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(bad("digits must be lower-case hexadecimal"));
        }
        Ok(Digest {
            algorithm,
            hex: hex.to_owned(),
        })
    }

    /// The digest with these raw sha256 bytes.
    pub fn sha256(hash: [u8; 32]) -> Digest {
        Digest {
            algorithm: Algorithm::Sha256,
            hex: hex(&hash),
        }
    }

    /// The digest with these raw sha512 bytes.
    pub fn sha512(hash: [u8; 64]) -> Digest {
        Digest {
            algorithm: Algorithm::Sha512,
            hex: hex(&hash),
        }
    }

    /// The sha256 digest of `content`.
    pub fn of(content: &[u8]) -> Digest {
        Digest::sha256(sha2::Sha256::digest(content).into())
    }

    /// The digest of `content` by this algorithm.
    pub fn by(algorithm: Algorithm, content: &[u8]) -> Digest {
        match algorithm {
            Algorithm::Sha256 => Digest::of(content),
            Algorithm::Sha512 => Digest::sha512(sha2::Sha512::digest(content).into()),
        }
    }

    /// Whether `content` has this digest.
    pub fn verifies(&self, content: &[u8]) -> bool {
        *self == Digest::by(self.algorithm, content)
    }

    /// The hash function.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// All hexadecimal digits, without the algorithm.
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// The first twelve digits, as `images` prints them.
    pub fn short(&self) -> &str {
        &self.hex[..12]
    }
}

/// The start of a text that came from outside, for a message.
pub(crate) fn excerpt(text: &str) -> String {
    const MAX_CHARS: usize = 200;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.as_str(), self.hex)
    }
}

impl FromStr for Digest {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Digest::parse(text)
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Digest::parse(&text)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_content_has_its_known_digest() {
        let digest = Digest::of(b"");
        assert_eq!(
            digest.to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(Digest::parse(&digest.to_string()).unwrap(), digest);
        assert!(digest.verifies(b""));
        assert!(!digest.verifies(b"x"));
        assert_eq!(digest.short(), "e3b0c44298fc");
    }

    #[test]
    fn sha512_is_known_too() {
        let text = format!("sha512:{}", "a".repeat(128));
        let digest = Digest::parse(&text).unwrap();
        assert_eq!(digest.algorithm(), Algorithm::Sha512);
        assert_eq!(digest.to_string(), text);
    }

    /// T16.
    #[test]
    fn anything_else_is_refused() {
        let long = format!("sha256:{}", "a".repeat(65));
        let short = format!("sha256:{}", "a".repeat(63));
        let upper = format!("sha256:{}", "A".repeat(64));
        let md5 = format!("md5:{}", "a".repeat(32));
        let sha384 = format!("sha384:{}", "a".repeat(96));
        let mixed = format!("SHA256:{}", "a".repeat(64));
        let wide = format!("sha256:{}", "é".repeat(32));
        let path = format!("sha256:{}", "../".repeat(21) + "x");
        for bad in [
            "",
            ":",
            "sha256",
            "sha256:",
            "sha256:../../x",
            "sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            &long,
            &short,
            &upper,
            &md5,
            &sha384,
            &mixed,
            &wide,
            &path,
        ] {
            assert!(Digest::parse(bad).is_err(), "{bad}");
            let json = serde_json::to_string(bad).unwrap();
            assert!(serde_json::from_str::<Digest>(&json).is_err(), "{bad}");
        }
    }
}
