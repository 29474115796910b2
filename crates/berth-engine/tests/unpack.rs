//! Unpacking as the engine does it: confined children, diff-ids checked, as root and as an ordinary user.
//!
//! This program is also the child (`internal unpack`) and the engine of the ordinary user (`as-user`). Runs as
//! root. Instead of `berth-runtime unshare` a script calls util-linux' unshare, which does the same.

#![allow(clippy::unwrap_used, reason = "a test without the harness")]

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use berth_engine::unpack::{LayerUnpacker, UnpackError, UnpackOptions, unpack_layers};
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
    let path = dir.join("blob");
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
        let mut opened = 0;
        for _ in 0..2 {
            let chains = unpack_layers::<UnpackError>(&snapshots, &options(), &wanted, |at| {
                opened += 1;
                Ok(blob(dir.path(), &layers[at].0))
            })
            .unwrap();
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
        assert_eq!(opened, 2, "the second time no blob is needed");
        assert_eq!(fs::read_dir(dir.path().join("trash")).unwrap().count(), 0);
    }
}

fn t16_a_wrong_diff_id_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (snapshots, options) = (snapshots(dir.path(), Driver::Overlay), options());
    let layers = layers();
    let mut unpacker = LayerUnpacker::new(&snapshots, &options);
    let forged = Digest::of(b"another layer");
    let result = unpacker.unpack_next(blob(dir.path(), &layers[0].0), layers[0].1, &forged);
    let Err(UnpackError::WrongDiffId { expected, found }) = result else {
        panic!("{result:?}")
    };
    assert_eq!((expected, found), (forged, layers[0].2.clone()));
    assert!(unpacker.chains().is_empty());
    assert_eq!(
        fs::read_dir(dir.path().join("snapshots")).unwrap().count(),
        0
    );
    // The right one can follow.
    unpacker
        .unpack_next(blob(dir.path(), &layers[0].0), layers[0].1, &layers[0].2)
        .unwrap()
        .unwrap();
    assert_eq!(unpacker.chains().len(), 1);
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
    let mut unpacker = LayerUnpacker::new(&snapshots, &options);
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
        let error = unpacker
            .unpack_next(blob(dir.path(), bytes), media_type, &Digest::of(bytes))
            .unwrap_err();
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
    let mut unpacker = LayerUnpacker::new(&snapshots, &options);
    let result = unpacker.unpack_next(blob(dir.path(), &layers[0].0), layers[0].1, &layers[0].2);
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
    let chains = unpack_layers::<UnpackError>(&snapshots, &options, &wanted, |at| {
        Ok(File::open(dir.join(format!("layer{at}"))).unwrap())
    })
    .unwrap();
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
