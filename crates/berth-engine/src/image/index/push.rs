//! `manifest push`: the images of an index, then the index.

use std::sync::Arc;

use berth_oci::image::{Document, Manifest, parse_document};
use berth_oci::{Descriptor, Digest, Reference, media};
use berth_registry::{Client, Config, PushOptions, runtime};
use berth_store::{Expected, Lease};

use super::{IndexCause, IndexError, Made};
use crate::Engine;
use crate::image::push::Stored;

impl Engine {
    /// Brings the index `list` to its registry, and of its images what is not there yet; `told` hears of each.
    ///
    /// # Errors
    /// [`IndexError`]. Then the name in the registry is as before.
    pub fn push_index(
        &self,
        config: Config,
        list: &Reference,
        told: &mut dyn FnMut(&Descriptor, bool),
    ) -> Result<Descriptor, IndexError> {
        let pushed = self.on_index("push", list, |lease| {
            let made = Made::read(&self.store, list)?.ok_or(IndexCause::NoList)?;
            let client = Client::new(config);
            runtime()?.block_on(async {
                let copy = Copy {
                    client: &client,
                    lease,
                    list,
                    made: &made,
                };
                for entry in &made.index.manifests {
                    let place = list.with_digest(entry.digest.clone());
                    let there = client.has_manifest(&place).await?;
                    if !there {
                        copy.image(entry, &place).await?;
                    }
                    told(entry, there);
                }
                let bytes = made.bytes();
                Ok(client.push_manifest(list, media::INDEX, &bytes).await?)
            })
        })?;
        self.clean_up(list)?;
        Ok(pushed)
    }
}

struct Copy<'a> {
    client: &'a Client,
    lease: &'a Lease,
    list: &'a Reference,
    made: &'a Made,
}

impl Copy<'_> {
    async fn image(&self, entry: &Descriptor, place: &Reference) -> Result<(), IndexCause> {
        let store = self.lease.store();
        self.lease.add(&entry.digest)?;
        let bytes = self.made.document(self.client, store, entry).await?;
        let document = parse_document(&bytes, Some(&entry.media_type));
        match document.map_err(|source| IndexCause::Document { source })? {
            Document::Index(_) => {
                return Err(IndexCause::Nested {
                    digest: entry.digest.clone(),
                });
            }
            Document::Manifest(manifest) => self.blobs(&manifest, &entry.digest).await?,
        }
        self.client
            .push_manifest(place, &entry.media_type, &bytes)
            .await?;
        Ok(())
    }

    async fn blobs(&self, manifest: &Manifest, image: &Digest) -> Result<(), IndexCause> {
        let source = self.made.source_of(image);
        // What may only be had elsewhere is not ours to pass on (security: T20).
        let layers = manifest.layers.iter();
        let layers = layers.filter(|layer| !media::is_foreign(&layer.media_type));
        for blob in layers.chain([&manifest.config]) {
            self.blob(blob, source.as_ref()).await?;
        }
        Ok(())
    }

    /// There already, mounted, from here, or, if there is no other way, through here.
    async fn blob(&self, blob: &Descriptor, from: Option<&Reference>) -> Result<(), IndexCause> {
        let same = from.filter(|from| from.domain() == self.list.domain());
        let options = PushOptions {
            mount_from: same.iter().map(|from| from.path().to_owned()).collect(),
            progress: None,
        };
        let source = Arc::new(Stored::of(self.lease.store(), &blob.digest));
        let push = || {
            let source = source.clone();
            self.client.push_blob(self.list, blob, source, &options)
        };
        let here = self.lease.add(&blob.digest)?;
        match (push().await, from) {
            (Ok(_), _) => Ok(()),
            // It was not needed until now.
            (Err(berth_registry::Error::ReadSource { .. }), Some(from)) if !here => {
                self.download(from, blob).await?;
                Ok(push().await.map(drop)?)
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    async fn download(&self, from: &Reference, blob: &Descriptor) -> Result<(), IndexCause> {
        let expected = Expected {
            digest: blob.digest.clone(),
            size: blob.size,
        };
        let mut ingest = self.lease.ingest(Some(expected))?;
        let mut stream = self.client.fetch_blob(from, blob, ingest.offset());
        while let Some(bytes) = stream.next().await? {
            ingest.append(&bytes)?;
        }
        ingest.commit()?;
        Ok(())
    }
}
