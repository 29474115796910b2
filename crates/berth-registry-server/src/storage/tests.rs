//! The storage as a whole: what is pushed is there, once, and whole; what is removed is gone.

use super::*;
use crate::name::{Selector, Tag};
use berth_oci::{Descriptor, media};

mod blobs;
mod lists;
mod manifests;
mod quotas;

pub(super) fn storage() -> (tempfile::TempDir, Storage) {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(&dir.path().join("registry")).unwrap();
    (dir, storage)
}

pub(super) fn repository(storage: &Storage, name: &str) -> Repository {
    storage.repository(&RepositoryName::parse(name).unwrap())
}

pub(super) fn tag(text: &str) -> Tag {
    Tag::parse(text).unwrap()
}

pub(super) fn by_tag(text: &str) -> Selector {
    Selector::Tag(tag(text))
}

pub(super) fn push_blob(repository: &Repository, content: &[u8]) -> Digest {
    let digest = Digest::of(content);
    let mut upload = repository.begin_upload().unwrap();
    upload.append(content).unwrap();
    assert_eq!(upload.finish(&digest).unwrap(), content.len() as u64);
    digest
}

/// A manifest of these blobs (the first is the configuration), which are pushed.
pub(super) fn manifest_of(repository: &Repository, blobs: &[&[u8]]) -> Vec<u8> {
    for blob in blobs {
        push_blob(repository, blob);
    }
    let descriptor = |kind: &str, blob: &&[u8]| Descriptor::of(kind, blob);
    let layers = blobs[1..].iter();
    let manifest = berth_oci::Manifest::new(
        descriptor(media::CONFIG, &blobs[0]),
        layers
            .map(|blob| descriptor(media::LAYER_TAR, blob))
            .collect(),
    );
    serde_json::to_vec(&manifest).unwrap()
}

pub(super) fn push(repository: &Repository, name: &str, blobs: &[&[u8]]) -> Digest {
    let bytes = manifest_of(repository, blobs);
    let stored = repository.put_manifest(
        &by_tag(name),
        media::MANIFEST,
        &bytes,
        "me",
        &Rules::default(),
    );
    stored.unwrap().digest
}

#[test]
fn what_is_pushed_is_there_once() {
    let (_dir, storage) = storage();
    let (one, two) = (
        repository(&storage, "team/one"),
        repository(&storage, "two"),
    );
    assert!(!one.exists().unwrap());
    let digest = push(&one, "v1", &[b"config", b"layer"]);
    assert_eq!(push(&two, "v1", &[b"config", b"layer"]), digest);
    for repository in [&one, &two] {
        let found = repository.manifest(&by_tag("v1")).unwrap().unwrap();
        assert_eq!(
            (found.digest.clone(), found.media_type.as_str()),
            (digest.clone(), media::MANIFEST)
        );
        assert_eq!(Digest::of(&found.bytes), digest);
        let blob = repository.blob(&Digest::of(b"layer")).unwrap().unwrap();
        assert_eq!(std::io::read_to_string(blob.file).unwrap(), "layer");
        assert_eq!(std::fs::read_dir(repository.uploads()).unwrap().count(), 0);
    }
    use std::os::unix::fs::MetadataExt as _;
    let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();
    let layer = Digest::of(b"layer");
    assert_eq!(inode(&one.blob_path(&layer)), inode(&two.blob_path(&layer)));
    assert_eq!(
        inode(&one.tag_path(&tag("v1"))),
        inode(&storage.shared(&digest))
    );
    assert_eq!(storage.repositories(None, 10).unwrap(), ["team/one", "two"]);
    assert_eq!(one.tags(None, 10).unwrap(), ["v1"]);
}

/// How the storage refuses.
pub(super) fn code<T: std::fmt::Debug>(result: Result<T, Failure>) -> Code {
    result.unwrap_err().code
}

pub(super) fn assert_sound(storage: &Storage) {
    let problems: Vec<String> = storage
        .check()
        .unwrap()
        .iter()
        .map(Problem::to_string)
        .collect();
    assert_eq!(problems, [""; 0]);
}

/// Turns a bit of a file, whatever names it has.
pub(super) fn damage(path: &Path) {
    use std::os::unix::fs::FileExt as _;
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 3).unwrap();
    file.write_all_at(&[byte[0] ^ 1], 3).unwrap();
}

#[test]
fn another_layout_is_refused() {
    let (_dir, storage) = storage();
    Storage::open(storage.root()).unwrap();
    std::fs::write(storage.root().join("VERSION"), "2\n").unwrap();
    assert_eq!(code(Storage::open(storage.root())), Code::Internal);
}
