//! What an archive changes in a directory that is in use, and what it may not.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;
use crate::Limits;
use crate::tar::{Time, Writer};

fn archive(entries: &[(&str, Kind, &str)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (path, kind, text) in entries {
        let mut entry = Entry::new(*path, *kind);
        entry.uid = 7;
        entry.mtime = Time {
            secs: 1000,
            nanos: 0,
        };
        match kind {
            Kind::File => entry.size = text.len() as u64,
            _ => entry.link = text.as_bytes().to_vec(),
        }
        let mut data: &[u8] = if *kind == Kind::File {
            text.as_bytes()
        } else {
            b""
        };
        writer.append(&entry, &mut data).unwrap();
    }
    writer.finish().unwrap()
}

fn options() -> PutOptions {
    PutOptions {
        no_overwrite_dir_non_dir: true,
        owner: Owner::Caller,
        skip_devices: false,
        inside: false,
        rename: None,
    }
}

fn unpack(
    dir: &tempfile::TempDir,
    entries: &[(&str, Kind, &str)],
    options: PutOptions,
) -> Result<(), Error> {
    let bytes = archive(entries);
    let target = OwnedFd::from(fs::File::open(dir.path()).unwrap());
    put(
        &mut Reader::new(&bytes[..], Limits::default()),
        target,
        options,
    )
}

#[test]
fn what_is_there_stays_or_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    fs::create_dir(at("d")).unwrap();
    fs::write(at("d/old"), "old").unwrap();
    fs::write(at("d/new"), "before").unwrap();
    fs::set_permissions(at("d"), fs::Permissions::from_mode(0o700)).unwrap();
    let entries = [
        ("d", Kind::Dir, ""),
        ("d/new", Kind::File, "after"),
        ("d/link", Kind::Symlink, "new"),
        ("d/hard", Kind::Hardlink, "d/new"),
        ("deep/er/f", Kind::File, "x"),
    ];
    unpack(&dir, &entries, options()).unwrap();
    assert_eq!(fs::read_to_string(at("d/old")).unwrap(), "old");
    assert_eq!(fs::read_to_string(at("d/link")).unwrap(), "after");
    assert_eq!(fs::metadata(at("d/hard")).unwrap().nlink(), 2);
    assert_eq!(fs::read_to_string(at("deep/er/f")).unwrap(), "x");
    let found = fs::metadata(at("d")).unwrap();
    assert_eq!((found.mode() & 0o7777, found.mtime()), (0o755, 1000));
    assert_eq!(found.uid(), rustix::process::geteuid().as_raw());
}

#[test]
fn a_directory_and_a_file_do_not_replace_each_other() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("d")).unwrap();
    fs::write(dir.path().join("f"), "").unwrap();
    for (path, kind, words) in [
        (
            "d",
            Kind::File,
            "cannot overwrite directory \"/d\" with non-directory",
        ),
        (
            "f",
            Kind::Dir,
            "cannot overwrite non-directory \"/f\" with directory",
        ),
    ] {
        let error = unpack(&dir, &[(path, kind, "")], options()).unwrap_err();
        assert_eq!(error.to_string(), words);
        let free = PutOptions {
            no_overwrite_dir_non_dir: false,
            ..options()
        };
        unpack(&dir, &[(path, kind, "")], free).unwrap();
    }
    assert!(dir.path().join("d").is_file() && dir.path().join("f").is_dir());
}

#[test]
fn on_the_host_no_link_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let canary = tempfile::tempdir().unwrap();
    symlink(canary.path(), dir.path().join("out")).unwrap();
    for entries in [
        &[("out/f", Kind::File, "x")][..],
        &[("l", Kind::Symlink, "/"), ("l/tmp/f", Kind::File, "x")],
        &[("h", Kind::Hardlink, "out/f")],
        &[("../f", Kind::File, "x")],
    ] {
        assert!(unpack(&dir, entries, options()).is_err(), "{entries:?}");
    }
    assert_eq!(fs::read_dir(canary.path()).unwrap().count(), 0);
    let inside = PutOptions {
        inside: true,
        ..options()
    };
    unpack(&dir, &[("out/f", Kind::File, "x")], inside).unwrap();
    assert!(canary.path().join("f").is_file());
}

#[test]
fn the_first_component_is_renamed() {
    for (from, to, path, found) in [
        ("a", "b", "a/f", "b/f"),
        ("a", "b", "ab/f", "ab/f"),
        ("", "b", "/f", "b/f"),
        ("a", "b", "a", "b"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let renamed = PutOptions {
            rename: Some((from.into(), to.into())),
            ..options()
        };
        unpack(&dir, &[(path, Kind::File, "x")], renamed).unwrap();
        assert!(dir.path().join(found).is_file(), "{from} {to} {path}");
    }
}
