//! They run as root.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use berth_oci::digest::Digest;

use super::*;
use crate::{Content, Driver};

struct World {
    dir: tempfile::TempDir,
    snapshots: Snapshots,
}

fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let snapshots = Snapshots::open(&path("snapshots"), &path("trash"), Driver::Overlay).unwrap();
    World { dir, snapshots }
}

/// An unpacked layer with these files (path, content, seconds of its time); gives its tree and what was saved.
fn layer(world: &World, chains: &[Digest], files: &[(&str, &[u8], i64)]) -> (PathBuf, u64) {
    let active = world.snapshots.prepare(chains).unwrap().unwrap();
    for (path, content, time) in files {
        let path = active.target().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(time.unsigned_abs());
        fs::File::open(&path).unwrap().set_modified(time).unwrap();
    }
    let parent = active.target().join("d");
    let before = fs::metadata(&parent).unwrap();
    let paths: Vec<String> = files.iter().map(|(path, ..)| (*path).to_owned()).collect();
    let saved = world.snapshots.share(&active, &paths).unwrap();
    let after = fs::metadata(&parent).unwrap();
    assert_eq!(
        (before.mtime(), before.mtime_nsec()),
        (after.mtime(), after.mtime_nsec()),
        "the directory looks as the archive says"
    );
    let content = Content {
        diff_id: Digest::of(b"diff"),
        size_bytes: 1,
        entries: 1,
    };
    let tree = active.target();
    world.snapshots.commit(active, content).unwrap();
    for (path, content, _) in files {
        assert!(fs::read(tree.join(path)).unwrap() == *content, "{path}");
    }
    let left = |path: &Path| fs::read_dir(path).unwrap().count();
    assert_eq!(left(&parent), files.len(), "no temporary name is left");
    (tree, saved)
}

fn inode(path: PathBuf) -> u64 {
    fs::metadata(path).unwrap().ino()
}

fn chain(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

#[test]
fn equal_files_of_two_images_are_one() {
    let world = world();
    let big = vec![b'x'; 300_001];
    let other = [&big[1..], b"y"].concat();
    let (one, saved) = layer(
        &world,
        &[chain("1")],
        &[("d/a", &big, 5), ("d/b", b"small", 5), ("d/c", &big, 6)],
    );
    assert_eq!(saved, 0);
    let (two, saved) = layer(
        &world,
        &[chain("2")],
        &[
            ("d/elsewhere", &big, 5),
            ("d/b", b"smell", 5),
            ("d/c", &big, 7),
            ("d/d", &other, 5),
        ],
    );
    assert_eq!(saved, 300_001);
    assert_eq!(inode(one.join("d/a")), inode(two.join("d/elsewhere")));
    // Another time or another content is another file.
    for name in ["b", "c"] {
        let name = Path::new("d").join(name);
        assert_ne!(inode(one.join(&name)), inode(two.join(&name)));
    }
    // It goes with the last snapshot that has it.
    world.snapshots.remove(&chain("1")).unwrap();
    let freed = world.snapshots.sweep_shared().unwrap();
    let blocks = |bytes: u64| bytes.div_ceil(4096) * 4096;
    assert_eq!(
        freed,
        blocks(300_001) + blocks(5),
        "d/c and d/b of the first"
    );
    assert!(fs::read(two.join("d/elsewhere")).unwrap() == big);
    world.snapshots.remove(&chain("2")).unwrap();
    world.snapshots.sweep_shared().unwrap();
    let pool = world.dir.path().join("snapshots/.shared");
    assert_eq!(fs::read_dir(&pool).unwrap().count(), 0);
    assert!(world.snapshots.sweep(false).unwrap().is_empty());
    assert!(pool.exists());
}

#[test]
fn no_stack_has_an_inode_twice() {
    let world = world();
    let big = vec![b'x'; 20_000];
    let (low, _) = layer(&world, &[chain("1")], &[("d/a", &big, 5), ("d/b", &big, 5)]);
    assert_ne!(inode(low.join("d/a")), inode(low.join("d/b")));
    let stack = [chain("1"), chain("2")];
    let (high, saved) = layer(&world, &stack, &[("d/c", &big, 5)]);
    assert_eq!(saved, 0);
    let all = [low.join("d/a"), low.join("d/b"), high.join("d/c")].map(inode);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 3);
    // Another image may have all three.
    let three = [("d/x", &big[..], 5), ("d/y", &big, 5), ("d/z", &big, 5)];
    let (_, saved) = layer(&world, &[chain("3")], &three);
    assert_eq!(saved, 60_000);
}

#[test]
fn what_is_not_plain_stays() {
    let world = world();
    let big = vec![b'x'; 20_000];
    layer(&world, &[chain("1")], &[("d/a", &big, 5), ("d/b", &big, 6)]);
    let active = world.snapshots.prepare(&[chain("2")]).unwrap().unwrap();
    let path = |name: &str| active.target().join(name);
    let outside = world.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let write = |path: &Path, time| {
        fs::write(path, &big).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(time);
        fs::File::open(path).unwrap().set_modified(time).unwrap();
    };
    for (name, time) in [("linked", 5), ("attributed", 6)] {
        write(&path(name), time);
    }
    write(&outside.join("x"), 5);
    fs::hard_link(path("linked"), path("again")).unwrap();
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(path("attributed"), "user.a", b"1", flags).unwrap();
    std::os::unix::fs::symlink(&outside, path("link")).unwrap();
    std::os::unix::fs::symlink("again", path("to")).unwrap();
    let before = inode(outside.join("x"));
    let paths = [
        "linked",
        "attributed",
        "link/x",
        "to",
        "../../x",
        "absent",
        "/",
    ];
    let paths = paths.map(str::to_owned);
    assert_eq!(world.snapshots.share(&active, &paths).unwrap(), 0);
    assert_eq!(fs::metadata(path("linked")).unwrap().nlink(), 2);
    assert_eq!(inode(outside.join("x")), before);
    assert_eq!(fs::metadata(outside.join("x")).unwrap().nlink(), 1);
}

/// A crash may leave any content under a name.
#[test]
fn what_is_torn_is_not_taken() {
    let world = world();
    let big = vec![b'x'; 20_000];
    let (one, _) = layer(&world, &[chain("1")], &[("d/a", &big, 5)]);
    let time = fs::metadata(one.join("d/a")).unwrap().modified().unwrap();
    let torn = vec![0; 20_000];
    fs::write(one.join("d/a"), &torn).unwrap();
    fs::File::open(one.join("d/a"))
        .unwrap()
        .set_modified(time)
        .unwrap();
    let (two, saved) = layer(&world, &[chain("2")], &[("d/a", &big, 5)]);
    assert_eq!(saved, 0);
    assert_ne!(inode(one.join("d/a")), inode(two.join("d/a")));
}
