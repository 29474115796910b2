//! Marking: what is needed, found from leases, roots and references; again and again, each time only what is new.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use berth_oci::image::{self, MAX_CONFIG_BYTES};
use berth_oci::{Digest, Document, ImageConfig};

use super::{Reach, Surroundings};
use crate::store::FileState;
use crate::{Entry, Error, Store, lease};

/// As what a blob is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// By a lease or a container: anything.
    Any,
    /// Surely a manifest or an index.
    Document,
    /// Surely an image's configuration.
    Config,
}

/// What a blob turned out to be; content does not change.
#[derive(Debug, Clone, Copy)]
struct Known {
    document: bool,
    config: bool,
}

impl Known {
    fn suits(self, role: Role) -> bool {
        match role {
            Role::Any => true,
            Role::Document => self.document,
            Role::Config => self.config,
        }
    }
}

pub(super) struct Marker<'a> {
    store: &'a Store,
    gone: &'a dyn Fn(&Entry) -> bool,
    reach: Reach,
    known: BTreeMap<Digest, Known>,
    /// Not here, or damaged: a pull may bring it at any time. To be looked at again.
    unknown: BTreeMap<Digest, Role>,
    /// Other platforms' manifests, which are usually not here. One that comes is its lease's first; when that is
    /// gone, the index of images was written or touched.
    elsewhere: BTreeSet<Digest>,
    damaged: BTreeSet<Digest>,
    /// `index.json` as it was read last.
    index: Option<FileState>,
}

impl<'a> Marker<'a> {
    /// Entries of which `gone` is true do not count.
    pub(super) fn new(store: &'a Store, gone: &'a dyn Fn(&Entry) -> bool) -> Marker<'a> {
        Marker {
            store,
            gone,
            reach: Reach::default(),
            known: BTreeMap::new(),
            unknown: BTreeMap::new(),
            elsewhere: BTreeSet::new(),
            damaged: BTreeSet::new(),
            index: None,
        }
    }

    /// Marks what is needed now. The order is the proof's: leases, roots, references.
    pub(super) fn update<S: Surroundings>(&mut self, around: &mut S) -> Result<(), S::Error> {
        let (leased, _) = lease::living(self.store, false)?;
        let roots = around.roots()?;
        let before = self.store.index_state()?;
        if self.index != Some(before) {
            let entries = self.store.refs()?;
            self.index = Some(before);
            for digest in std::mem::take(&mut self.elsewhere) {
                if self.store.size(&digest)?.is_some() {
                    self.mark(digest, Role::Document)?;
                } else {
                    self.elsewhere.insert(digest);
                }
            }
            for entry in entries {
                if !(self.gone)(&entry) {
                    self.mark(entry.descriptor.digest, Role::Document)?;
                }
            }
        }
        for (digest, role) in std::mem::take(&mut self.unknown) {
            self.mark(digest, role)?;
        }
        for digest in leased.into_iter().chain(roots.blobs) {
            self.mark(digest, Role::Any)?;
        }
        self.reach.chains.extend(roots.chains);
        Ok(())
    }

    /// What one image keeps.
    pub(super) fn reach(mut self, image: &Digest) -> Result<Reach, Error> {
        self.mark(image.clone(), Role::Document)?;
        Ok(self.reach)
    }

    /// What a blob names, if it is a document.
    pub(super) fn named_by(&self, digest: &Digest) -> Result<Vec<Digest>, Error> {
        let document = match self.look(digest, Role::Any) {
            Err(error) if is_lost(&error) => None,
            found => found?.0,
        };
        Ok(match document {
            Some(Document::Index(index)) => index.manifests.into_iter().map(|d| d.digest).collect(),
            Some(Document::Manifest(manifest)) => {
                let layers = manifest.layers.into_iter().map(|layer| layer.digest);
                layers.chain([manifest.config.digest]).collect()
            }
            None => Vec::new(),
        })
    }

    pub(super) fn has_blob(&self, digest: &Digest) -> bool {
        self.reach.blobs.contains(digest)
    }

    pub(super) fn has_chain(&self, chain: &Digest) -> bool {
        self.reach.chains.contains(chain)
    }

    /// Documents that are needed and cannot be read.
    pub(super) fn damaged(&self) -> Vec<Digest> {
        let unread = self.unknown.iter().filter(|(_, role)| **role != Role::Any);
        let unread = unread.map(|(digest, _)| digest.clone());
        let all: BTreeSet<Digest> = self.damaged.iter().cloned().chain(unread).collect();
        all.into_iter().collect()
    }

    /// Marks a blob and, if it is a document of an image, what it names.
    fn mark(&mut self, digest: Digest, role: Role) -> Result<(), Error> {
        let mut queue = vec![(digest, role)];
        while let Some((digest, role)) = queue.pop() {
            self.reach.blobs.insert(digest.clone());
            let known = self.known.get(&digest);
            if known.is_some_and(|known| known.suits(role)) {
                continue;
            }
            if let Some(known) = self.unknown.get_mut(&digest) {
                *known = role.max(*known);
                continue;
            }
            let (document, config) = match self.look(&digest, role) {
                Err(error) if is_lost(&error) => {
                    self.unknown.insert(digest, role);
                    continue;
                }
                // Not knowing what it names, nothing may be removed.
                found => found?,
            };
            let known = Known {
                document: document.is_some(),
                config: config.is_some(),
            };
            if !known.suits(role) {
                self.damaged.insert(digest.clone());
            }
            self.known.insert(digest, known);
            self.follow(document, config, &mut queue)?;
        }
        Ok(())
    }

    fn follow(
        &mut self,
        document: Option<Document>,
        config: Option<ImageConfig>,
        queue: &mut Vec<(Digest, Role)>,
    ) -> Result<(), Error> {
        if let Some(config) = config {
            let chains = berth_oci::chain::chain_ids(&config.rootfs.diff_ids);
            self.reach.chains.extend(chains);
        }
        match document {
            Some(Document::Index(index)) => {
                for entry in index.manifests {
                    if self.store.size(&entry.digest)?.is_some() {
                        queue.push((entry.digest, Role::Document));
                    } else {
                        self.reach.blobs.insert(entry.digest.clone());
                        self.elsewhere.insert(entry.digest);
                    }
                }
            }
            Some(Document::Manifest(manifest)) => {
                queue.push((manifest.config.digest, Role::Config));
                let layers = manifest.layers.into_iter().map(|layer| layer.digest);
                self.reach.blobs.extend(layers);
            }
            None => {}
        }
        Ok(())
    }

    /// What the blob is: one of the two, in bad faith both, or neither.
    fn look(
        &self,
        digest: &Digest,
        role: Role,
    ) -> Result<(Option<Document>, Option<ImageConfig>), Error> {
        if role == Role::Any && !self.may_be_json(digest)? {
            return Ok((None, None));
        }
        let bytes = match self.store.read_blob(digest, MAX_CONFIG_BYTES) {
            Err(Error::BlobTooLarge { .. }) => return Ok((None, None)),
            read => read?,
        };
        let document = image::parse_document(&bytes, None).ok();
        Ok((document, image::parse_config(&bytes).ok()))
    }

    /// Layers, which most of the blobs under a lease are, need not be read.
    fn may_be_json(&self, digest: &Digest) -> Result<bool, Error> {
        let mut first = [0];
        let read = self.store.open_blob(digest)?.read(&mut first);
        let count = read.map_err(|source| {
            let digest = digest.clone();
            Error::ReadBlob { digest, source }
        })?;
        Ok(count == 1 && b"{ \t\r\n".contains(&first[0]))
    }
}

fn is_lost(error: &Error) -> bool {
    matches!(error, Error::MissingBlob { .. } | Error::CorruptBlob { .. })
}
