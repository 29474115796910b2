//! What images have in common is stored once: in our store, unpacked, and in a registry.

use std::collections::BTreeSet;
use std::fs;

use testkit::registry::Options;
use testkit::{Finished, Registry, Sandbox};

fn names(s: &Sandbox, place: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(s.state().join(place)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with('.')).collect()
}

/// One more layer on an image.
fn grow(s: &Sandbox, from: &str, file: &str, to: &str) {
    let change = format!("head -c 100000 /dev/urandom > /{file}");
    s.berth(&["run", "--name", "grows", from, "sh", "-c", &change])
        .ok();
    s.berth(&["commit", "grows", to]).ok();
    s.berth(&["rm", "grows"]).ok();
}

/// Layers a, b, c and a, b, d: a, b, c, d are stored once, wherever.
#[test]
fn two_images_store_what_they_share_once() {
    let s = Sandbox::root().with_busybox();
    grow(&s, "busybox", "b", "ab:1");
    grow(&s, "ab:1", "c", "abc:1");
    grow(&s, "ab:1", "d", "abd:1");
    for name in ["abc:1", "abd:1"] {
        s.berth(&["run", "--rm", name, "test", "-e", "/b"]).ok();
    }
    s.berth(&["rmi", "busybox", "ab:1"]).ok();
    let documents = 2 * 2;
    let blobs = names(&s, "blobs/sha256");
    assert_eq!(blobs.len(), 4 + documents);
    assert_eq!(names(&s, "snapshots").len(), 4);

    let registry = Registry::start(Options::default());
    for name in ["abc", "abd"] {
        let to = format!("{}/shared/{name}:1", registry.host());
        let from = format!("oci:{}:docker.io/library/{name}:1", s.state().display());
        let mut copy = s.command("skopeo");
        copy.args([
            "--insecure-policy",
            "copy",
            "-q",
            "--dest-tls-verify=false",
            &from,
        ]);
        copy.arg(format!("docker://{to}"));
        Finished::run(&mut copy, b"", testkit::wait::PATIENCE).ok();
    }
    let find = format!(
        "find {} -name data -path '*/blobs/sha256/*'",
        registry.storage().display()
    );
    let stored = s.shell_as_root(&find).ok().to_owned();
    let digest = |line: &str| line.rsplit('/').nth(1).unwrap().to_owned();
    assert_eq!(stored.lines().map(digest).collect::<BTreeSet<_>>(), blobs);
    assert_eq!(stored.lines().count(), 4 + documents);

    // Pulled elsewhere, the second brings one layer.
    let other = Sandbox::root();
    for (name, count) in [("abc", 3), ("abd", 4)] {
        let image = format!("{}/shared/{name}:1", registry.host());
        other.berth(&["pull", "-q", &image]).ok();
        assert_eq!(names(&other, "snapshots").len(), count, "{name}");
    }
    assert_eq!(names(&other, "blobs/sha256"), blobs);
    // What one of them alone has goes with it, and no more.
    other
        .berth(&["rmi", &format!("{}/shared/abc:1", registry.host())])
        .ok();
    assert_eq!(names(&other, "snapshots").len(), 3);
    assert_eq!(names(&other, "blobs/sha256").len(), 3 + 2);
    other
        .berth(&[
            "run",
            "--rm",
            &format!("{}/shared/abd:1", registry.host()),
            "test",
            "-e",
            "/d",
        ])
        .ok();
}
