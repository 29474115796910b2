//! Images as users have them: bootstrapped, imported, saved and loaded; skopeo and umoci read our
//! store and our archives, and we read theirs.
//!
//! This program is also the unpacking child (`internal unpack`). Runs as root. Needs skopeo, umoci,
//! busybox-static; the test of debian needs mmdebstrap and the network that the host's apt uses, and
//! runs only among the long ones (`--ignored`).

#![allow(clippy::unwrap_used, reason = "a test without the harness")]

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use berth_engine::image::{
    BootstrapOptions, Error, ImportOptions, LoadFrom, Loaded, Removed, SaveFormat,
};
use berth_engine::request::CreateRequest;
use berth_engine::{Engine, Options};
use berth_layer::tar::{Entry, Kind, Writer};
use berth_model::ErrorKind;
use berth_oci::{Digest, Platform};
use testkit::harness::{self, Test};

const TESTS: &[Test] = testkit::tests![
    bootstrap_busybox_twice,
    import_with_changes,
    names_come_and_go,
    a_used_image_stays,
    saved_images_load_again,
    skopeo_reads_ours,
    umoci_unpacks_ours,
    we_load_skopeos,
    we_load_old_docker_archives,
    bad_archives_leave_nothing,
    unusual_archives,
    a_full_disk_is_told,
    killed_at_each_step,
];

/// Downloads.
const LONG: &[Test] = testkit::tests![debian_is_reproducible,];

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if args.first().is_some_and(|arg| arg == "internal") {
        return berth_layer::child::main(args.into_iter().skip(2));
    }
    if args.first().is_some_and(|arg| arg == "crash-child") {
        crash_child(Path::new(&args[1]));
        return ExitCode::SUCCESS;
    }
    harness::run(TESTS, LONG)
}

struct Bench {
    dir: tempfile::TempDir,
    engine: Engine,
}

fn open(dir: &Path) -> Engine {
    let exe = std::env::current_exe().unwrap();
    let options = Options {
        root: dir.join("root"),
        run_dir: dir.join("run"),
        cgroup_parent: None,
        berth: exe.clone(),
        runtime: exe.clone(),
        monitor: exe,
        rootless: false,
        driver: None,
        bridge: Default::default(),
    };
    Engine::open(options).unwrap()
}

fn new_engine() -> Bench {
    assert!(
        rustix::process::geteuid().is_root(),
        "these tests need root"
    );
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path());
    Bench { dir, engine }
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn root(&self) -> String {
        self.path("root").display().to_string()
    }

    fn save(&self, names: &[&str], file: &str) -> PathBuf {
        let path = self.path(file);
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.engine
            .save_images(&names, None, SaveFormat::Both, File::create(&path).unwrap())
            .unwrap();
        path
    }

    fn load(&self, path: &Path) -> Result<Vec<Loaded>, Error> {
        let archive = File::open(path).unwrap();
        self.engine.load_images(LoadFrom::archive(archive), None)
    }

    fn clean(&self) {
        let report = self.engine.store().verify().unwrap();
        assert!(report.is_clean(), "{report:?}");
    }
}

fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn busybox(engine: &Engine) -> Digest {
    engine
        .bootstrap_image("busybox", &BootstrapOptions::default())
        .unwrap()
        .id
}

/// A root file system with a few files of its own.
fn rootfs(marker: &str) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for dir in ["etc", "tmp"] {
        writer
            .append(&Entry::new(dir, Kind::Dir), &mut std::io::empty())
            .unwrap();
    }
    let entry = Entry {
        size: marker.len() as u64,
        ..Entry::new("etc/marker", Kind::File)
    };
    writer.append(&entry, &mut marker.as_bytes()).unwrap();
    writer.finish().unwrap()
}

fn import(engine: &Engine, name: &str, marker: &str) -> Digest {
    let options = ImportOptions {
        name: Some(name.to_owned()),
        created_s: Some(1_700_000_000),
        ..ImportOptions::default()
    };
    engine
        .import_image(&rootfs(marker)[..], &options)
        .unwrap()
        .id
}

fn bootstrap_busybox_twice() {
    let (one, two) = (new_engine(), new_engine());
    let id = busybox(&one.engine);
    assert_eq!(busybox(&one.engine), id);
    assert_eq!(busybox(&two.engine), id);
    let digest = |b: &Bench| b.engine.images().unwrap()[0].digest.clone();
    assert_eq!(digest(&one), digest(&two));
    assert_eq!(one.engine.images().unwrap().len(), 1);

    let details = one.engine.image_details("busybox").unwrap();
    assert_eq!(details.tags, ["busybox:latest"]);
    assert_eq!(details.image.config.config.cmd.as_ref().unwrap(), &["sh"]);
    assert!(
        details.image.config.history[0]
            .created_by
            .contains("busybox-static")
    );
    let snapshots = one.engine.snapshots().lowers(&details.chain).unwrap();
    let root = &snapshots[0];
    assert!(root.join("bin/busybox").is_file());
    assert_eq!(
        std::fs::read_link(root.join("bin/sh")).unwrap(),
        Path::new("/bin/busybox")
    );
    use std::os::unix::fs::MetadataExt as _;
    assert_eq!(
        std::fs::metadata(root.join("tmp")).unwrap().mode() & 0o7777,
        0o1777
    );
    // It really is a root file system.
    let out = run(
        "chroot",
        &[
            root.to_str().unwrap(),
            "/bin/sh",
            "-c",
            "id -u; cat /etc/passwd",
        ],
    );
    assert!(out.starts_with("0\nroot:x:0:0"), "{out}");
    one.clean();
}

fn import_with_changes() {
    let b = new_engine();
    let options = ImportOptions {
        name: Some("mine:1".to_owned()),
        changes: vec!["CMD [\"/x\"]".to_owned(), "ENV A=b".to_owned()],
        message: "by hand".to_owned(),
        source: "-".to_owned(),
        ..ImportOptions::default()
    };
    let tar = rootfs("hello");
    let loaded = b.engine.import_image(&tar[..], &options).unwrap();
    let details = b.engine.image_details(&loaded.id.to_string()).unwrap();
    assert_eq!(details.tags, ["mine:1"]);
    assert_eq!(details.image.config.config.env, ["A=b"]);
    assert_eq!(details.image.config.rootfs.diff_ids, [Digest::of(&tar)]);
    assert_eq!(details.image.config.history[0].comment, "by hand");
    let root = &b.engine.snapshots().lowers(&details.chain).unwrap()[0];
    assert_eq!(
        std::fs::read_to_string(root.join("etc/marker")).unwrap(),
        "hello"
    );

    let bad = ImportOptions {
        changes: vec!["RUN x".to_owned()],
        ..options.clone()
    };
    let error = b.engine.import_image(&tar[..], &bad).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    for bad in [&b"no tar"[..], &tar[..tar.len() - 1500], b"\x1f\x8bnothing"] {
        assert!(b.engine.import_image(bad, &options).is_err());
    }
    assert_eq!(b.engine.images().unwrap().len(), 1);
    b.clean();
}

fn names_come_and_go() {
    let b = new_engine();
    let one = import(&b.engine, "one", "1");
    let two = import(&b.engine, "two", "2");
    assert_ne!(one, two);
    b.engine
        .tag_image("one", "host.example:5000/a/b:c")
        .unwrap();
    b.engine.tag_image(one.short(), "three").unwrap();
    assert_eq!(b.engine.image_details("three").unwrap().tags.len(), 3);
    assert_eq!(b.engine.images().unwrap().len(), 4);
    for bad in ["UPPER", "a b", "x@sha256:0000"] {
        assert_eq!(
            b.engine.tag_image("one", bad).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    }
    assert!(matches!(
        b.engine.tag_image("none", "x"),
        Err(Error::NoImage { .. })
    ));

    let remove = |text: &str, force| b.engine.remove_image(text, force);
    assert!(matches!(
        remove(one.short(), false),
        Err(Error::ManyNames { .. })
    ));
    let removed = remove("three", false).unwrap();
    assert_eq!(removed[0], Removed::Untagged("three:latest".into()));
    // The repository's last name: it has none by digest any more either.
    assert!(matches!(&removed[1..], [Removed::Untagged(pin)] if pin.starts_with("three@sha256:")));
    let removed = remove(one.short(), true).unwrap();
    // Two names, by tag and by digest; the image; its layer.
    assert_eq!(removed.len(), 6, "{removed:?}");
    assert_eq!(removed[4], Removed::Deleted(one.clone()));
    assert!(matches!(remove("one", false), Err(Error::NoImage { .. })));
    let removed = remove("two", false).unwrap();
    assert_eq!(removed[0], Removed::Untagged("two:latest".into()));
    assert_eq!(removed[2], Removed::Deleted(two));
    // The last blob and the last layer went with it.
    assert_eq!(
        std::fs::read_dir(b.path("root/blobs/sha256"))
            .unwrap()
            .count(),
        0
    );
    assert!(b.engine.snapshots().list().unwrap().is_empty());
    b.clean();
}

fn a_used_image_stays() {
    let b = new_engine();
    let id = busybox(&b.engine);
    let request = CreateRequest {
        image: "busybox".to_owned(),
        ..CreateRequest::default()
    };
    let host = Platform::host();
    let (ready, lease) = b.engine.ready_image("busybox", &host).unwrap().unwrap();
    let container = b.engine.create(request, ready).unwrap();
    drop(lease);
    assert_eq!(b.engine.images().unwrap()[0].containers, 1);
    for text in ["busybox", id.short()] {
        let error = b.engine.remove_image(text, false).unwrap_err();
        assert!(
            matches!(error, Error::InUse { running: false, .. }),
            "{error}"
        );
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }
    b.engine.tag_image("busybox", "other").unwrap();
    let removed = b.engine.remove_image("other", false).unwrap();
    assert_eq!(removed.len(), 2, "{removed:?}");
    // By force its names go; the container keeps what it stands on.
    let removed = b.engine.remove_image("busybox", true).unwrap();
    assert_eq!(removed.last(), Some(&Removed::Deleted(id)));
    assert!(b.engine.images().unwrap().is_empty());
    assert_eq!(b.engine.snapshots().list().unwrap().len(), 1);
    b.engine.remove(&container, false, false).unwrap();
    b.engine.collect_garbage(false).unwrap();
    assert!(b.engine.snapshots().list().unwrap().is_empty());
    assert_eq!(
        std::fs::read_dir(b.path("root/blobs/sha256"))
            .unwrap()
            .count(),
        0
    );
    b.clean();
}

fn saved_images_load_again() {
    let b = new_engine();
    let id = busybox(&b.engine);
    let other = import(&b.engine, "other:1", "x");
    b.engine.tag_image("busybox", "second:name").unwrap();
    let tar = b.save(&["busybox", "second:name", "other:1"], "all.tar");
    let again = b.save(&["busybox", "second:name", "other:1"], "again.tar");
    assert_eq!(std::fs::read(&tar).unwrap(), std::fs::read(again).unwrap());

    let fresh = new_engine();
    let loaded = fresh.load(&tar).unwrap();
    assert_eq!(loaded.len(), 2);
    assert_eq!(loaded[0].id, id);
    assert_eq!(loaded[0].names.len(), 2);
    assert_eq!(loaded[1].id, other);
    let digest = |b: &Bench| {
        b.engine
            .image_details("busybox")
            .unwrap()
            .image
            .descriptor
            .digest
    };
    assert_eq!(digest(&fresh), digest(&b));
    fresh.clean();

    // By its id it has no name; compressed it loads too.
    let tar = b.save(&[id.short()], "unnamed.tar");
    run("gzip", &["-k", tar.to_str().unwrap()]);
    run("zstd", &["-q", tar.to_str().unwrap()]);
    for name in ["unnamed.tar", "unnamed.tar.gz", "unnamed.tar.zst"] {
        let fresh = new_engine();
        let loaded = fresh.load(&b.path(name)).unwrap();
        assert!(loaded[0].names.is_empty());
        assert_eq!(fresh.engine.images().unwrap()[0].reference, None);
        assert_eq!(
            fresh.engine.image_details(id.short()).unwrap().image.id(),
            &id
        );
        fresh.clean();
    }
}

fn skopeo_reads_ours() {
    let b = new_engine();
    let id = busybox(&b.engine);
    let name = "docker.io/library/busybox:latest";
    let target = |name: &str| format!("dir:{}", b.path(name).display());
    let store = format!("oci:{}:{name}", b.root());
    run("skopeo", &["copy", "-q", &store, &target("from-store")]);
    let manifest = std::fs::read(b.path("from-store/manifest.json")).unwrap();
    let ours = b
        .engine
        .image_details("busybox")
        .unwrap()
        .image
        .descriptor
        .digest;
    assert_eq!(Digest::of(&manifest), ours);

    let tar = b.save(&["busybox"], "busybox.tar");
    let tar = tar.display();
    run(
        "skopeo",
        &[
            "copy",
            "-q",
            &format!("docker-archive:{tar}"),
            &target("from-docker"),
        ],
    );
    run(
        "skopeo",
        &[
            "copy",
            "-q",
            &format!("oci-archive:{tar}:{name}"),
            &target("from-oci"),
        ],
    );
    let inspected = run(
        "skopeo",
        &["inspect", "--raw", &format!("docker-archive:{tar}:{name}")],
    );
    assert!(inspected.contains(id.hex()), "{inspected}");
    assert!(b.path("from-oci").join(id.hex()).exists());
    b.clean();
}

fn umoci_unpacks_ours() {
    let b = new_engine();
    busybox(&b.engine);
    let bundle = b.path("bundle");
    let image = format!("{}:docker.io/library/busybox:latest", b.root());
    // It locks the layout and writes nothing to it.
    run(
        "umoci",
        &["unpack", "--image", &image, bundle.to_str().unwrap()],
    );
    assert!(bundle.join("rootfs/bin/busybox").is_file());
    assert!(bundle.join("config.json").is_file());
    b.clean();
}

fn we_load_skopeos() {
    let b = new_engine();
    let id = busybox(&b.engine);
    let store = format!("oci:{}:docker.io/library/busybox:latest", b.root());
    for (form, file, name) in [
        ("docker-archive", "d.tar", "made/by:skopeo"),
        ("oci-archive", "o.tar", "made/by:skopeo"),
    ] {
        let path = b.path(file);
        run(
            "skopeo",
            &[
                "copy",
                "-q",
                &store,
                &format!("{form}:{}:{name}", path.display()),
            ],
        );
        let fresh = new_engine();
        let loaded = fresh.load(&path).unwrap();
        assert_eq!(loaded.len(), 1, "{form}");
        assert_eq!(loaded[0].names[0].familiar(), name, "{form}");
        assert_eq!(loaded[0].id, id, "{form}");
        fresh.clean();
    }
    // Straight into our store, under a name that is not one of ours: visible, removable by its id.
    let fresh = new_engine();
    run(
        "skopeo",
        &[
            "copy",
            "-q",
            &store,
            &format!("oci:{}:latest", fresh.root()),
        ],
    );
    let images = fresh.engine.images().unwrap();
    assert_eq!((images.len(), &images[0].id), (1, &id));
    assert_eq!(images[0].reference, None);
    fresh.engine.tag_image(id.short(), "named").unwrap();
    fresh.engine.remove_image("named", false).unwrap();
    fresh.clean();
}

/// As `docker save` wrote them before version 25, `layer.tar` by `layer.tar`.
fn docker_archive(layers: &[(&str, &[u8])], tags: &str, diff_ids: &[Digest]) -> Vec<u8> {
    let ids: Vec<String> = diff_ids.iter().map(|id| format!("\"{id}\"")).collect();
    let config = format!(
        r#"{{"os":"linux","architecture":"amd64","config":{{"Cmd":["x"],"Env":null}},"rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        ids.join(",")
    );
    let paths: Vec<String> = layers
        .iter()
        .map(|(path, _)| format!("\"{path}\""))
        .collect();
    let manifest = format!(
        r#"[{{"Config":"c.json","RepoTags":{tags},"Layers":[{}]}}]"#,
        paths.join(",")
    );
    let mut writer = Writer::new(Vec::new());
    let mut add = |path: &str, bytes: &[u8]| {
        let entry = Entry {
            size: bytes.len() as u64,
            ..Entry::new(path, Kind::File)
        };
        writer.append(&entry, &mut &bytes[..]).unwrap();
    };
    for (path, bytes) in layers {
        add(&path.replace("link", "real"), bytes);
    }
    add("c.json", config.as_bytes());
    add("manifest.json", manifest.as_bytes());
    for (path, _) in layers.iter().filter(|(path, _)| path.contains("link")) {
        let mut entry = Entry::new(*path, Kind::Symlink);
        entry.link = format!("../{}", path.replace("link", "real")).into_bytes();
        writer.append(&entry, &mut std::io::empty()).unwrap();
    }
    writer.finish().unwrap()
}

fn we_load_old_docker_archives() {
    let b = new_engine();
    let (one, two) = (rootfs("one"), rootfs("two"));
    // Large enough not to be kept in memory.
    let big = rootfs(&"big ".repeat(600_000));
    let ids = [Digest::of(&one), Digest::of(&two), Digest::of(&big)];
    let layers = [
        ("1/layer.tar", &one[..]),
        ("link/layer.tar", &two),
        ("3/layer.tar", &big),
    ];
    let tar = docker_archive(&layers, r#"["old:1","old:2"]"#, &ids);
    let loaded = b
        .engine
        .load_images(LoadFrom::archive(&tar[..]), None)
        .unwrap();
    assert_eq!(loaded[0].names.len(), 2);
    let details = b.engine.image_details("old:2").unwrap();
    assert_eq!(details.image.manifest.layers.len(), 3);
    b.clean();
    // Without names.
    let tar = docker_archive(&layers, "null", &ids);
    assert!(
        b.engine
            .load_images(LoadFrom::archive(&tar[..]), None)
            .unwrap()[0]
            .names
            .is_empty()
    );
    assert_eq!(b.engine.images().unwrap().len(), 2);
}

fn bad_archives_leave_nothing() {
    let b = new_engine();
    let layer = rootfs("x");
    let id = Digest::of(&layer);
    let layers = [("1/layer.tar", &layer[..])];
    let good = docker_archive(&layers, r#"["a"]"#, std::slice::from_ref(&id));
    // T16: diff ids that are not the layers'.
    let lie = docker_archive(&layers, r#"["a"]"#, &[Digest::of(b"lie")]);
    // T19: another number of layers.
    let count = docker_archive(&layers, r#"["a"]"#, &[id.clone(), id.clone()]);
    let name = docker_archive(&layers, r#"["A B"]"#, std::slice::from_ref(&id));
    let missing = docker_archive(&[], r#"["a"]"#, &[]);
    let missing = String::from_utf8_lossy(&missing).replace("\"Layers\":[]", "\"Layers\":[1]");
    let cut = &good[..good.len() - 3000];
    let plain = rootfs("no image");
    for (what, bytes) in [
        ("diff id", &lie[..]),
        ("count", &count),
        ("name", &name),
        ("layers are no paths", missing.as_bytes()),
        ("cut off", cut),
        ("no image", &plain),
        ("nothing", b""),
        ("text", b"hello"),
    ] {
        assert!(
            b.engine
                .load_images(LoadFrom::archive(bytes), None)
                .is_err(),
            "{what}"
        );
        assert!(b.engine.images().unwrap().is_empty(), "{what}");
    }
    let error = b
        .engine
        .load_images(LoadFrom::archive(&plain[..]), None)
        .unwrap_err();
    assert!(error.hint().unwrap().contains("import"));
    // A layer with a hostile entry is refused when it is unpacked, before the image has a name.
    let mut writer = Writer::new(Vec::new());
    let mut entry = Entry::new("a", Kind::Symlink);
    entry.link = b"/etc".to_vec();
    writer.append(&entry, &mut std::io::empty()).unwrap();
    let entry = Entry {
        size: 1,
        ..Entry::new("../../canary", Kind::File)
    };
    writer.append(&entry, &mut &b"x"[..]).unwrap();
    let evil = writer.finish().unwrap();
    let tar = docker_archive(&[("1/layer.tar", &evil)], r#"["a"]"#, &[Digest::of(&evil)]);
    assert!(
        b.engine
            .load_images(LoadFrom::archive(&tar[..]), None)
            .is_err()
    );
    assert!(b.engine.images().unwrap().is_empty());
    assert!(
        b.engine
            .load_images(LoadFrom::archive(&good[..]), None)
            .is_ok()
    );
    b.engine.collect_garbage(false).unwrap();
    b.clean();
}

fn unusual_archives() {
    let b = new_engine();
    busybox(&b.engine);
    let name = "docker.io/library/busybox:latest";
    // A layout with an index of images in it, as `skopeo copy --all` writes.
    let store = format!("oci:{}:{name}", b.root());
    let layout = b.path("layout");
    run(
        "skopeo",
        &[
            "copy",
            "-q",
            "--all",
            &store,
            &format!("oci:{}:x:1", layout.display()),
        ],
    );
    run(
        "tar",
        &[
            "-C",
            layout.to_str().unwrap(),
            "-cf",
            b.path("l.tar").to_str().unwrap(),
            ".",
        ],
    );
    let fresh = new_engine();
    let loaded = fresh
        .engine
        .load_images(
            LoadFrom::archive(File::open(b.path("l.tar")).unwrap()),
            None,
        )
        .unwrap();
    assert_eq!(loaded[0].names[0].familiar(), "x:1");

    // A blob that is not what its name says.
    let manifest = std::fs::read_dir(layout.join("blobs/sha256"))
        .unwrap()
        .map(|e| e.unwrap().path());
    let blob = manifest
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap();
    let mut bytes = std::fs::read(&blob).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    #[allow(clippy::disallowed_methods, reason = "a test spoils a file")]
    std::fs::write(&blob, bytes).unwrap();
    run(
        "tar",
        &[
            "-C",
            layout.to_str().unwrap(),
            "-cf",
            b.path("bad.tar").to_str().unwrap(),
            ".",
        ],
    );
    let fresh = new_engine();
    let error = fresh
        .engine
        .load_images(
            LoadFrom::archive(File::open(b.path("bad.tar")).unwrap()),
            None,
        )
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(fresh.engine.images().unwrap().is_empty());
    // The same name twice.
    let mut writer = Writer::new(Vec::new());
    for _ in 0..2 {
        let entry = Entry {
            size: 1,
            ..Entry::new("x", Kind::File)
        };
        writer.append(&entry, &mut &b"x"[..]).unwrap();
    }
    let twice = writer.finish().unwrap();
    let error = fresh
        .engine
        .load_images(LoadFrom::archive(&twice[..]), None)
        .unwrap_err();
    assert!(matches!(error, Error::TwiceInArchive { .. }));
}

fn debian_is_reproducible() {
    let suite = "trixie";
    let recipe = format!("debian:{suite}");
    let (one, two) = (new_engine(), new_engine());
    let started = std::time::Instant::now();
    let first = one
        .engine
        .bootstrap_image(&recipe, &BootstrapOptions::default())
        .unwrap();
    println!("{recipe}: {:.1} s", started.elapsed().as_secs_f64());
    // Another second, another day would show the same.
    let second = two
        .engine
        .bootstrap_image(&recipe, &BootstrapOptions::default())
        .unwrap();
    let keep = one.save(&[&recipe], "d1.tar");
    let other = two.save(&[&recipe], "d2.tar");
    if first.id != second.id {
        std::mem::forget((one, two));
        panic!("not the same: {} {}", keep.display(), other.display());
    }
    let details = one.engine.image_details(&recipe).unwrap();
    let root = &one.engine.snapshots().lowers(&details.chain).unwrap()[0];
    let sources = root.join("etc/apt/sources.list.d/debian.sources");
    assert!(
        std::fs::read_to_string(sources)
            .unwrap()
            .contains("deb.debian.org")
    );
    let host = run(
        "sh",
        &[
            "-c",
            "sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/*.sources",
        ],
    );
    for uri in host.lines().filter(|uri| !uri.contains("deb.debian.org")) {
        let server = uri.split('/').nth(2).unwrap();
        let found = Command::new("grep")
            .args(["-rqF", server])
            .arg(root.join("etc"))
            .status();
        assert!(
            !found.unwrap().success(),
            "the image knows the mirror {server}"
        );
    }
    let out = run(
        "chroot",
        &[
            root.to_str().unwrap(),
            "/bin/bash",
            "-c",
            ". /etc/os-release; echo $VERSION_CODENAME",
        ],
    );
    assert_eq!(out.trim(), suite);
    let error = one
        .engine
        .bootstrap_image("debian:nosuchsuite", &BootstrapOptions::default());
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    one.clean();
}

/// N10.
fn a_full_disk_is_told() {
    assert!(
        rustix::process::geteuid().is_root(),
        "these tests need root"
    );
    let dir = tempfile::tempdir().unwrap();
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("tmpfs", dir.path(), "tmpfs", flags, c"size=6m").unwrap();
    let result = std::panic::catch_unwind(|| {
        let engine = open(dir.path());
        import(&engine, "small", "x");
        // Content that does not compress: digests of digests.
        let mut noise = vec![b"seed".to_vec()];
        for _ in 0..250_000 {
            let next = Digest::of(noise.last().unwrap()).hex().as_bytes()[..32].to_vec();
            noise.push(next);
        }
        let noise = String::from_utf8(noise.concat()).unwrap();
        let options = ImportOptions {
            name: Some("big".to_owned()),
            ..ImportOptions::default()
        };
        let error = engine
            .import_image(&rootfs(&noise)[..], &options)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(
            error.hint().is_some_and(|hint| hint.contains("free space")),
            "{error:?}"
        );
        let layer = rootfs(&noise);
        let tar = docker_archive(&[("l.tar", &layer)], r#"["big"]"#, &[Digest::of(&layer)]);
        let error = engine
            .load_images(LoadFrom::archive(&tar[..]), None)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(
            error.hint().is_some_and(|hint| hint.contains("free space")),
            "{error:?}"
        );
        assert_eq!(engine.images().unwrap().len(), 1);
        engine.collect_garbage(false).unwrap();
        assert!(engine.store().verify().unwrap().is_clean());
        import(&engine, "small2", "y");
    });
    rustix::mount::unmount(dir.path(), rustix::mount::UnmountFlags::DETACH).unwrap();
    result.unwrap();
}

fn crash_child(dir: &Path) {
    let engine = open(dir);
    let tar = std::fs::read(dir.join("../image.tar")).unwrap();
    engine
        .load_images(LoadFrom::archive(&tar[..]), None)
        .unwrap();
    import(&engine, "imported", "x");
    engine.tag_image("imported", "again").unwrap();
    engine.remove_image("imported", false).unwrap();
    engine.remove_image("loaded", false).unwrap();
}

/// N4 for load, import, tag and rmi: after each death what is visible is whole, and the same work
/// can be done to its end.
fn killed_at_each_step() {
    use std::os::unix::process::ExitStatusExt as _;
    let dir = tempfile::tempdir().unwrap();
    let layer = rootfs("loaded");
    let tar = docker_archive(
        &[("l/layer.tar", &layer)],
        r#"["loaded"]"#,
        &[Digest::of(&layer)],
    );
    let mut file = File::create(dir.path().join("image.tar")).unwrap();
    std::io::Write::write_all(&mut file, &tar).unwrap();
    let log = dir.path().join("steps");
    let child = |root: &Path, key: &str, value: &std::ffi::OsStr| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .arg("crash-child")
            .arg(root)
            .env(key, value)
            .status()
            .unwrap()
    };
    let at = |name: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir(&path).unwrap();
        path
    };
    let end = |root: &Path| {
        let engine = open(root);
        assert!(engine.store().verify().unwrap().is_clean());
        let images = engine.images().unwrap();
        assert_eq!(images.len(), 1);
        assert_eq!(
            images[0].reference.as_ref().unwrap().familiar(),
            "again:latest"
        );
        assert_eq!(
            std::fs::read_dir(root.join("root/blobs/sha256"))
                .unwrap()
                .count(),
            3
        );
        assert_eq!(engine.snapshots().list().unwrap().len(), 1);
    };
    let root = at("whole");
    assert!(child(&root, "BERTH_FP_LOG", log.as_os_str()).success());
    end(&root);
    let steps = std::fs::read_to_string(&log).unwrap();
    let count = steps.lines().count();
    assert!(count > 60, "{count}");
    for step in 1..=count {
        let name = steps.lines().nth(step - 1).unwrap();
        let root = at(&step.to_string());
        let status = child(&root, "BERTH_FP", format!("#{step}").as_ref());
        assert_eq!(
            status.signal(),
            Some(9),
            "step {step} ({name}) was not reached"
        );
        let engine = open(&root);
        assert!(
            engine.store().verify().unwrap().is_clean(),
            "step {step} ({name})"
        );
        for entry in engine.store().refs().unwrap() {
            let image = engine.store().image_here(&entry.descriptor).unwrap();
            assert!(
                image
                    .manifest
                    .layers
                    .iter()
                    .all(|l| engine.store().has(&l.digest))
            );
        }
        drop(engine);
        assert!(
            child(&root, "NOTHING", "".as_ref()).success(),
            "step {step} ({name})"
        );
        end(&root);
    }
    println!("killed at each of {count} steps");
}
