//! What is signed: a digest, and the name that it is signed under. sigstore's "simple signing".
//!
//! ```text
//! {"critical": {"type": "cosign container image signature",
//!               "image": {"docker-manifest-digest": "sha256:…"},
//!               "identity": {"docker-reference": "registry.example/team/app:1"}},
//!  "optional": {"creator": "…", "timestamp": 1700000000, …} or null}
//! ```
//! `critical` has exactly these keys: one that we do not know might take something back. Source:
//! containers-signature(5) and sigstore's SIGNATURE_SPEC.

use std::collections::BTreeMap;

use berth_oci::image::parse_strict;
use berth_oci::{Digest, Reference};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Error;
use crate::limits::MAX_PAYLOAD_BYTES;

const TYPE: &str = "cosign container image signature";

/// A payload that was understood, which says nothing of who wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Of the manifest or index.
    pub digest: Digest,
    /// The name.
    pub identity: Identity,
    /// The program that made it.
    pub creator: Option<String>,
    /// When, in seconds since 1970.
    pub timestamp: Option<i64>,
}

/// A name as a payload has it: cosign leaves the tag out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Domain and path.
    pub name: String,
    /// The tag.
    pub tag: Option<String>,
    /// The digest.
    pub digest: Option<Digest>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    critical: Critical,
    /// Anybody's.
    #[serde(deserialize_with = "Option::deserialize")]
    optional: Option<BTreeMap<String, Value>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Critical {
    identity: CriticalIdentity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Image {
    docker_manifest_digest: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CriticalIdentity {
    docker_reference: String,
}

impl Payload {
    /// Reads one.
    ///
    /// # Errors
    /// Anything that is not exactly such a document.
    pub fn parse(bytes: &[u8]) -> Result<Payload, Error> {
        if bytes.len() as u64 > MAX_PAYLOAD_BYTES {
            return Err(Error::InvalidPayload {
                reason: "it is too large",
            });
        }
        // A derived reader would take an array for a struct.
        if bytes.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'{') {
            return Err(Error::InvalidPayload {
                reason: "it is not an object",
            });
        }
        let file: File =
            parse_strict("the payload", bytes).map_err(|source| Error::ParsePayload { source })?;
        if file.critical.kind != TYPE {
            return Err(Error::InvalidPayload {
                reason: "it is of another type than `cosign container image signature`",
            });
        }
        let optional = file.optional.unwrap_or_default();
        let creator = optional.get("creator").and_then(Value::as_str);
        Ok(Payload {
            digest: file.critical.image.docker_manifest_digest,
            identity: Identity::parse(&file.critical.identity.docker_reference)?,
            creator: creator.map(str::to_owned),
            timestamp: optional.get("timestamp").and_then(Value::as_i64),
        })
    }

    /// The bytes to sign for `digest` under the name `reference`.
    ///
    /// # Errors
    /// None in practice: what it is made of was checked when it was parsed.
    pub fn write(reference: &Reference, digest: &Digest, now: i64) -> Result<Vec<u8>, Error> {
        let name = match reference.tag() {
            Some(tag) => format!("{}:{tag}", reference.name()),
            None => reference.name(),
        };
        let optional = [
            (
                "creator",
                Value::from(concat!("berth ", env!("CARGO_PKG_VERSION"))),
            ),
            ("timestamp", Value::from(now)),
        ];
        let file = File {
            critical: Critical {
                identity: CriticalIdentity {
                    docker_reference: name,
                },
                image: Image {
                    docker_manifest_digest: digest.clone(),
                },
                kind: TYPE.into(),
            },
            optional: Some(optional.map(|(key, value)| (key.to_owned(), value)).into()),
        };
        serde_json::to_vec(&file).map_err(|source| Error::EncodePayload { source })
    }
}

impl Identity {
    fn parse(text: &str) -> Result<Identity, Error> {
        let bad = |_| Error::InvalidPayload {
            reason: "its `docker-reference` is not a valid name",
        };
        let reference = Reference::parse(text).map_err(bad)?;
        // Without a tag and a digest `latest` was put in, and one more tag is still valid.
        let bare = reference.digest().is_none() && Reference::parse(&format!("{text}:x")).is_ok();
        Ok(Identity {
            name: reference.name(),
            tag: reference.tag().filter(|_| !bare).map(str::to_owned),
            digest: reference.digest().cloned(),
        })
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
