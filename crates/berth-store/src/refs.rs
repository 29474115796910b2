//! References: the entries of `index.json`, changed under a lock, one rename each.
//!
//! An entry is the descriptor of a manifest (or index) with the full normalised reference in the
//! annotation `org.opencontainers.image.ref.name`, and in containerd's. An entry without one is an
//! image whose name went to another: it stays, as Docker's `<none>`, until somebody removes it.
//! Entries that other tools wrote with names of their own are kept as they are.

use berth_oci::image::{self, annotation};
use berth_oci::{Descriptor, Digest, Index, Reference};

use crate::store::read_error;
use crate::{Error, Store};

/// Bytes of `index.json`.
const MAX_INDEX_BYTES: u64 = image::MAX_MANIFEST_BYTES;

/// An image in the store by one of its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name; `None`: no name (any more), or another tool's.
    pub reference: Option<Reference>,
    /// Its manifest or index, annotations and all.
    pub descriptor: Descriptor,
}

impl Entry {
    fn of(descriptor: Descriptor) -> Entry {
        let name = descriptor.annotations.get(annotation::REF_NAME);
        // Ours are full references; `latest` alone is another tool's tag, not docker.io/library/latest.
        let full = |name: &String| {
            Reference::parse(name)
                .ok()
                .filter(|reference| reference.to_string() == *name)
        };
        Entry {
            reference: name.and_then(full),
            descriptor,
        }
    }
}

impl Store {
    /// `index.json`.
    ///
    /// # Errors
    /// [`Error::ParseIndex`], [`Error::Disk`].
    pub fn index(&self) -> Result<Index, Error> {
        let path = self.index_path();
        let metadata = std::fs::metadata(&path).map_err(|e| read_error(&path, &e))?;
        if metadata.len() > MAX_INDEX_BYTES {
            let (what, size, limit) = ("index.json", metadata.len(), MAX_INDEX_BYTES);
            let source = berth_oci::Error::TooLarge { what, size, limit };
            return Err(Error::ParseIndex { source });
        }
        let bytes = std::fs::read(&path).map_err(|e| read_error(&path, &e))?;
        image::parse_index(&bytes, None).map_err(|source| Error::ParseIndex { source })
    }

    /// All images, as they stand in `index.json`.
    ///
    /// # Errors
    /// As [`Store::index`].
    pub fn refs(&self) -> Result<Vec<Entry>, Error> {
        Ok(self.index()?.manifests.into_iter().map(Entry::of).collect())
    }

    /// What `reference` names; with a digest, the image of that repository which has it.
    ///
    /// # Errors
    /// As [`Store::index`].
    pub fn resolve(&self, reference: &Reference) -> Result<Option<Descriptor>, Error> {
        let entries = self.refs()?;
        let exact = entries
            .iter()
            .find(|entry| entry.reference.as_ref() == Some(reference));
        let found = exact.or_else(|| {
            let digest = reference.digest()?;
            entries.iter().find(|entry| {
                let same_name = |r: &Reference| r.name() == reference.name();
                entry.reference.as_ref().is_some_and(same_name) && is_called(entry, digest)
            })
        });
        Ok(found.map(|entry| entry.descriptor.clone()))
    }

    /// Gives `descriptor` the name `reference`. The image that had it stays, without a name if it has
    /// no other; its descriptor is returned. The content must be here, under a lease.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::ParseIndex`]; then nothing has changed.
    pub fn tag(
        &self,
        reference: &Reference,
        descriptor: &Descriptor,
    ) -> Result<Option<Descriptor>, Error> {
        self.touch(&descriptor.digest)?;
        let mut named = descriptor.clone();
        let name = reference.to_string();
        named
            .annotations
            .insert(annotation::CONTAINERD_NAME.to_owned(), name.clone());
        named
            .annotations
            .insert(annotation::REF_NAME.to_owned(), name);
        self.edit(|index| {
            let old = take(index, |entry| entry.reference.as_ref() == Some(reference)).pop();
            // An entry without a name for the same image has now got one.
            take(index, |e| {
                e.reference.is_none() && e.descriptor.digest == named.digest
            });
            index.manifests.push(named);
            if let Some(old) = &old {
                keep_unnamed(index, old);
            }
            old
        })
    }

    /// Keeps an image that has no name.
    ///
    /// # Errors
    /// As [`Store::tag`].
    pub fn keep_untagged(&self, descriptor: &Descriptor) -> Result<(), Error> {
        self.touch(&descriptor.digest)?;
        self.edit(|index| keep_unnamed(index, descriptor))
    }

    /// Takes the name away; the image is not kept by it any longer. `None`: nothing had it.
    ///
    /// # Errors
    /// As [`Store::tag`].
    pub fn untag(&self, reference: &Reference) -> Result<Option<Descriptor>, Error> {
        self.edit(|index| take(index, |e| e.reference.as_ref() == Some(reference)).pop())
    }

    /// Removes all entries of the image with this manifest (or index) digest; returns them.
    ///
    /// # Errors
    /// As [`Store::tag`].
    pub fn forget(&self, digest: &Digest) -> Result<Vec<Entry>, Error> {
        self.edit(|index| {
            let gone = take(index, |entry| entry.descriptor.digest == *digest);
            gone.into_iter().map(Entry::of).collect()
        })
    }

    /// Removes the entry without a name for this manifest (or index), if there is one.
    ///
    /// # Errors
    /// As [`Store::tag`].
    pub fn forget_unnamed(&self, digest: &Digest) -> Result<Option<Descriptor>, Error> {
        let unnamed = |e: &Entry| e.reference.is_none() && e.descriptor.digest == *digest;
        self.edit(|index| take(index, unnamed).pop())
    }

    /// Removes just these entries, if they are all there and `still` says yes while nobody can name anything. Whether
    /// it did.
    ///
    /// # Errors
    /// As [`Store::tag`].
    pub fn forget_if(
        &self,
        entries: &[Descriptor],
        still: impl FnOnce() -> bool,
    ) -> Result<bool, Error> {
        self.edit(|index| {
            let go = entries.iter().all(|one| index.manifests.contains(one)) && still();
            if go {
                index.manifests.retain(|one| !entries.contains(one));
            }
            go
        })
    }

    fn edit<T>(&self, change: impl FnOnce(&mut Index) -> T) -> Result<T, Error> {
        let _lock = self.lock_index()?;
        let mut index = self.index()?;
        let before = index.clone();
        let result = change(&mut index);
        if index != before {
            self.write_index(&index)?;
        }
        // Collectors see that something was named again, even if it is the same as before.
        self.touch_index()?;
        Ok(result)
    }
}

/// Whether the image was pulled as, or is, `digest`.
pub(crate) fn is_called(entry: &Entry, digest: &Digest) -> bool {
    let origin = entry.descriptor.annotations.get(annotation::ORIGIN_DIGEST);
    entry.descriptor.digest == *digest || origin.is_some_and(|o| *o == digest.to_string())
}

fn take(index: &mut Index, mut which: impl FnMut(&Entry) -> bool) -> Vec<Descriptor> {
    let all = std::mem::take(&mut index.manifests);
    let (gone, kept) = all.into_iter().partition(|d| which(&Entry::of(d.clone())));
    index.manifests = kept;
    gone
}

fn keep_unnamed(index: &mut Index, descriptor: &Descriptor) {
    if index
        .manifests
        .iter()
        .any(|d| d.digest == descriptor.digest)
    {
        return;
    }
    let mut unnamed = descriptor.clone();
    unnamed.annotations.remove(annotation::REF_NAME);
    unnamed.annotations.remove(annotation::CONTAINERD_NAME);
    index.manifests.push(unnamed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_oci::media;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        (dir, store)
    }

    fn name(text: &str) -> Reference {
        Reference::parse(text).unwrap()
    }

    #[test]
    fn names_move_and_the_old_image_stays_unnamed() {
        let (_dir, store) = store();
        let (a, b) = (
            Descriptor::of(media::MANIFEST, b"a"),
            Descriptor::of(media::MANIFEST, b"b"),
        );
        assert_eq!(store.tag(&name("x"), &a).unwrap(), None);
        assert_eq!(store.tag(&name("y"), &a).unwrap(), None);
        assert_eq!(store.resolve(&name("x")).unwrap().unwrap().digest, a.digest);
        assert_eq!(store.resolve(&name("z")).unwrap(), None);
        assert_eq!(store.tag(&name("x"), &b).unwrap().unwrap().digest, a.digest);
        assert_eq!(store.refs().unwrap().len(), 2);
        store.tag(&name("y"), &b).unwrap();
        let refs = store.refs().unwrap();
        assert_eq!(refs.len(), 3);
        let unnamed: Vec<_> = refs.iter().filter(|e| e.reference.is_none()).collect();
        assert_eq!(unnamed.len(), 1);
        assert_eq!(unnamed[0].descriptor, a);
        store.tag(&name("z"), &a).unwrap();
        assert!(store.refs().unwrap().iter().all(|e| e.reference.is_some()));
        assert_eq!(store.untag(&name("z")).unwrap().unwrap().digest, a.digest);
        assert_eq!(store.untag(&name("z")).unwrap(), None);
        assert_eq!(store.forget(&b.digest).unwrap().len(), 2);
        assert!(store.refs().unwrap().is_empty());
    }

    #[test]
    fn digests_resolve_in_their_repository_only() {
        let (_dir, store) = store();
        let mut a = Descriptor::of(media::MANIFEST, b"a");
        let origin = Digest::of(b"index");
        a.annotations
            .insert(annotation::ORIGIN_DIGEST.into(), origin.to_string());
        store.tag(&name("x:1"), &a).unwrap();
        for digest in [&a.digest, &origin] {
            let by = |repository: &str| store.resolve(&name(&format!("{repository}@{digest}")));
            assert_eq!(by("x").unwrap().unwrap().digest, a.digest);
            assert_eq!(by("x:2").unwrap().unwrap().digest, a.digest);
            assert_eq!(by("y").unwrap(), None);
        }
        assert_eq!(
            store
                .resolve(&name("x").with_digest(Digest::of(b"?")))
                .unwrap(),
            None
        );
    }

    #[test]
    fn other_tools_entries_are_kept() {
        let (_dir, store) = store();
        let mut foreign = Descriptor::of(media::MANIFEST, b"f");
        foreign
            .annotations
            .insert(annotation::REF_NAME.into(), "latest".into());
        let index = Index {
            manifests: vec![foreign.clone()],
            ..Index::default()
        };
        store.write_index(&index).unwrap();
        store
            .tag(&name("x"), &Descriptor::of(media::MANIFEST, b"a"))
            .unwrap();
        let refs = store.refs().unwrap();
        assert_eq!(
            refs[0],
            Entry {
                reference: None,
                descriptor: foreign
            }
        );
        assert_eq!(store.resolve(&name("latest")).unwrap(), None);
    }

    #[test]
    fn writers_do_not_lose_each_others_names() {
        let (_dir, store) = store();
        std::thread::scope(|scope| {
            for i in 0..20u8 {
                let store = &store;
                scope.spawn(move || {
                    let descriptor = Descriptor::of(media::MANIFEST, &[i]);
                    store.tag(&name(&format!("image{i}")), &descriptor).unwrap();
                });
            }
        });
        assert_eq!(store.refs().unwrap().len(), 20);
    }

    #[test]
    fn a_damaged_index_is_an_error_not_empty() {
        let (_dir, store) = store();
        std::fs::write(store.index_path(), "{\"schemaVersion\":2,").unwrap();
        assert!(matches!(store.refs(), Err(Error::ParseIndex { .. })));
        let result = store.tag(&name("x"), &Descriptor::of(media::MANIFEST, b"a"));
        assert!(matches!(result, Err(Error::ParseIndex { .. })));
    }
}
