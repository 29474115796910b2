//! `manifest`: an index made by hand, of images for several platforms.
//!
//! Until it is pushed it is a name in the store like any other, whose entry says by the annotation
//! `io.berth.manifest.sources` which of its images are in registries only, and where: `{"sha256:…": "name:tag"}`.
//! Those are not downloaded to make it; a push copies what its registry lacks, by a mount where it can.

use std::collections::BTreeMap;

use berth_oci::image::{Document, MAX_MANIFEST_BYTES, parse_config, parse_document, parse_index};
use berth_oci::{Descriptor, Digest, Index, Platform, Reference, media};
use berth_registry::{Client, Config, runtime};
use berth_store::{Lease, Store};

use super::find::find;
use crate::Engine;

mod error;
mod inspect;
mod push;

pub use error::{IndexCause, IndexError};
pub use inspect::Inspected;

/// Where the images are that are not here; only in the store's own index.
const SOURCES: &str = "io.berth.manifest.sources";

/// What `annotate` sets; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct Annotate {
    /// The operating system.
    pub os: Option<String>,
    /// The processor.
    pub architecture: Option<String>,
    /// Its variant.
    pub variant: Option<String>,
    /// The version of the operating system.
    pub os_version: Option<String>,
    /// What it needs of the operating system.
    pub os_features: Vec<String>,
    /// Of the image's descriptor.
    pub annotations: Vec<(String, String)>,
}

/// An index of ours.
#[derive(Default)]
struct Made {
    index: Index,
    /// By digest of an image that is not here.
    sources: BTreeMap<String, String>,
    /// What has the name now.
    before: Option<Descriptor>,
}

impl Engine {
    /// Makes the index `list` of `images`, which are here or in registries; with `amend`, adds them to it.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn create_index(
        &self,
        config: Config,
        list: &Reference,
        images: &[String],
        amend: bool,
    ) -> Result<(), IndexError> {
        self.on_index("create", list, |lease| {
            let mut made = match Made::read(&self.store, list)? {
                Some(_) if !amend => return Err(IndexCause::Exists),
                Some(made) => made,
                None => Made::default(),
            };
            let client = Client::new(config);
            let runtime = runtime()?;
            for text in images {
                match find(&self.store, text) {
                    Ok(found) => made.add(
                        Descriptor {
                            platform: Some(found.image.config.platform()),
                            annotations: BTreeMap::new(),
                            ..found.image.descriptor
                        },
                        None,
                    ),
                    Err(_) => runtime.block_on(made.add_remote(&client, text))?,
                }
            }
            made.write(lease, list)
        })?;
        self.clean_up(list)
    }

    /// Says of an image in the index `list` what it runs on, and more.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn annotate_index(
        &self,
        list: &Reference,
        image: &str,
        change: &Annotate,
    ) -> Result<(), IndexError> {
        self.on_index("annotate", list, |lease| {
            let mut made = Made::read(&self.store, list)?.ok_or(IndexCause::NoList)?;
            let digest = made.digest_of(&self.store, image)?;
            let entry = made.entry(&digest).ok_or_else(|| IndexCause::NotInList {
                image: image.to_owned(),
            })?;
            change.apply(entry);
            made.write(lease, list)
        })?;
        self.clean_up(list)
    }

    /// Forgets the index `list`; the images in it stay.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn remove_index(&self, list: &Reference) -> Result<(), IndexError> {
        self.on_index("remove", list, |_| {
            Made::read(&self.store, list)?.ok_or(IndexCause::NoList)?;
            self.store.untag(list)?;
            Ok(())
        })?;
        self.clean_up(list)
    }

    /// Removes what nothing needs any more: the index as it was, layers that only passed here.
    fn clean_up(&self, list: &Reference) -> Result<(), IndexError> {
        let collected = self.collect_garbage(false);
        collected.map(drop).map_err(|source| IndexError {
            action: "clean up after",
            list: list.familiar(),
            source: IndexCause::CleanUp {
                source: Box::new(source),
            },
        })
    }

    fn on_index<T>(
        &self,
        action: &'static str,
        list: &Reference,
        work: impl FnOnce(&Lease) -> Result<T, IndexCause>,
    ) -> Result<T, IndexError> {
        let done = self.store.lease().map_err(IndexCause::from);
        done.and_then(|lease| work(&lease))
            .map_err(|source| IndexError {
                action,
                list: list.familiar(),
                source,
            })
    }
}

impl Made {
    /// The index that `list` names; `None`: nothing has that name.
    fn read(store: &Store, list: &Reference) -> Result<Option<Made>, IndexCause> {
        if list.digest().is_some() {
            return Err(IndexCause::ByDigest);
        }
        let Some(before) = store.resolve(list)? else {
            return Ok(None);
        };
        let text = before.annotations.get(SOURCES);
        let text = text.ok_or(IndexCause::AnImage)?;
        let sources = berth_oci::image::parse_strict("the index's sources", text.as_bytes());
        let Document::Index(index) = store.document(&before)? else {
            return Err(IndexCause::AnImage);
        };
        Ok(Some(Made {
            index,
            sources: sources.map_err(|source| IndexCause::Document { source })?,
            before: Some(before),
        }))
    }

    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&self.index).expect("strings and numbers have a JSON form")
    }

    fn write(&self, lease: &Lease, list: &Reference) -> Result<(), IndexCause> {
        let bytes = self.bytes();
        // What we could not read again is not written.
        parse_index(&bytes, Some(media::INDEX))
            .map_err(|source| IndexCause::Document { source })?;
        let mut descriptor = lease.put(media::INDEX, &bytes)?;
        let sources = serde_json::to_string(&self.sources).expect("strings have a JSON form");
        descriptor.annotations.insert(SOURCES.to_owned(), sources);
        let store = lease.store();
        store.tag(list, &descriptor)?;
        // The index that had the name would stay as one without a name.
        if let Some(before) = &self.before
            && before.digest != descriptor.digest
        {
            let named = store
                .refs()?
                .into_iter()
                .any(|entry| entry.reference.is_some() && entry.descriptor.digest == before.digest);
            if !named {
                store.forget(&before.digest)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, entry: Descriptor, source: Option<&Reference>) {
        let digest = entry.digest.to_string();
        self.index.manifests.retain(|e| e.digest != entry.digest);
        self.index.manifests.push(entry);
        match source {
            Some(source) => self.sources.insert(digest, source.to_string()),
            None => self.sources.remove(&digest),
        };
    }

    /// Adds an image of a registry; of an index, all that are in it.
    async fn add_remote(&mut self, client: &Client, text: &str) -> Result<(), IndexCause> {
        let bad = |source| IndexCause::Document { source };
        let reference = Reference::parse(text).map_err(bad)?;
        let fetched = client.fetch_manifest(&reference).await?;
        let document = parse_document(&fetched.bytes, Some(&fetched.media_type)).map_err(bad)?;
        match document {
            Document::Index(index) => {
                for entry in index.manifests {
                    self.add(entry, Some(&reference));
                }
            }
            Document::Manifest(manifest) => {
                let mut entry = fetched.descriptor();
                if media::is_config(&manifest.config.media_type) {
                    let config = client.fetch_config(&reference, &manifest.config).await?;
                    entry.platform = Some(parse_config(&config).map_err(bad)?.platform());
                } else {
                    entry.artifact_type = manifest.artifact_type;
                }
                self.add(entry, Some(&reference));
            }
        }
        Ok(())
    }

    fn entry(&mut self, digest: &Digest) -> Option<&mut Descriptor> {
        let mut entries = self.index.manifests.iter_mut();
        entries.find(|entry| entry.digest == *digest)
    }

    /// The digest that `image` means in this index: itself, or that of a name that it was added by.
    fn digest_of(&self, store: &Store, image: &str) -> Result<Digest, IndexCause> {
        if let Ok(digest) = Digest::parse(image) {
            return Ok(digest);
        }
        let absent = || IndexCause::NotInList {
            image: image.to_owned(),
        };
        let reference = Reference::parse(image).map_err(|_| absent())?;
        if let Some(digest) = reference.digest() {
            return Ok(digest.clone());
        }
        let name = reference.to_string();
        let mut named = self.sources.iter().filter(|(_, source)| **source == name);
        match (named.next(), named.next()) {
            (Some((digest, _)), None) => Digest::parse(digest).map_err(|_| absent()),
            (Some(_), Some(_)) => Err(IndexCause::Several {
                image: image.to_owned(),
            }),
            _ => match find(store, image) {
                Ok(found) => Ok(found.image.descriptor.digest),
                Err(_) => Err(absent()),
            },
        }
    }

    /// Where to get what is not here.
    fn source_of(&self, digest: &Digest) -> Option<Reference> {
        let source = self.sources.get(&digest.to_string())?;
        Reference::parse(source).ok()
    }

    /// The document of an entry, from here or where it came from.
    async fn document(
        &self,
        client: &Client,
        store: &Store,
        entry: &Descriptor,
    ) -> Result<Vec<u8>, IndexCause> {
        if store.has(&entry.digest) {
            return Ok(store.read_blob(&entry.digest, MAX_MANIFEST_BYTES)?);
        }
        let source = self.source_of(&entry.digest);
        let source = source.ok_or_else(|| IndexCause::Gone {
            digest: entry.digest.clone(),
        })?;
        let place = source.with_digest(entry.digest.clone());
        Ok(client.fetch_manifest(&place).await?.bytes)
    }
}

impl Annotate {
    fn apply(&self, entry: &mut Descriptor) {
        let platform = entry.platform.get_or_insert_with(Platform::default);
        let set = |field: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                value.clone_into(field);
            }
        };
        set(&mut platform.os, &self.os);
        set(&mut platform.architecture, &self.architecture);
        for (field, value) in [
            (&mut platform.variant, &self.variant),
            (&mut platform.os_version, &self.os_version),
        ] {
            if value.is_some() {
                field.clone_from(value);
            }
        }
        if !self.os_features.is_empty() {
            platform.os_features.clone_from(&self.os_features);
        }
        entry.annotations.extend(self.annotations.iter().cloned());
    }
}
