//! Verifying all that is stored (N14): each blob against its name, each image for completeness.

use std::path::PathBuf;

use berth_oci::{Digest, Platform, image};

use crate::{Error, Store};

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Blobs read.
    pub blobs: usize,
    /// Bytes read.
    pub bytes: u64,
    /// Blobs that are not what their names say.
    pub damaged: Vec<Digest>,
    /// Blobs that an image needs and that are not here.
    pub missing: Vec<Digest>,
    /// Files under `blobs/` that are no blobs.
    pub strange: Vec<PathBuf>,
}

impl VerifyReport {
    /// Nothing was found wrong.
    pub fn is_clean(&self) -> bool {
        self.damaged.is_empty() && self.missing.is_empty() && self.strange.is_empty()
    }
}

impl Store {
    /// Reads and checks everything; changes nothing, and holds nobody up: what goes meanwhile is not missed.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::ParseIndex`], [`Error::ReadBlob`].
    pub fn verify(&self) -> Result<VerifyReport, Error> {
        let all = self.all_blobs()?;
        let mut report = VerifyReport {
            strange: all.strange,
            ..VerifyReport::default()
        };
        for (digest, path) in all.known {
            match self.size(&digest)? {
                None if path.symlink_metadata().is_err() => {}
                None => report.strange.push(path),
                Some(size) => {
                    match self.verify_blob(&digest) {
                        Err(Error::MissingBlob { .. }) => continue,
                        Err(Error::CorruptBlob { .. }) => report.damaged.push(digest),
                        whole => whole?,
                    }
                    report.blobs += 1;
                    report.bytes += size;
                }
            }
        }
        let mut missing = Vec::new();
        for entry in self.refs()? {
            let before = report.missing.len();
            self.find_missing(&entry.descriptor, &mut report);
            missing.push((entry, report.missing.split_off(before)));
        }
        // Only what images lack that are still there.
        let entries = self.refs()?;
        missing.retain(|(entry, _)| entries.contains(entry));
        report.missing = missing.into_iter().flat_map(|(_, lost)| lost).collect();
        report.missing.sort();
        report.missing.dedup();
        Ok(report)
    }

    fn find_missing(&self, descriptor: &berth_oci::Descriptor, report: &mut VerifyReport) {
        let mut need = |digest: &Digest| {
            if !self.has(digest) {
                report.missing.push(digest.clone());
            }
        };
        need(&descriptor.digest);
        let Ok(image) = self.image(descriptor, &Platform::host()) else {
            // Damaged or missing documents are told above; an image of another platform is whole
            // as far as it is here.
            let bytes = self.read_blob(&descriptor.digest, image::MAX_MANIFEST_BYTES);
            if let Ok(manifest) = bytes.map_err(drop).and_then(|bytes| {
                image::parse_manifest(&bytes, Some(&descriptor.media_type)).map_err(drop)
            }) {
                need(&manifest.config.digest);
            }
            return;
        };
        need(&image.manifest.config.digest);
        for layer in &image.manifest.layers {
            need(&layer.digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tests::put_image;

    /// N14.
    #[test]
    fn one_flipped_byte_is_named_and_repaired_by_adding_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let lease = store.lease().unwrap();
        let image = put_image(&lease, "amd64", &[b"layer one", b"layer two"]);
        store
            .tag(&berth_oci::Reference::parse("x").unwrap(), &image)
            .unwrap();
        let report = store.verify().unwrap();
        assert!(report.is_clean());
        assert_eq!(report.blobs, 4);

        let layer = Digest::of(b"layer one");
        let path = store.blob_path(&layer);
        std::fs::write(&path, b"layer onE").unwrap();
        assert_eq!(
            store.verify().unwrap().damaged,
            std::slice::from_ref(&layer)
        );
        store.drop_damaged(&layer).unwrap();
        let report = store.verify().unwrap();
        assert!(!report.is_clean());
        assert_eq!(report.missing, std::slice::from_ref(&layer));
        put_image(&lease, "amd64", &[b"layer one"]);
        assert!(store.verify().unwrap().is_clean());

        std::fs::write(store.root().join("blobs/sha256/odd"), "").unwrap();
        assert_eq!(store.verify().unwrap().strange.len(), 1);
    }
}
