//! Manifests to a registry, and what is there already; deletion.

use berth_oci::{Descriptor, Digest, Reference};
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};

use crate::Error;
use crate::client::{Ask, Client, Place};
use crate::content::Content;
use crate::limits::MAX_MANIFEST_BYTES;
use crate::manifest::{ACCEPT, path, text, verify};
use crate::referrers::Referrer;
use crate::token::Access;
use crate::transport::shown;
use crate::upload::confirm;

impl Client {
    /// Whether the registry itself has this blob in the repository of `reference`.
    ///
    /// # Errors
    /// Not allowed, not reachable.
    pub async fn has_blob(&self, reference: &Reference, digest: &Digest) -> Result<bool, Error> {
        self.has(reference, &format!("blobs/{digest}"), "*/*").await
    }

    /// The size of a blob in the repository of `reference`, from the first endpoint that has it.
    ///
    /// # Errors
    /// Not there, not allowed, not reachable; the answer has no length.
    pub async fn blob_size(&self, reference: &Reference, digest: &Digest) -> Result<u64, Error> {
        let rest = format!("blobs/{digest}");
        let name = format!("{}@{digest}", reference.familiar_name());
        let ask = Ask {
            method: Method::HEAD,
            ..Ask::get(&rest, &name)
        };
        let answer = self.ask(reference, &ask).await?;
        // HEAD has no body; its length is in the header only.
        let length = text(answer.response.headers(), CONTENT_LENGTH.as_str());
        length
            .and_then(|length| length.parse().ok())
            .ok_or_else(|| Error::NoLength {
                url: shown(&answer.url),
            })
    }

    /// Whether the registry itself has the manifest of `reference`; by its digest, if it has one.
    ///
    /// # Errors
    /// Not allowed, not reachable.
    pub async fn has_manifest(&self, reference: &Reference) -> Result<bool, Error> {
        self.has(reference, &path(reference), ACCEPT).await
    }

    async fn has(&self, reference: &Reference, rest: &str, accept: &str) -> Result<bool, Error> {
        let name = reference.familiar();
        let ask = Ask {
            method: Method::HEAD,
            accept,
            access: Access::Push,
            ..Ask::get(rest, &name)
        };
        match self.ask_registry(reference, &ask).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives the registry a manifest or index, byte for byte, under the tag of `reference`, or its digest if it has
    /// no tag. What it names must be there. One with a `subject` is listed among its referrers, by us if the
    /// registry does not.
    ///
    /// # Errors
    /// Too large; not what the digest of `reference` says; not allowed, not reachable, refused.
    pub async fn push_manifest(
        &self,
        reference: &Reference,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Descriptor, Error> {
        let name = reference.familiar();
        if bytes.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(Error::TooLarge {
                what: "the manifest",
                url: name,
                limit: MAX_MANIFEST_BYTES,
            });
        }
        let digest = match reference.digest() {
            Some(digest) => {
                verify(&format!("the manifest of `{name}`"), bytes, digest)?;
                digest.clone()
            }
            None => Digest::of(bytes),
        };
        let place = reference.without_digest();
        let rest = path(place.as_ref().unwrap_or(reference));
        let ask = Ask {
            method: Method::PUT,
            place: Place::Of(&rest),
            content: Content::Bytes(Bytes::copy_from_slice(bytes)),
            headers: &[(CONTENT_TYPE, media_type.to_owned())],
            access: Access::Push,
            ..Ask::get("", &name)
        };
        let answer = self.ask_registry(reference, &ask).await?;
        confirm(&answer, &digest, &name)?;
        let descriptor = Descriptor::new(media_type, digest, bytes.len() as u64);
        if let Some(referrer) = Referrer::read(bytes, &descriptor) {
            let listed = text(answer.response.headers(), "oci-subject");
            if listed != Some(referrer.subject.to_string().as_str()) {
                self.list_referrer(reference, referrer).await?;
            }
        }
        Ok(descriptor)
    }

    /// Deletes the tag of `reference`, or the manifest of its digest with all its tags.
    ///
    /// # Errors
    /// Not there, not allowed; the registry deletes nothing.
    pub async fn delete_manifest(&self, reference: &Reference) -> Result<(), Error> {
        self.delete(reference, &path(reference)).await
    }

    /// Deletes a blob.
    ///
    /// # Errors
    /// As [`Client::delete_manifest`].
    pub async fn delete_blob(&self, reference: &Reference, digest: &Digest) -> Result<(), Error> {
        self.delete(reference, &format!("blobs/{digest}")).await
    }

    async fn delete(&self, reference: &Reference, rest: &str) -> Result<(), Error> {
        let name = reference.familiar();
        let ask = Ask {
            method: Method::DELETE,
            access: Access::Delete,
            ..Ask::get(rest, &name)
        };
        self.ask_registry(reference, &ask).await.map(drop)
    }
}
