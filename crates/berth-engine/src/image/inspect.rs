//! `image inspect` and `history`: all that is known of an image, as data; the faces shape it.

use berth_oci::image::{MAX_MANIFEST_BYTES, annotation, parse_document};
use berth_oci::{Descriptor, Digest, Document, Platform, Reference};
use berth_snapshot::Snapshots;
use berth_store::{Entry, Image, Store};

use super::find::find;
use super::{Error, store_error};
use crate::Engine;

/// All that is known of an image.
#[derive(Debug, Clone)]
pub struct Details {
    /// Its documents; `image.config.history` is what `history` shows.
    pub image: Image,
    /// Its names, `busybox:latest`.
    pub tags: Vec<String>,
    /// The digests to pin, `busybox@sha256:…`.
    pub digests: Vec<String>,
    /// Bytes of each layer, lowest first; unpacked if it is unpacked.
    pub layer_sizes: Vec<u64>,
    /// Chain ids, lowest first.
    pub chain: Vec<Digest>,
    /// The image that it was committed over, while that is here.
    pub parent: Option<Digest>,
}

impl Engine {
    /// What is known of the image that `text` names.
    ///
    /// # Errors
    /// [`Error::NoImage`], [`Error::Ambiguous`], [`Error::Store`].
    pub fn image_details(&self, text: &str) -> Result<Details, Error> {
        self.image_details_of(text, None)
    }

    /// As [`Engine::image_details`]; of an image for several platforms, the one for this.
    ///
    /// # Errors
    /// [`Error::OtherPlatform`], too.
    pub fn image_details_of(
        &self,
        text: &str,
        platform: Option<&Platform>,
    ) -> Result<Details, Error> {
        let mut found = find(&self.store, text)?;
        if let Some(platform) = platform {
            let reference = Reference::parse(text).ok();
            let named = entry_called(&found.entries, reference.as_ref());
            let descriptor = &named.unwrap_or(&found.entries[0]).descriptor;
            found.image = image_for(&self.store, descriptor, platform)?;
        }
        Ok(Details {
            tags: found.names().iter().map(|name| name.familiar()).collect(),
            digests: found.pins(),
            layer_sizes: layer_sizes(&self.snapshots, &found.image),
            chain: found.image.chain_ids(),
            parent: parent(&self.store, &found.image),
            image: found.image,
        })
    }
}

/// The id of the image that this one says it was made from; `None`: it says none, or that one is not here.
pub(super) fn parent(store: &Store, image: &Image) -> Option<Digest> {
    let base = image.manifest.annotations.get(annotation::BASE_DIGEST)?;
    let bytes = store
        .read_blob(&Digest::parse(base).ok()?, MAX_MANIFEST_BYTES)
        .ok()?;
    match parse_document(&bytes, None).ok()? {
        Document::Manifest(manifest) => Some(manifest.config.digest),
        Document::Index(_) => None,
    }
}

/// The one of an image's entries with just this name.
pub(super) fn entry_called<'a>(
    entries: &'a [Entry],
    name: Option<&Reference>,
) -> Option<&'a Entry> {
    let mut entries = entries.iter();
    entries.find(|entry| name.is_some() && entry.reference.as_ref() == name)
}

/// The image that `descriptor` leads to for this platform, and for no other.
pub(super) fn image_for(
    store: &Store,
    descriptor: &Descriptor,
    platform: &Platform,
) -> Result<Image, Error> {
    let image = store.image(descriptor, platform);
    let image = image.map_err(store_error("read the image"))?;
    let found = image.config.platform();
    if found.distance_from(platform).is_none() {
        let (wanted, found) = (platform.to_string(), found.to_string());
        return Err(Error::OtherPlatform { wanted, found });
    }
    Ok(image)
}

/// Bytes of each layer, lowest first: as unpacked, or as stored if it is not.
pub(crate) fn layer_sizes(snapshots: &Snapshots, image: &Image) -> Vec<u64> {
    let chain = image.chain_ids();
    let layers = chain.iter().zip(&image.manifest.layers);
    layers
        .map(|(chain, layer)| {
            snapshots
                .usage(chain)
                .map_or(layer.size, |(bytes, _)| bytes)
        })
        .collect()
}
