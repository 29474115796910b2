//! Manifests, indexes and configurations: small documents that are checked before they are believed.

use berth_oci::image::{Document, parse_document};
use berth_oci::{Descriptor, Digest, Manifest, Platform, Reference, media};
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};

use crate::Error;
use crate::client::{Ask, Client};
use crate::endpoint;
use crate::error::printable;
use crate::limits::{MAX_CONFIG_BYTES, MAX_MANIFEST_BYTES};
use crate::transport::Answer;

/// A manifest or index as it came, with the digest that it really has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What the registry, or else the document, says it is.
    pub media_type: String,
    /// Of `bytes`.
    pub digest: Digest,
}

impl Fetched {
    /// A descriptor of it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(
            &self.media_type,
            self.digest.clone(),
            self.bytes.len() as u64,
        )
    }
}

/// An image for one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedImage {
    /// The index that the reference names, if it is one.
    pub index: Option<Fetched>,
    /// The manifest for the platform.
    pub manifest: Fetched,
    /// The same, understood.
    pub parsed: Manifest,
}

/// Without it some registries find nothing.
pub(crate) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";

impl Client {
    /// What `reference` is now: digest, media type and size, without fetching it where the registry allows.
    ///
    /// # Errors
    /// Not there, not allowed, not reachable.
    pub async fn resolve(&self, reference: &Reference) -> Result<Descriptor, Error> {
        let (rest, name) = (path(reference), reference.familiar());
        let answer = self
            .ask(reference, &ask(Method::HEAD, &rest, &name))
            .await?;
        let headers = answer.response.headers();
        // HEAD has no body; its length is in the header only.
        let size = text(headers, CONTENT_LENGTH.as_str()).and_then(|t| t.parse().ok());
        let digest = stated_digest(headers);
        let media_type = text(headers, CONTENT_TYPE.as_str()).map(bare);
        if let (Some(size), Some(digest), Some(media_type)) = (size, digest, media_type)
            && (media::is_index(&media_type) || media::is_manifest(&media_type))
            && reference.digest().is_none_or(|wanted| *wanted == digest)
        {
            return Ok(Descriptor::new(media_type, digest, size));
        }
        Ok(self.fetch_manifest(reference).await?.descriptor())
    }

    /// The manifest or index of `reference`; by its digest, if it has one.
    ///
    /// # Errors
    /// As [`Client::resolve`]; too large; other content than its digest says; schema 1.
    pub async fn fetch_manifest(&self, reference: &Reference) -> Result<Fetched, Error> {
        let (rest, name) = (path(reference), reference.familiar());
        let ask = ask(Method::GET, &rest, &name);
        let endpoints = self.endpoints(reference)?;
        let mut last = None;
        for endpoint in endpoint::trusted(&endpoints) {
            let answer = match self.ask_patiently(endpoint, &ask).await {
                Ok(answer) => answer,
                Err(error) => {
                    last = Some(error);
                    continue;
                }
            };
            match self.receive(answer, reference, &name).await {
                Ok(fetched) => return Ok(fetched),
                Err(error) => {
                    self.pass_over(endpoint, &error);
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or(Error::Blocked {
            registry: reference.domain().to_owned(),
        }))
    }

    /// The image of `reference` for `platform`: the best of an index, or the only one that there is.
    ///
    /// # Errors
    /// As [`Client::fetch_manifest`]; nothing for the platform; an index in an index; an artifact.
    pub async fn fetch_image(
        &self,
        reference: &Reference,
        platform: &Platform,
    ) -> Result<FetchedImage, Error> {
        let bad = |source| Error::Document {
            reference: reference.familiar(),
            source,
        };
        let first = self.fetch_manifest(reference).await?;
        let parse = |f: &Fetched| parse_document(&f.bytes, Some(&f.media_type)).map_err(bad);
        let (index, manifest, parsed) = match parse(&first)? {
            Document::Manifest(parsed) => (None, first, parsed),
            Document::Index(index) => {
                let chosen = index.select(platform).map_err(bad)?;
                let by_digest = reference.with_digest(chosen.digest.clone());
                let manifest = self.fetch_manifest(&by_digest).await?;
                let parsed =
                    berth_oci::image::parse_manifest(&manifest.bytes, Some(&manifest.media_type));
                (Some(first), manifest, parsed.map_err(bad)?)
            }
        };
        if !media::is_config(&parsed.config.media_type) {
            let own = parsed.artifact_type.as_deref().filter(|t| !t.is_empty());
            return Err(Error::Artifact {
                reference: reference.familiar(),
                artifact_type: printable(own.unwrap_or(&parsed.config.media_type)),
            });
        }
        parsed.check_types().map_err(bad)?;
        Ok(FetchedImage {
            index,
            manifest,
            parsed,
        })
    }

    /// A small blob, whole and verified: an image's configuration.
    ///
    /// # Errors
    /// As [`Client::fetch_blob`]; too large; other content than its digest says.
    pub async fn fetch_config(
        &self,
        reference: &Reference,
        descriptor: &Descriptor,
    ) -> Result<Vec<u8>, Error> {
        if descriptor.size > MAX_CONFIG_BYTES {
            return Err(Error::TooLarge {
                what: "the image's configuration",
                url: reference.familiar(),
                limit: MAX_CONFIG_BYTES,
            });
        }
        let what = format!("the configuration of `{}`", reference.familiar());
        loop {
            let mut stream = self.fetch_blob(reference, descriptor, 0);
            let mut bytes = Vec::new();
            while let Some(chunk) = stream.next().await? {
                bytes.extend_from_slice(&chunk);
            }
            match verify(&what, &bytes, &descriptor.digest) {
                Ok(()) => return Ok(bytes),
                Err(_) if self.blame(reference, &descriptor.digest)? => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn receive(
        &self,
        answer: Answer,
        reference: &Reference,
        name: &str,
    ) -> Result<Fetched, Error> {
        let headers = answer.response.headers();
        let stated = stated_digest(headers);
        let content_type = text(headers, CONTENT_TYPE.as_str()).map(bare);
        let content_type = content_type.unwrap_or_default();
        let bytes = self
            .transport()
            .body(answer, "the manifest", MAX_MANIFEST_BYTES)
            .await?;
        if content_type.starts_with("application/vnd.docker.distribution.manifest.v1+") {
            return Err(Error::SchemaOne {
                reference: name.to_owned(),
            });
        }
        let what = format!("the manifest of `{name}`");
        let digest = match reference.digest() {
            Some(wanted) => {
                verify(&what, &bytes, wanted)?;
                wanted.clone()
            }
            None => {
                // The tag's digest as the registry states it is a check of the transfer.
                let stated = stated.filter(|d| d.algorithm() == berth_oci::Algorithm::Sha256);
                stated.map_or(Ok(()), |stated| verify(&what, &bytes, &stated))?;
                Digest::of(&bytes)
            }
        };
        let bad = |source| Error::Document {
            reference: name.to_owned(),
            source,
        };
        let document = parse_document(&bytes, Some(&content_type)).map_err(bad)?;
        Ok(Fetched {
            media_type: media_type(&document, &content_type),
            bytes,
            digest,
        })
    }
}

fn ask<'a>(method: Method, rest: &'a str, name: &'a str) -> Ask<'a> {
    Ask {
        method,
        accept: ACCEPT,
        ..Ask::get(rest, name)
    }
}

/// Where the manifest of `reference` is in its repository.
pub(crate) fn path(reference: &Reference) -> String {
    match (reference.digest(), reference.tag()) {
        (Some(digest), _) => format!("manifests/{digest}"),
        (None, tag) => format!("manifests/{}", tag.unwrap_or("latest")),
    }
}

/// What the document is: by its own word, the transport's, or its form.
fn media_type(document: &Document, content_type: &str) -> String {
    let (own, default) = match document {
        Document::Manifest(m) => (&m.media_type, media::MANIFEST),
        Document::Index(i) => (&i.media_type, media::INDEX),
    };
    let known = |t: &&str| media::is_manifest(t) || media::is_index(t);
    let stated = Some(content_type).filter(known);
    own.as_deref().or(stated).unwrap_or(default).to_owned()
}

/// The digest that the registry says something has.
pub(crate) fn stated_digest(headers: &HeaderMap) -> Option<Digest> {
    Digest::parse(text(headers, "docker-content-digest")?).ok()
}

pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A media type without its parameters.
fn bare(text: &str) -> String {
    let end = text.find(';').unwrap_or(text.len());
    printable(&text[..end]).to_ascii_lowercase()
}

pub(crate) fn verify(what: &str, bytes: &[u8], expected: &Digest) -> Result<(), Error> {
    if expected.verifies(bytes) {
        return Ok(());
    }
    Err(Error::DigestMismatch {
        what: what.to_owned(),
        expected: expected.clone(),
        actual: Digest::of(bytes),
    })
}
