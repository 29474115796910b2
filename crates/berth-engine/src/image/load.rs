//! `load`: images from a docker-archive (of any age) or an OCI archive, compressed or not.
//!
//! The archive is read once, so it may come through a pipe. Order: content into the store under a
//! lease → documents checked → layers unpacked (which checks their diff-ids) → names written. Before
//! that last step nothing is visible.

use std::io::Read;

use berth_layer::decompress::{Format, sniff};
use berth_oci::image::{self, MAX_CONFIG_BYTES, MAX_MANIFEST_BYTES, annotation};
use berth_oci::{Descriptor, Digest, Document, Manifest, Reference, media};
use berth_store::{Expected, Image, Lease};

use super::Error;
use super::archive::{Contents, DockerImage};
use super::error::store;
use crate::Engine;
use crate::unpack::unpack_layers;

/// Images of one archive.
const MAX_IMAGES: usize = 1024;
/// Indexes in indexes.
const MAX_NESTING: usize = 4;

/// An image that is in the store now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Its names; none: it has only its id.
    pub names: Vec<Reference>,
    /// Docker's image id.
    pub id: Digest,
    /// Of its manifest or index.
    pub descriptor: Descriptor,
}

impl Engine {
    /// Loads all images of the archive that `input` yields.
    ///
    /// # Errors
    /// [`Error`]; then no image of it is visible.
    pub fn load_images(&self, input: impl Read + Send) -> Result<Vec<Loaded>, Error> {
        let lease = self.store.lease().map_err(store("hold the images"))?;
        let contents = Contents::read(&lease, input)?;
        let found = if contents.has("index.json") && contents.has("oci-layout") {
            from_layout(&lease, &contents)?
        } else if contents.has("manifest.json") {
            from_docker(&lease, &contents)?
        } else {
            return Err(Error::NoImageInArchive);
        };
        let loaded = found
            .into_iter()
            .map(|(descriptor, names)| self.unpack_new(descriptor, names))
            .collect::<Result<Vec<_>, _>>()?;
        for image in &loaded {
            self.show(image)?;
        }
        Ok(loaded)
    }

    /// Makes an image, whose content the store has, visible under these names.
    pub(crate) fn admit(
        &self,
        descriptor: Descriptor,
        names: Vec<Reference>,
    ) -> Result<Loaded, Error> {
        let loaded = self.unpack_new(descriptor, names)?;
        self.show(&loaded)?;
        Ok(loaded)
    }

    /// Unpacks an image that is about to get these names.
    fn unpack_new(&self, descriptor: Descriptor, names: Vec<Reference>) -> Result<Loaded, Error> {
        let image = self
            .store
            .image_here(&descriptor)
            .map_err(store("read the image"))?;
        self.unpack_image(&image)?;
        Ok(Loaded {
            names,
            id: image.id().clone(),
            descriptor,
        })
    }

    /// Writes the names of an image, or an entry without a name: the moment it becomes visible.
    fn show(&self, image: &Loaded) -> Result<(), Error> {
        let mut descriptor = image.descriptor.clone();
        // What the archive called it must not be mistaken for a name of ours.
        descriptor.annotations.clear();
        for name in &image.names {
            self.store
                .tag(name, &descriptor)
                .map_err(store("name the image"))?;
        }
        if image.names.is_empty() {
            self.store
                .keep_untagged(&descriptor)
                .map_err(store("keep the image"))?;
        }
        Ok(())
    }

    /// Unpacks the layers that are not yet.
    pub(crate) fn unpack_image(&self, image: &Image) -> Result<Vec<Digest>, Error> {
        let diff_ids = &image.config.rootfs.diff_ids;
        let types = image
            .manifest
            .layers
            .iter()
            .map(|layer| layer.media_type.as_str());
        let layers: Vec<(&str, &Digest)> = types.zip(diff_ids).collect();
        let blob = |at: usize| {
            let digest = &image.manifest.layers[at].digest;
            self.store.open_blob(digest).map_err(store("read a layer"))
        };
        unpack_layers(&self.snapshots, &self.unpack_options(), &layers, &blob)
    }
}

type FoundImages = Vec<(Descriptor, Vec<Reference>)>;

fn from_layout(lease: &Lease, contents: &Contents) -> Result<FoundImages, Error> {
    let document = |source| Error::Document {
        what: "the archive's index.json",
        source,
    };
    let bytes = contents.bytes(lease, "index.json", MAX_MANIFEST_BYTES)?;
    let index = image::parse_index(&bytes, None).map_err(document)?;
    check_count(index.manifests.len()).map_err(document)?;
    let mut found: FoundImages = Vec::new();
    for descriptor in index.manifests {
        bring_document(lease, contents, &descriptor, MAX_NESTING)?;
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

/// Brings a document and all that it names from the archive into the store.
fn bring_document(
    lease: &Lease,
    contents: &Contents,
    descriptor: &Descriptor,
    depth: usize,
) -> Result<(), Error> {
    need(lease, contents, descriptor)?;
    let read = store("read the archive's image");
    match lease.store().document(descriptor).map_err(&read)? {
        Document::Manifest(manifest) => {
            need(lease, contents, &manifest.config)?;
            manifest
                .layers
                .iter()
                .try_for_each(|layer| need(lease, contents, layer))
        }
        Document::Index(index) => {
            if depth == 0 {
                let digest = descriptor.digest.clone();
                return Err(read(berth_store::Error::NestedIndex { digest }));
            }
            // Archives often hold one platform's image only.
            for entry in &index.manifests {
                if contents.bring(lease, &expected(entry))? {
                    bring_document(lease, contents, entry, depth - 1)?;
                }
            }
            Ok(())
        }
    }
}

fn need(lease: &Lease, contents: &Contents, descriptor: &Descriptor) -> Result<(), Error> {
    let here = contents.bring(lease, &expected(descriptor))?
        || lease
            .add(&descriptor.digest)
            .map_err(store("hold the image"))?;
    if here {
        Ok(())
    } else {
        Err(Error::Incomplete {
            what: descriptor.digest.to_string(),
        })
    }
}

fn expected(descriptor: &Descriptor) -> Expected {
    Expected {
        digest: descriptor.digest.clone(),
        size: descriptor.size,
    }
}

fn from_docker(lease: &Lease, contents: &Contents) -> Result<FoundImages, Error> {
    let what = "the archive's manifest.json";
    let document = |source| Error::Document { what, source };
    let bytes = contents.bytes(lease, "manifest.json", MAX_MANIFEST_BYTES)?;
    let images: Vec<DockerImage> = image::parse_strict(what, &bytes).map_err(document)?;
    check_count(images.len()).map_err(document)?;
    let mut found = FoundImages::new();
    for image in images {
        let names = image
            .repo_tags
            .iter()
            .flatten()
            .map(|text| super::tag::new_name(text));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        found.push((docker_image(lease, contents, &image)?, names));
    }
    Ok(found)
}

/// Makes an OCI manifest for an image that has none.
fn docker_image(
    lease: &Lease,
    contents: &Contents,
    image: &DockerImage,
) -> Result<Descriptor, Error> {
    let bytes = contents.bytes(lease, &image.config, MAX_CONFIG_BYTES)?;
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
        layers.push(docker_layer(lease, contents, path, diff_id)?);
    }
    let put = |media_type: &str, bytes: &[u8]| {
        lease
            .put(media_type, bytes)
            .map_err(store("keep the image's documents"))
    };
    let manifest = Manifest::new(put(media::CONFIG, &bytes)?, layers);
    let bytes = serde_json::to_vec(&manifest).map_err(|source| Error::Encode { source })?;
    put(media::MANIFEST, &bytes)
}

fn docker_layer(
    lease: &Lease,
    contents: &Contents,
    path: &str,
    diff_id: &Digest,
) -> Result<Descriptor, Error> {
    let blob = contents.blob(lease, path)?;
    let mut first = Vec::new();
    let file = lease
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
