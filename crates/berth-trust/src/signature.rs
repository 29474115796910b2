//! Signing a digest under a name, and verifying that one was.
//!
//! ```text
//! registry   REPOSITORY:sha256-HEX.sig        an OCI image; HEX is the signed manifest's
//!            └ layer, MEDIA_TYPE              a payload
//!              └ annotation ANNOTATION        base64 of the DER of ECDSA (P-256, SHA-256) of the payload
//! ```
//! Source: sigstore's SIGNATURE_SPEC, "Storage".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_oci::{Algorithm, Digest, Reference};

use crate::limits::MAX_SIGNATURE_CHARS;
use crate::{Error, Payload, PrivateKey, PublicKey};

/// A payload's media type.
pub const MEDIA_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The annotation of its layer that has the signature.
pub const ANNOTATION: &str = "dev.cosignproject.cosign/signature";

/// The tag under which the signatures of the manifest with this digest are; `None`: it has no such tag, as
/// one of SHA-512 would be too long.
pub fn tag(digest: &Digest) -> Option<String> {
    match digest.algorithm() {
        Algorithm::Sha256 => Some(format!("sha256-{}.sig", digest.hex())),
        Algorithm::Sha512 => None,
    }
}

/// A payload and its signature (base64), as somebody stored them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The bytes that are signed.
    pub payload: Vec<u8>,
    /// The annotation.
    pub signature: String,
}

/// The image that is to be used.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The name that the user gave it.
    pub reference: &'a Reference,
    /// What it is: the index, if it has one, and the manifest for the platform.
    pub digests: &'a [Digest],
}

/// A signature that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Which of the keys made it.
    pub key: usize,
    /// What it says.
    pub payload: Payload,
}

/// Why a signature does not count.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant's message says it
pub enum Rejection {
    #[error("the signature is not valid base64")]
    Base64,
    #[error("none of the keys made it, or what it signs was changed")]
    OtherKey,
    #[error("the key made it, but what it signs is not understood")]
    Payload(#[source] Error),
    #[error("it is for the repository `{signed}`, not `{wanted}`")]
    Repository { signed: String, wanted: String },
    #[error("it is for the tag `{signed}`, not `{wanted}`")]
    Tag { signed: String, wanted: String },
    #[error("it is for the image {signed}, which this is not")]
    Digest { signed: Digest },
}

impl Candidate {
    /// Verifies that one of `keys` signed `subject`.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn verify(&self, keys: &[PublicKey], subject: &Subject<'_>) -> Result<Verified, Rejection> {
        let key = self.signer(keys)?;
        let payload = Payload::parse(&self.payload).map_err(Rejection::Payload)?;
        check(&payload, subject)?;
        Ok(Verified { key, payload })
    }

    /// Which of `keys` made it, whatever it is for.
    ///
    /// # Errors
    /// [`Rejection::Base64`], [`Rejection::OtherKey`].
    pub fn signer(&self, keys: &[PublicKey]) -> Result<usize, Rejection> {
        let text = Some(&self.signature).filter(|text| text.len() <= MAX_SIGNATURE_CHARS);
        let signature = text.and_then(|text| STANDARD.decode(text).ok());
        let signature = signature.ok_or(Rejection::Base64)?;
        let made = |key: &PublicKey| key.verifies(&self.payload, &signature);
        keys.iter().position(made).ok_or(Rejection::OtherKey)
    }
}

/// A tag counts where the user gave one and the signer too; by a digest, any tag of the repository does.
fn check(payload: &Payload, subject: &Subject<'_>) -> Result<(), Rejection> {
    let (identity, wanted) = (&payload.identity, subject.reference);
    if identity.name != wanted.name() {
        return Err(Rejection::Repository {
            signed: identity.name.clone(),
            wanted: wanted.name(),
        });
    }
    if let (Some(signed), Some(tag)) = (&identity.tag, wanted.tag())
        && signed != tag
    {
        return Err(Rejection::Tag {
            signed: signed.clone(),
            wanted: tag.to_owned(),
        });
    }
    let others = identity.digest.iter().chain([&payload.digest]);
    match others.into_iter().find(|d| !subject.digests.contains(d)) {
        Some(signed) => Err(Rejection::Digest {
            signed: signed.clone(),
        }),
        None => Ok(()),
    }
}

/// Signs `digest` under the name `reference`; `now` in seconds since 1970.
///
/// # Errors
/// No random numbers.
pub fn sign(
    key: &PrivateKey,
    reference: &Reference,
    digest: &Digest,
    now: i64,
) -> Result<Candidate, Error> {
    let payload = Payload::write(reference, digest, now)?;
    let signature = STANDARD.encode(key.sign(&payload)?);
    Ok(Candidate { payload, signature })
}

#[cfg(test)]
mod tests;
