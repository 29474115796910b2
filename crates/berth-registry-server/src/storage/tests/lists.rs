//! The lists, a page at a time.

use super::*;

/// All pages of this size, one after the other.
fn pages(limit: usize, page: impl Fn(Option<&str>, usize) -> Vec<String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let next = page(all.last().map(String::as_str), limit);
        assert!(next.len() <= limit);
        if next.is_empty() {
            return all;
        }
        all.extend(next);
    }
}

#[test]
fn repositories_come_in_the_order_of_bytes() {
    let (_dir, storage) = storage();
    let mut names = vec![
        "a", "a-b", "a.b", "a/b", "a/b/c", "a/b-c", "a0", "a_b", "b/c", "z",
    ];
    for name in &names {
        push(&repository(&storage, name), "v1", &[b"config"]);
    }
    // Not one yet.
    push_blob(&repository(&storage, "b"), b"blob");
    names.sort_unstable();
    for limit in 1..=names.len() + 1 {
        let all = pages(limit, |after, limit| {
            storage.repositories(after, limit).unwrap()
        });
        assert_eq!(all, names, "by {limit}");
    }
    assert_eq!(storage.repositories(Some("a/"), 1).unwrap(), ["a/b"]);
    assert_eq!(storage.repositories(Some("a/b/zzz"), 1).unwrap(), ["a0"]);
    assert!(storage.repositories(Some("zz"), 10).unwrap().is_empty());
    assert!(storage.repositories(None, 0).unwrap().is_empty());
}

#[test]
fn tags_come_in_the_order_of_bytes() {
    let (_dir, storage) = storage();
    let repository = repository(&storage, "a");
    assert!(repository.tags(None, 10).unwrap().is_empty());
    let mut names = ["v1", "v10", "v2", "V1", "_x", "1", "v1.0"];
    for name in names {
        push(&repository, name, &[b"config"]);
    }
    names.sort_unstable();
    for limit in 1..=names.len() + 1 {
        let all = pages(limit, |after, limit| repository.tags(after, limit).unwrap());
        assert_eq!(all, names, "by {limit}");
    }
    assert_eq!(repository.tags(Some("v1.5"), 1).unwrap(), ["v10"]);
}
