//! `tag`: one more name for an image.

use berth_oci::Reference;

use super::Error;
use super::error::store;
use super::find::find;
use crate::Engine;

impl Engine {
    /// Gives the image that `source` means the name `target` too; an image that had it loses it.
    ///
    /// # Errors
    /// [`Error::NoImage`], [`Error::BadName`], [`Error::NameWithDigest`], [`Error::Store`].
    pub fn tag_image(&self, source: &str, target: &str) -> Result<Reference, Error> {
        let target = new_name(target)?;
        // Whoever removes the image meanwhile must not take the content with it.
        let lease = self.store.lease().map_err(store("hold the image"))?;
        let found = find(&self.store, source)?;
        let reference = Reference::parse(source).ok();
        let named = found
            .entries
            .iter()
            .find(|entry| entry.reference == reference);
        let descriptor = &named.unwrap_or(&found.entries[0]).descriptor;
        if !lease
            .add(&descriptor.digest)
            .map_err(store("hold the image"))?
        {
            return Err(Error::NoImage {
                text: source.to_owned(),
            });
        }
        self.store
            .tag(&target, descriptor)
            .map_err(store("name the image"))?;
        let id = found.image.id().to_string();
        self.record_image("tag", &id, &target.familiar());
        Ok(target)
    }
}

/// A name that an image can be given.
///
/// # Errors
/// [`Error::BadName`], [`Error::NameWithDigest`].
pub fn new_name(text: &str) -> Result<Reference, Error> {
    let name = Reference::parse(text).map_err(|source| Error::BadName { source })?;
    match name.digest() {
        Some(_) => Err(Error::NameWithDigest {
            text: text.to_owned(),
        }),
        None => Ok(name),
    }
}
