//! `image inspect` and `history`: all that is known of an image, as data; the faces shape it.

use berth_oci::Digest;
use berth_snapshot::Snapshots;
use berth_store::Image;

use super::Error;
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
        let found = find(&self.store, text)?;
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
