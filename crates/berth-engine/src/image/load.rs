//! `load`: images from an archive, compressed or not, or from a directory.
//!
//! | form | known by | images | blobs |
//! |---|---|---|---|
//! | OCI layout | `oci-layout`, `index.json` | the index's | `blobs/ALGORITHM/HEX` |
//! | docker-archive, of any age | `manifest.json`, a list | the list's | where the list says |
//! | skopeo's `dir`, docker-dir | `manifest.json`, a manifest or index | one without a name | `HEX`, `HEX.manifest.json` |
//!
//! An archive is read once, so it may come through a pipe. Order: content into the store under a
//! lease → documents checked → layers unpacked (which checks their diff-ids) → names written. Before
//! that last step nothing is visible.

use std::io::Read;
use std::path::Path;

use berth_oci::{Descriptor, Digest, Platform, Reference};
use berth_snapshot::Snapshots;
use berth_store::Image;

use super::Error;
use super::archive::Contents;
use super::error::store;
use super::inspect::image_for;
use crate::Engine;
use crate::unpack::{layers_of, unpack_layers};

use images::Archive;

mod images;

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

/// Where images are loaded from.
pub enum LoadFrom<'a> {
    /// An archive, compressed or not.
    Archive(Box<dyn Read + Send + 'a>),
    /// A directory.
    Directory(&'a Path),
}

impl<'a> LoadFrom<'a> {
    /// An archive, compressed or not.
    pub fn archive(input: impl Read + Send + 'a) -> LoadFrom<'a> {
        LoadFrom::Archive(Box::new(input))
    }
}

impl Engine {
    /// Loads all images of an archive or directory; of those for several platforms, all that are in it, or this one's.
    ///
    /// # Errors
    /// [`Error`]; then no image of it is visible.
    pub fn load_images(
        &self,
        from: LoadFrom<'_>,
        platform: Option<&Platform>,
    ) -> Result<Vec<Loaded>, Error> {
        let lease = self.store.lease().map_err(store("hold the images"))?;
        let contents = match from {
            LoadFrom::Archive(input) => Contents::read(&lease, input)?,
            LoadFrom::Directory(path) => Contents::of_directory(path)?,
        };
        let archive = Archive {
            lease: &lease,
            contents: &contents,
            platform,
        };
        let found = archive.images()?;
        let loaded = found
            .into_iter()
            .map(|(descriptor, names)| self.unpack_new(descriptor, names, platform))
            .collect::<Result<Vec<_>, _>>()?;
        for image in &loaded {
            self.show(image)?;
            self.record_image_id("load", &image.id);
        }
        Ok(loaded)
    }

    /// Makes an image, whose content the store has, visible under these names.
    pub(crate) fn admit(
        &self,
        descriptor: Descriptor,
        names: Vec<Reference>,
    ) -> Result<Loaded, Error> {
        let loaded = self.unpack_new(descriptor, names, None)?;
        self.show(&loaded)?;
        for name in &loaded.names {
            self.record_image("tag", &loaded.id.to_string(), &name.familiar());
        }
        Ok(loaded)
    }

    /// Unpacks an image that is about to get these names.
    fn unpack_new(
        &self,
        descriptor: Descriptor,
        names: Vec<Reference>,
        platform: Option<&Platform>,
    ) -> Result<Loaded, Error> {
        let image = match platform {
            Some(platform) => image_for(&self.store, &descriptor, platform)?,
            None => {
                let image = self.store.image_here(&descriptor);
                image.map_err(store("read the image"))?
            }
        };
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
        self.unpack_image_into(&self.snapshots, image)
    }

    /// The same, into other snapshots than the engine's own.
    pub(crate) fn unpack_image_into(
        &self,
        snapshots: &Snapshots,
        image: &Image,
    ) -> Result<Vec<Digest>, Error> {
        let layers = layers_of(&image.manifest, &image.config);
        let blob = |at: usize| {
            let digest = &image.manifest.layers[at].digest;
            self.store.open_blob(digest).map_err(store("read a layer"))
        };
        unpack_layers(snapshots, &self.unpack_options(), &layers, &blob)
    }
}
