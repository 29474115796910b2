//! How long a lease waits while a large store is collected; BERTH_TEST_FULL: 20,000 blobs.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use berth_oci::image::annotation;
use berth_oci::{Descriptor, Digest, ImageConfig, Index, Manifest, media};
use berth_store::Store;

use super::world::World;

/// Writes content as if it had been committed: 20,000 times an fsync would take too long.
fn put(root: &Path, media_type: &str, content: &[u8]) -> Descriptor {
    let descriptor = Descriptor::of(media_type, content);
    let path = root.join("blobs/sha256").join(descriptor.digest.hex());
    std::fs::write(path, content).unwrap();
    descriptor
}

fn image(root: &Path, seed: usize) -> Descriptor {
    let layer = |n| {
        put(
            root,
            media::LAYER_TAR,
            format!("layer {seed} {n}").as_bytes(),
        )
    };
    let layers: Vec<Descriptor> = (0..2).map(layer).collect();
    let mut config = ImageConfig::default();
    (config.os, config.architecture) = ("linux".into(), "amd64".into());
    config.rootfs.diff_ids = layers.iter().map(|layer| layer.digest.clone()).collect();
    let config = put(root, media::CONFIG, &serde_json::to_vec(&config).unwrap());
    let manifest = serde_json::to_vec(&Manifest::new(config, layers)).unwrap();
    put(root, media::MANIFEST, &manifest)
}

/// A store in which every other image is garbage.
fn fill(root: &Path, images: usize) {
    let mut index = Index::default();
    for seed in 0..images {
        let mut descriptor = image(root, seed);
        if seed % 2 == 0 {
            let name = format!("docker.io/library/image{seed}:latest");
            let annotations = &mut descriptor.annotations;
            annotations.insert(annotation::REF_NAME.into(), name);
            index.manifests.push(descriptor);
        }
    }
    let text = serde_json::to_vec(&index).unwrap();
    std::fs::write(root.join("index.json"), text).unwrap();
}

pub fn measure() {
    let full = std::env::var_os("BERTH_TEST_FULL").is_some();
    let images = if full { 5000 } else { 1000 };
    let dir = match full {
        true => tempfile::tempdir(),
        false => tempfile::tempdir_in("/dev/shm"),
    };
    let dir = dir.unwrap();
    World::prepare(dir.path());
    fill(dir.path(), images);
    let store = Store::open(dir.path()).unwrap();
    let done = AtomicBool::new(false);
    let (took, longest, leases) = std::thread::scope(|scope| {
        let collector = scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            let begin = Instant::now();
            let report = store.gc(&mut World::of(&store));
            done.store(true, Ordering::Relaxed);
            assert_eq!(report.unwrap().blobs.len(), images / 2 * 4);
            begin.elapsed()
        });
        let (mut longest, mut leases) = (Duration::ZERO, 0);
        while !done.load(Ordering::Relaxed) {
            let begin = Instant::now();
            let lease = store.lease().unwrap();
            lease.add(&Digest::of(b"x")).unwrap();
            drop(lease);
            longest = longest.max(begin.elapsed());
            leases += 1;
            std::thread::sleep(Duration::from_micros(200));
        }
        (collector.join().unwrap(), longest, leases)
    });
    println!(
        "{} blobs: collecting took {took:?}; the slowest of {leases} leases took {longest:?}",
        images * 4
    );
    // With one lock for all of it the two were the same.
    assert!(
        longest < took / 3,
        "a lease waited {longest:?} for the collector"
    );
}
