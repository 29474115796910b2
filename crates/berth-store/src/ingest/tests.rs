//! Tests of ingest: lies, resuming, several writers.

use super::*;
use std::time::Duration;

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

fn expected(content: &[u8]) -> Expected {
    Expected {
        digest: Digest::of(content),
        size: content.len() as u64,
    }
}

fn partial_files(store: &Store) -> usize {
    std::fs::read_dir(store.ingest_dir()).unwrap().count()
}

#[test]
fn content_is_visible_only_after_commit() {
    let (_dir, store) = store();
    let lease = store.lease().unwrap();
    for expected in [None, Some(expected(b"hello"))] {
        let mut ingest = lease.ingest(expected).unwrap();
        ingest.write_all(b"hel").unwrap();
        ingest.append(b"lo").unwrap();
        assert!(!store.has(&Digest::of(b"hello")));
        let done = ingest.commit().unwrap();
        assert_eq!(done, super::tests::expected(b"hello"));
        assert_eq!(store.read_blob(&done.digest, 10).unwrap(), b"hello");
        assert_eq!(partial_files(&store), 0);
        store.drop_damaged(&done.digest).unwrap();
    }
}

/// T16.
#[test]
fn lies_about_digest_and_size_leave_nothing() {
    let (_dir, store) = store();
    let lease = store.lease().unwrap();
    let mut lie = expected(b"hello");
    lie.digest = Digest::of(b"other");
    let mut ingest = lease.ingest(Some(lie)).unwrap();
    ingest.append(b"hello").unwrap();
    assert!(matches!(ingest.commit(), Err(Error::DigestMismatch { .. })));
    assert_eq!(partial_files(&store), 0);

    let mut ingest = lease.ingest(Some(expected(b"hello"))).unwrap();
    assert!(matches!(
        ingest.append(b"hello!"),
        Err(Error::SizeMismatch { .. })
    ));
    drop(ingest);
    assert_eq!(partial_files(&store), 0);

    let mut ingest = lease.ingest(Some(expected(b"hello"))).unwrap();
    ingest.append(b"hell").unwrap();
    assert!(matches!(ingest.commit(), Err(Error::SizeMismatch { .. })));
    assert_eq!(
        std::fs::read_dir(store.root().join("blobs/sha256"))
            .unwrap()
            .count(),
        0
    );
}

/// N13, G13: resumed by digest, verified as a whole.
#[test]
fn what_was_cut_off_is_resumed() {
    let (_dir, store) = store();
    let lease = store.lease().unwrap();
    let mut ingest = lease.ingest(Some(expected(b"hello world"))).unwrap();
    ingest.append(b"hello ").unwrap();
    drop(ingest);
    let mut ingest = lease.ingest(Some(expected(b"hello world"))).unwrap();
    assert_eq!(ingest.offset(), 6);
    ingest.append(b"world").unwrap();
    ingest.commit().unwrap();

    // Resumed onto different content.
    let mut ingest = lease.ingest(Some(expected(b"other content"))).unwrap();
    ingest.append(b"evil  ").unwrap();
    drop(ingest);
    let mut ingest = lease.ingest(Some(expected(b"other content"))).unwrap();
    ingest.append(b"content").unwrap();
    assert!(matches!(ingest.commit(), Err(Error::DigestMismatch { .. })));
    let mut ingest = lease.ingest(Some(expected(b"other content"))).unwrap();
    assert_eq!(ingest.offset(), 0);
    ingest.append(b"xx").unwrap();
    ingest.restart().unwrap();
    ingest.append(b"other content").unwrap();
    ingest.commit().unwrap();
}

#[test]
fn several_writers_all_succeed() {
    let (_dir, store) = store();
    let content = vec![7u8; 300_000];
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let lease = store.lease().unwrap();
                let mut ingest = lease.ingest(Some(expected(&content))).unwrap();
                let offset = ingest.offset() as usize;
                for chunk in content[offset..].chunks(10_000) {
                    ingest.append(chunk).unwrap();
                }
                ingest.commit().unwrap();
            });
        }
    });
    assert_eq!(
        store.read_blob(&Digest::of(&content), 1 << 20).unwrap(),
        content
    );
    assert_eq!(partial_files(&store), 0);
}

#[test]
fn alone_means_one_writer_at_a_time() {
    let (_dir, store) = store();
    let content = vec![9u8; 100_000];
    let writers = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let lease = store.lease().unwrap();
                if let Some(mut ingest) = lease.ingest_alone(expected(&content)).unwrap() {
                    writers.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    assert_eq!(ingest.offset(), 0);
                    ingest.append(&content).unwrap();
                    ingest.commit().unwrap();
                }
                assert!(store.has(&Digest::of(&content)));
            });
        }
    });
    assert_eq!(writers.into_inner(), 1);
    assert_eq!(partial_files(&store), 0);
}

#[test]
fn abandoned_content_is_swept_by_age() {
    let (_dir, store) = store();
    let lease = store.lease().unwrap();
    let mut ingest = lease.ingest(Some(expected(b"hello"))).unwrap();
    ingest.append(b"he").unwrap();
    drop(ingest);
    let abandoned = store.ingest_dir().join(".tmp-1-1");
    std::fs::write(&abandoned, "abc").unwrap();
    let bytes = std::fs::metadata(&abandoned).unwrap().blocks() * 512;
    let mut living = lease.ingest(None).unwrap();
    living.append(b"x").unwrap();
    let swept = sweep(&store, Duration::from_secs(3600), false).unwrap();
    assert_eq!(swept, Swept { files: 1, bytes });
    assert_eq!(partial_files(&store), 2);
    let swept = sweep(&store, Duration::ZERO, false).unwrap();
    assert_eq!(swept.files, 1);
    living.commit().unwrap();
    assert!(store.has(&Digest::of(b"x")));
}

#[test]
fn sha512_has_its_own_directory() {
    let (_dir, store) = store();
    let lease = store.lease().unwrap();
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(b"hello");
    let digest = hasher.finish();
    let mut ingest = lease
        .ingest(Some(Expected {
            digest: digest.clone(),
            size: 5,
        }))
        .unwrap();
    ingest.append(b"hello").unwrap();
    ingest.commit().unwrap();
    assert_eq!(store.read_blob(&digest, 5).unwrap(), b"hello");
    assert!(store.root().join("blobs/sha512").is_dir());
}

/// N10: runs as root; it mounts a small tmpfs.
#[test]
fn full_disk_is_a_clear_error_and_removal_still_works() {
    assert!(rustix::process::geteuid().is_root(), "this test needs root");
    let dir = tempfile::tempdir().unwrap();
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("tmpfs", dir.path(), "tmpfs", flags, c"size=2m").unwrap();
    let result = std::panic::catch_unwind(|| {
        let store = Store::open(&dir.path().join("root")).unwrap();
        let lease = store.lease().unwrap();
        let small = lease.put(berth_oci::media::MANIFEST, b"{}").unwrap();
        let name = berth_oci::Reference::parse("a").unwrap();
        store.tag(&name, &small).unwrap();

        let big = vec![1u8; 4 << 20];
        let mut ingest = lease.ingest(Some(expected(&big))).unwrap();
        let error = ingest.append(&big).unwrap_err();
        assert_eq!(error.kind(), berth_model::ErrorKind::Unavailable);
        assert!(error.hint().unwrap().contains("full"));
        drop(ingest);
        assert_eq!(partial_files(&store), 0);

        // Fill it to the brim by hand: only the ballast is left.
        let mut filler = std::fs::File::create(dir.path().join("filler")).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
        assert!(store.untag(&name).unwrap().is_some());
        assert!(store.resolve(&name).unwrap().is_none());
    });
    rustix::mount::unmount(dir.path(), rustix::mount::UnmountFlags::DETACH).unwrap();
    result.unwrap();
}
