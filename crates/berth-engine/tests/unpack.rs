//! Unpacking as the engine does it: confined children, diff-ids checked, as root and as an ordinary user.
//!
//! This program is also the child (`internal unpack`) and the engine of the ordinary user (`as-user`). Runs as
//! root. Instead of `berth-runtime unshare` a script calls util-linux' unshare, which does the same.

#![allow(clippy::unwrap_used, reason = "a test without the harness")]

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{PipeWriter, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use berth_engine::unpack::{Blobs, Feed, UnpackError, UnpackOptions, unpack_layers};
use berth_layer::Limits;
use berth_layer::tar::{Entry, Kind, Writer};
use berth_model::ErrorKind;
use berth_oci::digest::Digest;
use berth_oci::media;
use berth_snapshot::{Driver, Snapshots};
use testkit::harness::{self, Test};

const TESTS: &[Test] = testkit::tests![
    an_image_is_unpacked_once,
    t16_a_wrong_diff_id_leaves_nothing,
    a_bad_layer_leaves_nothing,
    a_child_that_dies_is_told,
    layers_are_unpacked_at_the_same_time,
    what_fails_as_it_comes_is_tried_again_from_the_whole,
    a_bad_layer_below_stops_those_above,
    rootless,
];

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    match args
        .iter()
        .map(|arg| arg.to_str().unwrap_or_default())
        .collect::<Vec<_>>()[..]
    {
        ["internal", "unpack", ..] => return berth_layer::child::main(args.into_iter().skip(2)),
        ["internal", "purge", ..] => return berth_layer::purge::main(args.into_iter().skip(2)),
        ["as-user", dir] => return as_user(Path::new(dir)),
        _ => {}
    }
    harness::run(TESTS, &[])
}

fn options() -> UnpackOptions {
    UnpackOptions {
        self_exe: std::env::current_exe().unwrap(),
        runtime_exe: PathBuf::from("/nonexistent"),
        rootless: false,
        limits: Limits::default(),
    }
}

fn snapshots(dir: &Path, driver: Driver) -> Snapshots {
    Snapshots::open(&dir.join("snapshots"), &dir.join("trash"), driver).unwrap()
}

fn entry(path: &str, kind: Kind, uid: u32) -> Entry {
    Entry {
        uid,
        gid: uid,
        ..Entry::new(path, kind)
    }
}

/// Two layers, not compressed and zstd: blob, media type, diff-id.
fn layers() -> Vec<(Vec<u8>, &'static str, Digest)> {
    let mut low = Writer::new(Vec::new());
    let mut file = entry("etc/a", Kind::File, 33);
    file.size = 1;
    low.append(&file, &mut &b"a"[..]).unwrap();
    for other in [
        entry("etc/b", Kind::File, 0),
        entry("dev/null", Kind::Char { major: 1, minor: 3 }, 0),
    ] {
        low.append(&other, &mut std::io::empty()).unwrap();
    }
    let mut high = Writer::new(Vec::new());
    high.append(&entry("etc/.wh.b", Kind::File, 0), &mut std::io::empty())
        .unwrap();
    high.append(
        &entry("etc/.wh..wh..opq", Kind::File, 0),
        &mut std::io::empty(),
    )
    .unwrap();
    high.append(&entry("srv/web", Kind::Dir, 1000), &mut std::io::empty())
        .unwrap();
    let (low, high) = (low.finish().unwrap(), high.finish().unwrap());
    let compressed = zstd::encode_all(&high[..], 1).unwrap();
    vec![
        (low.clone(), media::LAYER_TAR, Digest::of(&low)),
        (compressed, media::LAYER_ZSTD, Digest::of(&high)),
    ]
}

fn blob(dir: &Path, bytes: &[u8]) -> File {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let path = dir.join(format!("blob{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    fs::write(&path, bytes).unwrap();
    File::open(path).unwrap()
}

fn an_image_is_unpacked_once() {
    for driver in [Driver::Overlay, Driver::Native] {
        let dir = tempfile::tempdir().unwrap();
        let snapshots = snapshots(dir.path(), driver);
        let layers = layers();
        let wanted: Vec<_> = layers
            .iter()
            .map(|(_, media_type, diff_id)| (*media_type, diff_id))
            .collect();
        let opened = AtomicUsize::new(0);
        let blobs = |at: usize| -> Result<File, UnpackError> {
            opened.fetch_add(1, Ordering::Relaxed);
            Ok(blob(dir.path(), &layers[at].0))
        };
        for _ in 0..2 {
            let chains = unpack_layers(&snapshots, &options(), &wanted, &blobs).unwrap();
            assert_eq!(
                chains,
                berth_oci::chain::chain_ids(&[layers[0].2.clone(), layers[1].2.clone()])
            );
            let lowers = snapshots.lowers(&chains).unwrap();
            let top = &lowers[0];
            assert_eq!(fs::metadata(top.join("srv/web")).unwrap().uid(), 1000);
            match driver {
                Driver::Native => assert_eq!(fs::read_dir(top.join("etc")).unwrap().count(), 0),
                _ => assert!(
                    fs::metadata(top.join("etc/a"))
                        .unwrap()
                        .file_type()
                        .is_char_device()
                ),
            }
        }
        assert_eq!(opened.into_inner(), 2, "the second time no blob is needed");
        assert_eq!(fs::read_dir(dir.path().join("trash")).unwrap().count(), 0);
    }
}

fn one(
    dir: &Path,
    snapshots: &Snapshots,
    options: &UnpackOptions,
    (bytes, media_type, diff_id): (&[u8], &str, &Digest),
) -> Result<Vec<Digest>, UnpackError> {
    let blobs = |_: usize| Ok::<_, UnpackError>(blob(dir, bytes));
    unpack_layers(snapshots, options, &[(media_type, diff_id)], &blobs)
}

/// A stack in which each layer hides, replaces or links to what those below it have.
fn stack() -> Vec<(Vec<u8>, &'static str, Digest)> {
    let layer = |entries: Vec<(Entry, &[u8])>| {
        let mut writer = Writer::new(Vec::new());
        for (mut entry, data) in entries {
            entry.size = data.len() as u64;
            writer.append(&entry, &mut &data[..]).unwrap();
        }
        let bytes = writer.finish().unwrap();
        let diff_id = Digest::of(&bytes);
        (bytes, media::LAYER_TAR, diff_id)
    };
    let file = |path: &str, uid| entry(path, Kind::File, uid);
    let link = |path: &str, target: &str| Entry {
        link: target.as_bytes().to_vec(),
        ..entry(path, Kind::Hardlink, 0)
    };
    let dir = |path: &str, mode| Entry {
        mode,
        ..entry(path, Kind::Dir, 7)
    };
    vec![
        layer(vec![
            (dir("d", 0o700), b""),
            (file("d/a", 1), &[b'a'; 300_000]),
            (file("d/b", 2), b"b"),
            (file("gone", 3), b"c"),
        ]),
        layer(vec![(file(".wh.gone", 0), b""), (file("d/c", 4), b"new")]),
        // Implies `d`, links to the lowest layer, then hides what it linked to.
        layer(vec![
            (link("d/again", "d/a"), b""),
            (file("d/.wh.a", 0), b""),
        ]),
        layer(vec![
            (link("third", "d/again"), b""),
            (file("d/b", 5), b"B"),
        ]),
        layer(vec![
            (file("d/.wh..wh..opq", 0), b""),
            (file("d/e", 6), b"e"),
        ]),
    ]
}

/// Every path of every layer with what it is, its owner, mode, time and content.
fn listing(snapshots: &Snapshots, chains: &[Digest]) -> Vec<String> {
    fn walk(root: &Path, dir: &Path, found: &mut Vec<String>) {
        let mut paths: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        for path in paths {
            let meta = fs::symlink_metadata(&path).unwrap();
            let size = if meta.is_file() {
                meta.len()
            } else {
                meta.rdev()
            };
            let mtime = meta.mtime();
            let name = path.strip_prefix(root).unwrap();
            let line = format!("{name:?} {:o} {} {size} {mtime}", meta.mode(), meta.uid());
            found.push(line);
            if meta.is_dir() {
                walk(root, &path, found);
            }
        }
    }
    let mut found = Vec::new();
    for lower in snapshots.lowers(chains).unwrap() {
        found.push(format!("{:o}", fs::metadata(&lower).unwrap().mode()));
        walk(&lower, &lower, &mut found);
    }
    found
}

/// Blobs that come as `feed` wants.
struct Streams<'a, F> {
    dir: &'a Path,
    layers: &'a [(Vec<u8>, &'static str, Digest)],
    feed: F,
    whole: AtomicUsize,
}

impl<F: Fn(usize, &[u8], PipeWriter) + Sync> Blobs for Streams<'_, F> {
    type Error = UnpackError;

    fn whole(&self, at: usize) -> Result<File, UnpackError> {
        self.whole.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(format!("blob{at}"));
        fs::write(&path, &self.layers[at].0).unwrap();
        Ok(File::open(path).unwrap())
    }

    fn early(&self, at: usize) -> Option<Feed<'_>> {
        Some(Box::new(move |pipe| {
            (self.feed)(at, &self.layers[at].0, pipe);
        }))
    }
}

fn unpack_streams<F: Fn(usize, &[u8], PipeWriter) + Sync>(
    dir: &Path,
    feed: F,
) -> (Snapshots, Vec<Digest>, usize) {
    let (layers, snapshots) = (stack(), snapshots(dir, Driver::Overlay));
    let wanted: Vec<_> = layers.iter().map(|(_, t, d)| (*t, d)).collect();
    let blobs = Streams {
        dir,
        layers: &layers,
        feed,
        whole: AtomicUsize::new(0),
    };
    let chains = unpack_layers(&snapshots, &options(), &wanted, &blobs).unwrap();
    let whole = blobs.whole.into_inner();
    (snapshots, chains, whole)
}

fn layers_are_unpacked_at_the_same_time() {
    let (one_by_one, at_once) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let layers = stack();
    let reference = snapshots(one_by_one.path(), Driver::Overlay);
    let mut wanted = Vec::new();
    for (at, (bytes, media_type, diff_id)) in layers.iter().enumerate() {
        wanted.push((*media_type, diff_id));
        let blobs = |asked: usize| {
            assert_eq!(asked, at, "those below are there");
            Ok::<_, UnpackError>(blob(one_by_one.path(), bytes))
        };
        unpack_layers(&reference, &options(), &wanted, &blobs).unwrap();
    }
    // Each layer's bytes come only after the next one's began: one by one would wait for ever.
    let begun = (Mutex::new(0), Condvar::new());
    let (snapshots, chains, whole) = unpack_streams(at_once.path(), |at, bytes, mut pipe| {
        let (count, changed) = &begun;
        *count.lock().unwrap() += 1;
        changed.notify_all();
        pipe.write_all(&bytes[..512]).unwrap();
        let wanted = layers.len().min(at + 2);
        drop(changed.wait_while(count.lock().unwrap(), |count| *count < wanted));
        pipe.write_all(&bytes[512..]).unwrap();
    });
    assert_eq!(whole, 0);
    let expected = listing(&reference, &chains);
    assert!(expected.len() > 12, "{expected:?}");
    assert_eq!(listing(&snapshots, &chains), expected);
}

fn what_fails_as_it_comes_is_tried_again_from_the_whole() {
    let layers = stack();
    for (bad, what) in [(0, "cut"), (2, "wrong"), (4, "nothing"), (4, "wrong")] {
        let dir = tempfile::tempdir().unwrap();
        let (snapshots, chains, whole) = unpack_streams(dir.path(), |at, bytes, mut pipe| {
            // The reader may have gone: then it has failed, as it should.
            let _ = match what {
                _ if at != bad => pipe.write_all(bytes),
                "cut" => pipe.write_all(&bytes[..bytes.len() / 2]),
                "wrong" => pipe.write_all(&vec![b'x'; bytes.len()]),
                _ => Ok(()),
            };
        });
        assert!((1..=layers.len() - bad).contains(&whole), "{what}: {whole}");
        assert_eq!(snapshots.lowers(&chains).unwrap().len(), layers.len());
        assert_eq!(snapshots.list().unwrap().len(), layers.len());
        assert_eq!(
            snapshots.sweep(true).unwrap(),
            [""; 0],
            "nothing else is left"
        );
    }
}

fn a_bad_layer_below_stops_those_above() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = snapshots(dir.path(), Driver::Overlay);
    let layers = stack();
    let forged = Digest::of(b"another");
    let mut wanted: Vec<_> = layers.iter().map(|(_, t, d)| (*t, d)).collect();
    wanted[1].1 = &forged;
    let blobs = |at: usize| {
        let path = dir.path().join(format!("blob{at}"));
        fs::write(&path, &layers[at].0).unwrap();
        Ok::<_, UnpackError>(File::open(path).unwrap())
    };
    let result = unpack_layers(&snapshots, &options(), &wanted, &blobs);
    assert!(
        matches!(result, Err(UnpackError::WrongDiffId { .. })),
        "{result:?}"
    );
    let left: Vec<_> = snapshots.list().unwrap();
    assert_eq!(left.len(), 1, "the lowest is good");
    assert_eq!(
        snapshots.sweep(true).unwrap(),
        [""; 0],
        "nothing else is left"
    );
}

fn t16_a_wrong_diff_id_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (snapshots, options) = (snapshots(dir.path(), Driver::Overlay), options());
    let layers = layers();
    let (bytes, media_type, diff_id) = &layers[0];
    let forged = Digest::of(b"another layer");
    let try_one = |diff_id| {
        one(
            dir.path(),
            &snapshots,
            &options,
            (bytes, media_type, diff_id),
        )
    };
    let result = try_one(&forged);
    let Err(UnpackError::WrongDiffId { expected, found }) = result else {
        panic!("{result:?}")
    };
    assert_eq!((&expected, &found), (&forged, diff_id));
    assert_eq!(
        fs::read_dir(dir.path().join("snapshots")).unwrap().count(),
        0
    );
    // The right one can follow.
    assert_eq!(try_one(diff_id).unwrap().len(), 1);
}

fn a_bad_layer_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (snapshots, options) = (snapshots(dir.path(), Driver::Overlay), options());
    let mut hostile = Writer::new(Vec::new());
    hostile
        .append(&entry("fine", Kind::File, 0), &mut std::io::empty())
        .unwrap();
    hostile
        .append(&entry("../escape", Kind::File, 0), &mut std::io::empty())
        .unwrap();
    let hostile = hostile.finish().unwrap();
    for (bytes, media_type, kind) in [
        (&hostile[..], media::LAYER_TAR, ErrorKind::InvalidInput),
        (&hostile[..600], media::LAYER_TAR, ErrorKind::Corrupt),
        (b"\x1f\x8b truncated", media::LAYER_GZIP, ErrorKind::Corrupt),
        (
            &hostile,
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            ErrorKind::Unsupported,
        ),
    ] {
        let layer = (bytes, media_type, &Digest::of(bytes));
        let error = one(dir.path(), &snapshots, &options, layer).unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(std::error::Error::source(&error).is_some());
        assert_eq!(
            fs::read_dir(dir.path().join("snapshots")).unwrap().count(),
            0
        );
    }
    assert!(!dir.path().join("snapshots/escape").exists());
}

fn a_child_that_dies_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let snapshots = snapshots(dir.path(), Driver::Overlay);
    let script = dir.path().join("berth");
    fs::write(&script, "#!/bin/sh\necho out of luck >&2\nkill -9 $$\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let options = UnpackOptions {
        self_exe: script,
        ..options()
    };
    let layers = layers();
    let layer = (&layers[0].0[..], layers[0].1, &layers[0].2);
    let result = one(dir.path(), &snapshots, &options, layer);
    let Err(UnpackError::Died { status, source, .. }) = result else {
        panic!("{result:?}")
    };
    assert!(status.contains("signal: 9"), "{status}");
    assert_eq!(source.to_string(), "out of luck");
}

/// The engine of an ordinary user with subordinate ids.
fn rootless() {
    let user = testkit::TestUser::get();
    let dir = tempfile::tempdir().unwrap();
    let exe = dir.path().join("berth");
    fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
    let script = dir.path().join("berth-runtime");
    // As `berth-runtime unshare -- CMD…`.
    fs::write(
        &script,
        "#!/bin/sh\nshift 2\nexec unshare --user --map-root-user --map-auto -- \"$@\"\n",
    )
    .unwrap();
    for path in [dir.path(), &exe, &script] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let home = dir.path().join("home");
    fs::create_dir(&home).unwrap();
    let owner = rustix::fs::Uid::from_raw(user.uid);
    let group = rustix::fs::Gid::from_raw(user.gid);
    rustix::fs::chown(&home, Some(owner), Some(group)).unwrap();
    for (at, (bytes, ..)) in layers().iter().enumerate() {
        fs::write(dir.path().join(format!("layer{at}")), bytes).unwrap();
    }
    let status = Command::new("setpriv")
        .args([
            format!("--reuid={}", user.uid),
            format!("--regid={}", user.gid),
            "--clear-groups".to_owned(),
        ])
        .arg(&exe)
        .args(["as-user".as_ref(), dir.path()])
        .status()
        .unwrap();
    assert!(status.success());
}

fn as_user(dir: &Path) -> ExitCode {
    let snapshots = snapshots(&dir.join("home"), Driver::OverlayRootless);
    let options = UnpackOptions {
        runtime_exe: dir.join("berth-runtime"),
        rootless: true,
        ..options()
    };
    let layers = layers();
    let wanted: Vec<_> = layers
        .iter()
        .map(|(_, media_type, diff_id)| (*media_type, diff_id))
        .collect();
    let blobs = |at| Ok::<_, UnpackError>(File::open(dir.join(format!("layer{at}"))).unwrap());
    let chains = unpack_layers(&snapshots, &options, &wanted, &blobs).unwrap();
    let lowers = snapshots.lowers(&chains).unwrap();
    let me = fs::metadata(dir.join("home")).unwrap().uid();
    let owner = |path: PathBuf| fs::symlink_metadata(path).unwrap().uid();
    assert_eq!(
        owner(lowers[0].join("srv")),
        me,
        "root inside is the user outside"
    );
    assert!(
        owner(lowers[0].join("srv/web")) > 65536,
        "another owner inside is a subordinate id outside"
    );
    assert!(!lowers[1].join("dev/null").exists(), "devices are left out");
    let whiteout = fs::metadata(lowers[0].join("etc/a")).unwrap();
    assert!(whiteout.file_type().is_char_device() && whiteout.rdev() == 0);

    // What the user cannot delete, the user namespace can.
    for chain in &chains {
        snapshots.remove(chain).unwrap();
    }
    assert!(snapshots.list().unwrap().is_empty());
    let trash = dir.join("home/trash");
    assert_eq!(fs::read_dir(&trash).unwrap().count(), 2);
    let status = Command::new(&options.runtime_exe)
        .args([
            "unshare".as_ref(),
            "--".as_ref(),
            options.self_exe.as_os_str(),
        ])
        .args(["internal", "purge"])
        .args(
            fs::read_dir(&trash)
                .unwrap()
                .map(|entry| entry.unwrap().path()),
        )
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(fs::read_dir(&trash).unwrap().count(), 0);
    ExitCode::SUCCESS
}
