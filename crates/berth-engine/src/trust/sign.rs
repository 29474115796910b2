//! Signing what a registry has.
//!
//! The registry itself is asked, never a mirror: a mirror's word for what a tag means is not to be signed, nor its
//! copy of the signatures to be written over the registry's.

use std::collections::BTreeMap;
use std::sync::Arc;

use berth_oci::image::{Document, parse_document};
use berth_oci::{Descriptor, Digest, Manifest, Reference, media};
use berth_registry::{Bytes, Client, Config, Fetched, PushOptions, runtime};
use berth_trust::{ANNOTATION, Candidate, MAX_SIGNATURES, MEDIA_TYPE, PrivateKey, Subject, sign};

use super::error::Error;
use super::signatures::{Stored, place};
use crate::Engine;

impl Engine {
    /// Signs what `text` names in its registry, and with `recursive` each image of an index too; gives the digests.
    /// One that the key has signed under this name already is left as it is; others' signatures stay.
    ///
    /// # Errors
    /// It is not there, or another one than the image of this name here; the signature cannot be written.
    pub fn sign_image(
        &self,
        config: Config,
        text: &str,
        key: &PrivateKey,
        recursive: bool,
    ) -> Result<Vec<Digest>, Error> {
        let reference = Reference::parse(text).map_err(|source| Error::Name { source })?;
        let (runtime, client) = (runtime()?, Client::new(direct(config, &reference)));
        runtime.block_on(async {
            let top = client.fetch_manifest(&reference).await?;
            self.check_same(&reference, &top.digest)?;
            attach_all(&client, &reference, &top, key, recursive).await
        })
    }

    /// Signs what was just pushed as `reference`, and each image of an index: what the tag means by now does not count.
    ///
    /// # Errors
    /// It cannot be read back; the signature cannot be written.
    pub fn sign_pushed(
        &self,
        config: Config,
        reference: &Reference,
        pushed: &Digest,
        key: &PrivateKey,
    ) -> Result<Vec<Digest>, Error> {
        let (runtime, client) = (runtime()?, Client::new(direct(config, reference)));
        runtime.block_on(async {
            let pinned = reference.with_digest(pushed.clone());
            let top = client.fetch_manifest(&pinned).await?;
            attach_all(&client, reference, &top, key, true).await
        })
    }

    /// Somebody may have changed the tag since the caller pushed or looked at the image.
    fn check_same(&self, reference: &Reference, there: &Digest) -> Result<(), Error> {
        let here = self.store().resolve(reference);
        match here.map_err(|source| Error::Store { source })? {
            Some(here) if here.digest != *there => Err(Error::Differs {
                image: reference.familiar(),
                here: here.digest,
                there: there.clone(),
            }),
            _ => Ok(()),
        }
    }
}

/// The settings without mirrors for this registry.
fn direct(mut config: Config, reference: &Reference) -> Config {
    let mut registry = config.registries.get(reference.domain());
    registry.host = reference.domain().to_owned();
    registry.mirrors.clear();
    config.registries = config.registries.with(registry);
    config
}

/// Signs a manifest or index, and with `recursive` each image of an index; gives the digests.
async fn attach_all(
    client: &Client,
    reference: &Reference,
    top: &Fetched,
    key: &PrivateKey,
    recursive: bool,
) -> Result<Vec<Digest>, Error> {
    let mut digests = vec![top.digest.clone()];
    let document = parse_document(&top.bytes, Some(&top.media_type));
    if recursive && let Ok(Document::Index(index)) = document {
        let images = index.manifests.into_iter();
        let images = images.filter(|d| media::is_manifest(&d.media_type));
        digests.extend(images.map(|d| d.digest));
    }
    for digest in &digests {
        attach(client, reference, digest, key).await?;
    }
    Ok(digests)
}

/// Adds a signature to those of `digest`.
async fn attach(
    client: &Client,
    reference: &Reference,
    digest: &Digest,
    key: &PrivateKey,
) -> Result<(), Error> {
    let unsignable = || Error::NotSignable {
        of: digest.to_string(),
    };
    let place = place(reference, digest).ok_or_else(unsignable)?;
    let stored = Stored::find(client, reference, digest).await?;
    if is_signed(&stored, reference, digest, key).await? {
        return Ok(());
    }
    if stored.count() >= MAX_SIGNATURES {
        return Err(Error::TooMany {
            of: digest.to_string(),
            limit: MAX_SIGNATURES,
        });
    }
    let now = jiff::Timestamp::now().as_second();
    let Candidate { payload, signature } = sign(key, reference, digest, now)?;
    let mut layer = Descriptor::of(MEDIA_TYPE, &payload);
    layer.annotations = BTreeMap::from([(ANNOTATION.to_owned(), signature)]);
    let mut manifest = stored.manifest.unwrap_or_else(|| {
        let none = Descriptor::of(media::CONFIG, b"");
        Manifest::new(none, Vec::new())
    });
    manifest.media_type = Some(media::MANIFEST.into());
    manifest.layers.push(layer.clone());
    let config = config(&manifest.layers);
    manifest.config = Descriptor::of(media::CONFIG, &config);
    let bytes = serde_json::to_vec(&manifest).map_err(|source| Error::Encode { source })?;
    let write = |error| Error::Write {
        of: digest.to_string(),
        source: Box::new(error),
    };
    for (blob, bytes) in [(&layer, payload), (&manifest.config, config)] {
        let source = Arc::new(Bytes::from(bytes));
        let options = PushOptions::default();
        let pushed = client.push_blob(&place, blob, source, &options).await;
        pushed.map_err(write)?;
    }
    let pushed = client.push_manifest(&place, media::MANIFEST, &bytes).await;
    pushed.map(drop).map_err(write)
}

/// Whether the key has signed it under this very name.
async fn is_signed(
    stored: &Stored<'_>,
    reference: &Reference,
    digest: &Digest,
    key: &PrivateKey,
) -> Result<bool, Error> {
    let subject = Subject {
        reference,
        digests: std::slice::from_ref(digest),
    };
    let keys = [key.public()];
    for at in 0..stored.count() {
        let verified = stored.candidate(at).await?.verify(&keys, &subject);
        if verified.is_ok_and(|v| v.payload.identity.tag.as_deref() == reference.tag()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The configuration of an image of signatures: nothing but what the form of an image asks for.
fn config(layers: &[Descriptor]) -> Vec<u8> {
    let diff_ids: Vec<&Digest> = layers.iter().map(|layer| &layer.digest).collect();
    let config = serde_json::json!({
        "architecture": "",
        "os": "",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    config.to_string().into_bytes()
}
