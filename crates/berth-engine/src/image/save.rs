//! `save`: images as an archive or as a directory. The same images give the same bytes.
//!
//! | format | what is in it |
//! |---|---|
//! | both | an OCI layout and a docker-archive over the same blobs, as Docker writes it since version 25 |
//! | docker-archive | `manifest.json`, configurations and layers |
//! | oci-archive, oci-dir | `oci-layout`, `index.json` and blobs |
//!
//! Blobs are copied by the kernel, and hashed by a thread beside it: an archive with a damaged one never gets its end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;

use berth_layer::tar::{Entry, Kind, Writer};
use berth_oci::image::annotation;
use berth_oci::{Descriptor, Digest, Document, Index, Platform, Reference};
use berth_store::image::MAX_NESTING;
use berth_store::{Image, Lease, Store};
use serde::Serialize;

use super::Error;
use super::archive::{DockerImage, blob_path};
use super::error::store;
use super::find::find;
use super::inspect::{entry_called, image_for};
use crate::Engine;

mod directory;

/// Bytes written at once, of all but blobs.
const BUFFER_BYTES: usize = 64 << 10;
/// `oci-layout`.
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// What is written of an archive beside its blobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SaveFormat {
    /// All of it.
    #[default]
    Both,
    /// Docker's.
    Docker,
    /// The image specification's.
    Oci,
}

/// One image to save.
struct Saved {
    image: Image,
    names: Vec<Reference>,
    /// What the layout's index names: an index if all of its images are here, else the image's manifest.
    top: Descriptor,
    blobs: Vec<Descriptor>,
}

/// All of them, with what keeps their content.
struct Plan {
    lease: Lease,
    images: Vec<Saved>,
}

impl Engine {
    /// Writes the images that `names` mean to `output`; one that is meant by its id is saved without a name.
    ///
    /// # Errors
    /// [`Error::NoImage`], [`Error::Store`], [`Error::WriteArchive`].
    pub fn save_images(
        &self,
        names: &[String],
        platform: Option<&Platform>,
        format: SaveFormat,
        output: File,
    ) -> Result<(), Error> {
        let plan = self.plan(names, platform, format != SaveFormat::Docker)?;
        plan.write_archive(format, output)?;
        self.record_saved(&plan);
        Ok(())
    }

    fn record_saved(&self, plan: &Plan) {
        for image in &plan.images {
            self.record_image_id("save", image.image.id());
        }
    }

    fn plan(
        &self,
        names: &[String],
        platform: Option<&Platform>,
        indexes: bool,
    ) -> Result<Plan, Error> {
        let lease = self.store.lease().map_err(store("hold the images"))?;
        let mut images: Vec<Saved> = Vec::new();
        for text in names {
            let (saved, name) = self.saved(&lease, text, platform, indexes)?;
            match images
                .iter_mut()
                .find(|other| other.top.digest == saved.top.digest)
            {
                Some(Saved { names, .. }) => names.extend(name.filter(|n| !names.contains(n))),
                None => images.push(Saved {
                    names: name.into_iter().collect(),
                    ..saved
                }),
            }
        }
        Ok(Plan { lease, images })
    }

    fn saved(
        &self,
        lease: &Lease,
        text: &str,
        platform: Option<&Platform>,
        indexes: bool,
    ) -> Result<(Saved, Option<Reference>), Error> {
        let found = find(&self.store, text)?;
        let reference = Reference::parse(text).ok();
        let named = entry_called(&found.entries, reference.as_ref());
        let descriptor = &named.unwrap_or(&found.entries[0]).descriptor;
        let image = match platform {
            Some(platform) => image_for(&self.store, descriptor, platform)?,
            None => found.image,
        };
        let index = match indexes && platform.is_none() {
            true => whole_index(&self.store, descriptor, MAX_NESTING),
            false => None,
        };
        let (top, blobs) = match index {
            Some(blobs) => (descriptor.clone(), blobs),
            None => (image.descriptor.clone(), blobs_of(&image)),
        };
        lease.add(&top.digest).map_err(store("hold the images"))?;
        let top = Descriptor {
            annotations: BTreeMap::new(),
            platform: (top.digest == image.descriptor.digest).then(|| image.config.platform()),
            ..top
        };
        let name = reference.filter(|name| name.tag().is_some() && named.is_some());
        let name = name.and_then(|name| name.without_digest());
        let saved = Saved {
            image,
            names: Vec::new(),
            top,
            blobs,
        };
        Ok((saved, name))
    }
}

fn blobs_of(image: &Image) -> Vec<Descriptor> {
    let documents = [&image.descriptor, &image.manifest.config];
    let all = documents.into_iter().chain(&image.manifest.layers);
    all.cloned().collect()
}

/// All that an index names, if all of it is here.
fn whole_index(store: &Store, descriptor: &Descriptor, depth: usize) -> Option<Vec<Descriptor>> {
    let Document::Index(index) = store.document(descriptor).ok()? else {
        return None;
    };
    let mut blobs = vec![descriptor.clone()];
    for entry in &index.manifests {
        match store.document(entry).ok()? {
            Document::Index(_) if depth == 0 => return None,
            Document::Index(_) => blobs.extend(whole_index(store, entry, depth - 1)?),
            Document::Manifest(manifest) => {
                blobs.extend([entry.clone(), manifest.config]);
                blobs.extend(manifest.layers);
            }
        }
    }
    blobs
        .iter()
        .all(|blob| store.has(&blob.digest))
        .then_some(blobs)
}

impl Plan {
    /// Each blob once, in order.
    fn blobs(&self) -> BTreeMap<&Digest, u64> {
        let all = self.images.iter().flat_map(|saved| &saved.blobs);
        all.map(|blob| (&blob.digest, blob.size)).collect()
    }

    fn write_archive(&self, format: SaveFormat, output: File) -> Result<(), Error> {
        let failed = |source| Error::WriteArchive { source };
        let mut writer = Writer::new(BufWriter::with_capacity(BUFFER_BYTES, output));
        self.beside_a_check(|| {
            let mut directory = None;
            directory_of(&mut writer, "blobs")?;
            for (digest, size) in self.blobs() {
                let algorithm = digest.algorithm();
                if directory.replace(algorithm) != Some(algorithm) {
                    directory_of(&mut writer, &format!("blobs/{}", algorithm.as_str()))?;
                }
                let entry = Entry {
                    size,
                    ..Entry::new(blob_path(digest), Kind::File)
                };
                let file = self.open(digest)?;
                writer.append_file(&entry, &file).map_err(failed)?;
            }
            Ok(())
        })?;
        let mut documents = vec![];
        if format != SaveFormat::Docker {
            documents.push(("index.json", encode(&self.index())?));
        }
        if format != SaveFormat::Oci {
            documents.push(("manifest.json", encode(&self.docker_manifest())?));
        }
        if format != SaveFormat::Docker {
            documents.push(("oci-layout", LAYOUT.to_vec()));
        }
        for (name, bytes) in documents {
            let entry = Entry {
                size: bytes.len() as u64,
                ..Entry::new(name, Kind::File)
            };
            writer.append(&entry, &mut &bytes[..]).map_err(failed)?;
        }
        writer.finish().map(drop).map_err(failed)
    }

    fn open(&self, digest: &Digest) -> Result<File, Error> {
        let opened = self.lease.store().open_blob(digest);
        opened.map_err(store("read an image"))
    }

    /// Runs `copy` while a thread compares each blob with its digest.
    fn beside_a_check(&self, copy: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        std::thread::scope(|scope| {
            let check = scope.spawn(|| self.check());
            let copied = copy();
            // A panic is a bug; an archive that was not checked is not written.
            let checked = check.join().unwrap_or(Err(Error::NotChecked));
            checked.and(copied)
        })
    }

    fn check(&self) -> Result<(), Error> {
        let blobs = self.blobs();
        blobs.into_keys().try_for_each(|digest| {
            let verified = self.lease.store().verify_blob(digest);
            verified.map_err(store("read an image"))
        })
    }

    fn index(&self) -> Index {
        let mut index = Index::default();
        for saved in &self.images {
            if saved.names.is_empty() {
                index.manifests.push(saved.top.clone());
            }
            for name in &saved.names {
                let mut named = saved.top.clone();
                for key in [annotation::CONTAINERD_NAME, annotation::REF_NAME] {
                    named.annotations.insert(key.to_owned(), name.to_string());
                }
                index.manifests.push(named);
            }
        }
        index
    }

    fn docker_manifest(&self) -> Vec<DockerImage> {
        let of = |saved: &Saved| DockerImage {
            config: blob_path(saved.image.id()),
            repo_tags: Some(saved.names.iter().map(Reference::familiar).collect()),
            layers: Some(
                saved
                    .image
                    .manifest
                    .layers
                    .iter()
                    .map(|layer| blob_path(&layer.digest))
                    .collect(),
            ),
        };
        self.images.iter().map(of).collect()
    }
}

fn directory_of(writer: &mut Writer<BufWriter<File>>, path: &str) -> Result<(), Error> {
    let entry = Entry::new(path, Kind::Dir);
    writer
        .append(&entry, &mut std::io::empty())
        .map_err(|source| Error::WriteArchive { source })
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|source| Error::Encode { source })
}
