//! What a collector takes, and what it leaves.

use super::*;
use crate::name::Selector;
use crate::storage::tests::{
    assert_sound, by_tag, damage, manifest_of, push, push_blob, repository, storage, tag,
};
use crate::storage::{KeepTags, Retain};
use berth_oci::{Descriptor, media};

/// Everything is old.
const NOW: CollectOptions = CollectOptions {
    grace: Duration::ZERO,
    upload_ttl: Duration::ZERO,
    dry_run: false,
};

fn collect(storage: &Storage, options: &CollectOptions, rules: &Rules) -> Collected {
    storage.collect(options, &|_| rules.clone()).unwrap()
}

fn untagged_now() -> Rules {
    Rules {
        retain: Retain {
            untagged: Some(Duration::ZERO),
            rollback: 0,
            ..Retain::default()
        },
        ..Rules::default()
    }
}

#[test]
fn blobs_without_a_manifest_go_when_they_are_old() {
    let (_dir, storage) = storage();
    let (one, two) = (repository(&storage, "a/one"), repository(&storage, "two"));
    push(&one, "v1", &[b"config", b"layer"]);
    let lonely = push_blob(&one, b"lonely");
    let both = push_blob(&one, b"both");
    push(&two, "v1", &[b"both"]);
    let upload = one.begin_upload().unwrap();
    let id = upload.id().to_owned();
    drop(upload);
    let writing = one.begin_upload().unwrap();

    let young = collect(&storage, &CollectOptions::default(), &Rules::default());
    assert_eq!(young, Collected::default());
    let dry = CollectOptions {
        dry_run: true,
        ..NOW
    };
    let told = collect(&storage, &dry, &Rules::default());
    assert!(one.blob(&lonely).unwrap().is_some());
    let done = collect(&storage, &NOW, &Rules::default());
    assert_eq!((done.blobs, done.contents, done.uploads), (2, 1, 1));
    assert_eq!(done.bytes, 4096);
    assert_eq!(told, done);
    assert!(one.blob(&lonely).unwrap().is_none());
    assert!(one.blob(&both).unwrap().is_none());
    assert!(two.blob(&both).unwrap().is_some());
    assert!(one.upload(&id).unwrap().is_none());
    writing.finish(&Digest::of(b"")).unwrap();
    assert_sound(&storage);
    // The last link to a blob that is mounted nowhere else.
    two.remove_manifest(
        &two.manifest(&by_tag("v1")).unwrap().unwrap().digest,
        "me",
        &Rules::default(),
    )
    .unwrap();
    let done = collect(&storage, &NOW, &Rules::default());
    assert_eq!((done.blobs, done.contents), (2, 3));
    assert_sound(&storage);
}

#[test]
fn what_a_tag_leads_to_stays() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    let put = |selector: &Selector, kind: &str, bytes: &[u8]| {
        repository
            .put_manifest(selector, kind, bytes, "me", &Rules::default())
            .unwrap()
            .digest
    };
    let by_digest = |bytes: &[u8]| Selector::Digest(Digest::of(bytes));
    // A tagged index holds an image, which has a signature, which has a signature.
    let image = manifest_of(&repository, &[b"config", b"layer"]);
    put(&by_digest(&image), media::MANIFEST, &image);
    let index = berth_oci::Index {
        manifests: vec![Descriptor::of(media::MANIFEST, &image)],
        ..berth_oci::Index::default()
    };
    put(
        &by_tag("v1"),
        media::INDEX,
        &serde_json::to_vec(&index).unwrap(),
    );
    let about = |subject: &[u8], text: &[u8]| {
        let bytes = manifest_of(&repository, &[text]);
        let mut value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        value["subject"] = serde_json::to_value(Descriptor::of(media::MANIFEST, subject)).unwrap();
        let bytes = serde_json::to_vec(&value).unwrap();
        put(&by_digest(&bytes), media::MANIFEST, &bytes);
        bytes
    };
    let signature = about(&image, b"s1");
    let signed_signature = about(&signature, b"s2");
    // Nothing leads to these two.
    let old = push(&repository, "old", &[b"old"]);
    push(&repository, "old", &[b"new"]);
    let lost = about(b"no such subject", b"s3");

    assert_eq!(collect(&storage, &NOW, &Rules::default()).manifests, 0);
    let mut rules = untagged_now();
    rules.retain.rollback = 1;
    let done = collect(&storage, &NOW, &rules);
    assert_eq!(
        (done.manifests, done.blobs),
        (1, 1),
        "the old one can be had back"
    );
    assert!(repository.manifest(&by_digest(&lost)).unwrap().is_none());
    let done = collect(&storage, &NOW, &untagged_now());
    assert_eq!((done.manifests, done.blobs, done.contents), (1, 1, 2));
    assert!(
        repository
            .manifest(&Selector::Digest(old))
            .unwrap()
            .is_none()
    );
    for kept in [&image, &signature, &signed_signature] {
        assert!(repository.manifest(&by_digest(kept)).unwrap().is_some());
    }
    assert_sound(&storage);
    // Without the tag, all goes.
    repository
        .remove_tag(&tag("v1"), "me", &Rules::default())
        .unwrap();
    let done = collect(&storage, &NOW, &untagged_now());
    assert_eq!(done.manifests, 4);
    assert_sound(&storage);
    assert_eq!(
        disk::all_names(&repository.dir().join("_referrers"))
            .unwrap()
            .len(),
        0
    );
}

#[test]
fn of_many_tags_the_newest_stay() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    for name in [
        "ci-3", "ci-1", "ci-2", "ci-v", "release", "other-1", "other-2",
    ] {
        push(&repository, name, &[name.as_bytes()]);
        std::thread::sleep(Duration::from_millis(2));
    }
    push(&repository, "ci-3", &[b"again"]);
    let keep = |pattern: &str, newest| KeepTags {
        pattern: pattern.to_owned(),
        newest,
    };
    let rules = Rules {
        immutable: vec!["*v".into()],
        retain: Retain {
            tags: vec![keep("ci-*", 2), keep("*-1", 0)],
            ..Retain::default()
        },
        ..Rules::default()
    };
    let dry = CollectOptions {
        dry_run: true,
        ..NOW
    };
    assert_eq!(collect(&storage, &dry, &rules).tags, 2);
    assert_eq!(collect(&storage, &NOW, &rules).tags, 2);
    assert_eq!(
        repository.tags(None, 10).unwrap(),
        ["ci-2", "ci-3", "ci-v", "other-2", "release"]
    );
    let last = repository.history(&tag("ci-1")).unwrap().pop().unwrap();
    assert_eq!((last.who.as_str(), last.to), ("retention", None));
    assert_sound(&storage);
}

/// N14: what a damaged manifest names is not known, so nothing goes.
#[test]
fn damage_stops_the_collection_of_its_repository() {
    let (_dir, storage) = storage();
    let (one, two) = (repository(&storage, "one"), repository(&storage, "two"));
    let digest = push(&one, "v1", &[b"config", b"layer"]);
    push_blob(&two, b"lonely");
    damage(&one.manifest_path(&digest));
    let done = collect(&storage, &NOW, &untagged_now());
    assert_eq!((done.blobs, done.manifests), (1, 0));
    assert_eq!(done.damaged, [("one".to_owned(), digest)]);
    assert!(one.blob(&Digest::of(b"layer")).unwrap().is_some());
}

#[test]
fn an_empty_repository_goes_and_can_come_again() {
    let (_dir, storage) = storage();
    let (inner, outer) = (repository(&storage, "a/b/c"), repository(&storage, "a/b"));
    push(&inner, "v", &[b"config"]);
    push(&outer, "v", &[b"config"]);
    let rules = Rules {
        retain: Retain {
            tags: vec![KeepTags {
                pattern: "*".into(),
                newest: 0,
            }],
            removed: Duration::ZERO,
            ..untagged_now().retain
        },
        ..Rules::default()
    };
    let only_inner = |name: &RepositoryName| match name.as_str() {
        "a/b/c" => rules.clone(),
        _ => Rules::default(),
    };
    let done = storage.collect(&NOW, &only_inner).unwrap();
    assert_eq!((done.tags, done.manifests, done.repositories), (1, 1, 1));
    assert!(!inner.dir().exists() && outer.exists().unwrap());
    push(&inner, "v", &[b"config"]);
    assert_eq!(collect(&storage, &NOW, &rules).repositories, 2);
    assert_eq!(
        disk::all_names(&storage.repositories_dir()).unwrap().len(),
        0
    );
    push(&outer, "v", &[b"config"]);
    assert_sound(&storage);
}

/// Names of the moment that somebody who was killed has left.
#[test]
fn leftovers_go() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    let digest = push(&repository, "v", &[b"config"]);
    for path in [
        repository.tags_dir().join(".tmp-1"),
        repository.blobs().join(".tmp-2"),
        repository.manifests().join(".tmp-3"),
        repository.dir().join("_history/.tmp-4"),
    ] {
        std::fs::hard_link(repository.manifest_path(&digest), path).unwrap();
    }
    // Linked, and then killed before the manifest itself was.
    repository
        .link_referrer(
            &repository.manifest_path(&digest),
            &digest,
            &Digest::of(b"x"),
        )
        .unwrap();
    assert!(repository.referrers(&digest).unwrap().is_empty());
    assert_sound(&storage);
    collect(&storage, &NOW, &Rules::default());
    use std::os::unix::fs::MetadataExt as _;
    let links = std::fs::metadata(repository.manifest_path(&digest))
        .unwrap()
        .nlink();
    assert_eq!(links, 3, "shared, manifest, tag");
    assert_eq!(
        disk::all_names(&repository.dir().join("_referrers"))
            .unwrap()
            .len(),
        0
    );
    assert_eq!(repository.tags(None, 10).unwrap(), ["v"]);
}

/// G9: a manifest that comes after the first look is read in the second.
#[test]
fn what_came_meanwhile_is_marked_before_a_batch() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    push(&repository, "before", &[b"other"]);
    let manifest = manifest_of(&repository, &[b"config", b"layer"]);
    let lonely = push_blob(&repository, b"lonely");
    let mut marker = Marker::new(&repository);
    marker.update().unwrap();
    repository
        .put_manifest(
            &by_tag("v"),
            media::MANIFEST,
            &manifest,
            "me",
            &Rules::default(),
        )
        .unwrap();
    let mut collection = Collection {
        options: &NOW,
        gone: HashMap::new(),
        collected: Collected::default(),
    };
    collection.blobs(&repository, &mut marker).unwrap();
    assert!(repository.blob(&lonely).unwrap().is_none());
    assert_sound(&storage);

    let mut marker = Marker::new(&repository);
    marker.update().unwrap();
    let late = push(&repository, "w", &[b"late"]);
    collection
        .untagged(
            &repository,
            &mut marker,
            Duration::ZERO,
            &untagged_now().retain,
        )
        .unwrap();
    assert!(
        repository
            .manifest(&Selector::Digest(late))
            .unwrap()
            .is_some()
    );
    assert_sound(&storage);
}

/// G9: nothing goes while somebody relies on it; who waits alone is not passed by for ever.
#[test]
fn a_batch_waits_for_who_puts_and_is_not_starved() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    let manifest = manifest_of(&repository, &[b"config", b"layer"]);
    let lock = repository.lock_shared().unwrap();
    std::thread::scope(|scope| {
        let collector = scope.spawn(|| collect(&storage, &NOW, &Rules::default()));
        std::thread::sleep(Duration::from_millis(100));
        assert!(!collector.is_finished());
        for blob in [&b"config"[..], b"layer"] {
            assert!(
                disk::stat(&repository.blob_path(&Digest::of(blob)))
                    .unwrap()
                    .is_some()
            );
        }
        // What a put does under its lock, up to the commit.
        let path = repository.manifests();
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(repository.manifest_path(&Digest::of(&manifest)), &manifest).unwrap();
        drop(lock);
        assert_eq!(collector.join().unwrap().blobs, 0);
    });

    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for n in 0..8 {
            let (repository, done) = (&repository, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let _lock = repository.lock_shared().unwrap();
                    std::thread::sleep(Duration::from_millis(5 + n));
                }
            });
        }
        let began = std::time::Instant::now();
        for _ in 0..20 {
            drop(repository.lock_alone().unwrap());
        }
        done.store(true, Ordering::Relaxed);
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
    });
}
