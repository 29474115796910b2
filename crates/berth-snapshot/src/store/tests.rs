//! One contract for both drivers, and the crash rule. They run as root.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::sync::atomic::{AtomicU32, Ordering};

use berth_layer::apply::{Options, apply};
use berth_layer::tar::{Entry, Kind, Reader, Writer};

use super::*;

const DRIVERS: [Driver; 2] = [Driver::Overlay, Driver::Native];

struct World {
    dir: tempfile::TempDir,
    snapshots: Snapshots,
}

fn world(driver: Driver) -> World {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = open(dir.path(), driver);
    World { dir, snapshots }
}

fn open(root: &Path, driver: Driver) -> Snapshots {
    Snapshots::open(&root.join("snapshots"), &root.join("trash"), driver).unwrap()
}

fn chains() -> [Digest; 3] {
    [b"one", b"two", b"tri"].map(|text| Digest::of(text))
}

fn content() -> Content {
    Content {
        diff_id: Digest::of(b"diff"),
        size_bytes: 3,
        entries: 2,
    }
}

/// Applies an archive of files (path, data; a path ending in a slash is a directory) as an unpacker does.
fn fill(snapshots: &Snapshots, active: &Active, files: &[(&str, &str)]) {
    let mut writer = Writer::new(Vec::new());
    for (path, data) in files {
        let mut entry = Entry::new(
            *path,
            if path.ends_with('/') {
                Kind::Dir
            } else {
                Kind::File
            },
        );
        entry.size = data.len() as u64;
        if *path == "./" {
            entry.mode = 0o711;
        }
        writer.append(&entry, &mut data.as_bytes()).unwrap();
    }
    let archive = writer.finish().unwrap();
    let options = Options {
        form: snapshots.form(),
        skip_devices: false,
        limits: berth_layer::Limits::default(),
    };
    let lowers: Vec<_> = active
        .lowers()
        .iter()
        .map(|dir| open_dir(dir).unwrap())
        .collect();
    let mut reader = Reader::new(&archive[..], options.limits);
    apply(
        &mut reader,
        open_dir(&active.target()).unwrap(),
        lowers,
        options,
    )
    .unwrap();
}

fn three_layers(snapshots: &Snapshots) {
    let chains = chains();
    let layers: [&[(&str, &str)]; 3] = [
        &[("./", ""), ("etc/", ""), ("etc/a", "a"), ("etc/b", "b")],
        &[("etc/.wh.a", "")],
        &[("etc/c", "c")],
    ];
    for (at, files) in layers.iter().enumerate() {
        let active = snapshots.prepare(&chains[..=at]).unwrap().unwrap();
        fill(snapshots, &active, files);
        snapshots.commit(active, content()).unwrap();
    }
}

/// Mounts the root file system, looks at it and writes into it.
fn with_mount(mount: &RootfsMount, at: &Path, look: impl FnOnce(&Path)) {
    match mount {
        RootfsMount::Bind { source } => look(source),
        RootfsMount::Overlay {
            lower,
            upper,
            work,
            userxattr,
            volatile,
        } => {
            assert!(!userxattr && !volatile);
            let lower: Vec<_> = lower.iter().map(|dir| dir.to_str().unwrap()).collect();
            let options = format!(
                "lowerdir={},upperdir={},workdir={}",
                lower.join(":"),
                upper.display(),
                work.display()
            );
            fs::create_dir_all(at).unwrap();
            let mounted = std::process::Command::new("mount")
                .args(["-t", "overlay", "overlay", "-o", &options])
                .arg(at)
                .status();
            assert!(mounted.unwrap().success(), "this test runs as root");
            look(at);
            assert!(
                std::process::Command::new("umount")
                    .arg(at)
                    .status()
                    .unwrap()
                    .success()
            );
        }
    }
}

#[test]
fn contract_layers_become_a_root_file_system() {
    for driver in DRIVERS {
        let world = world(driver);
        three_layers(&world.snapshots);
        let containers = [world.dir.path().join("c1"), world.dir.path().join("c2")];
        for container in &containers {
            fs::create_dir(container).unwrap();
            let mount = world
                .snapshots
                .container_mount(&chains(), container)
                .unwrap();
            with_mount(&mount, &world.dir.path().join("merged"), |root| {
                assert!(!root.join("etc/a").exists(), "{driver:?}");
                assert_eq!(
                    fs::read_to_string(root.join("etc/b")).unwrap(),
                    "b",
                    "nothing of the other container"
                );
                assert_eq!(fs::read_to_string(root.join("etc/c")).unwrap(), "c");
                assert_eq!(fs::metadata(root).unwrap().mode() & 0o7777, 0o711);
                fs::write(root.join("etc/b"), "changed").unwrap();
                fs::remove_file(root.join("etc/c")).unwrap();
            });
        }
        // What a container wrote is still there when it is started again.
        let mount = world
            .snapshots
            .container_mount(&chains(), &containers[0])
            .unwrap();
        with_mount(&mount, &world.dir.path().join("merged"), |root| {
            assert_eq!(fs::read_to_string(root.join("etc/b")).unwrap(), "changed");
            assert!(!root.join("etc/c").exists(), "{driver:?}");
        });
    }
}

#[test]
fn contract_prepare_commit_list_remove() {
    for driver in DRIVERS {
        let world = world(driver);
        let (snapshots, chains) = (&world.snapshots, chains());
        assert!(!snapshots.has(&chains[0]));
        assert!(matches!(
            snapshots.lowers(&chains),
            Err(Error::Missing { .. })
        ));
        assert!(matches!(snapshots.lowers(&[]), Err(Error::NoLayers)));
        let orphan = snapshots
            .prepare(&chains[..2])
            .and_then(|active| snapshots.commit(active.unwrap(), content()));
        assert!(
            matches!(orphan, Err(Error::Missing { .. })),
            "its parent is missing: {orphan:?}"
        );
        three_layers(snapshots);
        assert!(
            snapshots.prepare(&chains[..1]).unwrap().is_none(),
            "it is there already"
        );
        let mut listed: Vec<_> = snapshots
            .list()
            .unwrap()
            .into_iter()
            .map(|found| found.chain)
            .collect();
        let mut expected = chains.to_vec();
        listed.sort_by_key(|chain| chain.hex().to_owned());
        expected.sort_by_key(|chain| chain.hex().to_owned());
        assert_eq!(listed, expected);
        assert_eq!(snapshots.usage(&chains[0]).unwrap(), (3, 2));
        let top = snapshots
            .list()
            .unwrap()
            .into_iter()
            .find(|found| found.chain == chains[2])
            .unwrap();
        assert_eq!(top.parent.as_ref(), Some(&chains[1]));
        snapshots.remove(&chains[2]).unwrap();
        snapshots.remove(&chains[2]).unwrap();
        assert!(!snapshots.has(&chains[2]) && snapshots.has(&chains[1]));
        assert_eq!(
            fs::read_dir(world.dir.path().join("trash"))
                .unwrap()
                .count(),
            0
        );
        let mode = fs::metadata(world.dir.path().join("snapshots"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o700);
    }
}

#[test]
fn contract_unfinished_work_is_thrown_away() {
    for driver in DRIVERS {
        let world = world(driver);
        let chain = &chains()[..1];
        let active = world.snapshots.prepare(chain).unwrap().unwrap();
        fill(&world.snapshots, &active, &[("half", "done")]);
        assert!(
            world.snapshots.sweep(false).unwrap().is_empty(),
            "somebody fills it"
        );
        drop(active);
        assert!(!world.snapshots.has(&chain[0]));
        let again = world.snapshots.prepare(chain).unwrap().unwrap();
        assert_eq!(
            fs::read_dir(again.target()).unwrap().count(),
            0,
            "the half that was done is gone"
        );
        world.snapshots.abort(again).unwrap();
        drop(world.snapshots.prepare(chain).unwrap().unwrap());
        assert_eq!(world.snapshots.sweep(false).unwrap(), [chain[0].hex()]);
        assert_eq!(
            fs::read_dir(world.dir.path().join("snapshots"))
                .unwrap()
                .count(),
            0
        );
    }
}

#[test]
fn a_name_that_is_no_text_is_swept() {
    use std::os::unix::ffi::OsStrExt as _;
    let world = world(Driver::Overlay);
    let strange = world
        .dir
        .path()
        .join("snapshots")
        .join(OsStr::from_bytes(b"\xff"));
    fs::create_dir(&strange).unwrap();
    assert_eq!(world.snapshots.sweep(false).unwrap(), ["\u{fffd}"]);
    assert!(!strange.exists());
}

#[test]
fn contract_a_layer_is_unpacked_once() {
    for driver in DRIVERS {
        let world = world(driver);
        let filled = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let snapshots = open(world.dir.path(), driver);
                    if let Some(active) = snapshots.prepare(&chains()[..1]).unwrap() {
                        filled.fetch_add(1, Ordering::Relaxed);
                        fill(&snapshots, &active, &[("a", "a")]);
                        std::thread::sleep(std::time::Duration::from_millis(20));
                        snapshots.commit(active, content()).unwrap();
                    }
                    assert!(snapshots.has(&chains()[0]));
                });
            }
        });
        assert_eq!(filled.into_inner(), 1);
    }
}

#[test]
fn contract_of_an_earlier_boot_only_what_was_synced_counts() {
    for driver in DRIVERS {
        let world = world(driver);
        three_layers(&world.snapshots);
        let chains = chains();
        let pretend_reboot = |chain: &Digest| {
            let path = world.snapshots.dir_of(chain).join(RECORD);
            let text = fs::read_to_string(&path)
                .unwrap()
                .replace(world.snapshots.boot_id(), "another-boot");
            fs::write(&path, text).unwrap();
        };
        pretend_reboot(&chains[2]);
        assert!(!world.snapshots.has(&chains[2]));
        let active = world
            .snapshots
            .prepare(&chains)
            .unwrap()
            .expect("it is unpacked again");
        fill(&world.snapshots, &active, &[("etc/c", "again")]);
        world.snapshots.commit(active, content()).unwrap();
        world.snapshots.settle().unwrap();
        chains.iter().for_each(pretend_reboot);
        assert!(chains.iter().all(|chain| world.snapshots.has(chain)));
        // A record that a crash left empty.
        fs::remove_file(world.snapshots.dir_of(&chains[2]).join(SYNCED)).unwrap();
        fs::write(world.snapshots.dir_of(&chains[2]).join(RECORD), "").unwrap();
        assert!(!world.snapshots.has(&chains[2]));
        assert_eq!(world.snapshots.sweep(false).unwrap(), [chains[2].hex()]);
        assert!(!world.snapshots.dir_of(&chains[2]).exists());
    }
}
