//! `save`: images as one tar that is an OCI layout and a docker-archive at once, as Docker writes it
//! since version 25. The same images give the same bytes.

use std::collections::BTreeMap;
use std::io::Write;

use berth_layer::tar::{Entry, Kind, Writer};
use berth_oci::image::annotation;
use berth_oci::{Descriptor, Digest, Index, Reference};
use berth_store::{Image, Lease};
use serde::Serialize;

use super::Error;
use super::archive::{DockerImage, blob_path};
use super::error::store;
use super::find::find;
use crate::Engine;

impl Engine {
    /// Writes the images that `names` mean to `output`; one that is meant by its id is saved without
    /// a name.
    ///
    /// # Errors
    /// [`Error::NoImage`], [`Error::Store`], [`Error::WriteArchive`].
    pub fn save_images<W: Write>(&self, names: &[String], output: W) -> Result<W, Error> {
        let lease = self.store.lease().map_err(store("hold the images"))?;
        let mut images: Vec<(Image, Vec<Reference>)> = Vec::new();
        for text in names {
            let image = find(&self.store, text)?.image;
            let name = Reference::parse(text).ok().filter(|name| {
                name.tag().is_some() && matches!(self.store.resolve(name), Ok(Some(_)))
            });
            let name = name.and_then(|name| name.without_digest());
            match images
                .iter_mut()
                .find(|(other, _)| other.id() == image.id())
            {
                Some((_, names)) => names.extend(name.filter(|name| !names.contains(name))),
                None => {
                    lease
                        .add(&image.descriptor.digest)
                        .map_err(store("hold the images"))?;
                    images.push((image, name.into_iter().collect()));
                }
            }
        }
        write_archive(&lease, &images, output)
    }
}

fn write_archive<W: Write>(
    lease: &Lease,
    images: &[(Image, Vec<Reference>)],
    output: W,
) -> Result<W, Error> {
    let failed = |source| Error::WriteArchive { source };
    let mut blobs: BTreeMap<&Digest, u64> = BTreeMap::new();
    for (image, _) in images {
        let documents = [&image.descriptor, &image.manifest.config];
        for descriptor in documents.into_iter().chain(&image.manifest.layers) {
            blobs.insert(&descriptor.digest, descriptor.size);
        }
    }
    let mut writer = Writer::new(output);
    let mut directory = None;
    directory_of(&mut writer, "blobs")?;
    for (digest, size) in blobs {
        let algorithm = digest.algorithm();
        if directory.replace(algorithm) != Some(algorithm) {
            directory_of(&mut writer, &format!("blobs/{}", algorithm.as_str()))?;
        }
        let mut reader = lease
            .store()
            .reader(digest)
            .map_err(store("read an image"))?;
        let entry = Entry {
            size,
            ..Entry::new(blob_path(digest), Kind::File)
        };
        writer.append(&entry, &mut reader).map_err(failed)?;
        // The last read is the one that compares the digest.
        let rest = std::io::copy(&mut reader, &mut std::io::sink());
        rest.map_err(|source| Error::Store {
            action: "read an image",
            source: berth_store::Error::ReadBlob {
                digest: digest.clone(),
                source,
            },
        })?;
    }
    for (name, bytes) in [
        ("index.json", encode(&index(images))?),
        ("manifest.json", encode(&docker_manifest(images))?),
        ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
    ] {
        let entry = Entry {
            size: bytes.len() as u64,
            ..Entry::new(name, Kind::File)
        };
        writer.append(&entry, &mut &bytes[..]).map_err(failed)?;
    }
    writer.finish().map_err(failed)
}

fn directory_of<W: Write>(writer: &mut Writer<W>, path: &str) -> Result<(), Error> {
    let entry = Entry::new(path, Kind::Dir);
    writer
        .append(&entry, &mut std::io::empty())
        .map_err(|source| Error::WriteArchive { source })
}

fn index(images: &[(Image, Vec<Reference>)]) -> Index {
    let mut index = Index::default();
    for (image, names) in images {
        let plain = Descriptor {
            annotations: BTreeMap::new(),
            platform: Some(image.config.platform()),
            ..image.descriptor.clone()
        };
        if names.is_empty() {
            index.manifests.push(plain.clone());
        }
        for name in names {
            let mut named = plain.clone();
            for key in [annotation::CONTAINERD_NAME, annotation::REF_NAME] {
                named.annotations.insert(key.to_owned(), name.to_string());
            }
            index.manifests.push(named);
        }
    }
    index
}

fn docker_manifest(images: &[(Image, Vec<Reference>)]) -> Vec<DockerImage> {
    let of = |(image, names): &(Image, Vec<Reference>)| DockerImage {
        config: blob_path(image.id()),
        repo_tags: Some(names.iter().map(Reference::familiar).collect()),
        layers: Some(
            image
                .manifest
                .layers
                .iter()
                .map(|layer| blob_path(&layer.digest))
                .collect(),
        ),
    };
    images.iter().map(of).collect()
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|source| Error::Encode { source })
}
