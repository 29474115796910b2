//! `images`: one row a name, as Docker lists them.

use std::cmp::Reverse;

use berth_oci::{Digest, ImageConfig, Reference};
use jiff::Timestamp;

use super::find::{all, pinned};
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

impl Engine {
    /// All images, the newest first.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Containers`].
    pub fn images(&self) -> Result<Vec<Row>, Error> {
        let used = self.images_in_use()?;
        let mut rows = Vec::new();
        for found in all(&self.store)? {
            let id = found.image.id();
            let size_bytes = inspect::layer_sizes(&self.snapshots, &found.image)
                .iter()
                .sum();
            let containers = used.iter().filter(|(_, image)| image == id).count();
            for entry in &found.entries {
                rows.push(Row {
                    reference: entry.reference.clone(),
                    id: id.clone(),
                    digest: pinned(&entry.descriptor),
                    config: found.image.config.clone(),
                    size_bytes,
                    containers,
                });
            }
        }
        rows.sort_by_cached_key(|row| {
            let created = row.config.created.as_deref();
            Reverse(created.and_then(|time| time.parse::<Timestamp>().ok()))
        });
        Ok(rows)
    }
}
