//! `image inspect` and `history`: all that is known of an image, as data; the faces shape it.

use berth_oci::{Digest, Platform, Reference};
use berth_snapshot::Snapshots;
use berth_store::Image;

use super::Error;
use super::error::store;
use super::find::find;
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
            let named = found
                .entries
                .iter()
                .find(|entry| reference.is_some() && entry.reference == reference);
            let descriptor = &named.unwrap_or(&found.entries[0]).descriptor;
            let image = self.store.image(descriptor, platform);
            found.image = image.map_err(store("read the image"))?;
            let known = found.image.config.platform();
            if known.distance_from(platform).is_none() {
                let (wanted, found) = (platform.to_string(), known.to_string());
                return Err(Error::OtherPlatform { wanted, found });
            }
        }
        Ok(Details {
            tags: found.names().iter().map(|name| name.familiar()).collect(),
            digests: found.pins(),
            layer_sizes: layer_sizes(&self.snapshots, &found.image),
            chain: found.image.chain_ids(),
            image: found.image,
        })
    }
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
