//! What an index names: images, attestations of them, and which of these are here.

use berth_model::ContainerId;
use berth_oci::{Descriptor, Digest, Document, Platform};
use berth_store::Store;
use berth_store::image::MAX_NESTING;

use super::find::Found;
use super::{Error, inspect};
use crate::Engine;
use crate::usage::of_containers;

/// BuildKit's words for a manifest beside an image. Source: BuildKit, docs/attestations/attestation-storage.md.
const KIND: &str = "vnd.docker.reference.type";
const ATTESTATION: &str = "attestation-manifest";
const SUBJECT: &str = "vnd.docker.reference.digest";

/// A manifest of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// As the index names it.
    pub descriptor: Descriptor,
    /// All that it names is here.
    pub available: bool,
    /// Bytes of what is here of manifest, configuration and layers.
    pub content_bytes: u64,
    /// What it is.
    pub kind: PartKind,
}

/// What a manifest is.
#[derive(Debug, Clone, PartialEq)]
pub enum PartKind {
    /// An image.
    Image {
        /// What it runs on.
        platform: Platform,
        /// Bytes of its layers that are unpacked.
        unpacked_bytes: u64,
        /// Containers made from it.
        containers: Vec<ContainerId>,
    },
    /// Statements about the manifest with this digest.
    Attestation(String),
    /// Something else, or not here to be known.
    Unknown,
}

impl Engine {
    /// The manifests of an image, in the order of its indexes; one that several names lead to once.
    ///
    /// # Errors
    /// [`Error::Containers`]. What cannot be read is not here.
    pub fn image_parts(&self, found: &Found) -> Result<Vec<Part>, Error> {
        let mut manifests: Vec<Descriptor> = Vec::new();
        for entry in &found.entries {
            collect(&self.store, &entry.descriptor, MAX_NESTING, &mut manifests);
        }
        let made = self.ids().map_err(of_containers)?.into_iter();
        // One that is being removed, or damaged, uses nothing.
        let made: Vec<(ContainerId, String)> = made
            .filter_map(|id| Some((id.clone(), self.config(&id).ok()?.image.manifest)))
            .collect();
        let users = |digest: &Digest| {
            let digest = digest.to_string();
            let of = made.iter().filter(|(_, manifest)| *manifest == digest);
            of.map(|(id, _)| id.clone()).collect()
        };
        Ok(manifests
            .into_iter()
            .map(|descriptor| self.part(descriptor, &users))
            .collect())
    }

    fn part(&self, descriptor: Descriptor, users: &dyn Fn(&Digest) -> Vec<ContainerId>) -> Part {
        let annotation = |key| descriptor.annotations.get(key).map(String::as_str);
        let attests = (annotation(KIND) == Some(ATTESTATION)).then(|| annotation(SUBJECT));
        let mut part = Part {
            available: false,
            content_bytes: 0,
            kind: match (attests, &descriptor.platform) {
                (Some(subject), _) => PartKind::Attestation(subject.unwrap_or_default().to_owned()),
                (None, Some(platform)) => PartKind::Image {
                    platform: platform.clone(),
                    unpacked_bytes: 0,
                    containers: Vec::new(),
                },
                (None, None) => PartKind::Unknown,
            },
            descriptor,
        };
        let Ok(Document::Manifest(manifest)) = self.store.document(&part.descriptor) else {
            return part;
        };
        let blobs = [&manifest.config].into_iter().chain(&manifest.layers);
        let here = blobs.clone().filter(|blob| self.store.has(&blob.digest));
        part.content_bytes = here.fold(part.descriptor.size, |sum, blob| {
            sum.saturating_add(blob.size)
        });
        part.available = blobs.clone().all(|blob| self.store.has(&blob.digest));
        let is_attestation = matches!(part.kind, PartKind::Attestation(_));
        if !is_attestation && let Ok(image) = self.store.image(&part.descriptor, &Platform::host())
        {
            let chain = image.chain_ids();
            let sizes = inspect::layer_sizes(&self.snapshots, &image);
            let sizes = chain.iter().zip(sizes);
            let unpacked = sizes.filter(|(chain, _)| self.snapshots.usage(chain).is_ok());
            part.kind = PartKind::Image {
                platform: image.config.platform(),
                unpacked_bytes: unpacked.map(|(_, bytes)| bytes).sum(),
                containers: users(&part.descriptor.digest),
            };
        }
        part
    }
}

/// Adds the manifests that a descriptor leads to.
fn collect(store: &Store, descriptor: &Descriptor, depth: usize, into: &mut Vec<Descriptor>) {
    match store.document(descriptor) {
        Ok(Document::Index(index)) if depth > 0 => {
            for entry in &index.manifests {
                collect(store, entry, depth - 1, into);
            }
        }
        _ if into.iter().any(|other| other.digest == descriptor.digest) => {}
        _ => into.push(descriptor.clone()),
    }
}
