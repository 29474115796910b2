//! Names that may become paths: a repository's and a tag's, checked once (security: G6).

use std::fmt;

use berth_oci::{Digest, reference};

/// A repository's name, such as `team/app`: no part of it can leave the root, or be one of our own directories.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName(String);

impl RepositoryName {
    /// # Errors
    /// The reason, when it is not one.
    pub fn parse(text: &str) -> Result<RepositoryName, &'static str> {
        reference::check_path(text)?;
        Ok(RepositoryName(text.to_owned()))
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tag, at most 128 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(String);

impl Tag {
    /// # Errors
    /// The reason, when it is not one.
    pub fn parse(text: &str) -> Result<Tag, &'static str> {
        reference::check_tag(text)?;
        Ok(Tag(text.to_owned()))
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What names a manifest in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// By content.
    Digest(Digest),
    /// By tag.
    Tag(Tag),
}

impl Selector {
    /// A digest if there is a `:`, which no tag has.
    ///
    /// # Errors
    /// The reason, when it is neither.
    pub fn parse(text: &str) -> Result<Selector, String> {
        if text.contains(':') {
            return Digest::parse(text)
                .map(Selector::Digest)
                .map_err(|error| error.to_string());
        }
        Ok(Selector::Tag(Tag::parse(text)?))
    }
}

/// Whether a repository's name is `prefix`, or below it: as whole parts, `team` is for `team/app` and not for `teams`.
pub(crate) fn is_below(prefix: &str, name: &str) -> bool {
    prefix.is_empty()
        || name
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether it may be an upload's id, a UUID in lower case; nothing else becomes a path.
pub(crate) fn is_upload_id(text: &str) -> bool {
    let is_fitting = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_fitting)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G6.
    #[test]
    fn names_cannot_leave_their_place() {
        for bad in [
            "../x", "_uploads", "a//b", "", "a/../b", "A", "a/_blobs", "ü", "/a", "a/", ".",
        ] {
            assert!(RepositoryName::parse(bad).is_err(), "{bad}");
        }
        assert!(RepositoryName::parse(&"a".repeat(256)).is_err());
        assert!(RepositoryName::parse("team/app").is_ok());
        for bad in ["", "-a", ".a", "a/b", "a:b", "é"] {
            assert!(Tag::parse(bad).is_err(), "{bad}");
        }
        assert!(Tag::parse(&"a".repeat(129)).is_err());
        assert!(matches!(Selector::parse("v1"), Ok(Selector::Tag(_))));
        assert!(Selector::parse("sha256:00").is_err());
    }
}
