//! The signatures of an image in its registry: an image of its own at a tag that the digest gives, one layer a
//! signature. All of it may be an enemy's: sizes and numbers are limited, digests checked.

use berth_oci::image::parse_manifest;
use berth_oci::{Descriptor, Digest, Manifest, Reference};
use berth_registry::Client;
use berth_trust::{ANNOTATION, Candidate, MAX_PAYLOAD_BYTES, MAX_SIGNATURES, MEDIA_TYPE, tag};

use super::error::Error;

/// The signatures of one manifest or index.
pub(super) struct Stored<'a> {
    client: &'a Client,
    reference: &'a Reference,
    of: &'a Digest,
    /// The image that holds them, as it is; `None`: there is none.
    pub(super) manifest: Option<Manifest>,
    layers: Vec<Descriptor>,
}

impl<'a> Stored<'a> {
    /// Those of `of` in the repository of `reference`: none, if there is no such tag.
    ///
    /// # Errors
    /// The registry does not answer, or what it has is no image of signatures.
    pub(super) async fn find(
        client: &'a Client,
        reference: &'a Reference,
        of: &'a Digest,
    ) -> Result<Stored<'a>, Error> {
        let mut stored = Stored {
            client,
            reference,
            of,
            manifest: None,
            layers: Vec::new(),
        };
        let Some(place) = place(reference, of) else {
            return Ok(stored);
        };
        let fetched = match client.fetch_manifest(&place).await {
            Err(berth_registry::Error::NotFound { .. }) => return Ok(stored),
            other => other.map_err(|error| stored.unreadable(error))?,
        };
        let manifest = parse_manifest(&fetched.bytes, Some(&fetched.media_type));
        let manifest = manifest.map_err(|source| Error::Document {
            of: of.to_string(),
            source,
        })?;
        let signatures = manifest
            .layers
            .iter()
            .filter(|l| l.media_type == MEDIA_TYPE);
        stored.layers = signatures.cloned().collect();
        stored.manifest = Some(manifest);
        if stored.layers.len() > MAX_SIGNATURES {
            return Err(Error::TooMany {
                of: of.to_string(),
                limit: MAX_SIGNATURES,
            });
        }
        Ok(stored)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.layers.len()
    }

    /// Fetches one of them.
    ///
    /// # Errors
    /// The registry does not answer, or sends something else.
    pub(super) async fn candidate(&self, at: usize) -> Result<Candidate, Error> {
        let layer = &self.layers[at];
        if layer.size > MAX_PAYLOAD_BYTES {
            return Err(Error::TooLarge {
                of: self.of.to_string(),
                number: at + 1,
                limit: MAX_PAYLOAD_BYTES,
            });
        }
        // A small blob, whole and verified.
        let payload = self.client.fetch_config(self.reference, layer).await;
        let signature = layer.annotations.get(ANNOTATION);
        Ok(Candidate {
            payload: payload.map_err(|error| self.unreadable(error))?,
            signature: signature.cloned().unwrap_or_default(),
        })
    }

    fn unreadable(&self, error: berth_registry::Error) -> Error {
        Error::Signatures {
            of: self.of.to_string(),
            source: Box::new(error),
        }
    }
}

/// The tag of the signatures of `of`.
pub(super) fn place(reference: &Reference, of: &Digest) -> Option<Reference> {
    let text = format!("{}:{}", reference.name(), tag(of)?);
    Reference::parse(&text).ok()
}
