//! tar ↔ tree: what is written is read back the same, whoever writes. Runs as root, for the owners.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use berth_layer::apply::{Form, Options, apply};
use berth_layer::tar::{Entry, Kind, Reader, Time, Writer};
use berth_layer::{Limits, WriteOptions, write_tree};
use proptest::prelude::*;

/// Nodes by name.
type Tree = BTreeMap<Vec<u8>, (Meta, Node)>;

/// One node of a made-up tree.
#[derive(Debug, Clone)]
enum Node {
    File(Vec<u8>),
    Dir(Tree),
    Symlink(Vec<u8>),
    Fifo,
    Device(u32, u32),
}

#[derive(Debug, Clone)]
struct Meta {
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: Time,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

fn meta() -> impl Strategy<Value = Meta> {
    // ext4 holds times from 1901 to 2446.
    let seconds = prop_oneof![
        0i64..2_000_000_000,
        -2_000_000_000i64..0,
        4_000_000_000i64..10_000_000_000
    ];
    let nanos = prop_oneof![Just(0), 0u32..1_000_000_000];
    let id = prop_oneof![Just(0u32), 0u32..70_000, Just(u32::MAX - 1)];
    let xattrs = proptest::collection::btree_map(
        "user\\.[a-z]{1,8}",
        proptest::collection::vec(any::<u8>(), 0..40),
        0..3,
    );
    (0u32..0o10000, id.clone(), id, seconds, nanos, xattrs).prop_map(
        |(mode, uid, gid, secs, nanos, xattrs)| Meta {
            mode,
            uid,
            gid,
            mtime: Time { secs, nanos },
            xattrs: xattrs
                .into_iter()
                .map(|(name, value)| (name.into_bytes(), value))
                .collect(),
        },
    )
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("no separator", |byte| *byte != 0 && *byte != b'/');
    prop_oneof![
        4 => "[a-z]{1,5}".prop_map(String::into_bytes),
        1 => "[a-z]{90,255}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(byte, 1..20),
    ]
    .prop_filter("no special name", |name| {
        name != b"." && name != b".." && !name.starts_with(b".wh.")
    })
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..2000).prop_map(Node::File),
        // The tar crate writes no link whose text is slashes and dots alone.
        1 => proptest::collection::vec(1u8..=255, 1..200)
            .prop_map(|text| Node::Symlink([b"t", &text[..]].concat())),
        1 => Just(Node::Fifo),
        1 => (1u32..300, 0u32..300).prop_map(|(major, minor)| Node::Device(major, minor)),
    ];
    let node = leaf.prop_recursive(3, 20, 5, |inner| {
        proptest::collection::btree_map(name(), (meta(), inner), 0..5).prop_map(Node::Dir)
    });
    proptest::collection::btree_map(name(), (meta(), node), 0..6)
}

/// The tree without names that are no UTF-8, which the tar crate refuses for directories.
fn readable(nodes: Tree) -> Tree {
    let readable = nodes
        .into_iter()
        .filter(|(name, _)| std::str::from_utf8(name).is_ok());
    readable
        .map(|(name, (meta, node))| match node {
            Node::Dir(children) => (name, (meta, Node::Dir(self::readable(children)))),
            other => (name, (meta, other)),
        })
        .collect()
}

/// The tree as entries, in the writer's order.
fn entries(dir: &[u8], nodes: &Tree, out: &mut Vec<(Entry, Vec<u8>)>) {
    for (name, (meta, node)) in nodes {
        let path = if dir.is_empty() {
            name.clone()
        } else {
            [dir, b"/", name].concat()
        };
        let (kind, data) = match node {
            Node::File(data) => (Kind::File, data.clone()),
            Node::Dir(_) => (Kind::Dir, Vec::new()),
            Node::Symlink(_) => (Kind::Symlink, Vec::new()),
            Node::Fifo => (Kind::Fifo, Vec::new()),
            Node::Device(major, minor) => (
                Kind::Char {
                    major: *major,
                    minor: *minor,
                },
                Vec::new(),
            ),
        };
        let mut entry = Entry::new(path.clone(), kind);
        (entry.mode, entry.uid, entry.gid, entry.mtime) =
            (meta.mode, meta.uid, meta.gid, meta.mtime);
        entry.size = data.len() as u64;
        match node {
            Node::Symlink(link) => {
                entry.link.clone_from(link);
                entry.mode = 0o777;
            }
            // Setuid means nothing on the others and is not kept.
            Node::Fifo | Node::Device(..) => entry.mode &= 0o1777,
            Node::File(_) | Node::Dir(_) => entry.xattrs.clone_from(&meta.xattrs),
        }
        out.push((entry, data));
        if let Node::Dir(children) = node {
            entries(&path, children, out);
        }
    }
}

fn write(entries: &[(Entry, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, data) in entries {
        writer.append(entry, &mut &data[..]).unwrap();
    }
    writer.finish().unwrap()
}

fn unpack(archive: &[u8]) -> tempfile::TempDir {
    rustix::process::umask(rustix::fs::Mode::empty());
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        form: Form::Overlay,
        skip_devices: false,
        limits: Limits::default(),
    };
    let target = File::open(dir.path()).unwrap().into();
    apply(
        &mut Reader::new(archive, options.limits),
        target,
        Vec::new(),
        options,
    )
    .unwrap();
    dir
}

fn pack(dir: &Path) -> Vec<u8> {
    write_tree(
        File::open(dir).unwrap().as_fd(),
        Vec::new(),
        &WriteOptions::default(),
    )
    .unwrap()
}

/// What the tar crate reads: path, size, mode, owner, seconds.
fn by_the_tar_crate(archive: &[u8]) -> Vec<(Vec<u8>, u64, u32, u64)> {
    let mut archive = tar::Archive::new(archive);
    archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let path = entry
                .path_bytes()
                .strip_suffix(b"/")
                .map_or_else(|| entry.path_bytes().to_vec(), <[u8]>::to_vec);
            let uid = entry.header().uid().unwrap();
            (path, entry.size(), entry.header().mode().unwrap(), uid)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if std::env::var_os("BERTH_TEST_FULL").is_some() { 2000 } else { 48 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_survives(nodes in tree()) {
        let mut wanted = Vec::new();
        entries(b"", &nodes, &mut wanted);
        let archive = write(&wanted);
        let mut reader = Reader::new(&archive[..], Limits::default());
        for (entry, data) in &wanted {
            let mut read = reader.next().unwrap().unwrap();
            if read.kind == Kind::Dir {
                prop_assert_eq!(read.path.pop(), Some(b'/'));
            }
            prop_assert_eq!(&read, entry);
            prop_assert_eq!(&reader.data().to_vec(1 << 20).unwrap(), data);
        }
        prop_assert!(reader.next().unwrap().is_none());
        let dir = unpack(&archive);
        let again = pack(dir.path());
        prop_assert!(again == archive, "the tree written again is another archive");
        // The tar crate reads the same, but for PAX values with a newline, where it loses its way, and for
        // owners that need PAX.
        let newline = |bytes: &[u8]| bytes.contains(&b'\n');
        if wanted.iter().any(|(entry, _)| {
            newline(&entry.path) || newline(&entry.link) || entry.xattrs.iter().any(|(_, value)| newline(value))
        }) {
            return Ok(());
        }
        let seen = by_the_tar_crate(&archive);
        prop_assert_eq!(seen.len(), wanted.len());
        for ((entry, _), (path, size, mode, uid)) in wanted.iter().zip(seen) {
            prop_assert_eq!((&entry.path, entry.size, entry.mode), (&path, size, mode));
            prop_assert!(u64::from(entry.uid) == uid || entry.uid > 0o7777777);
        }
    }

    #[test]
    fn an_archive_of_the_tar_crate_is_unpacked_alike(nodes in tree()) {
        let mut wanted = Vec::new();
        entries(b"", &readable(nodes), &mut wanted);
        // The tar crate writes times before 1970 as times far after the end of the world, which we refuse.
        for (entry, _) in &mut wanted {
            entry.mtime.secs = entry.mtime.secs.max(0);
        }
        let source = unpack(&write(&wanted));
        let mut builder = tar::Builder::new(Vec::new());
        builder.follow_symlinks(false);
        builder.append_dir_all("", source.path()).unwrap();
        let archive = builder.into_inner().unwrap();
        let target = unpack(&archive);
        for (entry, data) in &wanted {
            let path = target.path().join(OsStr::from_bytes(&entry.path));
            let found = fs::symlink_metadata(&path).unwrap();
            prop_assert_eq!((found.uid(), found.gid()), (entry.uid, entry.gid));
            if entry.kind != Kind::Symlink {
                prop_assert_eq!(found.mode() & 0o7777, entry.mode);
            }
            match entry.kind {
                Kind::File => prop_assert_eq!(&fs::read(&path).unwrap(), data),
                Kind::Symlink => {
                    let link = fs::read_link(&path).unwrap();
                    // Compared as paths: the tar crate tidies them.
                    prop_assert_eq!(link.as_path(), Path::new(OsStr::from_bytes(&entry.link)));
                }
                _ => {}
            }
        }
    }
}

#[test]
fn hard_links_and_clamped_times_are_deterministic() {
    let mut trees = Vec::new();
    for _ in 0..2 {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::write(dir.path().join("d/one"), "1").unwrap();
        fs::hard_link(dir.path().join("d/one"), dir.path().join("two")).unwrap();
        let options = WriteOptions {
            mtime_clamp_secs: Some(1000),
            root: true,
            ..WriteOptions::default()
        };
        fs::set_permissions(
            dir.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        trees.push(
            write_tree(
                File::open(dir.path()).unwrap().as_fd(),
                Vec::new(),
                &options,
            )
            .unwrap(),
        );
    }
    assert_eq!(trees[0], trees[1]);
    let mut reader = Reader::new(&trees[0][..], Limits::default());
    let mut seen = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        assert_eq!(
            entry.mtime,
            Time {
                secs: 1000,
                nanos: 0
            }
        );
        seen.push((
            String::from_utf8(entry.path).unwrap(),
            entry.kind,
            String::from_utf8(entry.link).unwrap(),
        ));
    }
    let expected = [
        ("./", Kind::Dir, ""),
        ("d/", Kind::Dir, ""),
        ("d/one", Kind::File, ""),
        ("two", Kind::Hardlink, "d/one"),
    ];
    assert_eq!(
        seen,
        expected.map(|(path, kind, link)| (path.to_owned(), kind, link.to_owned()))
    );
}
