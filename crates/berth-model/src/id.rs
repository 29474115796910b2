//! Container ids: 64 lower-case hexadecimal digits, as Docker's.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A container's id. Only a valid id can be made, so it is safe as a file name (security: D29).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerId(String);

impl ContainerId {
    /// An id of 32 random bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        ContainerId(bytes.iter().map(|b| format!("{b:02x}")).collect())
    }

    /// Accepts exactly 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// The text again, when it is anything else.
    pub fn parse(text: &str) -> Result<Self, String> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 64 && text.bytes().all(hex) {
            Ok(ContainerId(text.to_owned()))
        } else {
            Err(format!(
                "`{text}` is not a container id (64 hexadecimal digits)"
            ))
        }
    }

    /// All 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, as `ps` prints them.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl TryFrom<String> for ContainerId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        ContainerId::parse(&text)
    }
}

impl From<ContainerId> for String {
    fn from(id: ContainerId) -> String {
        id.0
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `name` may name a container: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`, as Docker has it.
pub fn valid_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && name.len() >= 2
        && name.len() <= 255
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_64_hex_digits_are_an_id() {
        assert!(ContainerId::parse(&"a".repeat(64)).is_ok());
        for bad in [
            "",
            "..",
            "a/b",
            "a\0b",
            &"A".repeat(64),
            &"a".repeat(65),
            &"é".repeat(32),
        ] {
            assert!(ContainerId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_are_dockers() {
        for good in ["web", "a1", "A_b.c-d"] {
            assert!(valid_name(good), "{good}");
        }
        for bad in ["", "a", "-a", ".a", "a b", "a/b", "../x", "é1"] {
            assert!(!valid_name(bad), "{bad}");
        }
    }
}
