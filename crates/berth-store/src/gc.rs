//! Garbage collection: mark from references, leases and the caller's roots; sweep the rest.
//!
//! Under the store's exclusive lock, so nothing is added meanwhile; what is being added is covered
//! by leases. Killed at any point it leaves a valid store with less garbage.

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use berth_fs::{Durability, failpoint};
use berth_oci::image::{self, MAX_CONFIG_BYTES, MAX_MANIFEST_BYTES};
use berth_oci::{Digest, Document};

use crate::{Error, Store, ingest, lease};

/// Partial content is kept so long for resuming.
pub const RESUMABLE_FOR: Duration = Duration::from_secs(24 * 3600);

/// What must stay beside what references and leases name.
#[derive(Debug, Clone, Default)]
pub struct GcRoots {
    /// Manifests (with all they name) or single blobs: those of containers.
    pub blobs: Vec<Digest>,
    /// Snapshots by chain id, in case their image's documents are lost.
    pub chains: Vec<Digest>,
}

/// What was, or would be, collected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Blobs removed.
    pub blobs: Vec<Digest>,
    /// Bytes of blobs and partial content removed.
    pub bytes: u64,
    /// Abandoned pieces of partial content removed.
    pub partial: usize,
    /// Files of dead leases removed.
    pub leases: usize,
    /// Documents of images in use that are damaged or missing: what they name cannot be known.
    pub damaged: Vec<Digest>,
}

impl Store {
    /// Removes content that nothing needs. `snapshots` is called with the chain ids of all stacks of
    /// layers that are needed, while nobody can add any: it collects the others.
    /// `roots` is asked in that time too. With `dry_run` nothing is removed, and `snapshots` is not called.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::ParseIndex`], and what `snapshots` returns.
    pub fn gc<E: From<Error>>(
        &self,
        roots: impl FnOnce() -> Result<GcRoots, E>,
        dry_run: bool,
        snapshots: impl FnOnce(&BTreeSet<Digest>) -> Result<(), E>,
    ) -> Result<GcReport, E> {
        let _lock = self.lock_exclusive()?;
        let mut report = GcReport::default();
        let (leased, dead) = lease::living(self, !dry_run)?;
        report.leases = dead;
        // After the leases: who committed a container and gave up its lease between the two is among the roots.
        let roots = roots()?;
        let mut marked = self.mark(&roots, leased)?;
        marked.chains.extend(roots.chains);
        report.damaged = std::mem::take(&mut marked.damaged).into_iter().collect();
        if !dry_run {
            // Snapshots first: they can be made again from blobs, not the other way round.
            snapshots(&marked.chains)?;
        }
        self.sweep(&marked, dry_run, &mut report)?;
        let partial = ingest::sweep(self, RESUMABLE_FOR, dry_run)?;
        report.partial = partial.files;
        report.bytes += partial.bytes;
        if !dry_run {
            self.sweep_root()?;
        }
        Ok(report)
    }

    fn sweep_root(&self) -> Result<(), Error> {
        let _lock = self.lock_index()?;
        let root = berth_fs::open_dir(self.root())?;
        berth_fs::atomic::sweep_temporary(root.as_fd())?;
        Ok(())
    }

    fn mark(&self, roots: &GcRoots, leased: Vec<Digest>) -> Result<Marked, Error> {
        let mut marked = Marked::default();
        for descriptor in self.index()?.manifests {
            self.mark_document(&mut marked, &descriptor.digest, true);
        }
        for digest in leased.iter().chain(&roots.blobs) {
            self.mark_document(&mut marked, digest, false);
        }
        Ok(marked)
    }

    /// Marks a blob and, if it is a document of an image, what it names. `certain`: it is one.
    fn mark_document(&self, marked: &mut Marked, digest: &Digest, certain: bool) {
        let mut queue = vec![(digest.clone(), certain)];
        while let Some((digest, certain)) = queue.pop() {
            let seen = !marked.blobs.insert(digest.clone());
            if seen && !(certain && marked.unread.remove(&digest)) {
                continue;
            }
            let document = match self.read_blob(&digest, MAX_MANIFEST_BYTES) {
                Ok(bytes) => image::parse_document(&bytes, None).ok(),
                Err(_) => None,
            };
            match document {
                Some(Document::Index(index)) => {
                    // The other platforms' manifests are usually not here.
                    let here = index.manifests.into_iter().filter(|d| self.has(&d.digest));
                    queue.extend(here.map(|d| (d.digest, true)));
                }
                Some(Document::Manifest(manifest)) => {
                    self.mark_config(marked, &manifest.config.digest);
                    marked
                        .blobs
                        .extend(manifest.layers.into_iter().map(|layer| layer.digest));
                }
                None if certain => {
                    marked.damaged.insert(digest);
                }
                None => {
                    marked.unread.insert(digest);
                }
            }
        }
    }

    fn mark_config(&self, marked: &mut Marked, digest: &Digest) {
        marked.blobs.insert(digest.clone());
        let config = self.read_blob(digest, MAX_CONFIG_BYTES).ok();
        match config.and_then(|bytes| image::parse_config(&bytes).ok()) {
            Some(config) => {
                marked
                    .chains
                    .extend(berth_oci::chain::chain_ids(&config.rootfs.diff_ids));
            }
            None => {
                marked.damaged.insert(digest.clone());
            }
        }
    }

    fn sweep(&self, marked: &Marked, dry_run: bool, report: &mut GcReport) -> Result<(), Error> {
        for (digest, path) in self.all_blobs()?.known {
            if marked.blobs.contains(&digest) {
                continue;
            }
            report.bytes += self.size(&digest)?.unwrap_or(0);
            if !dry_run {
                failpoint!("gc.unlink");
                berth_fs::remove_file(&path, Durability::Volatile)?;
            }
            report.blobs.push(digest);
        }
        Ok(())
    }

    /// The files under `blobs/`.
    pub(crate) fn all_blobs(&self) -> Result<AllBlobs, Error> {
        let mut all = AllBlobs::default();
        let blobs = self.root().join("blobs");
        for algorithm in ["sha256", "sha512"] {
            let dir = blobs.join(algorithm);
            let open = match berth_fs::open_dir(&dir) {
                Ok(open) => open,
                Err(error) if error.errno() == Some(rustix::io::Errno::NOENT) => continue,
                Err(error) => return Err(error.into()),
            };
            for name in berth_fs::dirs::names(open.as_fd())? {
                let path = dir.join(&name);
                let text = name.to_str().map(|hex| format!("{algorithm}:{hex}"));
                match text.and_then(|text| Digest::parse(&text).ok()) {
                    Some(digest) => all.known.push((digest, path)),
                    None => all.strange.push(path),
                }
            }
        }
        all.known.sort();
        Ok(all)
    }
}

#[derive(Default)]
pub(crate) struct AllBlobs {
    pub(crate) known: Vec<(Digest, PathBuf)>,
    /// Files that nothing of ours made.
    pub(crate) strange: Vec<PathBuf>,
}

#[derive(Default)]
struct Marked {
    blobs: BTreeSet<Digest>,
    chains: BTreeSet<Digest>,
    damaged: BTreeSet<Digest>,
    /// Marked blobs that are no documents, as far as is known.
    unread: BTreeSet<Digest>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tests::put_image;
    use berth_oci::Reference;

    fn gc(store: &Store, roots: &GcRoots) -> (GcReport, BTreeSet<Digest>) {
        let mut live = BTreeSet::new();
        let report = store.gc::<Error>(
            || Ok(roots.clone()),
            false,
            |chains| {
                live = chains.clone();
                Ok(())
            },
        );
        (report.unwrap(), live)
    }

    fn blobs(store: &Store) -> usize {
        store.all_blobs().unwrap().known.len()
    }

    #[test]
    fn what_is_named_leased_or_rooted_stays() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let lease = store.lease().unwrap();
        let named = put_image(&lease, "amd64", &[b"a", b"b"]);
        let rooted = put_image(&lease, "amd64", &[b"a", b"c"]);
        let leased = put_image(&lease, "amd64", &[b"d"]);
        put_image(&lease, "amd64", &[b"e"]);
        store.tag(&Reference::parse("x").unwrap(), &named).unwrap();
        assert_eq!(blobs(&store), 4 + 3 + 3 + 3);
        assert_eq!(gc(&store, &GcRoots::default()).0.blobs.len(), 0);

        drop(lease);
        let lease = store.lease().unwrap();
        // By its manifest alone: what that names is covered.
        assert!(lease.add(&leased.digest).unwrap());
        let other_chain = Digest::of(b"chain");
        let roots = GcRoots {
            blobs: vec![rooted.digest],
            chains: vec![other_chain.clone()],
        };
        let dry = store
            .gc::<Error>(|| Ok(roots.clone()), true, |_| panic!("not in a dry run"))
            .unwrap();
        assert_eq!(blobs(&store), 13);
        let (report, live) = gc(&store, &roots);
        assert_eq!(report, dry);
        assert_eq!(report.blobs.len(), 3);
        assert!(live.contains(&other_chain));
        assert_eq!(live.len(), 1 + 2 + 1 + 1);
        assert_eq!(blobs(&store), 10);

        drop(lease);
        store.untag(&Reference::parse("x").unwrap()).unwrap();
        let (report, live) = gc(&store, &GcRoots::default());
        assert_eq!((blobs(&store), live.len()), (0, 0));
        assert!(report.bytes > 0);
    }

    #[test]
    fn damage_is_told_and_does_not_stop_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let lease = store.lease().unwrap();
        let image = put_image(&lease, "amd64", &[b"a"]);
        store.tag(&Reference::parse("x").unwrap(), &image).unwrap();
        drop(lease);
        std::fs::write(store.blob_path(&image.digest), "{}").unwrap();
        let (report, _) = gc(&store, &GcRoots::default());
        assert_eq!(report.damaged, [image.digest]);
    }

    /// N27: adding, naming, removing and collecting at once never loses what is named.
    #[test]
    fn collecting_races_with_adding() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let collector = scope.spawn(|| {
                let mut rounds = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    gc(&store, &GcRoots::default());
                    rounds += 1;
                }
                rounds
            });
            let adders: Vec<_> = (0..3u8)
                .map(|adder| {
                    let store = &store;
                    scope.spawn(move || {
                        let name = Reference::parse(&format!("image{adder}")).unwrap();
                        for round in 0..60u8 {
                            let lease = store.lease().unwrap();
                            // All share a layer.
                            let own = [adder, round];
                            let image = put_image(&lease, "amd64", &[b"shared", &own]);
                            store.tag(&name, &image).unwrap();
                            drop(lease);
                            let platform = berth_oci::Platform::host();
                            let found = store.resolve(&name).unwrap().unwrap();
                            let image = store.image(&found, &platform).unwrap();
                            assert!(image.manifest.layers.iter().all(|l| store.has(&l.digest)));
                            store.forget(&found.digest).unwrap();
                        }
                    })
                })
                .collect();
            let ends: Vec<_> = adders.into_iter().map(|adder| adder.join()).collect();
            // Before anything panics here: the collector would go on for ever.
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(ends.iter().all(Result::is_ok));
            assert!(collector.join().unwrap() > 0);
        });
        gc(&store, &GcRoots::default());
        assert_eq!(blobs(&store), 0);
    }
}
