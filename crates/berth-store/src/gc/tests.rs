//! Tests of garbage collection: what stays, what goes, in which order.

use berth_oci::{Descriptor, ImageConfig, Index, Manifest, Reference, media};

use super::*;
use crate::image::tests::put_image;

/// Containers and snapshots as a test wants them.
#[derive(Default)]
struct Beside {
    roots: GcRoots,
    snapshots: Vec<Digest>,
    thrown: Vec<Digest>,
}

impl Surroundings for Beside {
    type Error = Error;

    fn roots(&mut self) -> Result<GcRoots, Error> {
        Ok(self.roots.clone())
    }

    fn snapshots(&mut self) -> Result<Vec<Digest>, Error> {
        Ok(self.snapshots.clone())
    }

    fn snapshot_bytes(&mut self, _chain: &Digest) -> Result<u64, Error> {
        Ok(10)
    }

    fn throw_snapshot(&mut self, chain: &Digest) -> Result<(), Error> {
        self.thrown.push(chain.clone());
        Ok(())
    }
}

fn gc(store: &Store) -> GcReport {
    store.gc(&mut Beside::default()).unwrap()
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
    let garbage = put_image(&lease, "amd64", &[b"e"]);
    store.tag(&Reference::parse("x").unwrap(), &named).unwrap();
    assert_eq!(blobs(&store), 4 + 3 + 3 + 3);
    assert_eq!(gc(&store).blobs.len(), 0);

    drop(lease);
    let lease = store.lease().unwrap();
    // By its manifest alone: what that names is covered.
    assert!(lease.add(&leased.digest).unwrap());
    let chains = |image: &Descriptor| store.reach(&image.digest).unwrap().chains;
    let kept = [&named, &rooted, &leased].map(chains);
    let other_chain = Digest::of(b"chain");
    let mut beside = Beside {
        roots: GcRoots {
            blobs: vec![rooted.digest],
            chains: vec![other_chain.clone()],
        },
        snapshots: kept.iter().flatten().cloned().collect(),
        thrown: Vec::new(),
    };
    beside.snapshots.push(other_chain);
    let lost = chains(&garbage);
    beside.snapshots.extend(lost.clone());
    let plan = store.plan_gc(&mut beside, &|_| false).unwrap();
    assert_eq!((blobs(&store), beside.thrown.len()), (13, 0));
    let report = store.gc(&mut beside).unwrap();
    assert_eq!(report, plan);
    assert_eq!(report.blobs.len(), 3);
    assert_eq!(BTreeSet::from_iter(beside.thrown), lost);
    assert_eq!(blobs(&store), 10);
    assert_eq!(std::fs::read_dir(store.trash_dir()).unwrap().count(), 0);

    drop(lease);
    let without = |entry: &Entry| entry.descriptor.digest == named.digest;
    let plan = store.plan_gc(&mut Beside::default(), &without).unwrap();
    store.untag(&Reference::parse("x").unwrap()).unwrap();
    let report = gc(&store);
    assert_eq!(report, plan);
    assert_eq!(blobs(&store), 0);
    assert!(report.bytes > 0);
}

/// A pull's snapshots while it has no manifest yet.
#[test]
fn a_lease_on_a_configuration_keeps_its_snapshots() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let lease = store.lease().unwrap();
    let mut config = ImageConfig::default();
    (config.os, config.architecture) = ("linux".into(), "amd64".into());
    config.rootfs.diff_ids = vec![Digest::of(b"a"), Digest::of(b"b")];
    let chains = berth_oci::chain::chain_ids(&config.rootfs.diff_ids);
    lease
        .put(media::CONFIG, &serde_json::to_vec(&config).unwrap())
        .unwrap();
    let mut beside = Beside {
        snapshots: chains.clone(),
        ..Beside::default()
    };
    store.gc(&mut beside).unwrap();
    assert_eq!(beside.thrown, []);
    drop(lease);
    store.gc(&mut beside).unwrap();
    assert_eq!(
        BTreeSet::from_iter(beside.thrown),
        BTreeSet::from_iter(chains)
    );
}

/// While a manifest is here for `add`, so is what only it names.
#[test]
fn documents_go_before_what_they_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let lease = store.lease().unwrap();
    let put = |index: &Index| {
        let bytes = serde_json::to_vec(index).unwrap();
        lease.put(media::INDEX, &bytes).unwrap()
    };
    let mut manifests = Vec::new();
    for n in 0..20u8 {
        manifests.push(put_image(&lease, "amd64", &[&[n], &[n + 1], &[n]]));
    }
    let inner = put(&Index {
        manifests,
        ..Index::default()
    });
    put(&Index {
        manifests: vec![inner],
        ..Index::default()
    });
    let marker = Marker::new(&store, &|_| false);
    let all = store.all_blobs().unwrap().known;
    let sorted = order::documents_first(all.clone(), &marker).unwrap();
    assert_eq!(sorted.len(), all.len());
    let place = |digest: &Digest| sorted.iter().position(|one| one.0 == *digest).unwrap();
    for (digest, _) in &sorted {
        for child in marker.named_by(digest).unwrap() {
            assert!(place(digest) < place(&child));
        }
    }
}

/// Another platform of a known index comes while the collector is at work.
#[test]
fn what_comes_meanwhile_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let other = tempfile::tempdir().unwrap();
    let elsewhere = Store::open(other.path()).unwrap();
    let theirs = elsewhere.lease().unwrap();
    let arm = put_image(&theirs, "arm64", &[b"layer"]);
    let lease = store.lease().unwrap();
    let amd = put_image(&lease, "amd64", &[b"a"]);
    let index = Index {
        manifests: vec![amd, arm.clone()],
        ..Index::default()
    };
    let index = lease
        .put(media::INDEX, &serde_json::to_vec(&index).unwrap())
        .unwrap();
    let name = Reference::parse("x").unwrap();
    store.tag(&name, &index).unwrap();
    drop(lease);
    let mut beside = Beside::default();
    let mut marker = Marker::new(&store, &|_| false);
    marker.update(&mut beside).unwrap();
    let layer = Digest::of(b"layer");
    assert!(!marker.has_blob(&layer));
    // A pull of it, from lease to name: the name is the same as before.
    let lease = store.lease().unwrap();
    assert_eq!(put_image(&lease, "arm64", &[b"layer"]), arm);
    store.tag(&name, &index).unwrap();
    drop(lease);
    marker.update(&mut beside).unwrap();
    assert!(marker.has_blob(&layer));
    // A blob that cannot be read ends the collection: what it names is not known.
    let manifest: Manifest =
        serde_json::from_slice(&store.read_blob(&arm.digest, 1 << 20).unwrap()).unwrap();
    std::fs::remove_file(store.blob_path(&manifest.config.digest)).unwrap();
    std::fs::create_dir(store.blob_path(&manifest.config.digest)).unwrap();
    let error = store.gc(&mut beside).unwrap_err();
    assert!(matches!(error, Error::ReadBlob { .. }), "{error:?}");
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
    let report = gc(&store);
    assert_eq!(report.damaged, [image.digest]);
}
