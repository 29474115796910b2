//! `pull`, from a real registry on loopback.

use std::fs;

use testkit::registry::Options;
use testkit::{DyingProxy, Registry, Sandbox};

/// A registry with `bench/busybox:1`, pushed from another sandbox's store.
fn registry(options: &[&str]) -> Registry {
    let source = Sandbox::root().with_busybox();
    let registry = Registry::start(Options::default());
    let image = format!("oci:{}", source.stored_image());
    registry.push(&image, "bench/busybox:1", options);
    registry
}

/// No image. Blobs that came whole go with a repair; a partial one stays for a while, to be resumed.
fn nothing_is_visible(s: &Sandbox) {
    assert_eq!(s.berth(&["images", "-aq"]).ok(), "");
    s.berth(&["fsck", "--repair"]).ok();
    for place in ["leases", "blobs/sha256", "snapshots"] {
        assert_eq!(s.count(place), 0, "{place}");
    }
    for entry in fs::read_dir(s.state().join("ingest")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with("sha256-"), "{name}");
    }
}

fn pulls(s: &Sandbox, options: &[&str]) {
    let registry = registry(options);
    let image = format!("{}/bench/busybox:1", registry.host());
    let done = s.berth(&["pull", &image]);
    assert!(done.ok().contains(&image), "{done}");
    assert_eq!(
        s.berth(&["run", "--rm", &image, "echo", "pulled"]).ok(),
        "pulled"
    );
    // Again: nothing to do. And run pulls by itself what is missing.
    s.berth(&["pull", "-q", &image]).ok();
    s.berth(&["rmi", &image]).ok();
    assert_eq!(
        s.berth(&["run", "--rm", "-q", &image, "echo", "again"])
            .ok(),
        "again"
    );
    let digest = s
        .berth(&["images", "--digests", "--format", "{{.Digest}}"])
        .ok()
        .to_owned();
    s.berth(&["rmi", &image]).ok();
    let by_digest = format!("{}/bench/busybox@{digest}", registry.host());
    s.berth(&["pull", &by_digest]).ok();
    assert_eq!(
        s.berth(&["run", "--rm", &by_digest, "echo", "by digest"])
            .ok(),
        "by digest"
    );
}

#[test]
fn gzip_as_root() {
    pulls(&Sandbox::root(), &[]);
}

#[test]
fn gzip_rootless() {
    pulls(&Sandbox::rootless(), &[]);
}

#[test]
fn zstd() {
    pulls(&Sandbox::root(), &["--dest-compress-format", "zstd"]);
}

#[test]
fn dockers_schema() {
    pulls(&Sandbox::root(), &["--format", "v2s2"]);
}

#[test]
fn what_is_not_there_is_said() {
    let s = Sandbox::root();
    let registry = registry(&[]);
    for (name, word) in [
        ("bench/busybox:2", "bench/busybox:2"),
        ("no/such:1", "no/such:1"),
    ] {
        let done = s.berth(&["pull", "-q", &format!("{}/{name}", registry.host())]);
        assert!(done.fails(1).contains(word), "{done}");
    }
    let host = registry.host();
    drop(registry);
    let done = s.berth(&["pull", "-q", &format!("{host}/bench/busybox:1")]);
    assert!(done.fails(1).starts_with("error: "), "{done}");
    nothing_is_visible(&s);
}

#[test]
fn a_registry_that_dies_in_the_middle_leaves_nothing() {
    let s = Sandbox::root();
    let registry = registry(&[]);
    for bytes in [10, 1500, 100_000, 600_000] {
        let proxy = DyingProxy::start(&registry.host(), bytes);
        let done = s.berth(&["pull", "-q", &format!("{}/bench/busybox:1", proxy.host)]);
        assert!(proxy.is_dead(), "{bytes}: {done}");
        assert!(done.fails(1).starts_with("error: "), "{bytes}: {done}");
        nothing_is_visible(&s);
    }
    s.berth(&["pull", &format!("{}/bench/busybox:1", registry.host())])
        .ok();
}

#[test]
fn a_changed_blob_in_the_registry_is_refused() {
    let s = Sandbox::root();
    let registry = registry(&[]);
    // The largest file is the layer.
    let find = format!(
        "find {} -name data -type f -printf '%s %p\\n' | sort -n | tail -n 1 | cut -d' ' -f2",
        registry.storage().display()
    );
    let layer = s.shell(&find).ok().to_owned();
    let mut bytes = fs::read(&layer).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&layer, &bytes).unwrap();
    let image = format!("{}/bench/busybox:1", registry.host());
    let done = s.berth(&["pull", &image]);
    assert!(done.fails(1).contains("sha256:"), "{done}");
    nothing_is_visible(&s);
    // Cut off as well.
    fs::write(&layer, &bytes[..middle]).unwrap();
    s.berth(&["pull", &image]).fails(1);
    nothing_is_visible(&s);
}

#[test]
fn mirrors_are_asked_first() {
    let s = Sandbox::root();
    let registry = registry(&[]);
    let text = format!(
        "[[registry]]\nhost = \"registry.invalid\"\nmirrors = [\"http://{}\"]\n",
        registry.host()
    );
    let config = s.file("registries.toml", text);
    let mut command = s.berth_command(&["pull", "registry.invalid/bench/busybox:1"]);
    command.env("BERTH_REGISTRIES", &config);
    testkit::Finished::run(&mut command, b"", testkit::wait::PATIENCE).ok();
    assert_eq!(
        s.berth(&[
            "run",
            "--rm",
            "registry.invalid/bench/busybox:1",
            "echo",
            "mirrored"
        ])
        .ok(),
        "mirrored"
    );
}
