//! Making layers: what is written here is hashed, gzip'ed and put into the store as it comes.
//!
//! gzip with a fixed level and an empty header: same bytes in, same blob out, as long as the
//! compressor is the same; the image's id does not depend on it, because the configuration names
//! the layer by its uncompressed digest.

use std::collections::BTreeMap;
use std::io::Write;

use berth_oci::{Descriptor, Digest, ImageConfig, Manifest, media};
use berth_store::{Ingest, Lease};
use flate2::{Compression, GzBuilder, write::GzEncoder};
use sha2::Digest as _;

use super::Error;
use super::error::store;

/// Fast; a higher level saves a tenth of the size for twice the time.
const LEVEL: u32 = 3;

/// A layer in the making. What is written is an archive.
pub(crate) struct LayerWriter<'l> {
    gzip: GzEncoder<Ingest<'l>>,
    hash: sha2::Sha256,
}

/// A layer that was made.
pub(crate) struct MadeLayer {
    pub(crate) descriptor: Descriptor,
    pub(crate) diff_id: Digest,
}

impl<'l> LayerWriter<'l> {
    pub(crate) fn new(lease: &'l Lease) -> Result<LayerWriter<'l>, Error> {
        let ingest = lease.ingest(None).map_err(store("keep the layer"))?;
        // 255: unknown system; no name, no time.
        let builder = GzBuilder::new().mtime(0).operating_system(255);
        Ok(LayerWriter {
            gzip: builder.write(ingest, Compression::new(LEVEL)),
            hash: sha2::Sha256::new(),
        })
    }

    pub(crate) fn finish(self) -> Result<MadeLayer, Error> {
        let diff_id = self.diff_id();
        let ingest = self
            .gzip
            .finish()
            .map_err(|source| Error::WriteLayer { source })?;
        let blob = ingest.commit().map_err(store("keep the layer"))?;
        Ok(MadeLayer {
            descriptor: Descriptor::new(media::LAYER_GZIP, blob.digest, blob.size),
            diff_id,
        })
    }

    /// As [`LayerWriter::finish`]. `None`: it is an archive of nothing, two empty blocks, and nothing is kept.
    pub(crate) fn finish_unless_empty(self) -> Result<Option<MadeLayer>, Error> {
        if self.diff_id() == Digest::of(&[0; 1024]) {
            return Ok(None);
        }
        self.finish().map(Some)
    }

    fn diff_id(&self) -> Digest {
        Digest::sha256(self.hash.clone().finalize().into())
    }
}

impl Write for LayerWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.gzip.write_all(bytes)?;
        self.hash.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Makes an image of one layer; `config` lacks only the layer.
pub(crate) fn one_layer_image(
    lease: &Lease,
    layer: MadeLayer,
    mut config: ImageConfig,
) -> Result<Descriptor, Error> {
    config.rootfs.diff_ids = vec![layer.diff_id];
    put_image(lease, config, vec![layer.descriptor], BTreeMap::new())
}

/// Puts the documents of an image into the store.
pub(crate) fn put_image(
    lease: &Lease,
    config: ImageConfig,
    layers: Vec<Descriptor>,
    annotations: BTreeMap<String, String>,
) -> Result<Descriptor, Error> {
    let put = |media_type: &str, bytes: Result<Vec<u8>, serde_json::Error>| {
        let bytes = bytes.map_err(|source| Error::Encode { source })?;
        lease
            .put(media_type, &bytes)
            .map_err(store("keep the image's documents"))
    };
    let config = put(media::CONFIG, serde_json::to_vec(&config))?;
    let manifest = Manifest {
        annotations,
        ..Manifest::new(config, layers)
    };
    put(media::MANIFEST, serde_json::to_vec(&manifest))
}
