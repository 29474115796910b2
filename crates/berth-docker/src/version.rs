//! The API's version: which one a path asks for, and what there is.

use std::fmt;

use http::StatusCode;

use crate::error::Failure;

/// A version of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u16, pub u16);

/// The oldest that is served.
pub const MIN: Version = Version(1, 40);
/// The newest, which a path without a version means.
pub const MAX: Version = Version(1, 53);

/// Whose documents the command prints: the last that has all of Docker's fields.
pub(crate) const COMMAND: Version = Version(1, 51);

impl Version {
    /// `v1.41`, as the first part of a path; `None` if it is no version.
    pub(crate) fn parse(part: &str) -> Option<Version> {
        let (major, minor) = part.strip_prefix('v')?.split_once('.')?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten()
        };
        Some(Version(number(major)?, number(minor)?))
    }

    /// Refuses a version that is not served. The texts are those that clients know.
    pub(crate) fn check(self) -> Result<Version, Failure> {
        if self > MAX {
            return Err(Failure::new(
                StatusCode::BAD_REQUEST,
                format!("client version {self} is too new. Maximum supported API version is {MAX}"),
            ));
        }
        if self < MIN {
            return Err(Failure::new(
                StatusCode::BAD_REQUEST,
                format!(
                    "client version {self} is too old. Minimum supported API version is {MIN}, please upgrade your \
                     client to a newer version"
                ),
            ));
        }
        Ok(self)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_bounded() {
        assert_eq!(Version::parse("v1.41"), Some(Version(1, 41)));
        for other in ["1.41", "v1", "v1.", "v.4", "v+1.4", "vx.y", "version"] {
            assert_eq!(Version::parse(other), None, "{other}");
        }
        assert!(MIN.check().is_ok() && MAX.check().is_ok());
        assert!(Version(1, 39).check().is_err() && Version(2, 0).check().is_err());
    }
}
