//! Histories: a chain, whatever races and whatever dies.

use super::*;
use crate::error::Code;
use crate::name::Selector;
use crate::storage::tests::{
    assert_sound, by_tag, code, manifest_of, push, repository, storage, tag,
};
use crate::storage::{Rules, Storage};
use berth_oci::media;

fn immutable(pattern: &str) -> Rules {
    Rules {
        immutable: vec![pattern.to_owned()],
        ..Rules::default()
    }
}

#[test]
fn each_change_is_recorded_and_can_be_taken_back() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    let (rules, v) = (Rules::default(), tag("v"));
    let one = push(&repository, "v", &[b"1"]);
    let two = push(&repository, "v", &[b"2"]);
    // The same again is no change.
    push(&repository, "v", &[b"2"]);
    assert_eq!(repository.rollback(&v, &one, "you", &rules).unwrap(), two);
    assert_eq!(
        repository.manifest(&by_tag("v")).unwrap().unwrap().digest,
        one
    );
    assert!(repository.remove_tag(&v, "you", &rules).unwrap());
    assert!(!repository.remove_tag(&v, "you", &rules).unwrap());
    assert!(repository.manifest(&by_tag("v")).unwrap().is_none());
    // Even that.
    assert_eq!(repository.rollback(&v, &two, "me", &rules).unwrap(), one);

    let history = repository.history(&v).unwrap();
    let (one, two) = (Some(one), Some(two));
    let steps: Vec<_> = history
        .iter()
        .map(|c| (c.who.as_str(), c.from.clone(), c.to.clone()))
        .collect();
    let expected = [
        ("me", None, one.clone()),
        ("me", one.clone(), two.clone()),
        ("you", two.clone(), one.clone()),
        ("you", one, None),
        ("me", None, two),
    ];
    assert_eq!(steps, expected);
    assert_eq!(history[2].why.as_deref(), Some("rollback"));
    assert!(history.is_sorted_by_key(|change| change.when.clone()));
    assert!(history[0].when.ends_with('Z'), "{}", history[0].when);
    assert_sound(&storage);
}

#[test]
fn only_what_a_tag_has_named_can_be_had_back() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    let rules = Rules::default();
    let one = push(&repository, "v", &[b"1"]);
    let other = push(&repository, "w", &[b"2"]);
    let two = push(&repository, "v", &[b"3"]);
    assert_eq!(
        code(repository.rollback(&tag("v"), &other, "me", &rules)),
        Code::ManifestUnknown
    );
    assert_eq!(
        code(repository.rollback(&tag("none"), &one, "me", &rules)),
        Code::ManifestUnknown
    );
    assert!(repository.remove_manifest(&one, "me", &rules).unwrap());
    assert_eq!(
        code(repository.rollback(&tag("v"), &one, "me", &rules)),
        Code::ManifestUnknown
    );
    assert_eq!(
        repository.manifest(&by_tag("v")).unwrap().unwrap().digest,
        two
    );
}

#[test]
fn an_immutable_tag_is_set_once() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    let rules = immutable("v*");
    let put = |name: &str, bytes: &[u8]| {
        repository.put_manifest(&by_tag(name), media::MANIFEST, bytes, "me", &rules)
    };
    let (one, two) = (
        manifest_of(&repository, &[b"1"]),
        manifest_of(&repository, &[b"2"]),
    );
    let first = put("v1", &one).unwrap().digest;
    // The same is no change.
    put("v1", &one).unwrap();
    assert_eq!(code(put("v1", &two)), Code::Denied);
    assert_eq!(
        code(repository.remove_tag(&tag("v1"), "me", &rules)),
        Code::Denied
    );
    assert_eq!(
        repository.manifest(&by_tag("v1")).unwrap().unwrap().digest,
        first
    );
    put("latest", &one).unwrap();
    put("latest", &two).unwrap();
    assert!(repository.remove_tag(&tag("latest"), "me", &rules).unwrap());
    assert_eq!(repository.history(&tag("v1")).unwrap().len(), 1);
    assert_sound(&storage);
}

/// A line that is torn, or was written and never took effect, is not shown, and is cut by the next who writes.
#[test]
fn what_did_not_happen_is_no_history() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    let one = push(&repository, "v", &[b"1"]);
    let two = push(&repository, "other", &[b"2"]);
    let path = repository.history_path(&tag("v"));
    let whole = std::fs::read(&path).unwrap();
    let add = |bytes: &[u8]| {
        let mut all = whole.clone();
        all.extend(bytes);
        std::fs::write(&path, all).unwrap();
    };
    let mut line = serde_json::to_vec(&Change::now(
        "x",
        Some(one.clone()),
        Some(two.clone()),
        None,
    ))
    .unwrap();
    line.push(b'\n');
    for end in 1..=line.len() {
        add(&line[..end]);
        assert_eq!(repository.history(&tag("v")).unwrap().len(), 1, "{end}");
        assert_sound(&storage);
    }
    for end in [1, line.len() - 1, line.len()] {
        add(&line[..end]);
        push(&repository, "v", &[b"3"]);
        let history = repository.history(&tag("v")).unwrap();
        assert_eq!(
            (history.len(), history[1].from.as_ref()),
            (2, Some(&one)),
            "{end}"
        );
        assert_sound(&storage);
        std::fs::write(&path, &whole).unwrap();
        push(&repository, "tmp", &[b"1"]);
        let manifest = repository.manifest_path(&one);
        crate::storage::blob::replace_by_link(&manifest, &repository.tag_path(&tag("v"))).unwrap();
    }
}

/// N14: a line in the middle that is damaged hides no other, and nothing is cut for it.
#[test]
fn a_damaged_line_is_passed_over() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    for blob in [b"1", b"2", b"3"] {
        push(&repository, "v", &[blob]);
    }
    let path = repository.history_path(&tag("v"));
    let text = std::fs::read_to_string(&path).unwrap();
    let second = text.lines().nth(1).unwrap();
    std::fs::write(&path, text.replace(second, &second.replace("who", "wh"))).unwrap();
    assert_eq!(repository.history(&tag("v")).unwrap().len(), 2);
    push(&repository, "v", &[b"4"]);
    assert_eq!(repository.history(&tag("v")).unwrap().len(), 3);
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 4);
}

/// G8: of many who move a tag at once each is one step of one chain, and what the last step says is what the tag names.
#[test]
fn racing_pushes_are_a_chain() {
    const EACH: usize = 15;
    let (_dir, storage) = storage();
    let names = ["a", "b", "c", "d"];
    let repository = repository(&storage, "r");
    let manifests: Vec<_> = names
        .iter()
        .map(|name| manifest_of(&repository, &[name.as_bytes()]))
        .collect();
    std::thread::scope(|scope| {
        for (who, bytes) in names.iter().zip(&manifests) {
            // Each as if it were a process of its own.
            let storage = Storage::open(storage.root()).unwrap();
            scope.spawn(move || {
                let repository = crate::storage::tests::repository(&storage, "r");
                let digest = Digest::of(bytes);
                for n in 0..EACH {
                    let rules = Rules::default();
                    if n % 5 == 4 {
                        repository.remove_tag(&tag("v"), who, &rules).unwrap();
                    }
                    repository
                        .put_manifest(&by_tag("v"), media::MANIFEST, bytes, who, &rules)
                        .unwrap();
                    let found = repository
                        .manifest(&Selector::Digest(digest.clone()))
                        .unwrap();
                    assert_eq!(&found.unwrap().bytes, bytes);
                    // Some state that the chain has, or just none.
                    if let Some(found) = repository.manifest(&by_tag("v")).unwrap() {
                        assert_eq!(Digest::of(&found.bytes), found.digest);
                    }
                }
            });
        }
    });
    assert_sound(&storage);
    let history = repository.history(&tag("v")).unwrap();
    assert!(history.len() > EACH, "{}", history.len());
    assert!(history.windows(2).all(|pair| pair[0].to == pair[1].from));
    let by: std::collections::BTreeSet<&str> =
        history.iter().map(|change| change.who.as_str()).collect();
    assert!(by.len() > 1, "they took turns at least once");
}

#[test]
fn a_history_is_shortened() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    let mut last = None;
    for n in 0..12 {
        last = Some(push(&repository, "v", &[n.to_string().as_bytes()]));
    }
    let retain = Retain {
        history: 4,
        ..Retain::default()
    };
    History::lock(&repository, &tag("v"))
        .unwrap()
        .shorten(&repository, &tag("v"), &retain)
        .unwrap();
    let history = repository.history(&tag("v")).unwrap();
    assert_eq!((history.len(), history[3].to.clone()), (4, last));
    push(&repository, "v", &[b"x"]);
    assert_eq!(repository.history(&tag("v")).unwrap().len(), 5);
    assert_sound(&storage);
}
