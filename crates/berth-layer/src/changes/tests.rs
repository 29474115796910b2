//! What is told of changes, on trees as overlay makes them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, XattrFlags};

use super::*;

fn open(dir: &tempfile::TempDir) -> OwnedFd {
    fs::File::open(dir.path()).unwrap().into()
}

fn make(root: &Path, dirs: &[&str], files: &[(&str, &str)]) {
    for dir in dirs {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    for (file, content) in files {
        fs::write(root.join(file), content).unwrap();
    }
}

fn whiteout(path: &Path) {
    rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, Mode::empty(), 0).unwrap();
}

fn opaque(path: &Path) {
    rustix::fs::setxattr(path, "trusted.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
}

/// As copying up does: the upper directory is as the lower one.
fn same_times(upper: &Path, lower: &Path, dirs: &[&str]) {
    for dir in dirs {
        let time = fs::metadata(lower.join(dir)).unwrap().modified().unwrap();
        fs::File::open(upper.join(dir))
            .unwrap()
            .set_modified(time)
            .unwrap();
    }
}

fn told(upper: &tempfile::TempDir, lowers: &[&tempfile::TempDir], ours: &[&str]) -> Vec<String> {
    let lowers = lowers.iter().map(|dir| open(dir)).collect();
    let ours: Vec<Vec<u8>> = ours.iter().map(|path| path.as_bytes().to_vec()).collect();
    let found = changes(open(upper), lowers, &ours).unwrap();
    let line = |(path, change): (&Vec<u8>, &Change)| {
        let word = format!("{change:?}");
        format!("{} {}", &word[..1], String::from_utf8_lossy(path))
    };
    found.iter().map(line).collect()
}

#[test]
fn added_changed_deleted_and_what_is_above_them() {
    let [upper, middle, low] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    make(low.path(), &["a/b", "d", "same", "gone/deep", "mode"], &[]);
    make(
        low.path(),
        &[],
        &[("a/b/old", "1"), ("d/file", "1"), ("gone/deep/x", "1")],
    );
    make(middle.path(), &["a"], &[("a/top", "1")]);
    whiteout(&middle.path().join("d"));
    let up = upper.path();
    make(up, &["a/b", "same", "mode", "d", "new/dir"], &[]);
    make(
        up,
        &[],
        &[("a/b/old", "22"), ("a/b/new", "1"), ("d/file", "")],
    );
    whiteout(&up.join("a/top"));
    whiteout(&up.join("gone"));
    whiteout(&up.join("never"));
    fs::set_permissions(up.join("mode"), fs::Permissions::from_mode(0o700)).unwrap();
    same_times(up, low.path(), &["same", "mode", "a/b"]);
    same_times(up, middle.path(), &["a"]);
    assert_eq!(
        told(&upper, &[&middle, &low], &[]),
        [
            "C a",
            "C a/b",
            "A a/b/new",
            "C a/b/old",
            "D a/top",
            "A d",
            "A d/file",
            "D gone",
            "C mode",
            "A new",
            "A new/dir",
        ]
    );
}

#[test]
fn an_opaque_directory_deletes_what_it_does_not_have() {
    let [upper, low] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    make(low.path(), &["d/sub", "d/kept"], &[]);
    make(
        low.path(),
        &[],
        &[("d/x", "1"), ("d/y", "1"), ("d/kept/old", "1")],
    );
    make(upper.path(), &["d/kept"], &[("d/y", "2"), ("d/z", "1")]);
    opaque(&upper.path().join("d"));
    same_times(upper.path(), low.path(), &["d", "d/kept"]);
    let expected = [
        "C d",
        "C d/kept",
        "D d/kept/old",
        "D d/sub",
        "D d/x",
        "C d/y",
        "A d/z",
    ];
    assert_eq!(told(&upper, &[&low], &[]), expected);
}

#[test]
fn what_the_engine_makes_is_no_change_until_somebody_uses_it() {
    let ours = ["dev", "etc", "etc/hosts", "etc/hostname", "proc"];
    let [upper, low] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    make(low.path(), &["etc"], &[("etc/hostname", "")]);
    make(upper.path(), &["etc", "dev", "proc"], &[("etc/hosts", "")]);
    assert!(told(&upper, &[&low], &ours).is_empty());
    assert!(told(&upper, &[], &ours).is_empty());
    make(upper.path(), &[], &[("dev/x", ""), ("etc/hosts", "1")]);
    let expected = ["A dev", "A dev/x", "C etc", "A etc/hosts"];
    assert_eq!(told(&upper, &[&low], &ours), expected);
    // A replaced one of the image's is a change.
    make(upper.path(), &[], &[("etc/hostname", "")]);
    assert!(told(&upper, &[&low], &ours).contains(&"C etc/hostname".to_owned()));
}
