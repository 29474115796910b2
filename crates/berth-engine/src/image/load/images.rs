//! The images of an archive: which there are, and what they need brought into the store.

use std::io::Read as _;

use berth_layer::decompress::{Format, sniff};
use berth_oci::image::{self, MAX_CONFIG_BYTES, MAX_MANIFEST_BYTES, annotation};
use berth_oci::{Descriptor, Digest, Document, Manifest, Platform, Reference, media};
use berth_store::image::MAX_NESTING;
use berth_store::{Expected, Lease};

use super::super::Error;
use super::super::archive::{Contents, DockerImage};
use super::super::error::store;
use super::super::tag::new_name;

/// Images of one archive.
const MAX_IMAGES: usize = 1024;

/// The images' descriptors and names.
pub(super) type FoundImages = Vec<(Descriptor, Vec<Reference>)>;

/// What an archive is read by.
pub(super) struct Archive<'a> {
    pub lease: &'a Lease,
    pub contents: &'a Contents,
    /// Of an index, only the image for it.
    pub platform: Option<&'a Platform>,
}

impl Archive<'_> {
    /// Brings all images into the store.
    pub fn images(&self) -> Result<FoundImages, Error> {
        if self.contents.has("index.json")? && self.contents.has("oci-layout")? {
            return self.layout();
        }
        if !self.contents.has("manifest.json")? {
            return Err(Error::NoImageInArchive);
        }
        let bytes = self.bytes("manifest.json", MAX_MANIFEST_BYTES)?;
        match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => self.directory(&bytes),
            _ => self.docker(&bytes),
        }
    }

    fn bytes(&self, path: &str, max: u64) -> Result<Vec<u8>, Error> {
        self.contents.bytes(self.lease, path, max)
    }

    fn layout(&self) -> Result<FoundImages, Error> {
        let document = |source| Error::Document {
            what: "the archive's index.json",
            source,
        };
        let bytes = self.bytes("index.json", MAX_MANIFEST_BYTES)?;
        let index = image::parse_index(&bytes, None).map_err(document)?;
        check_count(index.manifests.len()).map_err(document)?;
        let mut found = FoundImages::new();
        for descriptor in index.manifests {
            self.bring(&descriptor, MAX_NESTING)?;
            let name = name_of(&descriptor);
            match found
                .iter_mut()
                .find(|(other, _)| other.digest == descriptor.digest)
            {
                Some((_, names)) => names.extend(name),
                None => found.push((descriptor, name.into_iter().collect())),
            }
        }
        Ok(found)
    }

    /// skopeo's `dir`: one manifest or index, beside its blobs.
    fn directory(&self, manifest: &[u8]) -> Result<FoundImages, Error> {
        let document = image::parse_document(manifest, None).map_err(|source| Error::Document {
            what: "the directory's manifest.json",
            source,
        })?;
        let media_type = match document {
            Document::Manifest(manifest) => manifest.media_type.unwrap_or(media::MANIFEST.into()),
            Document::Index(index) => index.media_type.unwrap_or(media::INDEX.into()),
        };
        let descriptor = self.put(&media_type, manifest)?;
        self.bring(&descriptor, MAX_NESTING)?;
        Ok(vec![(descriptor, Vec::new())])
    }

    /// Brings a document and all that it names.
    fn bring(&self, descriptor: &Descriptor, depth: usize) -> Result<(), Error> {
        self.need(descriptor)?;
        let read = store("read the archive's image");
        let document = self.lease.store().document(descriptor).map_err(&read)?;
        let index = match document {
            Document::Index(index) => index,
            Document::Manifest(manifest) => {
                self.need(&manifest.config)?;
                return manifest
                    .layers
                    .iter()
                    .try_for_each(|layer| self.need(layer));
            }
        };
        let digest = descriptor.digest.clone();
        if depth == 0 {
            return Err(read(berth_store::Error::NestedIndex { digest }));
        }
        if let Some(platform) = self.platform {
            let selected = index
                .select(platform)
                .map_err(|source| read(berth_store::Error::ParseDocument { digest, source }))?;
            return self.bring(selected, depth - 1);
        }
        // Archives often hold one platform's image only.
        for entry in &index.manifests {
            if self.contents.bring(self.lease, &expected(entry))? {
                self.bring(entry, depth - 1)?;
            }
        }
        Ok(())
    }

    /// From the archive, or in the store already.
    fn need(&self, descriptor: &Descriptor) -> Result<(), Error> {
        let wanted = expected(descriptor);
        let here = self.contents.bring(self.lease, &wanted)?
            || self
                .lease
                .add(&wanted.digest)
                .map_err(store("hold the image"))?;
        match here {
            true => Ok(()),
            false => Err(Error::Incomplete {
                what: descriptor.digest.to_string(),
            }),
        }
    }

    fn docker(&self, list: &[u8]) -> Result<FoundImages, Error> {
        let what = "the archive's manifest.json";
        let document = |source| Error::Document { what, source };
        let images: Vec<DockerImage> = image::parse_strict(what, list).map_err(document)?;
        check_count(images.len()).map_err(document)?;
        let mut found = FoundImages::new();
        for image in images {
            let names = image.repo_tags.iter().flatten().map(|text| new_name(text));
            let names = names.collect::<Result<Vec<_>, _>>()?;
            found.push((self.docker_image(&image)?, names));
        }
        Ok(found)
    }

    /// Makes an OCI manifest for an image that has none.
    fn docker_image(&self, image: &DockerImage) -> Result<Descriptor, Error> {
        let bytes = self.bytes(&image.config, MAX_CONFIG_BYTES)?;
        let document = |source| Error::Document {
            what: "the image's configuration",
            source,
        };
        let config = image::parse_config(&bytes).map_err(document)?;
        let paths = image.layers.as_deref().unwrap_or_default();
        let diff_ids = &config.rootfs.diff_ids;
        if paths.len() != diff_ids.len() {
            let (layers, diff_ids) = (paths.len(), diff_ids.len());
            return Err(document(berth_oci::Error::LayerCount { layers, diff_ids }));
        }
        let mut layers = Vec::new();
        for (path, diff_id) in paths.iter().zip(diff_ids) {
            layers.push(self.docker_layer(path, diff_id)?);
        }
        let manifest = Manifest::new(self.put(media::CONFIG, &bytes)?, layers);
        let bytes = serde_json::to_vec(&manifest).map_err(|source| Error::Encode { source })?;
        self.put(media::MANIFEST, &bytes)
    }

    fn put(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor, Error> {
        self.lease
            .put(media_type, bytes)
            .map_err(store("keep the image's documents"))
    }

    fn docker_layer(&self, path: &str, diff_id: &Digest) -> Result<Descriptor, Error> {
        let blob = self.contents.blob(self.lease, path)?;
        let mut first = Vec::new();
        let file = self
            .lease
            .store()
            .open_blob(&blob.digest)
            .map_err(store("read a layer"))?;
        file.take(8).read_to_end(&mut first).map_err(|source| {
            let digest = blob.digest.clone();
            store("read a layer")(berth_store::Error::ReadBlob { digest, source })
        })?;
        let compression = match sniff(&first).map_err(|source| Error::Archive { source })? {
            Format::None => media::Compression::None,
            Format::Gzip => media::Compression::Gzip,
            Format::Zstd => media::Compression::Zstd,
        };
        if compression == media::Compression::None && blob.digest != *diff_id {
            let (path, found) = (path.chars().take(200).collect(), blob.digest);
            return Err(Error::WrongLayer {
                path,
                expected: diff_id.clone(),
                found,
            });
        }
        Ok(Descriptor::new(
            media::layer_type(compression),
            blob.digest,
            blob.size,
        ))
    }
}

fn check_count(images: usize) -> Result<(), berth_oci::Error> {
    if images <= MAX_IMAGES {
        return Ok(());
    }
    Err(berth_oci::Error::TooMany {
        what: "the archive",
        items: "images",
        count: images,
        limit: MAX_IMAGES,
    })
}

/// containerd's annotation is a full name; the specification's may be one, or only a tag.
fn name_of(descriptor: &Descriptor) -> Option<Reference> {
    let get = |key: &str| descriptor.annotations.get(key);
    let text = get(annotation::CONTAINERD_NAME)
        .or_else(|| get(annotation::REF_NAME).filter(|name| name.contains(['/', ':'])))?;
    Reference::parse(text).ok()
}

fn expected(descriptor: &Descriptor) -> Expected {
    Expected {
        digest: descriptor.digest.clone(),
        size: descriptor.size,
    }
}
