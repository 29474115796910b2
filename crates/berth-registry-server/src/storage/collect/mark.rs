//! Marking: what the manifests of a repository name, and which of them the tags lead to; again and again, each time
//! only what is new.

use std::collections::{HashMap, HashSet};

use berth_oci::Digest;

use crate::error::{Code, Failure};
use crate::storage::document::Document;
use crate::storage::repository::digest_of_name;
use crate::storage::{Repository, disk};

/// A digest's first 128 bits. Two that share them are kept both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::storage) struct Key(u128);

impl Key {
    pub(in crate::storage) fn of(digest: &Digest) -> Key {
        let hex = &digest.hex()[..32];
        Key(u128::from_str_radix(hex, 16).expect("a digest is hexadecimal"))
    }
}

/// What a manifest leads to, beside blobs.
#[derive(Debug, Default)]
struct Links {
    children: Vec<Key>,
    subject: Option<Key>,
}

pub(in crate::storage) struct Marker<'a> {
    repository: &'a Repository,
    manifests: HashMap<Key, Links>,
    named: HashSet<Key>,
    /// A manifest that cannot be read.
    damaged: Option<Digest>,
}

impl<'a> Marker<'a> {
    pub(in crate::storage) fn new(repository: &'a Repository) -> Marker<'a> {
        Marker {
            repository,
            manifests: HashMap::new(),
            named: HashSet::new(),
            damaged: None,
        }
    }

    /// Reads the manifests that are new. What was named once stays so.
    pub(in crate::storage) fn update(&mut self) -> Result<(), Failure> {
        for name in disk::names(&self.repository.manifests())? {
            let Some(digest) = digest_of_name(&name) else {
                continue;
            };
            if !self.manifests.contains_key(&Key::of(&digest)) {
                self.read(digest)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, digest: Digest) -> Result<(), Failure> {
        let bytes = match self.repository.read_manifest(&digest) {
            Ok(Some(bytes)) => bytes,
            // Removed meanwhile.
            Ok(None) => return Ok(()),
            Err(failure) if failure.code == Code::Internal => {
                self.damaged = Some(digest);
                return Ok(());
            }
            Err(failure) => return Err(failure),
        };
        let Ok(document) = Document::parse(&bytes, None) else {
            self.damaged = Some(digest);
            return Ok(());
        };
        let key = |named: &berth_oci::Descriptor| Key::of(&named.digest);
        self.named.extend(document.named().map(key));
        let links = Links {
            children: document.children.iter().map(key).collect(),
            subject: document.subject.as_ref().map(key),
        };
        self.manifests.insert(Key::of(&digest), links);
        Ok(())
    }

    /// Whether a manifest names it.
    pub(in crate::storage) fn names(&self, key: &Key) -> bool {
        self.named.contains(key)
    }

    pub(super) fn repository(&self) -> &'a Repository {
        self.repository
    }

    pub(in crate::storage) fn damaged(&self) -> Option<&Digest> {
        self.damaged.as_ref()
    }

    /// Forgets a manifest that was removed. What it named stays marked until a new marker reads what is left.
    pub(super) fn forget(&mut self, key: &Key) {
        self.manifests.remove(key);
    }

    /// The manifests to which `roots` lead: those that they hold, their subjects, and their referrers; and so on.
    pub(super) fn reach(&self, roots: impl IntoIterator<Item = Key>) -> HashSet<Key> {
        let mut referrers: HashMap<Key, Vec<Key>> = HashMap::new();
        for (key, links) in &self.manifests {
            if let Some(subject) = links.subject {
                referrers.entry(subject).or_default().push(*key);
            }
        }
        let mut reached = HashSet::new();
        let mut queue: Vec<Key> = roots.into_iter().collect();
        while let Some(key) = queue.pop() {
            if !reached.insert(key) {
                continue;
            }
            if let Some(links) = self.manifests.get(&key) {
                queue.extend(links.children.iter().chain(&links.subject));
            }
            queue.extend(referrers.get(&key).into_iter().flatten());
        }
        reached
    }
}
