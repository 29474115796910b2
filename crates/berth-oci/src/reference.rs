//! Image references: Docker's grammar and normalisation.
//!
//! ```text
//! reference      = [domain "/"] path [":" tag] ["@" digest]
//! domain         = host [":" port]       host = names joined by "." | "[" IPv6 "]"
//! path           = component *("/" component)
//! component      = 1*[a-z0-9] joined by "." | "_" | "__" | 1*"-"
//! tag            = [A-Za-z0-9_] 0*127[A-Za-z0-9_.-]
//! ```
//! `busybox` is `docker.io/library/busybox:latest`: the first part is a domain only if it has a `.`
//! or `:`, an upper-case letter, or is `localhost`.
//!
//! Source: the `distribution/reference` package, regexp.go and normalize.go.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::excerpt;
use crate::{Digest, Error};

/// Bytes of a path.
const MAX_PATH: usize = 255;
/// Bytes of a domain: a DNS name and a port.
const MAX_DOMAIN: usize = 259;
const DEFAULT_DOMAIN: &str = "docker.io";
const OFFICIAL: &str = "library/";

/// A normalised reference: it has a domain, and a tag or a digest or both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Reads and normalises what a user wrote; without tag and digest the tag is `latest`.
    ///
    /// # Errors
    /// [`Error::ParseReference`] with the reason.
    pub fn parse(text: &str) -> Result<Reference, Error> {
        let bad = |reason| Error::ParseReference {
            text: excerpt(text),
            reason,
        };
        if is_hex_id(text) {
            return Err(bad("64 hexadecimal digits are an id, not a name"));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                let parsed = Digest::parse(digest);
                (
                    rest,
                    Some(parsed.map_err(|_| bad("the digest after `@` is not valid"))?),
                )
            }
            None => (text, None),
        };
        // A `:` before the last `/` belongs to the domain's port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if let Some(tag) = tag {
            check_tag(tag).map_err(bad)?;
        }
        let (domain, path) = split_domain(name);
        check_domain(domain).map_err(bad)?;
        let official = domain == DEFAULT_DOMAIN && !path.contains('/');
        let path = if official {
            format!("{OFFICIAL}{path}")
        } else {
            path.to_owned()
        };
        check_path(&path).map_err(bad)?;
        let tag = match (tag, &digest) {
            (Some(tag), _) => Some(tag.to_owned()),
            (None, None) => Some("latest".to_owned()),
            (None, Some(_)) => None,
        };
        Ok(Reference {
            domain: domain.to_owned(),
            path,
            tag,
            digest,
        })
    }

    /// The registry: `docker.io`, `localhost:5000`, …
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository in the registry: `library/busybox`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Domain and path: `docker.io/library/busybox`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same repository by digest only.
    pub fn with_digest(&self, digest: Digest) -> Reference {
        Reference {
            tag: None,
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// The same repository by this tag only.
    ///
    /// # Errors
    /// The reason, when it is not a tag.
    pub fn with_tag(&self, tag: &str) -> Result<Reference, &'static str> {
        check_tag(tag)?;
        Ok(Reference {
            tag: Some(tag.to_owned()),
            digest: None,
            ..self.clone()
        })
    }

    /// The same without a digest; `None` if it has no tag.
    pub fn without_digest(&self) -> Option<Reference> {
        self.tag.as_ref().map(|_| Reference {
            digest: None,
            ..self.clone()
        })
    }

    /// The name as users write it: `busybox`, `user/app`, `localhost:5000/app`.
    pub fn familiar_name(&self) -> String {
        if self.domain != DEFAULT_DOMAIN {
            return self.name();
        }
        match self.path.strip_prefix(OFFICIAL) {
            Some(rest) if !rest.contains('/') && !is_hex_id(rest) => rest.to_owned(),
            // Its first part would be taken for a registry.
            _ if split_domain(&self.path) != (DEFAULT_DOMAIN, &self.path) => self.name(),
            _ => self.path.clone(),
        }
    }

    /// The shortest text that means the same, the tag always shown: `busybox:latest`.
    pub fn familiar(&self) -> String {
        self.with_suffix(self.familiar_name())
    }

    fn with_suffix(&self, mut text: String) -> String {
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(&digest.to_string());
        }
        text
    }
}

/// Checks a tag.
///
/// # Errors
/// The reason, when it is not one.
pub fn check_tag(tag: &str) -> Result<(), &'static str> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let mut bytes = tag.bytes();
    if tag.len() > 128 {
        return Err("the tag is longer than 128 characters");
    }
    if !bytes.next().is_some_and(word) || !bytes.all(|b| word(b) || matches!(b, b'.' | b'-')) {
        return Err("a tag is letters, digits, `_`, `.` and `-`, not starting with `.` or `-`");
    }
    Ok(())
}

/// Checks the path of a repository (without domain), as registries name it (security: G6).
///
/// # Errors
/// The reason, when it is not one.
pub fn check_path(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("the repository name is empty");
    }
    if path.len() > MAX_PATH {
        return Err("the repository name is longer than 255 characters");
    }
    if path.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err("the repository name must be lower case");
    }
    if path.split('/').all(is_component) {
        Ok(())
    } else {
        Err("parts of a repository name are a-z and 0-9, joined by `.`, `_`, `__` or `-`")
    }
}

fn is_component(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase();
    let (first, last) = (text.bytes().next(), text.bytes().last());
    if !first.is_some_and(alphanumeric) || !last.is_some_and(alphanumeric) {
        return false;
    }
    // What is between the alphanumeric runs are the separators.
    let ends = |c: char| c.is_ascii_digit() || c.is_ascii_lowercase();
    text.split(ends).all(|separator| {
        matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-')
    })
}

fn split_domain(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some(("index.docker.io", path)) => (DEFAULT_DOMAIN, path),
        Some((domain, path))
            if domain == "localhost"
                || domain.contains(['.', ':'])
                || domain.bytes().any(|b| b.is_ascii_uppercase()) =>
        {
            (domain, path)
        }
        _ => (DEFAULT_DOMAIN, name),
    }
}

/// Checks a registry's `host[:port]`.
///
/// # Errors
/// The reason, when it is not one.
pub fn check_domain(domain: &str) -> Result<(), &'static str> {
    if domain.len() > MAX_DOMAIN {
        return Err("the registry name is too long");
    }
    let (host, port) = match domain.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or("`[` without `]`")?;
            address
                .parse::<std::net::Ipv6Addr>()
                .map_err(|_| "invalid IPv6 address")?;
            (None, port)
        }
        None => {
            let end = domain.find(':').unwrap_or(domain.len());
            (Some(&domain[..end]), &domain[end..])
        }
    };
    if host.is_some_and(|host| !host.split('.').all(is_label)) {
        return Err("the registry's host name is not valid");
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok(()),
        Some(digits)
            if digits.bytes().all(|b| b.is_ascii_digit())
                && digits.parse::<u16>().is_ok_and(|port| port > 0) =>
        {
            Ok(())
        }
        _ => Err("the registry's port is not valid"),
    }
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_hex_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_suffix(self.name()))
    }
}

impl FromStr for Reference {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Reference::parse(text)
    }
}

impl TryFrom<String> for Reference {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Reference::parse(&text)
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> String {
        reference.to_string()
    }
}

#[cfg(test)]
mod tests;
