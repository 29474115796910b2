//! `images`: each image with all of its names, or one row a name.

use std::cmp::Reverse;

use berth_oci::{Digest, ImageConfig, Reference};
use jiff::Timestamp;

use super::find::{Found, all, pinned};
use super::{Error, inspect};
use crate::Engine;

/// One name of an image; one without a name for an image that has none.
#[derive(Debug, Clone)]
pub struct Row {
    /// The name.
    pub reference: Option<Reference>,
    /// Digest of the configuration: Docker's image id.
    pub id: Digest,
    /// The digest that a user would pin.
    pub digest: Digest,
    /// The configuration.
    pub config: ImageConfig,
    /// Bytes, unpacked if they are unpacked.
    pub size_bytes: u64,
    /// Containers made from it.
    pub containers: usize,
}

/// An image with all of its names.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The image.
    pub found: Found,
    /// Chain-id and bytes of each layer, lowest first; unpacked, if they are unpacked.
    pub layers: Vec<(Digest, u64)>,
}

impl Listed {
    /// Bytes of all layers.
    pub fn size_bytes(&self) -> u64 {
        self.layers.iter().map(|(_, bytes)| bytes).sum()
    }

    /// When it was made, as it says itself.
    pub fn created(&self) -> Option<Timestamp> {
        created_at(&self.found.image.config)
    }
}

/// To compare: what is unknown was before all else.
fn created_at(config: &ImageConfig) -> Option<Timestamp> {
    config.created.as_deref()?.parse().ok()
}

impl Engine {
    /// All images, the newest first.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn list_images(&self) -> Result<Vec<Listed>, Error> {
        let mut listed: Vec<Listed> = all(&self.store)?
            .into_iter()
            .map(|found| {
                let sizes = inspect::layer_sizes(&self.snapshots, &found.image);
                Listed {
                    layers: found.image.chain_ids().into_iter().zip(sizes).collect(),
                    found,
                }
            })
            .collect();
        listed.sort_by_cached_key(|listed| Reverse(listed.created()));
        Ok(listed)
    }

    /// One row a name, the newest first.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Containers`].
    pub fn images(&self) -> Result<Vec<Row>, Error> {
        self.image_rows(&self.list_images()?)
    }

    /// One row a name of these images.
    ///
    /// # Errors
    /// [`Error::Containers`].
    pub fn image_rows(&self, images: &[Listed]) -> Result<Vec<Row>, Error> {
        let used = self.images_in_use()?;
        let mut rows = Vec::new();
        for listed in images {
            let id = listed.found.image.id();
            let containers = used.iter().filter(|(_, image)| image == id).count();
            for entry in &listed.found.entries {
                rows.push(Row {
                    reference: entry.reference.clone(),
                    id: id.clone(),
                    digest: pinned(&entry.descriptor),
                    config: listed.found.image.config.clone(),
                    size_bytes: listed.size_bytes(),
                    containers,
                });
            }
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A time is not its text: fractions and zones are written in many ways.
    #[test]
    fn times_are_compared_as_times() {
        let at = |time: Option<&str>| {
            created_at(&ImageConfig {
                created: time.map(str::to_owned),
                ..ImageConfig::default()
            })
        };
        assert!(at(Some("2024-01-01T00:00:00Z")) < at(Some("2024-01-01T00:00:00.5Z")));
        assert!(at(Some("2024-01-01T01:00:00+02:00")) < at(Some("2024-01-01T00:00:00Z")));
        assert!(at(None) < at(Some("1970-01-01T00:00:00Z")));
    }
}
