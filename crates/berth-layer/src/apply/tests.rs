//! The rows T1–T15 of the threat catalogue, each by hand-made archives, with a canary outside the target.
//! They run as root: owners, devices and whiteouts are real.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::*;
use crate::tar::Writer;

/// A directory with a canary, and layers that are unpacked in it one over the other.
struct World {
    dir: tempfile::TempDir,
    layers: Vec<PathBuf>,
    form: Form,
}

impl World {
    fn new(form: Form) -> World {
        rustix::process::umask(Mode::empty());
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("canary")).unwrap();
        fs::write(dir.path().join("canary/x"), "alive").unwrap();
        fs::set_permissions(dir.path().join("canary"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::set_permissions(
            dir.path().join("canary/x"),
            fs::Permissions::from_mode(0o644),
        )
        .unwrap();
        World {
            dir,
            layers: Vec::new(),
            form,
        }
    }

    fn canary(&self) -> String {
        self.dir.path().join("canary").to_str().unwrap().to_owned()
    }

    fn layer(&mut self, entries: &[(Entry, &[u8])]) -> Result<Report, Error> {
        self.layer_of(&archive(entries))
    }

    fn layer_of(&mut self, bytes: &[u8]) -> Result<Report, Error> {
        self.layer_with(bytes, |_| {})
    }

    fn layer_with(&mut self, bytes: &[u8], change: impl Fn(&mut Options)) -> Result<Report, Error> {
        let target = match (self.form, self.layers.last()) {
            (Form::Plain, Some(tree)) => tree.clone(),
            _ => {
                let target = self.dir.path().join(format!("layer{}", self.layers.len()));
                fs::create_dir(&target).unwrap();
                fs::set_permissions(&target, fs::Permissions::from_mode(0o755)).unwrap();
                target
            }
        };
        let lowers = match self.form {
            Form::Overlay => self
                .layers
                .iter()
                .rev()
                .map(|dir| fs::File::open(dir).unwrap().into())
                .collect::<Vec<OwnedFd>>(),
            Form::Plain => Vec::new(),
        };
        let mut options = Options {
            form: self.form,
            skip_devices: false,
            limits: Limits::default(),
        };
        change(&mut options);
        let mut reader = Reader::new(bytes, options.limits);
        let result = apply(
            &mut reader,
            fs::File::open(&target).unwrap().into(),
            lowers,
            options,
        );
        self.layers.push(target);
        result
    }

    fn top(&self, path: &str) -> PathBuf {
        self.layers.last().unwrap().join(path)
    }

    fn assert_canary(&self) {
        let canary = self.dir.path().join("canary");
        assert_eq!(fs::metadata(&canary).unwrap().mode() & 0o7777, 0o700);
        let names: Vec<_> = fs::read_dir(&canary)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["x"]);
        assert_eq!(fs::read_to_string(canary.join("x")).unwrap(), "alive");
        assert_eq!(fs::metadata(canary.join("x")).unwrap().nlink(), 1);
    }

    /// The merged tree, by path: what it is and what it holds.
    fn tree(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        match self.form {
            Form::Plain => list_plain(self.layers.last().unwrap(), "", &mut found),
            Form::Overlay => {
                let lowers: Vec<_> = self
                    .layers
                    .iter()
                    .rev()
                    .map(|dir| OwnedFd::from(fs::File::open(dir).unwrap()))
                    .collect();
                list_view(&mut View::new(lowers), b"", &mut found);
            }
        }
        found
    }
}

fn list_plain(root: &Path, dir: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(root.join(dir)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{dir}{}", entry.file_name().to_str().unwrap());
        found.insert(path.clone(), describe(&entry.path()));
        if entry.file_type().unwrap().is_dir() {
            list_plain(root, &format!("{path}/"), found);
        }
    }
}

fn list_view(view: &mut View, dir: &[u8], found: &mut BTreeMap<String, String>) {
    for (name, is_dir) in crate::view::names(view.dir(dir).unwrap()).unwrap() {
        let path = path::join(dir, &name);
        let real = match view.find(&path).unwrap().unwrap() {
            crate::view::Found::Dir => real_path(&view.dir(&path).unwrap()[0]),
            crate::view::Found::Other(dir, _) => {
                real_path(&dir).join(std::str::from_utf8(&name).unwrap())
            }
        };
        found.insert(String::from_utf8(path.clone()).unwrap(), describe(&real));
        if is_dir {
            list_view(view, &path, found);
        }
    }
}

fn real_path(fd: &OwnedFd) -> PathBuf {
    use std::os::fd::AsRawFd as _;
    fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap()
}

fn describe(path: &Path) -> String {
    let meta = fs::symlink_metadata(path).unwrap();
    let what = if meta.is_dir() {
        "dir".to_owned()
    } else if meta.is_symlink() {
        format!("-> {}", fs::read_link(path).unwrap().display())
    } else if meta.is_file() {
        fs::read_to_string(path).unwrap()
    } else {
        format!("special {}", meta.rdev())
    };
    format!(
        "{what} {:o} {} {}",
        meta.mode() & 0o7777,
        meta.uid(),
        meta.mtime()
    )
}

fn archive(entries: &[(Entry, &[u8])]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, data) in entries {
        writer.append(entry, &mut &data[..]).unwrap();
    }
    writer.finish().unwrap()
}

fn entry(path: &str, kind: Kind) -> Entry {
    Entry {
        mtime: Time {
            secs: 1000,
            nanos: 0,
        },
        ..Entry::new(path, kind)
    }
}

fn file<'a>(path: &str, data: &'a str) -> (Entry, &'a [u8]) {
    (
        Entry {
            size: data.len() as u64,
            ..entry(path, Kind::File)
        },
        data.as_bytes(),
    )
}

fn dir(path: &str) -> (Entry, &'static [u8]) {
    (entry(path, Kind::Dir), b"")
}

fn link(path: &str, target: &str, kind: Kind) -> (Entry, &'static [u8]) {
    (
        Entry {
            link: target.into(),
            ..entry(path, kind)
        },
        b"",
    )
}

fn wh(path: &str) -> (Entry, &'static [u8]) {
    (entry(path, Kind::File), b"")
}

const FORMS: [Form; 2] = [Form::Overlay, Form::Plain];

fn assert_refused<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(matches!(result, Err(Error::Entry { .. })), "{result:?}");
}

#[test]
fn a_plain_layer_is_made_as_written() {
    let mut world = World::new(Form::Overlay);
    let mut full = file("d/f", "data");
    full.0.mode = 0o4751;
    full.0.uid = 1234;
    full.0.gid = 4321;
    full.0.mtime = Time {
        secs: 1_700_000_000,
        nanos: 123_456_789,
    };
    full.0.xattrs = vec![(b"user.a".to_vec(), b"1".to_vec())];
    let mut d = dir("d");
    d.0.mode = 0o1777;
    d.0.uid = 7;
    let mut fifo = (entry("p", Kind::Fifo), &b""[..]);
    fifo.0.mode = 0o600;
    let report = world
        .layer(&[
            d,
            full,
            link("d/h", "d/f", Kind::Hardlink),
            link("s", "/nowhere", Kind::Symlink),
            fifo,
            (entry("null", Kind::Char { major: 1, minor: 3 }), b""),
            (entry("loop", Kind::Block { major: 7, minor: 0 }), b""),
        ])
        .unwrap();
    assert_eq!(
        report,
        Report {
            entries: 7,
            data_bytes: 4,
            ..Report::default()
        }
    );
    let meta = fs::metadata(world.top("d/f")).unwrap();
    assert_eq!(
        (meta.mode() & 0o7777, meta.uid(), meta.gid(), meta.nlink()),
        (0o4751, 1234, 4321, 2)
    );
    assert_eq!(
        (meta.mtime(), meta.mtime_nsec()),
        (1_700_000_000, 123_456_789)
    );
    let fd = fs::File::open(world.top("d/f")).unwrap();
    assert_eq!(
        metadata::read_xattrs(fd.as_fd()).unwrap(),
        [(b"user.a".to_vec(), b"1".to_vec())]
    );
    let meta = fs::metadata(world.top("d")).unwrap();
    assert_eq!(
        (meta.mode() & 0o7777, meta.uid(), meta.mtime()),
        (0o1777, 7, 1000)
    );
    assert_eq!(
        fs::read_link(world.top("s")).unwrap(),
        Path::new("/nowhere")
    );
    assert_eq!(fs::symlink_metadata(world.top("s")).unwrap().mtime(), 1000);
    assert!(fs::metadata(world.top("p")).unwrap().file_type().is_fifo());
    let null = fs::metadata(world.top("null")).unwrap();
    assert!(null.file_type().is_char_device());
    assert_eq!(null.rdev(), rustix::fs::makedev(1, 3));
}

#[test]
fn t1_links_are_never_followed() {
    for form in FORMS {
        let mut world = World::new(form);
        let canary = world.canary();
        world
            .layer(&[link("a", &canary, Kind::Symlink), file("a/x", "evil")])
            .unwrap();
        assert_eq!(
            fs::read_to_string(world.top("a/x")).unwrap(),
            "evil",
            "the link became a directory"
        );
        world.assert_canary();

        for target in ["../../canary/x", "../canary/x", "a/../../canary/x"] {
            assert_refused(world.layer(&[link("b", target, Kind::Hardlink)]));
        }
        // An absolute target is one below the root.
        assert_refused(world.layer(&[link("b", &format!("{canary}/x"), Kind::Hardlink)]));
        world.assert_canary();

        let mut world = World::new(form);
        let canary = world.canary();
        // A hard link to a symbolic link is the link, not its target; writing to it replaces it.
        let target = format!("{canary}/x");
        world
            .layer(&[
                link("s", &target, Kind::Symlink),
                link("h", "s", Kind::Hardlink),
                file("h", "evil"),
            ])
            .unwrap();
        assert_eq!(fs::read_to_string(world.top("h")).unwrap(), "evil");
        world.assert_canary();

        // A hard link through a symbolic link.
        assert_refused(world.layer(&[
            link("c", &canary, Kind::Symlink),
            link("h2", "c/x", Kind::Hardlink),
        ]));

        // A chain of two links over two layers.
        let mut world = World::new(form);
        let canary = world.canary();
        world
            .layer(&[
                link("one", "two", Kind::Symlink),
                link("two", &canary, Kind::Symlink),
            ])
            .unwrap();
        world
            .layer(&[file("one/x", "evil"), file("two/x", "evil")])
            .unwrap();
        world.assert_canary();
        assert_eq!(world.tree()["one/x"].split(' ').next(), Some("evil"));
    }
}

#[test]
fn t2_a_directory_replaces_a_link() {
    for form in FORMS {
        let mut world = World::new(form);
        let canary = world.canary();
        let mut open = dir("foo");
        open.0.mode = 0o777;
        world
            .layer(&[link("foo", &canary, Kind::Symlink), open.clone()])
            .unwrap();
        assert!(fs::symlink_metadata(world.top("foo")).unwrap().is_dir());
        world.assert_canary();

        let mut world = World::new(form);
        let canary = world.canary();
        world.layer(&[link("foo", &canary, Kind::Symlink)]).unwrap();
        world.layer(&[open]).unwrap();
        assert_eq!(world.tree()["foo"], "dir 777 0 1000");
        world.assert_canary();
    }
}

#[test]
fn t5_t9_whiteouts_through_links_do_nothing_outside() {
    for form in FORMS {
        let mut world = World::new(form);
        let canary = world.canary();
        world.layer(&[link("lib", &canary, Kind::Symlink)]).unwrap();
        world
            .layer(&[wh("lib/.wh.x"), wh("lib/.wh..wh..opq")])
            .unwrap();
        world
            .layer(&[
                link("l2", &canary, Kind::Symlink),
                wh("l2/.wh.x"),
                wh("l2/.wh..wh..opq"),
            ])
            .unwrap();
        world.assert_canary();
        assert!(world.tree()["lib"].starts_with("-> "), "{:?}", world.tree());
        assert!(world.tree()["l2"].starts_with("-> "));
    }
}

#[test]
fn t6_paths_outside_are_refused() {
    for form in FORMS {
        for path in [
            "../x",
            "a/../../x",
            "/../x",
            "a/..",
            &"a/".repeat(3000),
            &"n".repeat(256),
        ] {
            let mut world = World::new(form);
            let result = world.layer(&[file(path, "evil")]);
            assert!(
                matches!(result, Err(Error::Entry { .. } | Error::Archive { .. })),
                "{path}: {result:?}"
            );
        }
        let mut world = World::new(form);
        world
            .layer(&[file("/abs//./x", "1"), file("new\nline", "2"), dir("./")])
            .unwrap();
        assert!(world.top("abs/x").exists() && world.top("new\nline").exists());
        let deep = vec!["d"; 2000].join("/");
        world.layer(&[file(&deep, "deep")]).unwrap();
    }
}

#[test]
fn t7_special_inodes() {
    for form in FORMS {
        let mut world = World::new(form);
        assert_refused(world.layer(&[(entry("w", Kind::Char { major: 0, minor: 0 }), b"")]));
        let mut world = World::new(form);
        world.layer(&[file("dev/a", "old")]).unwrap();
        let bytes = archive(&[
            (entry("dev/a", Kind::Char { major: 1, minor: 3 }), b""),
            (entry("dev/b", Kind::Block { major: 7, minor: 0 }), b""),
            (entry("dev/p", Kind::Fifo), b""),
        ]);
        let report = world
            .layer_with(&bytes, |options| options.skip_devices = true)
            .unwrap();
        assert_eq!(report.skipped_devices, 2);
        let tree = world.tree();
        assert_eq!(
            tree.keys().collect::<Vec<_>>(),
            ["dev", "dev/p"],
            "the old file is gone, not seen again"
        );
    }
}

#[test]
fn devices_are_left_out_with_all_their_names() {
    for form in FORMS {
        let mut world = World::new(form);
        world.layer(&[file("dev/link", "below")]).unwrap();
        let null = || {
            (
                entry("dev/null", Kind::Char { major: 1, minor: 3 }),
                &b""[..],
            )
        };
        let bytes = archive(&[
            file("dev/null", "of this layer"),
            null(),
            link("dev/link", "dev/null", Kind::Hardlink),
            link("again", "dev/link", Kind::Hardlink),
        ]);
        let report = world
            .layer_with(&bytes, |options| options.skip_devices = true)
            .unwrap();
        assert_eq!(report.skipped_devices, 3);
        assert_eq!(world.tree().keys().collect::<Vec<_>>(), ["dev"], "{form:?}");
        // A file in its place is one.
        let bytes = archive(&[
            null(),
            file("dev/null", "a file"),
            link("link", "dev/null", Kind::Hardlink),
        ]);
        let report = world
            .layer_with(&bytes, |options| options.skip_devices = true)
            .unwrap();
        assert_eq!(report.skipped_devices, 1);
        assert_eq!(world.tree()["link"], "a file 644 0 1000");
    }
}

/// Three layers; the second in both orders. Each case: the first layer, the second, what is left.
#[test]
fn t8_whiteouts_whatever_the_order() {
    type Case = (
        &'static str,
        Vec<(Entry, &'static [u8])>,
        &'static [&'static str],
    );
    let cases: Vec<Case> = vec![
        (
            "file",
            vec![wh(".wh.f")],
            &["d", "d/a", "d/b", "d/e", "d/e/c"],
        ),
        (
            "missing",
            vec![wh(".wh.zzz"), wh("zzz/.wh.y"), wh("f/.wh.y")],
            &["d", "d/a", "d/b", "d/e", "d/e/c", "f"],
        ),
        ("dir", vec![wh(".wh.d")], &["f"]),
        (
            "nested",
            vec![wh("d/.wh.a"), wh("d/e/.wh.c")],
            &["d", "d/b", "d/e", "f"],
        ),
        ("dir and below", vec![wh(".wh.d"), wh("d/.wh.a")], &["f"]),
        ("opaque", vec![wh("d/.wh..wh..opq")], &["d", "f"]),
        (
            "opaque and siblings",
            vec![wh("d/.wh..wh..opq"), file("d/n", "n")],
            &["d", "d/n", "f"],
        ),
        (
            "opaque, deep",
            vec![wh("d/.wh..wh..opq"), file("d/e/n", "n")],
            &["d", "d/e", "d/e/n", "f"],
        ),
        (
            "whiteout and file",
            vec![wh(".wh.f"), file("f", "new")],
            &["d", "d/a", "d/b", "d/e", "d/e/c", "f"],
        ),
        (
            "whiteout and dir",
            vec![wh(".wh.d"), dir("d"), file("d/n", "n")],
            &["d", "d/n", "f"],
        ),
        (
            "whiteout and implied dir",
            vec![wh(".wh.d"), file("d/e/n", "n")],
            &["d", "d/e", "d/e/n", "f"],
        ),
        (
            "own file stays",
            vec![wh(".wh.own"), file("own", "n")],
            &["d", "d/a", "d/b", "d/e", "d/e/c", "f", "own"],
        ),
        (
            "root",
            vec![wh(".wh..wh..opq"), file("d/n", "n"), file("g", "g")],
            &["d", "d/n", "g"],
        ),
        (
            "file for dir",
            vec![wh(".wh.d"), file("d", "now a file")],
            &["d", "f"],
        ),
        (
            "dir for file",
            vec![dir("f"), file("f/n", "n")],
            &["d", "d/a", "d/b", "d/e", "d/e/c", "f", "f/n"],
        ),
        (
            "plnk",
            vec![wh(".wh..wh.plnk/1.2"), wh(".wh..wh.aufs")],
            &["d", "d/a", "d/b", "d/e", "d/e/c", "f"],
        ),
    ];
    for form in FORMS {
        for (name, second, expected) in &cases {
            let mut trees = Vec::new();
            for reverse in [false, true] {
                let mut second = second.clone();
                if reverse && *name != "dir for file" {
                    second.reverse();
                }
                let mut world = World::new(form);
                let mut special = dir("d");
                special.0.mode = 0o700;
                let base = [
                    special,
                    file("d/a", "a"),
                    file("d/b", "b"),
                    file("d/e/c", "c"),
                    file("f", "f"),
                ];
                world.layer(&base).unwrap();
                world.layer(&second).unwrap();
                let tree = world.tree();
                assert_eq!(
                    tree.keys().collect::<Vec<_>>(),
                    *expected,
                    "{form:?} {name} {reverse}"
                );
                // A later layer sees the same.
                world.layer(&[file("later", "l")]).unwrap();
                assert_eq!(world.tree().len(), expected.len() + 1, "{form:?} {name}");
                trees.push(tree);
            }
            assert_eq!(
                trees[0], trees[1],
                "{form:?} {name}: metadata must not depend on the order either"
            );
        }
    }
}

#[test]
fn both_forms_show_the_same_tree() {
    let mut trees = Vec::new();
    for form in FORMS {
        let mut world = World::new(form);
        let mut top = dir("./");
        top.0.mode = 0o711;
        let mut special = dir("etc");
        special.0.mode = 0o750;
        special.0.uid = 5;
        world
            .layer(&[
                top,
                special,
                file("etc/a", "a"),
                file("etc/b", "b"),
                file("x/y/z", "z"),
            ])
            .unwrap();
        world
            .layer(&[
                file("etc/c", "c"),
                wh("etc/.wh.a"),
                link("l", "etc/b", Kind::Hardlink),
            ])
            .unwrap();
        world
            .layer(&[
                file("x/y", "now a file"),
                wh("etc/.wh.c"),
                file("new/dir/f", "f"),
            ])
            .unwrap();
        let mut tree = world.tree();
        tree.insert(String::new(), describe(world.layers.last().unwrap()));
        trees.push(tree);
    }
    assert_eq!(trees[0], trees[1]);
    assert_eq!(trees[0][""], "dir 711 0 1000");
    assert_eq!(
        trees[0]["etc"], "dir 750 5 1000",
        "an implied directory looks as it did below"
    );
    assert_eq!(trees[0]["new/dir"], "dir 755 0 0");
    assert_eq!(trees[0]["l"], "b 644 0 1000");
}

#[test]
fn the_kernel_shows_the_same_overlay() {
    let mut world = World::new(Form::Overlay);
    world
        .layer(&[
            file("d/a", "a"),
            file("d/b", "b"),
            file("f", "f"),
            file("o/x", "x"),
            file("o/p/y", "y"),
        ])
        .unwrap();
    world
        .layer(&[
            wh("d/.wh.a"),
            wh(".wh.f"),
            wh("o/.wh..wh..opq"),
            file("o/p/n", "n"),
        ])
        .unwrap();
    world
        .layer(&[file("d/c", "c"), file("f", "again")])
        .unwrap();
    let merged = world.dir.path().join("merged");
    fs::create_dir(&merged).unwrap();
    let lowers: Vec<_> = world
        .layers
        .iter()
        .rev()
        .map(|dir| dir.to_str().unwrap())
        .collect();
    let status = std::process::Command::new("mount")
        .args([
            "-t",
            "overlay",
            "overlay",
            "-o",
            &format!("lowerdir={}", lowers.join(":")),
        ])
        .arg(&merged)
        .status()
        .unwrap();
    assert!(status.success(), "this test runs as root");
    let mut found = BTreeMap::new();
    list_plain(&merged, "", &mut found);
    let unmounted = std::process::Command::new("umount")
        .arg(&merged)
        .status()
        .unwrap();
    assert!(unmounted.success());
    assert_eq!(found, world.tree());
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        ["d", "d/b", "d/c", "f", "o", "o/p", "o/p/n"]
    );
}

#[test]
fn what_a_container_changed_becomes_a_layer() {
    let mut world = World::new(Form::Overlay);
    let base = [
        file("etc/a", "a"),
        file("etc/b", "b"),
        file("gone/x", "x"),
        file("new/below", "below"),
    ];
    world.layer(&base).unwrap();
    let [merged, upper, work] = ["merged", "upper", "work"].map(|name| world.dir.path().join(name));
    for dir in [&merged, &upper, &work] {
        fs::create_dir(dir).unwrap();
    }
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        world.layers[0].display(),
        upper.display(),
        work.display()
    );
    let mut mount = std::process::Command::new("mount");
    mount
        .args(["-t", "overlay", "overlay", "-o", &options])
        .arg(&merged);
    assert!(mount.status().unwrap().success(), "this test runs as root");
    fs::remove_file(merged.join("etc/a")).unwrap();
    fs::write(merged.join("etc/b"), "changed").unwrap();
    fs::remove_dir_all(merged.join("gone")).unwrap();
    // Removed and made again: opaque.
    fs::remove_dir_all(merged.join("new")).unwrap();
    fs::create_dir(merged.join("new")).unwrap();
    fs::write(merged.join("new/file"), "file").unwrap();
    let mut seen = BTreeMap::new();
    list_plain(&merged, "", &mut seen);
    let unmounted = std::process::Command::new("umount").arg(&merged).status();
    assert!(unmounted.unwrap().success());

    let upper = fs::File::open(&upper).unwrap();
    let lower = || vec![fs::File::open(&world.layers[0]).unwrap().into()];
    let changes = crate::changes(upper.try_clone().unwrap().into(), lower(), &[]).unwrap();
    let told: Vec<String> = changes
        .iter()
        .map(|(path, change)| format!("{change:?} {}", String::from_utf8_lossy(path)))
        .collect();
    let expected = [
        "Changed etc",
        "Deleted etc/a",
        "Changed etc/b",
        "Deleted gone",
        "Changed new",
        "Deleted new/below",
        "Added new/file",
    ];
    assert_eq!(told, expected);

    let mut layers = lower();
    layers.insert(0, upper.try_clone().unwrap().into());
    let all = crate::write_merged(layers, Vec::new(), &Default::default()).unwrap();
    let mut reader = Reader::new(&all[..], Limits::default());
    let mut paths = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        paths.push(
            String::from_utf8(entry.path)
                .unwrap()
                .trim_end_matches('/')
                .to_owned(),
        );
    }
    assert_eq!(paths, seen.keys().cloned().collect::<Vec<_>>());

    let layer =
        crate::write_layer(upper.as_fd(), &changes, Vec::new(), &Default::default()).unwrap();
    let mut reader = Reader::new(&layer[..], Limits::default());
    let mut names = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        names.push(String::from_utf8(entry.path).unwrap());
    }
    let expected = [
        "etc/",
        "etc/.wh.a",
        "etc/b",
        ".wh.gone",
        "new/",
        "new/.wh..wh..opq",
        "new/file",
    ];
    assert_eq!(names, expected);
    world.layer_of(&layer).unwrap();
    assert_eq!(
        world.tree(),
        seen,
        "the layer over its base is what the container saw"
    );
}

#[test]
fn t10_names_stay_distinct() {
    let mut world = World::new(Form::Overlay);
    let names = ["Foo", "foo", "e\u{301}", "\u{e9}", "dot.", "dot"];
    world.layer(&names.map(|name| file(name, name))).unwrap();
    for name in names {
        assert_eq!(fs::read_to_string(world.top(name)).unwrap(), name);
    }
}

#[test]
fn t11_xattrs_of_overlay_do_not_get_in() {
    let mut world = World::new(Form::Overlay);
    let names: [&[u8]; 9] = [
        b"trusted.overlay.redirect",
        b"trusted.overlay.opaque",
        b"trusted.overlay.metacopy",
        b"user.overlay.opaque",
        b"user.overlay.redirect",
        b"security.selinux",
        b"system.posix_acl_access",
        b"user.fine",
        b"security.capability",
    ];
    let capability = [
        &0x0200_0001u32.to_le_bytes()[..],
        &0x2000u32.to_le_bytes(),
        &[0; 12],
    ]
    .concat();
    let xattrs: Vec<_> = names
        .iter()
        .map(|name| {
            (
                name.to_vec(),
                if name.ends_with(b"capability") {
                    capability.clone()
                } else {
                    b"y".to_vec()
                },
            )
        })
        .collect();
    let mut f = file("f", "f");
    f.0.xattrs = xattrs.clone();
    f.0.uid = 1000;
    let mut d = dir("d");
    d.0.xattrs = xattrs;
    let report = world.layer(&[f, d]).unwrap();
    assert!(report.dropped_xattrs >= 14, "{report:?}");
    let fd = fs::File::open(world.top("f")).unwrap();
    let mut names = vec![0; 1000];
    let length = rustix::fs::flistxattr(&fd, &mut names[..]).unwrap();
    let mut names: Vec<_> = names[..length]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [&b"security.capability"[..], b"user.fine"],
        "chown came before the capability"
    );
    let fd = fs::File::open(world.top("d")).unwrap();
    let mut names = vec![0; 1000];
    let length = rustix::fs::flistxattr(&fd, &mut names[..]).unwrap();
    assert!(!names[..length].windows(7).any(|part| part == b"overlay"));
}

#[test]
fn t12_extremes() {
    let mut world = World::new(Form::Overlay);
    let canary_file = format!("{}/x", world.canary());
    let mut suid_link = link("s", &canary_file, Kind::Symlink);
    suid_link.0.mode = 0o7777;
    let mut negative = file("negative", "");
    negative.0.mtime = Time {
        secs: -1000,
        nanos: 0,
    };
    let mut far = file("far", "");
    far.0.mtime = Time {
        secs: 253_402_300_799,
        nanos: 0,
    };
    let mut big_id = file("id", "");
    big_id.0.uid = u32::MAX - 1;
    world.layer(&[suid_link, negative, far, big_id]).unwrap();
    assert_eq!(fs::metadata(world.top("negative")).unwrap().mtime(), -1000);
    assert_eq!(fs::metadata(world.top("id")).unwrap().uid(), u32::MAX - 1);
    assert_eq!(fs::metadata(&canary_file).unwrap().mode() & 0o7777, 0o644);
    let mut minus_one = file("id", "");
    minus_one.0.uid = u32::MAX;
    assert!(matches!(
        world.layer(&[minus_one]),
        Err(Error::Archive { .. })
    ));
}

#[test]
fn t13_hard_links() {
    for form in FORMS {
        let mut world = World::new(form);
        world
            .layer(&[file("d/low", "low"), link("d/sym", "/x", Kind::Symlink)])
            .unwrap();
        world
            .layer(&[
                link("h", "d/low", Kind::Hardlink),
                link("hs", "/d/sym", Kind::Hardlink),
            ])
            .unwrap();
        assert_eq!(world.tree()["h"], "low 644 0 1000");
        assert_eq!(world.tree()["hs"], "-> /x 777 0 1000");
        for bad in [
            link("self", "self", Kind::Hardlink),
            link("later", "comes-later", Kind::Hardlink),
            link("todir", "d", Kind::Hardlink),
            link("toroot", "/", Kind::Hardlink),
            link("towhiteout", ".wh.h", Kind::Hardlink),
        ] {
            assert_refused(world.layer(&[bad, file("comes-later", "x")]));
        }
        // Over its own target's directory: the target is gone when the link is made.
        let result = world.layer(&[file("o/t", "t"), link("o", "o/t", Kind::Hardlink)]);
        assert!(result.is_err());
    }
}

#[test]
fn t14_sparse_files_are_refused() {
    let mut bytes = archive(&[file("f", "")]);
    bytes[156] = b'S';
    fix_checksum(&mut bytes);
    assert_refused(World::new(Form::Overlay).layer_of(&bytes));
}

#[test]
fn t15_budgets() {
    let bytes = archive(&[file("a", "12345"), file("b", "12345"), file("c", "12345")]);
    let mut world = World::new(Form::Overlay);
    let result = world.layer_with(&bytes, |options| options.limits.entries = 2);
    assert!(
        matches!(result, Err(Error::Limit { limit: 2, .. })),
        "{result:?}"
    );
    let result = world.layer_with(&bytes, |options| options.limits.total_bytes = 1000);
    assert!(
        matches!(result, Err(Error::Limit { limit: 1000, .. })),
        "{result:?}"
    );
    // 8 EiB in the header, nothing behind it.
    let mut huge = file("huge", "");
    huge.0.size = i64::MAX as u64;
    let mut writer = Writer::new(Vec::new());
    let _ = writer.append(&huge.0, &mut std::io::empty());
    let bytes = writer.finish().unwrap();
    assert!(matches!(world.layer_of(&bytes), Err(Error::Limit { .. })));
    // Copies of a lower file count.
    let mut world = World::new(Form::Overlay);
    world.layer(&[file("low", &"x".repeat(10_000))]).unwrap();
    let links: Vec<_> = (0..10)
        .map(|at| link(&format!("h{at}"), "low", Kind::Hardlink))
        .collect();
    let result = world.layer_with(&archive(&links), |options| {
        options.limits.total_bytes = 50_000
    });
    assert!(
        matches!(result, Err(Error::Limit { limit: 50_000, .. })),
        "{result:?}"
    );
}

#[test]
fn a_later_entry_wins() {
    for form in FORMS {
        let mut world = World::new(form);
        world
            .layer(&[
                file("a", "1"),
                file("a", "2"),
                dir("b"),
                file("b/c", "1"),
                file("b", "file"),
                file("c", "file"),
                file("c/d", "1"),
                link("d", "x", Kind::Symlink),
                link("d", "y", Kind::Symlink),
            ])
            .unwrap();
        let tree: Vec<_> = world
            .tree()
            .into_iter()
            .map(|(path, what)| format!("{path} {what}"))
            .collect();
        let expected = [
            "a 2 644 0 1000",
            "b file 644 0 1000",
            "c dir 755 0 0",
            "c/d 1 644 0 1000",
            "d -> y 777 0 1000",
        ];
        assert_eq!(tree, expected);
    }
}

#[test]
fn files_of_lower_layers_are_not_touched() {
    let mut world = World::new(Form::Overlay);
    world
        .layer(&[file("a", "low"), file("d/b", "low")])
        .unwrap();
    world
        .layer(&[
            file("a", "high"),
            wh("d/.wh.b"),
            link("h", "d/b", Kind::Hardlink),
        ])
        .unwrap();
    let lower = &world.layers[0];
    assert_eq!(fs::read_to_string(lower.join("a")).unwrap(), "low");
    assert_eq!(fs::metadata(lower.join("d/b")).unwrap().nlink(), 1);
    symlink("/", lower.join("check-writable")).unwrap();
}

fn fix_checksum(bytes: &mut [u8]) {
    bytes[148..156].copy_from_slice(b"        ");
    let sum: u32 = bytes[..512].iter().map(|byte| u32::from(*byte)).sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}
