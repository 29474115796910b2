//! What a push has to bring to the registry, found in the store alone.

use std::collections::HashMap;

use berth_oci::image::{MAX_MANIFEST_BYTES, parse_document};
use berth_oci::{Descriptor, Digest, Document, Manifest, Platform, Reference, media};
use berth_store::Store;

use super::PushCause;

/// Indexes in indexes.
const MAX_NESTING: usize = 4;
/// Repositories that are asked for a layer: each that has it not costs a request.
const MAX_KNOWN_IN: usize = 2;

/// What is pushed.
#[derive(Default)]
pub(super) struct Plan {
    /// Children before the indexes that name them; the last one gets the name.
    pub(super) manifests: Vec<RawDocument>,
    /// Configurations and layers.
    pub(super) blobs: Vec<Blob>,
    /// The manifest and platform that take the place of an index which is not all here.
    pub(super) only: Option<(Digest, Platform)>,
    /// The first thing of it that is not here.
    missing: Option<Digest>,
}

/// A manifest or index, byte for byte.
pub(super) struct RawDocument {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    pub(super) bytes: Vec<u8>,
}

/// A blob that the registry needs.
#[derive(Clone)]
pub(super) struct Blob {
    pub(super) descriptor: Descriptor,
    pub(super) is_layer: bool,
    /// Other repositories of the registry that have it, as far as the store shows.
    pub(super) known_in: Vec<String>,
}

impl Plan {
    /// For the image that `named` is, or its part for `platform`.
    pub(super) fn of(
        store: &Store,
        reference: &Reference,
        named: &Descriptor,
        platform: Option<&Platform>,
    ) -> Result<Plan, PushCause> {
        let mut plan = Plan::default();
        match (store.document(named)?, platform) {
            (_, Some(platform)) => {
                let image = store.image(named, platform)?;
                check_platform(&image.config.platform(), platform)?;
                plan.add(store, &image.descriptor, 0)?;
            }
            (Document::Manifest(_), None) => plan.add(store, named, 0)?,
            (Document::Index(_), None) => {
                plan.add(store, named, 0)?;
                if plan.missing.is_some() {
                    let image = store.image_here(named)?;
                    plan = Plan::default();
                    plan.only = Some((image.descriptor.digest.clone(), image.config.platform()));
                    plan.add(store, &image.descriptor, 0)?;
                }
            }
        }
        if let Some(digest) = plan.missing {
            return Err(berth_store::Error::MissingBlob { digest }.into());
        }
        plan.find_known(store, reference)?;
        Ok(plan)
    }

    /// Adds a document and all that it names, whether it is here or not.
    fn add(
        &mut self,
        store: &Store,
        descriptor: &Descriptor,
        depth: usize,
    ) -> Result<(), PushCause> {
        let digest = &descriptor.digest;
        if depth > MAX_NESTING {
            let digest = digest.clone();
            return Err(berth_store::Error::NestedIndex { digest }.into());
        }
        if !store.has(digest) {
            self.missing.get_or_insert_with(|| digest.clone());
            return Ok(());
        }
        let bytes = store.read_blob(digest, MAX_MANIFEST_BYTES)?;
        let document = parse_document(&bytes, Some(&descriptor.media_type));
        match document.map_err(|source| berth_store::Error::ParseDocument {
            digest: digest.clone(),
            source,
        })? {
            Document::Manifest(manifest) => self.add_blobs(store, &manifest)?,
            Document::Index(index) => {
                for entry in &index.manifests {
                    self.add(store, entry, depth + 1)?;
                }
            }
        }
        self.manifests.push(RawDocument {
            digest: digest.clone(),
            media_type: descriptor.media_type.clone(),
            bytes,
        });
        Ok(())
    }

    fn add_blobs(&mut self, store: &Store, manifest: &Manifest) -> Result<(), PushCause> {
        // What may only be had elsewhere is not ours to pass on (security: T20).
        let layers = manifest.layers.iter();
        let layers = layers.filter(|layer| !media::is_foreign(&layer.media_type));
        let layers = layers.map(|layer| (layer, true));
        for (descriptor, is_layer) in layers.chain([(&manifest.config, false)]) {
            if store.size(&descriptor.digest)? != Some(descriptor.size) {
                self.missing
                    .get_or_insert_with(|| descriptor.digest.clone());
            }
            self.blobs.push(Blob {
                descriptor: descriptor.clone(),
                is_layer,
                known_in: Vec::new(),
            });
        }
        Ok(())
    }

    /// Finds other repositories of the same registry that have the layers: images pulled from or pushed to them
    /// have their names in the store. If one is not there after all, the layer is uploaded.
    fn find_known(&mut self, store: &Store, reference: &Reference) -> Result<(), PushCause> {
        let mut known: HashMap<Digest, Vec<String>> = HashMap::new();
        for entry in store.refs()? {
            let Some(name) = &entry.reference else {
                continue;
            };
            if name.domain() != reference.domain() || name.path() == reference.path() {
                continue;
            }
            let mut other = Plan::default();
            // One that cannot be read has nothing to offer.
            let _ = other.add(store, &entry.descriptor, 0);
            for blob in other.blobs {
                let paths = known.entry(blob.descriptor.digest).or_default();
                if paths.len() < MAX_KNOWN_IN && !paths.iter().any(|path| path == name.path()) {
                    paths.push(name.path().to_owned());
                }
            }
        }
        for blob in self.blobs.iter_mut().filter(|blob| blob.is_layer) {
            blob.known_in = known
                .get(&blob.descriptor.digest)
                .cloned()
                .unwrap_or_default();
        }
        Ok(())
    }
}

fn check_platform(found: &Platform, wanted: &Platform) -> Result<(), PushCause> {
    let (a, b) = (found.clone().normalised(), wanted.clone().normalised());
    if (&a.os, &a.architecture) == (&b.os, &b.architecture) {
        return Ok(());
    }
    Err(PushCause::Platform {
        wanted: wanted.to_string(),
        found: found.to_string(),
    })
}
