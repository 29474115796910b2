//! A name or id → an image that a container can be made of: found in the store, its layers unpacked.

use berth_oci::digest::Digest;
use berth_oci::platform::Platform;
use berth_oci::reference::Reference;
use berth_store::{Image, Lease};

use crate::create::ReadyImage;
use crate::unpack::{UnpackError, unpack_layers};
use crate::{Engine, Error};

/// Why an image cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadyError {
    /// The store.
    #[error(transparent)]
    Store(#[from] berth_store::Error),
    /// A layer.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
}

impl ReadyError {
    /// The sort of failure.
    pub fn kind(&self) -> berth_model::ErrorKind {
        match self {
            ReadyError::Store(source) => source.kind(),
            ReadyError::Unpack(source) => source.kind(),
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        match self {
            ReadyError::Store(source) => source.hint(),
            ReadyError::Unpack(source) => source.hint(),
        }
    }
}

impl Engine {
    /// The image that `text` means, with a lease that keeps it until the container is committed. `None`: the
    /// store has no such image.
    ///
    /// # Errors
    /// [`Error::Ambiguous`], [`Error::Image`].
    pub fn ready_image(
        &self,
        text: &str,
        platform: &Platform,
    ) -> Result<Option<(ReadyImage, Lease)>, Error> {
        let failed = |source: ReadyError| Error::Image {
            image: text.to_owned(),
            source: Box::new(source),
        };
        let lease = self.store.lease().map_err(|error| failed(error.into()))?;
        let Some(image) = self.look_up(text, platform)? else {
            return Ok(None);
        };
        self.hold(&image, &lease)
            .map_err(|error| failed(error.into()))?;
        let diff_ids = &image.config.rootfs.diff_ids;
        let layers: Vec<(&str, &Digest)> = image
            .manifest
            .layers
            .iter()
            .map(|layer| layer.media_type.as_str())
            .zip(diff_ids)
            .collect();
        let open = |at: usize| {
            let digest = &image.manifest.layers[at].digest;
            self.store.open_blob(digest).map_err(ReadyError::from)
        };
        let chain = unpack_layers(&self.snapshots, &self.unpack_options(), &layers, open)
            .map_err(failed)?;
        let ready = ReadyImage {
            reference: text.to_owned(),
            manifest: image.descriptor.digest.clone(),
            config_digest: image.id().clone(),
            config: image.config,
            chain,
        };
        Ok(Some((ready, lease)))
    }

    fn hold(&self, image: &Image, lease: &Lease) -> Result<(), berth_store::Error> {
        lease.add(&image.descriptor.digest)?;
        lease.add(image.id())?;
        for layer in &image.manifest.layers {
            lease.add(&layer.digest)?;
        }
        Ok(())
    }

    /// By name first, then by the beginning of an id.
    fn look_up(&self, text: &str, platform: &Platform) -> Result<Option<Image>, Error> {
        let failed = |source: berth_store::Error| Error::Image {
            image: text.to_owned(),
            source: Box::new(source.into()),
        };
        if let Ok(reference) = Reference::parse(text)
            && let Some(descriptor) = self.store.resolve(&reference).map_err(failed)?
        {
            return self.store.image(&descriptor, platform).map(Some).map_err(failed);
        }
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        if hex.is_empty() || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let mut found: Option<Image> = None;
        for entry in self.store.refs().map_err(failed)? {
            // One image that cannot be read must not hide the others.
            let Ok(image) = self.store.image(&entry.descriptor, platform) else {
                continue;
            };
            if !image.id().hex().starts_with(hex) {
                continue;
            }
            if found.as_ref().is_some_and(|other| other.id() != image.id()) {
                return Err(Error::Ambiguous {
                    name: text.to_owned(),
                });
            }
            found = Some(image);
        }
        Ok(found)
    }
}
