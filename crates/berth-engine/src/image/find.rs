//! Images by name or id, each with all of its names.

use berth_oci::image::annotation;
use berth_oci::{Descriptor, Digest, Reference};
use berth_store::{Entry, Image, Store};

use super::Error;
use super::error::store as store_error;

/// One image with all that leads to it.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its documents.
    pub image: Image,
    /// Its entries in the store's index, at least one.
    pub entries: Vec<Entry>,
}

impl Found {
    /// Its names.
    pub fn names(&self) -> Vec<&Reference> {
        self.entries
            .iter()
            .filter_map(|entry| entry.reference.as_ref())
            .collect()
    }

    /// The digests to pin, as `name@digest`.
    pub fn pins(&self) -> Vec<String> {
        let mut pins: Vec<String> = self
            .entries
            .iter()
            .filter_map(|entry| {
                let name = entry.reference.as_ref()?.familiar_name();
                Some(format!("{name}@{}", pinned(&entry.descriptor)))
            })
            .collect();
        pins.sort();
        pins.dedup();
        pins
    }
}

/// The digest that a user would pin: that of the index, if the image was pulled by one.
pub fn pinned(descriptor: &Descriptor) -> Digest {
    let origin = descriptor.annotations.get(annotation::ORIGIN_DIGEST);
    let origin = origin.and_then(|text| Digest::parse(text).ok());
    origin.unwrap_or_else(|| descriptor.digest.clone())
}

/// All images that can be read; entries with the same configuration are one image (Docker's id).
///
/// # Errors
/// The store's index cannot be read. Single images that cannot be are left out: `fsck` names them.
pub fn all(store: &Store) -> Result<Vec<Found>, Error> {
    let mut images: Vec<Found> = Vec::new();
    for entry in store.refs().map_err(store_error("list the images"))? {
        let Ok(image) = store.image_here(&entry.descriptor) else {
            continue;
        };
        match images
            .iter_mut()
            .find(|found| found.image.id() == image.id())
        {
            Some(found) => found.entries.push(entry),
            None => images.push(Found {
                image,
                entries: vec![entry],
            }),
        }
    }
    Ok(images)
}

/// The image that `text` means: a name first, then the beginning of an id.
///
/// # Errors
/// [`Error::NoImage`], [`Error::Ambiguous`], [`Error::Store`].
pub fn find(store: &Store, text: &str) -> Result<Found, Error> {
    let read = store_error("read the image");
    if let Ok(reference) = Reference::parse(text)
        && let Some(descriptor) = store.resolve(&reference).map_err(&read)?
    {
        let image = store.image_here(&descriptor).map_err(&read)?;
        let same = |found: &Found| found.image.id() == image.id();
        let found = all(store)?.into_iter().find(same);
        return found.ok_or_else(|| Error::NoImage {
            text: text.to_owned(),
        });
    }
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    if hex.is_empty() || !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(Error::NoImage {
            text: text.to_owned(),
        });
    }
    let begins = |found: &Found| {
        let manifest = |entry: &Entry| entry.descriptor.digest.to_string() == text;
        found.image.id().hex().starts_with(hex) || found.entries.iter().any(manifest)
    };
    let mut fitting = all(store)?.into_iter().filter(begins);
    match (fitting.next(), fitting.next()) {
        (Some(found), None) => Ok(found),
        (None, _) => Err(Error::NoImage {
            text: text.to_owned(),
        }),
        (Some(_), Some(_)) => Err(Error::Ambiguous {
            text: text.to_owned(),
        }),
    }
}
