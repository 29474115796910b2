//! The specification's own examples of `config.json`, good and bad.
//!
//! Source: opencontainers/runtime-spec, schema/test/config.
#![allow(clippy::unwrap_used)] // this whole file is a test

use std::path::Path;

use berth_runtime::bundle;

fn load(kind: &str, name: &str) -> Result<(), String> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(kind)
        .join(name);
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(data, dir.path().join("config.json")).unwrap();
    bundle::load(dir.path())
        .map(drop)
        .map_err(|error| error.to_string())
}

/// What is good, but asks for what this runtime does not have, is refused by name: a limit or a setting
/// is never silently forgotten.
#[test]
fn good_ones_are_accepted_or_refused_by_name() {
    let mut seen = 0;
    for entry in
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/good")).unwrap()
    {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let expected = match name.as_str() {
            "minimal.json"
            | "minimal-for-start.json"
            | "zos-minimal.json"
            | "freebsd-minimal.json"
            | "linux-netdevice.json"
            | "linux-rdma.json" => None,
            // Its version is one before the first.
            "spec-example.json" => Some("ociVersion"),
            name if name.starts_with("freebsd") => Some("freebsd"),
            name if name.starts_with("zos") => Some("zos"),
            other => panic!("a new example: {other}"),
        };
        seen += 1;
        match (load("good", &name), expected) {
            (Ok(()), None) => {}
            (Err(message), Some(field)) => assert!(message.contains(field), "{name}: {message}"),
            (got, _) => panic!("{name}: {got:?}"),
        }
    }
    assert_eq!(seen, 9);
}

#[test]
fn bad_ones_are_refused() {
    for entry in
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bad")).unwrap()
    {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(load("bad", &name).is_err(), "{name}");
    }
}
