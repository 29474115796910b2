//! Some of everything that a registry does, one step after the other; and how it has to look after each.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use berth_oci::{Descriptor, Digest, Manifest, media};
use berth_registry_server::storage::{CollectOptions, Repository, Retain, Rules};
use berth_registry_server::{Failure, RepositoryName, Selector, Storage, Tag};

/// Everything is old.
pub const NOW: CollectOptions = CollectOptions {
    grace: Duration::ZERO,
    upload_ttl: Duration::ZERO,
    dry_run: false,
};

type Step = fn(&Storage) -> Result<(), Failure>;

/// What is done, in this order. Doing all of it twice ends the same.
pub const STEPS: [Step; 10] = [
    |all| push(&repository(all, "one"), "v1", "a"),
    |all| {
        let (one, two) = (repository(all, "one"), repository(all, "two"));
        assert!(two.mount_blob(&one, &Digest::of(&layers("a")[0]))?);
        push(&two, "v1", "a")
    },
    |all| push(&repository(all, "one"), "v1", "b"),
    |all| {
        let one = repository(all, "one");
        push_blobs(&one, "signature")?;
        let bytes = signature();
        put(&one, &Selector::Digest(Digest::of(&bytes)), &bytes)
    },
    |all| {
        let (one, rules) = (repository(all, "one"), Rules::default());
        one.rollback(&tag("v1"), &Digest::of(&image("a")), "me", &rules)
            .map(drop)
    },
    |all| push(&repository(all, "one"), "v2", "b"),
    |all| {
        let one = repository(all, "one");
        one.remove_tag(&tag("v2"), "me", &Rules::default())
            .map(drop)
    },
    |all| {
        let (two, digest) = (repository(all, "two"), Digest::of(&image("a")));
        two.remove_manifest(&digest, "me", &Rules::default())
            .map(drop)
    },
    |all| push(&repository(all, "team/three"), "v1", "a"),
    |all| all.collect(&NOW, &|_| untagged_goes()).map(drop),
];

/// What there is to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// `REPOSITORY:TAG` and the digest.
    pub tags: BTreeMap<String, Digest>,
    pub signatures: usize,
}

/// How it has to look after so many steps.
pub fn expected(steps: usize) -> State {
    let mut tags = BTreeMap::new();
    let mut set = |name: &str, since: usize, until: usize, what: &str| {
        if (since..until).contains(&steps) {
            tags.insert(name.to_owned(), Digest::of(&image(what)));
        }
    };
    set("one:v1", 1, 3, "a");
    set("one:v1", 3, 5, "b");
    set("one:v1", 5, usize::MAX, "a");
    set("two:v1", 2, 8, "a");
    set("one:v2", 6, 7, "b");
    set("team/three:v1", 9, usize::MAX, "a");
    let signatures = usize::from((4..10).contains(&steps));
    State { tags, signatures }
}

/// How it looks; all that tags lead to is read.
pub fn state(all: &Storage) -> State {
    let mut tags = BTreeMap::new();
    for name in all.repositories(None, 100).unwrap() {
        let repository = repository(all, &name);
        for tag in repository.tags(None, 100).unwrap() {
            let selector = Selector::parse(&tag).unwrap();
            let found = repository.manifest(&selector).unwrap().unwrap();
            assert_whole(&repository, &found.bytes);
            tags.insert(format!("{name}:{tag}"), found.digest);
        }
    }
    let subject = Digest::of(&image("b"));
    let signatures = repository(all, "one").referrers(&subject).unwrap().len();
    State { tags, signatures }
}

/// All that a manifest names can be read, and is what it says.
pub fn assert_whole(repository: &Repository, manifest: &[u8]) {
    let manifest: Manifest = serde_json::from_slice(manifest).unwrap();
    for named in manifest.layers.iter().chain([&manifest.config]) {
        let blob = repository.blob(&named.digest).unwrap();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut blob.unwrap().file, &mut content).unwrap();
        assert!(named.digest.verifies(&content), "{}", named.digest);
    }
}

pub fn assert_sound(all: &Storage, when: &str) {
    let problems = all.check().unwrap();
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{when}: {problems:?}");
}

/// Does everything, and writes a byte for each step that is done.
pub fn all(root: &Path, acknowledged: &Path) {
    let storage = Storage::open(root).unwrap();
    let mut log = std::fs::File::create(acknowledged).unwrap();
    for step in STEPS {
        step(&storage).unwrap();
        log.write_all(b".").unwrap();
    }
}

/// One push of an image with one new layer to a repository that is there; for the count of its steps.
pub fn push_once(root: &Path) {
    let storage = Storage::open(root).unwrap();
    push(&repository(&storage, "one"), "v1", "b").unwrap();
}

pub fn untagged_goes() -> Rules {
    Rules {
        retain: Retain {
            untagged: Some(Duration::ZERO),
            rollback: 0,
            ..Retain::default()
        },
        ..Rules::default()
    }
}

pub fn repository(all: &Storage, name: &str) -> Repository {
    all.repository(&RepositoryName::parse(name).unwrap())
}

pub fn tag(text: &str) -> Tag {
    Tag::parse(text).unwrap()
}

/// Configuration first; what all images share, and what only this one has.
fn layers(name: &str) -> Vec<Vec<u8>> {
    vec![
        vec![7; 9000],
        format!("configuration of {name}").into_bytes(),
        name.repeat(3000).into_bytes(),
    ]
}

pub fn image(name: &str) -> Vec<u8> {
    let layers = layers(name);
    let describe = |layer: &Vec<u8>| Descriptor::of(media::LAYER_TAR, layer);
    let manifest = Manifest::new(
        Descriptor::of(media::CONFIG, &layers[1]),
        vec![describe(&layers[0]), describe(&layers[2])],
    );
    serde_json::to_vec(&manifest).unwrap()
}

fn signature() -> Vec<u8> {
    let mut value: serde_json::Value = serde_json::from_slice(&image("signature")).unwrap();
    let subject = Descriptor::of(media::MANIFEST, &image("b"));
    value["subject"] = serde_json::to_value(subject).unwrap();
    serde_json::to_vec(&value).unwrap()
}

pub fn push(repository: &Repository, tag: &str, name: &str) -> Result<(), Failure> {
    push_blobs(repository, name)?;
    put(repository, &Selector::parse(tag).unwrap(), &image(name))
}

fn put(repository: &Repository, selector: &Selector, bytes: &[u8]) -> Result<(), Failure> {
    let rules = Rules::default();
    repository
        .put_manifest(selector, media::MANIFEST, bytes, "me", &rules)
        .map(drop)
}

fn push_blobs(repository: &Repository, name: &str) -> Result<(), Failure> {
    for layer in layers(name) {
        if repository.blob(&Digest::of(&layer))?.is_none() {
            push_blob(repository, &layer)?;
        }
    }
    Ok(())
}

pub fn push_blob(repository: &Repository, content: &[u8]) -> Result<(), Failure> {
    let mut upload = repository.begin_upload()?;
    for part in content.chunks(4096) {
        upload.append(part)?;
    }
    upload.finish(&Digest::of(content)).map(drop)
}
