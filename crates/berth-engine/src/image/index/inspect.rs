//! `manifest inspect`: a document of a registry, or an index that is not pushed yet.

use berth_oci::image::{Document, parse_document};
use berth_oci::{Descriptor, Reference, media};
use berth_registry::{Client, Config, runtime};

use super::{IndexCause, IndexError, Made};
use crate::Engine;

/// A manifest or index, byte for byte.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// Its descriptor.
    pub descriptor: Descriptor,
    /// The document.
    pub bytes: Vec<u8>,
}

impl Engine {
    /// The document of `reference`: of an index made here, else of the registry.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn inspect_document(
        &self,
        config: Config,
        reference: &Reference,
    ) -> Result<Inspected, IndexError> {
        self.on_index("inspect", reference, |_| {
            if let Some(made) = self.made(reference) {
                let bytes = made.bytes();
                return Ok(Inspected {
                    descriptor: Descriptor::of(media::INDEX, &bytes),
                    bytes,
                });
            }
            let fetched = runtime()?.block_on(Client::new(config).fetch_manifest(reference))?;
            Ok(Inspected {
                descriptor: fetched.descriptor(),
                bytes: fetched.bytes,
            })
        })
    }

    /// The documents that an index names, each with its descriptor in it; a manifest alone if it is one.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn inspect_images(
        &self,
        config: Config,
        reference: &Reference,
    ) -> Result<Vec<Inspected>, IndexError> {
        let outer = self.inspect_document(config.clone(), reference)?;
        self.on_index("inspect", reference, |_| {
            let document = parse_document(&outer.bytes, Some(&outer.descriptor.media_type));
            let document = document.map_err(|source| IndexCause::Document { source })?;
            let Document::Index(index) = document else {
                return Ok(vec![outer]);
            };
            let made = self.made(reference);
            let (client, runtime) = (Client::new(config), runtime()?);
            let mut found = Vec::new();
            for descriptor in index.manifests {
                let bytes = match &made {
                    Some(made) => {
                        runtime.block_on(made.document(&client, &self.store, &descriptor))?
                    }
                    None => {
                        let place = reference.with_digest(descriptor.digest.clone());
                        runtime.block_on(client.fetch_manifest(&place))?.bytes
                    }
                };
                found.push(Inspected { descriptor, bytes });
            }
            Ok(found)
        })
    }

    /// The index of this name, if it was made here.
    fn made(&self, reference: &Reference) -> Option<Made> {
        Made::read(&self.store, reference).ok().flatten()
    }
}
