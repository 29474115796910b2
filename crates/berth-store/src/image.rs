//! From a reference's descriptor to the image for a platform: index → manifest → configuration.

use berth_oci::image::{self, MAX_CONFIG_BYTES, MAX_MANIFEST_BYTES};
use berth_oci::{Descriptor, Digest, Document, ImageConfig, Manifest, Platform};

use crate::{Error, Store};

/// Indexes in indexes (security: T19).
pub const MAX_NESTING: usize = 4;

/// One image for one platform, its documents read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Of the manifest.
    pub descriptor: Descriptor,
    /// The manifest.
    pub manifest: Manifest,
    /// The configuration.
    pub config: ImageConfig,
}

impl Image {
    /// Docker's image id: the digest of the configuration.
    pub fn id(&self) -> &Digest {
        &self.manifest.config.digest
    }

    /// Chain ids of the layers, lowest first.
    pub fn chain_ids(&self) -> Vec<Digest> {
        berth_oci::chain::chain_ids(&self.config.rootfs.diff_ids)
    }

    /// Bytes of configuration and layers as they are stored.
    pub fn size(&self) -> u64 {
        let layers = self.manifest.layers.iter().map(|layer| layer.size);
        layers.fold(self.manifest.config.size, u64::saturating_add)
    }
}

impl Store {
    /// The image that `descriptor` leads to, for `platform`. The documents are verified; the layers'
    /// content is not looked at.
    ///
    /// # Errors
    /// [`Error::MissingBlob`], [`Error::CorruptBlob`], [`Error::ParseDocument`] (also: nothing for
    /// this platform), [`Error::PlatformLie`].
    pub fn image(&self, descriptor: &Descriptor, platform: &Platform) -> Result<Image, Error> {
        let mut current = descriptor.clone();
        for _ in 0..=MAX_NESTING {
            match self.document(&current)? {
                Document::Manifest(manifest) => return self.image_of(current, manifest),
                Document::Index(index) => {
                    let found = index
                        .select(platform)
                        .map_err(|source| Error::ParseDocument {
                            digest: current.digest.clone(),
                            source,
                        })?;
                    current = found.clone();
                }
            }
        }
        Err(Error::NestedIndex {
            digest: descriptor.digest.clone(),
        })
    }

    /// The image that `descriptor` leads to: for the host if it is here, else the first that is
    /// (somebody pulled it for another platform).
    ///
    /// # Errors
    /// As [`Store::image`], for the host.
    pub fn image_here(&self, descriptor: &Descriptor) -> Result<Image, Error> {
        let error = match self.image(descriptor, &Platform::host()) {
            Ok(image) => return Ok(image),
            Err(error) => error,
        };
        let Ok(Document::Index(index)) = self.document(descriptor) else {
            return Err(error);
        };
        let here = index
            .manifests
            .iter()
            .filter(|entry| self.has(&entry.digest));
        let found = here
            .filter_map(|entry| self.image(entry, &Platform::host()).ok())
            .next();
        found.ok_or(error)
    }

    /// The manifest or index behind `descriptor`.
    ///
    /// # Errors
    /// As [`Store::image`].
    pub fn document(&self, descriptor: &Descriptor) -> Result<Document, Error> {
        let bytes = self.read_blob(&descriptor.digest, MAX_MANIFEST_BYTES)?;
        image::parse_document(&bytes, Some(&descriptor.media_type)).map_err(|source| {
            Error::ParseDocument {
                digest: descriptor.digest.clone(),
                source,
            }
        })
    }

    fn image_of(&self, descriptor: Descriptor, manifest: Manifest) -> Result<Image, Error> {
        let digest = &manifest.config.digest;
        let parse = |source| Error::ParseDocument {
            digest: digest.clone(),
            source,
        };
        manifest.check_types().map_err(parse)?;
        let bytes = self.read_blob(digest, MAX_CONFIG_BYTES)?;
        let config = image::parse_config(&bytes).map_err(parse)?;
        manifest.check_against(&config).map_err(parse)?;
        check_platform(&descriptor, &config)?;
        Ok(Image {
            descriptor,
            manifest,
            config,
        })
    }
}

/// T21: an index must not sell one processor's image as another's.
fn check_platform(descriptor: &Descriptor, config: &ImageConfig) -> Result<(), Error> {
    let Some(stated) = &descriptor.platform else {
        return Ok(());
    };
    let (stated, found) = (stated.clone().normalised(), config.platform().normalised());
    if (&stated.os, &stated.architecture) == (&found.os, &found.architecture) {
        return Ok(());
    }
    Err(Error::PlatformLie {
        digest: descriptor.digest.clone(),
        stated: stated.to_string(),
        found: found.to_string(),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Lease;
    use berth_oci::{Index, media};

    /// Puts an image with these layers (not compressed, their content is no tar) into the store.
    pub(crate) fn put_image(lease: &Lease, architecture: &str, layers: &[&[u8]]) -> Descriptor {
        let put = |content: &&[u8]| lease.put(media::LAYER_TAR, content).unwrap();
        let layers: Vec<Descriptor> = layers.iter().map(put).collect();
        let mut config = ImageConfig {
            os: "linux".into(),
            ..ImageConfig::default()
        };
        config.architecture = architecture.into();
        config.rootfs.diff_ids = layers.iter().map(|layer| layer.digest.clone()).collect();
        let config = lease
            .put(media::CONFIG, &serde_json::to_vec(&config).unwrap())
            .unwrap();
        let manifest = Manifest::new(config, layers);
        lease
            .put(media::MANIFEST, &serde_json::to_vec(&manifest).unwrap())
            .unwrap()
    }

    fn put_index(lease: &Lease, manifests: Vec<Descriptor>) -> Descriptor {
        let index = Index {
            manifests,
            ..Index::default()
        };
        lease
            .put(media::INDEX, &serde_json::to_vec(&index).unwrap())
            .unwrap()
    }

    fn for_platform(descriptor: &Descriptor, text: &str) -> Descriptor {
        Descriptor {
            platform: Some(Platform::parse(text).unwrap()),
            ..descriptor.clone()
        }
    }

    #[test]
    fn an_index_leads_to_the_platforms_image() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let lease = store.lease().unwrap();
        let amd = for_platform(&put_image(&lease, "amd64", &[b"a", b"b"]), "linux/amd64");
        let arm = for_platform(&put_image(&lease, "arm64", &[b"c"]), "linux/arm64");
        let index = put_index(&lease, vec![amd.clone(), arm.clone()]);
        let outer = put_index(&lease, vec![index]);
        let image = store
            .image(&outer, &Platform::parse("linux/arm64").unwrap())
            .unwrap();
        assert_eq!(image.descriptor, arm);
        let image = store.image(&outer, &Platform::parse("linux/amd64").unwrap());
        assert_eq!(
            store.image_here(&outer).unwrap().descriptor.platform,
            amd.platform
        );
        // The outer index says nothing of platforms, so its only entry is taken.
        assert_eq!(image.unwrap().chain_ids().len(), 2);
        let error = store
            .image(&outer, &Platform::parse("linux/s390x").unwrap())
            .unwrap_err();
        assert_eq!(error.kind(), berth_model::ErrorKind::NotFound);
    }

    /// T19, T21.
    #[test]
    fn deep_nesting_and_false_platforms_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let lease = store.lease().unwrap();
        let amd = put_image(&lease, "amd64", &[b"a"]);
        let lie = put_index(&lease, vec![for_platform(&amd, "linux/arm64")]);
        let arm = Platform::parse("linux/arm64").unwrap();
        assert!(matches!(
            store.image(&lie, &arm),
            Err(Error::PlatformLie { .. })
        ));
        let mut nested = amd;
        for _ in 0..MAX_NESTING {
            nested = put_index(&lease, vec![nested]);
        }
        assert!(store.image(&nested, &arm).is_ok());
        let nested = put_index(&lease, vec![nested]);
        assert!(matches!(
            store.image(&nested, &arm),
            Err(Error::NestedIndex { .. })
        ));
    }
}
