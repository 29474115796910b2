//! The confined child as a process: this program starts itself as `internal unpack`, as an attacker who took
//! the child over (`probe`), and as the test. Runs as root.

#![allow(clippy::unwrap_used, reason = "a test without the harness")]

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, ExitCode, Output, Stdio};

use berth_layer::Limits;
use berth_layer::apply::Form;
use berth_layer::child::{Outcome, Request, Unpacked};
use berth_layer::tar::{Entry, Kind, Writer};
use berth_oci::digest::Digest;
use testkit::harness::{self, Test};

const TESTS: &[Test] = testkit::tests![
    unpacks_and_reports,
    what_the_child_cannot_do,
    failures_are_typed,
    a_bomb_is_stopped_early,
    a_deep_tree_over_a_deep_tree,
    purges_in_its_own_process,
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
        ["probe", target, lower, outside] => return probe(target, lower, outside),
        _ => {}
    }
    harness::run(TESTS, &[])
}

struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        for name in ["target", "lower", "outside"] {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("canary"), "alive").unwrap();
        }
        fs::remove_file(dir.path().join("target/canary")).unwrap();
        World { dir }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn request(&self) -> Request {
        Request {
            target: self.dir.path().join("target"),
            lowers: vec![self.dir.path().join("lower")],
            lowers_are_filling: false,
            form: Form::Overlay,
            media_type: Some(berth_oci::media::LAYER_GZIP.to_owned()),
            skip_devices: false,
            limits: Limits::default(),
        }
    }

    fn unpack(&self, request: &Request, blob: &[u8]) -> Outcome {
        let path = self.dir.path().join("blob");
        fs::write(&path, blob).unwrap();
        let output = run(
            &[
                "internal",
                "unpack",
                &serde_json::to_string(request).unwrap(),
            ],
            File::open(path).unwrap(),
        );
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let outcome = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            output.status.success(),
            matches!(outcome, Outcome::Unpacked(_))
        );
        outcome
    }
}

fn run(args: &[impl AsRef<OsStr>], stdin: impl Into<Stdio>) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(args)
        .stdin(stdin)
        .output()
        .unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A layer with one of each: attributes, a device, a link into the lower layer, a whiteout, an opaque directory.
fn archive() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    let mut file = Entry::new("d/file", Kind::File);
    file.size = 5;
    file.uid = 1000;
    file.mode = 0o4755;
    file.xattrs = vec![(b"user.x".to_vec(), b"1".to_vec())];
    writer.append(&file, &mut &b"hello"[..]).unwrap();
    let mut link = Entry::new("link", Kind::Hardlink);
    link.link = b"canary".to_vec();
    for entry in [
        Entry::new("d/dir", Kind::Dir),
        Entry::new("null", Kind::Char { major: 1, minor: 3 }),
        Entry::new(".wh.canary", Kind::File),
        link,
    ] {
        writer.append(&entry, &mut std::io::empty()).unwrap();
    }
    writer.finish().unwrap()
}

fn unpacks_and_reports() {
    let archive = archive();
    for blob in [
        archive.clone(),
        gzip(&archive),
        zstd::encode_all(&archive[..], 1).unwrap(),
    ] {
        let world = World::new();
        let Outcome::Unpacked(Unpacked {
            diff_id,
            size_bytes,
            report,
            landlocked,
        }) = world.unpack(&world.request(), &blob)
        else {
            panic!()
        };
        assert_eq!(diff_id, Digest::of(&archive));
        assert_eq!(size_bytes, archive.len() as u64);
        assert_eq!(
            (report.entries, report.whiteouts, report.data_bytes),
            (4, 1, 10)
        );
        assert!(landlocked, "tests need a kernel with landlock");
        let target = world.dir.path().join("target");
        let file = fs::metadata(target.join("d/file")).unwrap();
        assert_eq!((file.mode() & 0o7777, file.uid()), (0o4755, 1000));
        assert_eq!(
            fs::metadata(target.join("d")).unwrap().mode() & 0o7777,
            0o755
        );
        assert_eq!(fs::metadata(target.join("canary")).unwrap().rdev(), 0);
        assert_eq!(fs::read_to_string(target.join("link")).unwrap(), "alive");
        assert_eq!(
            fs::metadata(target.join("null")).unwrap().mode() & 0o777,
            0o644
        );
    }
}

fn what_the_child_cannot_do() {
    let world = World::new();
    let output = run(
        &[
            "probe",
            &world.path("target"),
            &world.path("lower"),
            &world.path("outside"),
        ],
        Stdio::null(),
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        fs::read_to_string(world.dir.path().join("outside/canary")).unwrap(),
        "alive"
    );
    assert_eq!(
        fs::read_dir(world.dir.path().join("outside"))
            .unwrap()
            .count(),
        1
    );
}

/// What somebody can do who took over the child: write the target, read the lower layers, nothing else.
fn probe(target: &str, lower: &str, outside: &str) -> ExitCode {
    let open = |path: &str| -> OwnedFd { File::open(path).unwrap().into() };
    let outside_dir = open(outside);
    assert!(
        berth_layer::confine::confine(&open(target), &[open(lower)], &Limits::default()).unwrap()
    );
    let [target, lower, outside] = [target, lower, outside].map(Path::new);

    fs::write(target.join("mine"), "1").unwrap();
    assert_eq!(fs::read_to_string(lower.join("canary")).unwrap(), "alive");
    std::thread::spawn(|| {}).join().unwrap();

    let denied: Vec<(&str, std::io::Result<()>)> = vec![
        ("read outside", fs::read(outside.join("canary")).map(drop)),
        ("write outside", fs::write(outside.join("canary"), "dead")),
        ("create outside", fs::write(outside.join("new"), "")),
        ("list outside", fs::read_dir(outside).map(drop)),
        ("remove outside", fs::remove_file(outside.join("canary"))),
        ("read /etc", fs::read("/etc/passwd").map(drop)),
        ("read /proc", fs::read("/proc/self/maps").map(drop)),
        (
            "write a lower layer",
            fs::write(lower.join("canary"), "dead"),
        ),
        ("create in a lower layer", fs::write(lower.join("new"), "")),
        (
            "move out",
            fs::rename(target.join("mine"), outside.join("mine")),
        ),
        (
            "link in",
            fs::hard_link(outside.join("canary"), target.join("stolen")),
        ),
        (
            "by an open directory",
            errno(rustix::fs::openat(&outside_dir, "canary", read_only(), mode()).map(drop)),
        ),
        ("exec", Command::new("/bin/true").status().map(drop)),
        ("tcp", std::net::TcpListener::bind("127.0.0.1:0").map(drop)),
        (
            "unix socket",
            std::os::unix::net::UnixDatagram::unbound().map(drop),
        ),
        (
            "mount",
            errno(rustix::mount::mount_change(
                target,
                rustix::mount::MountPropagationFlags::PRIVATE,
            )),
        ),
        (
            "fsopen",
            errno(rustix::mount::fsopen("tmpfs", rustix::mount::FsOpenFlags::empty()).map(drop)),
        ),
        ("chroot", errno(rustix::process::chroot(target))),
        ("kill", errno(rustix::process::test_kill_process(parent()))),
        (
            "pidfd",
            errno(
                rustix::process::pidfd_open(parent(), rustix::process::PidfdFlags::empty())
                    .map(drop),
            ),
        ),
        (
            "chmod by path",
            fs::set_permissions(outside.join("canary"), fs::Permissions::from_mode(0o777)),
        ),
        ("hostname", errno(rustix::system::sethostname(b"x"))),
        ("more memory", {
            let resource = rustix::process::Resource::As;
            errno(rustix::process::setrlimit(
                resource,
                rustix::process::Rlimit {
                    current: None,
                    maximum: None,
                },
            ))
        }),
    ];
    for (what, result) in &denied {
        if result.is_ok() {
            eprintln!("the child could {what}");
            return ExitCode::FAILURE;
        }
    }
    let held = rustix::thread::capabilities(None);
    // capget is not on the list; that the sets are small was checked when they were set.
    if held.is_ok() {
        eprintln!("capget works: the filter is not in force");
        return ExitCode::FAILURE;
    }
    if !Path::new("/nonexistent").exists() && target.join("stolen").exists() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn errno(result: rustix::io::Result<()>) -> std::io::Result<()> {
    result.map_err(Into::into)
}

fn read_only() -> rustix::fs::OFlags {
    rustix::fs::OFlags::RDONLY
}

fn mode() -> rustix::fs::Mode {
    rustix::fs::Mode::empty()
}

fn parent() -> rustix::process::Pid {
    rustix::process::Pid::from_raw(1).unwrap()
}

fn failures_are_typed() {
    let world = World::new();
    let archive = archive();
    let failed = |request: &Request, blob: &[u8]| match world.unpack(request, blob) {
        Outcome::Failed(failure) => failure,
        Outcome::Unpacked(_) => panic!("unpacked"),
    };
    let truncated = failed(&world.request(), &gzip(&archive)[..200]);
    assert_eq!(truncated.kind, berth_model::ErrorKind::Corrupt);
    assert_eq!(truncated.message, "cannot decompress the gzip layer");
    assert_eq!(
        failed(&world.request(), &archive[..700]).kind,
        berth_model::ErrorKind::Corrupt
    );
    let mut request = world.request();
    request.media_type = Some("application/vnd.oci.image.layer.v1.tar+encrypted".to_owned());
    assert_eq!(
        failed(&request, &archive).kind,
        berth_model::ErrorKind::Unsupported
    );
    let mut request = world.request();
    request.target = world.dir.path().join("missing");
    assert_eq!(
        failed(&request, &archive).kind,
        berth_model::ErrorKind::NotFound
    );
    let output = run(&["internal", "unpack", "{}"], Stdio::null());
    assert!(matches!(
        serde_json::from_slice(&output.stdout).unwrap(),
        Outcome::Failed(_)
    ));
}

fn a_bomb_is_stopped_early() {
    // 10 GiB of zeros, about a thousand to one, made on the fly.
    let world = World::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "internal",
            "unpack",
            &serde_json::to_string(&world.request()).unwrap(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut entry = Entry::new("zeros", Kind::File);
    entry.size = 10 << 30;
    let stdin = child.stdin.take().unwrap();
    let mut encoder = flate2::write::GzEncoder::new(stdin, flate2::Compression::best());
    // It ends with a broken pipe when the child has had enough.
    let result = Writer::new(&mut encoder).append(&entry, &mut std::io::repeat(0));
    assert!(result.is_err(), "the child read all of it");
    drop(encoder);
    let mut report = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut report)
        .unwrap();
    child.wait().unwrap();
    let Outcome::Failed(failure) = serde_json::from_slice(&report).unwrap() else {
        panic!()
    };
    assert_eq!(
        failure.message,
        "the layer exceeds the limit of 200 bytes from one compressed byte"
    );
    let written = fs::metadata(world.dir.path().join("target/zeros"))
        .unwrap()
        .len();
    assert!(written < 100 << 20, "{written} bytes were written");
}

/// The child may have 1024 files open.
fn a_deep_tree_over_a_deep_tree() {
    let world = World::new();
    let deep = |name: &str| {
        let path = format!("{}{name}", "d/".repeat(1500));
        let mut writer = Writer::new(Vec::new());
        let entry = Entry::new(path, Kind::File);
        writer.append(&entry, &mut std::io::empty()).unwrap();
        writer.finish().unwrap()
    };
    let lowest = Request {
        target: world.dir.path().join("lower"),
        lowers: Vec::new(),
        ..world.request()
    };
    for (request, archive) in [(lowest, deep("low")), (world.request(), deep(".wh.low"))] {
        let outcome = world.unpack(&request, &archive);
        assert!(matches!(outcome, Outcome::Unpacked(_)), "{outcome:?}");
    }
    let hidden = world.dir.path().join("target").join("d/".repeat(1500));
    let whiteout = fs::metadata(hidden.join("low")).unwrap();
    assert!(whiteout.file_type().is_char_device() && whiteout.rdev() == 0);
}

fn purges_in_its_own_process() {
    let world = World::new();
    let tree = world.dir.path().join("tree");
    fs::create_dir_all(tree.join("a/b/c")).unwrap();
    std::os::unix::fs::symlink(world.path("outside"), tree.join("a/link")).unwrap();
    let link = world.dir.path().join("link");
    std::os::unix::fs::symlink(world.path("outside"), &link).unwrap();
    let output = run(
        &[
            "internal",
            "purge",
            tree.to_str().unwrap(),
            link.to_str().unwrap(),
            "/nonexistent/x",
        ],
        Stdio::null(),
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!tree.exists() && !link.is_symlink());
    assert!(world.dir.path().join("outside/canary").exists());
    assert!(
        !run(&["internal", "purge", "/proc/self/status"], Stdio::null())
            .status
            .success()
    );
}
