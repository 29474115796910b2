//! A name or id → an image that a container can be made of: found in the store, its layers unpacked.

use berth_model::ContainerConfig;
use berth_model::task::RootfsMount;
use berth_oci::digest::Digest;
use berth_oci::image::ImageConfig;
use berth_oci::platform::Platform;
use berth_oci::reference::Reference;
use berth_store::{Image, Lease};

use crate::start::chain;
use crate::unpack::{UnpackError, layers_of, unpack_layers};
use crate::{Engine, Error, image};

/// An image in the store, unpacked.
#[derive(Debug, Clone)]
pub struct ReadyImage {
    /// As the user wrote it.
    pub reference: String,
    /// Digest of the manifest.
    pub manifest: Digest,
    /// Digest of the configuration.
    pub config_digest: Digest,
    /// The configuration.
    pub config: ImageConfig,
    /// Chain ids of the layers, lowest first.
    pub chain: Vec<Digest>,
}

/// Why an image cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadyError {
    /// The store.
    #[error(transparent)]
    Store(#[from] berth_store::Error),
    /// Finding it.
    #[error(transparent)]
    Find(#[from] image::Error),
    /// A layer.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
}

impl ReadyError {
    /// The sort of failure.
    pub fn kind(&self) -> berth_model::ErrorKind {
        match self {
            ReadyError::Store(source) => source.kind(),
            ReadyError::Find(source) => source.kind(),
            ReadyError::Unpack(source) => source.kind(),
        }
    }

    /// What the user can do, when known.
    pub fn hint(&self) -> Option<String> {
        match self {
            ReadyError::Store(source) => source.hint(),
            ReadyError::Find(source) => source.hint(),
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
        // Removed, and collected, between the two: it is no longer there.
        if !self
            .hold(&image, &lease)
            .map_err(|error| failed(error.into()))?
        {
            return Ok(None);
        }
        let layers = layers_of(&image.manifest, &image.config);
        let open = |at: usize| {
            let digest = &image.manifest.layers[at].digest;
            self.store.open_blob(digest).map_err(ReadyError::from)
        };
        let chain = unpack_layers(&self.snapshots, &self.unpack_options(), &layers, &open)
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

    /// The root of a container's file system. Layers that no disk vouches for after a crash or a reboot are unpacked again
    /// from the image, if that is still there.
    pub(crate) fn root_of(&self, config: &ContainerConfig) -> Result<RootfsMount, Error> {
        let chain = chain(config)?;
        let directory = self.layout.container(&config.id);
        let mount = || self.snapshots.container_mount(&chain, &directory);
        let mounted = match mount() {
            Err(berth_snapshot::Error::Missing { .. })
                if self
                    .ready_image(&config.image.config, &Platform::host())?
                    .is_some() =>
            {
                mount()
            }
            mounted => mounted,
        };
        mounted.map_err(Error::Snapshot)
    }

    /// Has the disk vouch for all layers that are unpacked: it waits until all is written that anybody wrote.
    ///
    /// # Errors
    /// [`Error::Snapshot`].
    pub fn settle_layers(&self) -> Result<(), Error> {
        self.snapshots.settle().map_err(Error::Snapshot)
    }

    /// Keeps the image and notes that it is used. Whether its documents are here; a layer that is missing or damaged
    /// does no harm while it is unpacked.
    fn hold(&self, image: &Image, lease: &Lease) -> Result<bool, berth_store::Error> {
        let documents = lease.add(&image.descriptor.digest)? && lease.add(image.id())?;
        for layer in &image.manifest.layers {
            lease.add(&layer.digest)?;
        }
        self.store.touch(&image.descriptor.digest)?;
        Ok(documents)
    }

    /// By name first, without a look at other images; then by the beginning of an id.
    fn look_up(&self, text: &str, platform: &Platform) -> Result<Option<Image>, Error> {
        let failed = |source: ReadyError| Error::Image {
            image: text.to_owned(),
            source: Box::new(source),
        };
        let store = |error: berth_store::Error| failed(error.into());
        if let Ok(reference) = Reference::parse(text)
            && let Some(descriptor) = self.store.resolve(&reference).map_err(store)?
        {
            return self
                .store
                .image(&descriptor, platform)
                .map(Some)
                .map_err(store);
        }
        match image::find(&self.store, text) {
            Ok(found) => Ok(Some(found.image)),
            Err(image::Error::NoImage { .. }) => Ok(None),
            Err(error) => Err(failed(error.into())),
        }
    }
}
