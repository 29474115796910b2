//! Image documents: descriptor, manifest, index, configuration; OCI's and Docker's alike.
//!
//! Parsing is strict where a lie could change what runs (security: T16–T19) and tolerant where
//! Docker's own images need it (`null` for an absent list). A document that was read is never
//! written again from these structs: its digest is that of its bytes.
//!
//! Source: OCI image-spec 1.1, descriptor.md, manifest.md, image-index.md, config.md.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Digest, Error, Platform, json, media};

mod config;

pub use config::{Empty, Healthcheck, History, ImageConfig, RootFs, RunConfig};

/// Bytes of a manifest or index.
pub const MAX_MANIFEST_BYTES: u64 = 4 << 20;
/// Bytes of an image configuration.
pub const MAX_CONFIG_BYTES: u64 = 8 << 20;
/// Layers of an image.
pub const MAX_LAYERS: usize = 512;
/// Entries of an index.
pub const MAX_MANIFESTS: usize = 4096;

/// The keys of annotations that berth itself sets or reads.
pub mod annotation {
    /// A reference, in the index of an image layout.
    pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
    /// containerd's full name of an image, in the index of an archive.
    pub const CONTAINERD_NAME: &str = "io.containerd.image.name";
    /// The digest that the reference had in its registry, if it was an index's: what the user would
    /// pin. Only in the store's own index.
    pub const ORIGIN_DIGEST: &str = "io.berth.origin.digest";
    /// When the image was made, RFC 3339.
    pub const CREATED: &str = "org.opencontainers.image.created";
    /// The manifest of the image that this one was made from.
    pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
}

/// Content by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the content is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// Where else it may be had; never followed (security: T20).
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "nullable"
    )]
    pub urls: Vec<String>,
    /// Free.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "nullable"
    )]
    pub annotations: BTreeMap<String, String>,
    /// What it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The type of an artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

impl Descriptor {
    /// A descriptor with nothing optional.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Descriptor {
        Descriptor {
            media_type: media_type.into(),
            digest,
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            platform: None,
            artifact_type: None,
        }
    }

    /// The descriptor of `content` itself.
    pub fn of(media_type: impl Into<String>, content: &[u8]) -> Descriptor {
        Descriptor::new(media_type, Digest::of(content), content.len() as u64)
    }
}

/// One image for one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// 2.
    pub schema_version: u64,
    /// Its own type; Docker's always have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The type of an artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// Lowest first.
    pub layers: Vec<Descriptor>,
    /// Free.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "nullable"
    )]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// An OCI manifest.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Manifest {
        Manifest {
            schema_version: 2,
            media_type: Some(media::MANIFEST.into()),
            artifact_type: None,
            config,
            layers,
            annotations: BTreeMap::new(),
        }
    }

    /// Checks that this is an image that can be run: types known, layers and diff ids paired.
    ///
    /// # Errors
    /// [`Error::UnsupportedMediaType`] (an artifact, a foreign layer), [`Error::LayerCount`].
    pub fn check_against(&self, config: &ImageConfig) -> Result<(), Error> {
        self.check_types()?;
        if self.layers.len() != config.rootfs.diff_ids.len() {
            return Err(Error::LayerCount {
                layers: self.layers.len(),
                diff_ids: config.rootfs.diff_ids.len(),
            });
        }
        Ok(())
    }

    /// Checks that the configuration and the layers are of types that can be run.
    ///
    /// # Errors
    /// [`Error::UnsupportedMediaType`].
    pub fn check_types(&self) -> Result<(), Error> {
        let unsupported = |what, d: &Descriptor| Error::UnsupportedMediaType {
            what,
            media_type: crate::digest::excerpt(&d.media_type),
        };
        if !media::is_config(&self.config.media_type) {
            return Err(unsupported("the image's configuration", &self.config));
        }
        match self
            .layers
            .iter()
            .find(|l| media::layer_compression(&l.media_type).is_none())
        {
            Some(layer) => Err(unsupported("a layer", layer)),
            None => Ok(()),
        }
    }
}

/// Images for several platforms; also the `index.json` of an image layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// 2.
    pub schema_version: u64,
    /// Its own type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The type of an artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The images.
    pub manifests: Vec<Descriptor>,
    /// Free.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "nullable"
    )]
    pub annotations: BTreeMap<String, String>,
}

impl Default for Index {
    fn default() -> Self {
        Index {
            schema_version: 2,
            media_type: Some(media::INDEX.into()),
            artifact_type: None,
            manifests: Vec::new(),
            annotations: BTreeMap::new(),
        }
    }
}

/// What a reference points at.
#[allow(clippy::large_enum_variant)] // one at a time, on the stack, for a moment
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// One image.
    Manifest(Manifest),
    /// Several.
    Index(Index),
}

/// Reads `null` as the default, as Go writes absent lists and maps.
pub(crate) fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    d: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(d)?.unwrap_or_default())
}

const DOCUMENT_KEYS: [&str; 8] = [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "subject",
    "annotations",
];
const CONFIG_KEYS: [&str; 11] = [
    "created",
    "author",
    "architecture",
    "os",
    "os.version",
    "os.features",
    "variant",
    "config",
    "rootfs",
    "history",
    "container_config",
];

/// The parts of a document that tell what it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    schema_version: Option<u64>,
    media_type: Option<String>,
    config: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    manifests: Option<serde::de::IgnoredAny>,
}

/// Reads a manifest or an index, whichever it is. `content_type` is what the transport (or the
/// descriptor that led here) said it is; parameters such as `; charset` are ignored.
///
/// # Errors
/// Whatever makes it not exactly one of both: see the variants of [`Error`].
pub fn parse_document(bytes: &[u8], content_type: Option<&str>) -> Result<Document, Error> {
    const WHAT: &str = "the image's manifest";
    check_size(WHAT, bytes, MAX_MANIFEST_BYTES)?;
    let shape: Shape = json::parse(WHAT, bytes, &DOCUMENT_KEYS)?;
    if shape.manifests.is_some() && (shape.layers.is_some() || shape.config.is_some()) {
        return Err(Error::Ambiguous);
    }
    match shape.schema_version {
        Some(2) => {}
        version => {
            let version = version.unwrap_or(0);
            return Err(Error::UnsupportedSchema {
                what: WHAT,
                version,
            });
        }
    }
    let is_index = match (&shape.manifests, &shape.config, &shape.layers) {
        (Some(_), _, _) => true,
        (None, Some(_), Some(_)) => false,
        _ => return Err(Error::NeitherManifestNorIndex),
    };
    check_media_type(is_index, shape.media_type.as_deref(), content_type)?;
    let error = |source| Error::ParseJson { what: WHAT, source };
    if is_index {
        let index: Index = serde_json::from_slice(bytes).map_err(error)?;
        check_count(
            "the index",
            "manifests",
            index.manifests.len(),
            MAX_MANIFESTS,
        )?;
        Ok(Document::Index(index))
    } else {
        let manifest: Manifest = serde_json::from_slice(bytes).map_err(error)?;
        check_count(WHAT, "layers", manifest.layers.len(), MAX_LAYERS)?;
        Ok(Document::Manifest(manifest))
    }
}

/// Reads a manifest; an index is an error.
///
/// # Errors
/// As [`parse_document`].
pub fn parse_manifest(bytes: &[u8], content_type: Option<&str>) -> Result<Manifest, Error> {
    match parse_document(bytes, content_type)? {
        Document::Manifest(manifest) => Ok(manifest),
        Document::Index(_) => Err(Error::MediaTypeMismatch {
            stated: "a manifest".into(),
            found: "an index".into(),
        }),
    }
}

/// Reads an index; a manifest is an error.
///
/// # Errors
/// As [`parse_document`].
pub fn parse_index(bytes: &[u8], content_type: Option<&str>) -> Result<Index, Error> {
    match parse_document(bytes, content_type)? {
        Document::Index(index) => Ok(index),
        Document::Manifest(_) => Err(Error::MediaTypeMismatch {
            stated: "an index".into(),
            found: "a manifest".into(),
        }),
    }
}

/// Reads an image's configuration.
///
/// # Errors
/// Too large, not strict JSON, or without what an image must have.
pub fn parse_config(bytes: &[u8]) -> Result<ImageConfig, Error> {
    const WHAT: &str = "the image's configuration";
    check_size(WHAT, bytes, MAX_CONFIG_BYTES)?;
    let config: ImageConfig = json::parse(WHAT, bytes, &CONFIG_KEYS)?;
    check_count(WHAT, "diff ids", config.rootfs.diff_ids.len(), MAX_LAYERS)?;
    if config.rootfs.kind != "layers" {
        return Err(Error::UnsupportedMediaType {
            what: "the root file system",
            media_type: crate::digest::excerpt(&config.rootfs.kind),
        });
    }
    Ok(config)
}

/// Reads any small JSON file of an image archive or layout (`manifest.json`, `oci-layout`) strictly.
///
/// # Errors
/// Too large (as a manifest), or not strict JSON.
pub fn parse_strict<T: serde::de::DeserializeOwned>(
    what: &'static str,
    bytes: &[u8],
) -> Result<T, Error> {
    check_size(what, bytes, MAX_MANIFEST_BYTES)?;
    json::parse(what, bytes, &[])
}

fn check_size(what: &'static str, bytes: &[u8], limit: u64) -> Result<(), Error> {
    match bytes.len() as u64 {
        size if size > limit => Err(Error::TooLarge { what, size, limit }),
        _ => Ok(()),
    }
}

fn check_count(
    what: &'static str,
    items: &'static str,
    count: usize,
    limit: usize,
) -> Result<(), Error> {
    if count > limit {
        Err(Error::TooMany {
            what,
            items,
            count,
            limit,
        })
    } else {
        Ok(())
    }
}

/// T17: what the document says it is, what the transport says, and what it is must agree.
fn check_media_type(
    is_index: bool,
    own: Option<&str>,
    content_type: Option<&str>,
) -> Result<(), Error> {
    let bare = |text: &str| {
        text.split(';')
            .next()
            .unwrap_or("")
            .trim()
            .to_ascii_lowercase()
    };
    let fits = |text: &str| {
        if is_index {
            media::is_index(text)
        } else {
            media::is_manifest(text)
        }
    };
    let mismatch = |stated: &str, found: &str| Error::MediaTypeMismatch {
        stated: crate::digest::excerpt(stated),
        found: crate::digest::excerpt(found),
    };
    let form = if is_index { "an index" } else { "a manifest" };
    if let Some(own) = own
        && !fits(own)
    {
        return Err(mismatch(own, form));
    }
    let Some(stated) = content_type.map(bare) else {
        return Ok(());
    };
    // Plain file servers know nothing better.
    if matches!(
        stated.as_str(),
        "" | "application/json" | "application/octet-stream" | "text/plain"
    ) {
        return Ok(());
    }
    if !fits(&stated) {
        return Err(mismatch(&stated, form));
    }
    match own {
        Some(own) if own != stated => Err(mismatch(&stated, own)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
