//! Manifests: taken only whole, served only undamaged, found by what they are about.

use super::*;
use berth_oci::Manifest;

fn put(
    repository: &Repository,
    selector: &Selector,
    kind: &str,
    bytes: &[u8],
) -> Result<Stored, Failure> {
    repository.put_manifest(selector, kind, bytes, "me", &Rules::default())
}

/// With a subject and a type, as an artifact.
fn artifact_about(repository: &Repository, subject: &Descriptor, text: &str) -> Vec<u8> {
    let bytes = manifest_of(repository, &[b"{}", text.as_bytes()]);
    let mut value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    value["subject"] = serde_json::to_value(subject).unwrap();
    value["artifactType"] = "application/x-test".into();
    value["annotations"] = serde_json::json!({ "text": text });
    serde_json::to_vec(&value).unwrap()
}

#[test]
fn what_is_not_whole_is_refused() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    let whole = manifest_of(&repository, &[b"config", b"layer"]);
    let value: Manifest = serde_json::from_slice(&whole).unwrap();
    let v1 = by_tag("v1");
    let refused = |change: &dyn Fn(&mut Manifest)| {
        let mut changed = value.clone();
        change(&mut changed);
        code(put(
            &repository,
            &v1,
            media::MANIFEST,
            &serde_json::to_vec(&changed).unwrap(),
        ))
    };
    let missing = Descriptor::of(media::LAYER_TAR, b"missing");
    assert_eq!(
        refused(&|m| m.layers.push(missing.clone())),
        Code::ManifestBlobUnknown
    );
    assert_eq!(
        refused(&|m| m.config = missing.clone()),
        Code::ManifestBlobUnknown
    );
    assert_eq!(refused(&|m| m.layers[0].size += 1), Code::ManifestInvalid);
    assert_eq!(refused(&|m| m.schema_version = 1), Code::ManifestInvalid);
    assert_eq!(
        code(put(&repository, &v1, media::INDEX, &whole)),
        Code::ManifestInvalid
    );
    assert_eq!(
        code(put(&repository, &v1, media::MANIFEST, b"{}")),
        Code::ManifestInvalid
    );
    assert_eq!(
        code(put(
            &repository,
            &v1,
            media::MANIFEST,
            &vec![b' '; (4 << 20) + 1]
        )),
        Code::TooLarge
    );
    let other = Selector::Digest(Digest::of(b"other"));
    assert_eq!(
        code(put(&repository, &other, media::MANIFEST, &whole)),
        Code::DigestInvalid
    );
    assert!(repository.tags(None, 10).unwrap().is_empty());
    assert!(repository.history(&tag("v1")).unwrap().is_empty());
    assert_eq!(disk::all_names(&repository.uploads()).unwrap().len(), 0);

    // What its licence forbids to distribute is elsewhere.
    let mut foreign = value;
    foreign.layers.push(Descriptor::of(
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        b"elsewhere",
    ));
    put(
        &repository,
        &v1,
        media::MANIFEST,
        &serde_json::to_vec(&foreign).unwrap(),
    )
    .unwrap();
    assert_sound(&storage);
}

#[test]
fn an_index_needs_its_manifests() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    let child = manifest_of(&repository, &[b"config", b"layer"]);
    let index = berth_oci::Index {
        media_type: None,
        manifests: vec![Descriptor::of(media::MANIFEST, &child)],
        ..berth_oci::Index::default()
    };
    let index = serde_json::to_vec(&index).unwrap();
    let v1 = by_tag("v1");
    assert_eq!(
        code(put(&repository, &v1, media::INDEX, &index)),
        Code::ManifestBlobUnknown
    );
    let by_digest = Selector::Digest(Digest::of(&child));
    assert_eq!(
        put(&repository, &by_digest, media::MANIFEST, &child)
            .unwrap()
            .digest,
        Digest::of(&child)
    );
    put(&repository, &v1, media::INDEX, &index).unwrap();
    assert_eq!(
        repository.manifest(&v1).unwrap().unwrap().media_type,
        media::INDEX
    );
    assert_eq!(repository.tags(None, 10).unwrap(), ["v1"]);
    assert_sound(&storage);
}

#[test]
fn sha512_names_a_manifest_too() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    let bytes = manifest_of(&repository, &[b"config"]);
    let digest = Digest::by(berth_oci::Algorithm::Sha512, &bytes);
    let selector = Selector::Digest(digest.clone());
    assert_eq!(
        put(&repository, &selector, media::MANIFEST, &bytes)
            .unwrap()
            .digest,
        digest
    );
    assert_eq!(
        repository.manifest(&selector).unwrap().unwrap().bytes,
        bytes
    );
    assert_sound(&storage);
}

#[test]
fn referrers_are_listed_by_their_subject() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    // Before its subject comes.
    let image = manifest_of(&repository, &[b"config", b"layer"]);
    let subject = Descriptor::of(media::MANIFEST, &image);
    let artifact = artifact_about(&repository, &subject, "one");
    let by_digest = |bytes: &[u8]| Selector::Digest(Digest::of(bytes));
    let stored = put(
        &repository,
        &by_digest(&artifact),
        media::MANIFEST,
        &artifact,
    )
    .unwrap();
    assert_eq!(stored.subject.as_ref(), Some(&subject.digest));
    put(&repository, &by_tag("v1"), media::MANIFEST, &image).unwrap();
    let other = artifact_about(&repository, &subject, "two");
    put(&repository, &by_tag("two"), media::MANIFEST, &other).unwrap();

    let found = repository.referrers(&subject.digest).unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.is_sorted_by_key(|one| one.digest.clone()));
    let one = found
        .iter()
        .find(|one| one.digest == stored.digest)
        .unwrap();
    assert_eq!(one.artifact_type.as_deref(), Some("application/x-test"));
    assert_eq!(
        (one.annotations["text"].as_str(), one.size),
        ("one", artifact.len() as u64)
    );
    assert!(repository.referrers(&stored.digest).unwrap().is_empty());
    assert_sound(&storage);

    assert!(
        repository
            .remove_manifest(&stored.digest, "me", &Rules::default())
            .unwrap()
    );
    assert_eq!(repository.referrers(&subject.digest).unwrap().len(), 1);
    assert_sound(&storage);
}

/// N14: damage is told, not served; a push repairs it.
#[test]
fn a_damaged_manifest_is_never_served() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    let digest = push(&repository, "v1", &[b"config", b"layer"]);
    damage(&repository.manifest_path(&digest));
    for selector in [by_tag("v1"), Selector::Digest(digest.clone())] {
        let failure = repository.manifest(&selector).unwrap_err();
        assert_eq!(failure.code, Code::Internal);
        assert!(!failure.message.contains("/"), "{}", failure.message);
        assert!(failure.cause.unwrap().to_string().contains("_"));
    }
    let problems: Vec<String> = storage
        .check()
        .unwrap()
        .iter()
        .map(Problem::to_string)
        .collect();
    assert!(
        problems.contains(&format!("a: {digest} is damaged")),
        "{problems:?}"
    );
    assert_eq!(push(&repository, "v1", &[b"config", b"layer"]), digest);
    assert_eq!(
        repository.manifest(&by_tag("v1")).unwrap().unwrap().digest,
        digest
    );
    assert_eq!(repository.history(&tag("v1")).unwrap().len(), 1);
    assert_sound(&storage);
}

#[test]
fn a_removed_manifest_takes_its_tags_along() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    let digest = push(&repository, "v1", &[b"config"]);
    push(&repository, "latest", &[b"config"]);
    push(&repository, "other", &[b"config", b"layer"]);
    let rules = Rules {
        immutable: vec!["v*".into()],
        ..Rules::default()
    };
    assert_eq!(
        code(repository.remove_manifest(&digest, "me", &rules)),
        Code::Denied
    );
    assert!(
        repository
            .remove_manifest(&digest, "me", &Rules::default())
            .unwrap()
    );
    assert!(
        !repository
            .remove_manifest(&digest, "me", &Rules::default())
            .unwrap()
    );
    assert_eq!(repository.tags(None, 10).unwrap(), ["other"]);
    assert!(
        repository
            .manifest(&Selector::Digest(digest.clone()))
            .unwrap()
            .is_none()
    );
    let last = repository.history(&tag("v1")).unwrap().pop().unwrap();
    assert_eq!(
        (last.from, last.to, last.why.as_deref()),
        (Some(digest), None, Some("the manifest was removed"))
    );
    assert_sound(&storage);
}
