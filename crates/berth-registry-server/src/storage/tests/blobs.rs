//! Blobs: uploaded, taken over, found, removed.

use std::os::unix::fs::MetadataExt as _;

use super::*;

#[test]
fn an_upload_goes_on_where_it_was() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    let content = b"one two three";
    let digest = Digest::of(content);
    let mut upload = repository.begin_upload().unwrap();
    let id = upload.id().to_owned();
    upload.append(b"one ").unwrap();
    // One writer at a time.
    assert_eq!(code(repository.upload(&id)), Code::BlobUploadInvalid);
    drop(upload);

    let mut upload = repository.upload(&id).unwrap().unwrap();
    assert_eq!(upload.offset(), 4);
    upload.append(b"two ").unwrap();
    drop(upload);
    // Another process knows nothing of the hash.
    let other = Storage::open(storage.root()).unwrap();
    let mut upload = super::repository(&other, "a").upload(&id).unwrap().unwrap();
    assert_eq!(upload.offset(), 8);
    upload.append(b"three").unwrap();
    drop(upload);
    // The state of the first is too old now.
    let upload = repository.upload(&id).unwrap().unwrap();
    assert_eq!(upload.finish(&digest).unwrap(), 13);
    let blob = repository.blob(&digest).unwrap().unwrap();
    assert_eq!(
        (
            blob.size,
            std::io::read_to_string(blob.file).unwrap().as_bytes()
        ),
        (13, &content[..])
    );
    assert!(repository.upload(&id).unwrap().is_none());
    assert_sound(&storage);
}

/// G8: content that is not what it should be leaves nothing.
#[test]
fn a_digest_that_lies_leaves_nothing() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    let mut upload = repository.begin_upload().unwrap();
    let id = upload.id().to_owned();
    upload.append(b"other").unwrap();
    let digest = Digest::of(b"content");
    assert_eq!(code(upload.finish(&digest)), Code::DigestInvalid);
    assert!(repository.blob(&digest).unwrap().is_none());
    assert!(repository.blob(&Digest::of(b"other")).unwrap().is_none());
    assert!(repository.upload(&id).unwrap().is_none());
    let upload = repository.begin_upload().unwrap();
    upload.cancel();
    assert_eq!(disk::all_names(&repository.uploads()).unwrap().len(), 0);
    assert_sound(&storage);
}

/// G6, G7: an id is no path, and belongs to its repository.
#[test]
fn an_upload_belongs_to_its_repository() {
    let (_dir, storage) = storage();
    let (one, two) = (repository(&storage, "one"), repository(&storage, "two"));
    let upload = one.begin_upload().unwrap();
    let id = upload.id().to_owned();
    drop(upload);
    assert!(two.upload(&id).unwrap().is_none());
    for bad in [
        "",
        "..",
        "../_lock",
        &id.to_uppercase(),
        &format!("{id}x"),
        &"-".repeat(36),
    ] {
        assert!(one.upload(bad).unwrap().is_none(), "{bad}");
    }
    assert!(one.upload(&id).unwrap().is_some());
    let blob = push_blob(&one, b"secret");
    assert!(two.blob(&blob).unwrap().is_none());
}

#[test]
fn sha512_names_content_too() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    let digest = Digest::by(berth_oci::Algorithm::Sha512, b"content");
    let mut upload = repository.begin_upload().unwrap();
    upload.append(b"content").unwrap();
    upload.finish(&digest).unwrap();
    assert!(repository.blob(&digest).unwrap().is_some());
    assert!(repository.blob(&Digest::of(b"content")).unwrap().is_none());
    assert_sound(&storage);
}

#[test]
fn a_mount_is_a_link() {
    let (_dir, storage) = storage();
    let (one, two) = (repository(&storage, "one"), repository(&storage, "two"));
    let digest = push_blob(&one, b"layer");
    assert!(two.mount_blob(&one, &digest).unwrap());
    assert!(two.mount_blob(&one, &digest).unwrap());
    assert!(!two.mount_blob(&one, &Digest::of(b"none")).unwrap());
    assert!(
        !one.mount_blob(&repository(&storage, "none"), &digest)
            .unwrap()
    );
    assert_eq!(
        std::fs::metadata(storage.shared(&digest)).unwrap().nlink(),
        3
    );
    assert!(one.remove_blob(&digest).unwrap());
    assert!(!one.remove_blob(&digest).unwrap());
    assert!(two.blob(&digest).unwrap().is_some());
    assert_sound(&storage);
}

#[test]
fn a_blob_that_a_manifest_needs_stays() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    let manifest = push(&repository, "v1", &[b"config", b"layer"]);
    let layer = Digest::of(b"layer");
    assert_eq!(code(repository.remove_blob(&layer)), Code::Denied);
    assert!(
        repository
            .remove_manifest(&manifest, "me", &Rules::default())
            .unwrap()
    );
    assert!(repository.remove_blob(&layer).unwrap());
    assert_sound(&storage);
}

/// G9: who is told that a blob is here can rely on it for a while; who only reads writes nothing.
#[test]
fn being_asked_for_makes_young() {
    let dir = tempfile::tempdir().unwrap();
    let patient = Storage::open(dir.path()).unwrap();
    let eager = Storage::open_with(dir.path(), Duration::ZERO).unwrap();
    let digest = push_blob(&repository(&patient, "a"), b"layer");
    let path = repository(&patient, "a").blob_path(&digest);
    let changed = || {
        let metadata = std::fs::metadata(&path).unwrap();
        (
            (metadata.ctime(), metadata.ctime_nsec()),
            metadata.modified().unwrap(),
        )
    };
    let before = changed();
    std::thread::sleep(Duration::from_millis(20));
    repository(&patient, "a").blob(&digest).unwrap().unwrap();
    assert_eq!(changed(), before);
    repository(&eager, "a").blob(&digest).unwrap().unwrap();
    assert!(changed().0 > before.0);
    assert_eq!(changed().1, before.1, "the content's time stays");
}

/// A file can have no more than 65,000 names on ext4: then another takes over.
#[test]
fn a_file_with_as_many_names_as_can_be_is_copied() {
    let (dir, storage) = storage();
    let (one, two, three) = (
        repository(&storage, "one"),
        repository(&storage, "two"),
        repository(&storage, "three"),
    );
    let manifest = push(&one, "v0", &[b"config", b"layer"]);
    let layer = Digest::of(b"layer");
    let many = dir.path().join("many");
    std::fs::create_dir(&many).unwrap();
    let fill = |path: &Path, prefix: &str| {
        for n in 0..=70_000 {
            assert!(
                n < 70_000,
                "this file system has no limit that a test can reach"
            );
            if std::fs::hard_link(path, many.join(format!("{prefix}{n}"))).is_err() {
                break;
            }
        }
    };
    fill(&storage.shared(&layer), "l");
    fill(&one.manifest_path(&manifest), "m");
    let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();

    assert!(two.mount_blob(&one, &layer).unwrap());
    assert_ne!(inode(&two.blob_path(&layer)), inode(&one.blob_path(&layer)));
    let was = inode(&storage.shared(&layer));
    push_blob(&three, b"layer");
    assert_ne!(
        inode(&storage.shared(&layer)),
        was,
        "the next share the new one"
    );
    assert_eq!(
        inode(&three.blob_path(&layer)),
        inode(&storage.shared(&layer))
    );

    assert_eq!(push(&one, "v1", &[b"config", b"layer"]), manifest);
    assert_eq!(
        one.manifest(&by_tag("v1")).unwrap().unwrap().digest,
        manifest
    );
    assert_eq!(push(&two, "v1", &[b"config", b"layer"]), manifest);
    assert_eq!(one.tags_of(&manifest).unwrap().len(), 2);
    assert_sound(&storage);
    std::fs::remove_dir_all(&many).unwrap();
}

/// N14: what is cut short is replaced by whoever pushes it.
#[test]
fn a_blob_that_was_cut_short_is_repaired_by_a_push() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    let digest = push_blob(&repository, b"layer");
    let path = repository.blob_path(&digest);
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(2)
        .unwrap();
    assert_eq!(storage.check().unwrap().len(), 2, "under both of its names");
    push_blob(&repository, b"layer");
    assert_eq!(std::fs::read(&path).unwrap(), b"layer");
    assert_sound(&storage);
}

/// N14: of other damage nobody knows until all is read; then it can be pushed again.
#[test]
fn a_damaged_blob_is_found_and_can_be_pushed_again() {
    let (_dir, storage) = storage();
    let (one, two) = (repository(&storage, "one"), repository(&storage, "two"));
    let blobs: [&[u8]; 2] = [b"config", b"layer"];
    push(&one, "v1", &blobs);
    push(&two, "v1", &blobs);
    let layer = Digest::of(b"layer");
    damage(&one.blob_path(&layer));
    assert_eq!(storage.check().unwrap().len(), 3, "under each of its names");
    assert!(one.blob(&layer).unwrap().is_some());
    // That it is missing now is told, too.
    assert_eq!(storage.repair().unwrap().len(), 5);
    assert!(one.blob(&layer).unwrap().is_none());
    push(&one, "v1", &blobs);
    assert!(two.mount_blob(&one, &layer).unwrap());
    assert_sound(&storage);
}
