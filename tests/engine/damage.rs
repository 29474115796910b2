//! N14, N10: damage is named and mended; a full disk is told and can be cleared.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use testkit::daemon::Daemon;
use testkit::registry::Options;
use testkit::{Finished, Registry, Sandbox, eventually};

/// Changes one byte and leaves the times as they are.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let before = fs::metadata(path).unwrap();
    fs::write(path, bytes).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
}

fn largest(dir: &Path) -> PathBuf {
    let files = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .max_by_key(|path| path.metadata().unwrap().size())
        .unwrap()
}

/// N14: a blob.
#[test]
fn n14_a_damaged_blob_is_named_with_whom_it_hits_and_pulled_again() {
    let source = Sandbox::root().with_busybox();
    let registry = Registry::start(Options::default());
    registry.push(&format!("oci:{}", source.stored_image()), "b:1", &[]);
    let image = format!("{}/b:1", registry.host());
    let s = Sandbox::root();
    s.berth(&["pull", "-q", &image]).ok();
    s.berth(&["create", "--name", "cc", &image, "true"]).ok();
    let blob = largest(&s.state().join("blobs/sha256"));
    flip(&blob);
    let found = s.berth(&["fsck"]);
    let text = found.fails(1).to_owned() + &found.stdout;
    let digest = blob.file_name().unwrap().to_str().unwrap();
    for part in [
        digest,
        "is damaged",
        &format!("the image {image} and the container"),
        &format!("`berth pull {image}`"),
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // It is not used as it is.
    s.berth(&["save", "-o", "a.tar", &image]).fails(1);
    // Without it the container goes on; only what needs the blob does not.
    s.berth(&["fsck", "--repair"]).ok();
    assert!(!blob.exists());
    s.berth(&["start", "-a", "cc"]).ok();
    let missing = s.berth(&["fsck"]);
    assert!(
        missing
            .stdout
            .contains("is missing; it belongs to the image"),
        "{missing}"
    );
    s.berth(&["pull", "-q", &image]).ok();
    assert_eq!(s.berth(&["fsck", "--deep"]).ok(), "all is well");
    s.berth(&["save", "-o", "a.tar", &image]).ok();
    s.berth(&["rm", "cc"]).ok();
}

/// N14: a snapshot, whose files have no digest of their own.
#[test]
fn n14_a_damaged_snapshot_is_found_by_a_deep_check_and_unpacked_again() {
    let s = Sandbox::root().with_busybox();
    s.berth(&["run", "-d", "--name", "cc", "busybox", "sleep", "1000"])
        .ok();
    assert_eq!(s.berth(&["fsck", "--deep"]).ok(), "all is well");
    let snapshots = fs::read_dir(s.state().join("snapshots")).unwrap();
    let mut snapshots = snapshots.map(|entry| entry.unwrap());
    let snapshot = snapshots
        .find(|entry| entry.file_name() != ".shared")
        .unwrap();
    flip(&snapshot.path().join("fs/bin/busybox"));
    assert_eq!(
        s.berth(&["fsck"]).ok(),
        "all is well",
        "only a deep check reads it"
    );
    let found = s.berth(&["fsck", "--deep", "--repair"]);
    for part in [
        "first at `/bin/busybox`",
        "the image busybox:latest and the container",
        "stop what runs on it",
    ] {
        assert!(found.stdout.contains(part), "{part} in {found}");
    }
    s.berth(&["rm", "-f", "cc"]).ok();
    s.berth(&["create", "--name", "cc", "busybox", "true"]).ok();
    assert!(
        s.berth(&["fsck", "--deep"])
            .stdout
            .contains("found: the snapshot sha256:")
    );
    assert!(
        s.berth(&["fsck", "--deep", "--repair"])
            .ok()
            .contains("repaired: the snapshot sha256:")
    );
    assert_eq!(s.berth(&["fsck", "--deep"]).ok(), "all is well");
    s.berth(&["start", "-a", "cc"]).ok();
    s.berth(&["rm", "cc"]).ok();
}

/// N14: the index of images.
#[test]
fn n14_a_damaged_index_is_an_error_and_removes_nothing() {
    let s = Sandbox::root().with_busybox().without_final_check();
    let path = s.state().join("index.json");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    for line in [
        &["images"][..],
        &["system", "gc"],
        &["system", "prune", "-af"],
        &["fsck", "--repair"],
    ] {
        let done = s.berth(line);
        assert!(done.code() != 0 && done.stderr.contains("index"), "{done}");
    }
    fs::write(&path, &whole).unwrap();
    s.berth(&["run", "--rm", "busybox", "true"]).ok();
}

/// A file system of a few megabytes under a sandbox's state.
struct Small {
    s: Sandbox,
}

impl Small {
    fn new(kib: u32, inodes: u32) -> Small {
        let s = Sandbox::root();
        let image = s.home().join("disk");
        let state = s.state();
        fs::create_dir_all(&state).unwrap();
        let make = format!(
            "truncate -s {kib}K {0} && mkfs.ext4 -q -F -m 0 -N {inodes} {0} && mount -o loop {0} {1}",
            image.display(),
            state.display()
        );
        s.shell_as_root(&make).ok();
        Small { s }
    }

    /// Writes until nothing more fits; then there is no room at all.
    fn fill(&self) {
        let file = self.s.state().join("filler");
        self.s
            .shell_as_root(&format!("cat /dev/zero > {} 2>&-; true", file.display()))
            .ok();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let unmount = format!("umount {}", self.s.state().display());
        Finished::run(
            std::process::Command::new("/bin/sh").args(["-c", &unmount]),
            b"",
            testkit::wait::PATIENCE,
        );
    }
}

/// N10: no room for content: the error says so and what is needed; removal works.
#[test]
fn n10_a_full_disk_is_told_and_can_be_cleared() {
    let source = Sandbox::root().with_busybox();
    let archive = source.home().join("a.tar");
    source.export(&format!("docker-archive:{}:b:1", archive.display()));
    let small = Small::new(24 << 10, 4096);
    let s = &small.s;
    s.berth(&["load", "-q", "-i", archive.to_str().unwrap()])
        .ok();
    s.berth(&["tag", "b:1", "other"]).ok();
    small.fill();
    let done = s.berth(&["import", "/dev/zero", "x"]);
    assert!(done.code() != 0, "{done}");
    let folder = s.folder("files");
    s.shell(&format!(
        "head -c 900000 /dev/urandom > {}/noise",
        folder.display()
    ))
    .ok();
    let full = s.shell(&format!(
        "tar -C {} -c . | berth import - full",
        folder.display()
    ));
    let text = full.fails(1);
    assert!(
        text.contains("No space left on device") && text.contains("hint: the disk is full"),
        "{full}"
    );
    // Nothing of it is left, and what is there can be listed, run, and removed.
    assert!(
        s.berth(&["images", "--format", "{{.Repository}}"])
            .ok()
            .contains("other")
    );
    s.berth(&["rmi", "other"]).ok();
    s.berth(&["image", "prune", "-af"]).ok();
    assert_eq!((s.count("blobs/sha256"), s.count("snapshots")), (0, 0));
    fs::remove_file(s.state().join("filler")).unwrap();
    s.berth(&["load", "-q", "-i", archive.to_str().unwrap()])
        .ok();
    s.berth(&["run", "--rm", "b:1", "true"]).ok();
    s.berth(&["system", "prune", "-af"]).ok();
    assert_eq!(s.berth(&["fsck"]).ok(), "all is well");
}

/// N10: no file can be made any more.
#[test]
fn n10_a_disk_without_inodes_is_told_and_can_be_cleared() {
    let source = Sandbox::root().with_busybox();
    let archive = source.home().join("a.tar");
    source.export(&format!("docker-archive:{}:b:1", archive.display()));
    let small = Small::new(24 << 10, 512);
    let s = &small.s;
    s.berth(&["load", "-q", "-i", archive.to_str().unwrap()])
        .ok();
    let state = s.state();
    let fill = format!(
        "mkdir {0}/filler && cd {0}/filler && seq 1000 | xargs touch 2>/dev/null; true",
        state.display()
    );
    s.shell_as_root(&fill).ok();
    let full = s.berth(&["load", "-q", "-i", archive.to_str().unwrap()]);
    if full.code() != 0 {
        assert!(full.stderr.contains("hint: "), "{full}");
    }
    s.berth(&["create", "--name", "cc", "b:1", "true"]).fails(1);
    s.berth(&["rmi", "b:1"]).ok();
    s.berth(&["system", "gc"]).ok();
    assert_eq!((s.count("blobs/sha256"), s.count("snapshots")), (0, 0));
    fs::remove_dir_all(state.join("filler")).unwrap();
    assert_eq!(s.berth(&["fsck", "--repair"]).code(), 0);
}

/// N10, of the daemon: on a full disk it answers, what runs is not held up by its log, and removing makes room.
#[test]
fn n10_a_daemon_on_a_full_disk_goes_on() {
    let source = Sandbox::root().with_busybox();
    let archive = source.home().join("a.tar");
    source.export(&format!("docker-archive:{}:b:1", archive.display()));
    let small = Small::new(24 << 10, 4096);
    let s = &small.s;
    s.berth(&["load", "-q", "-i", archive.to_str().unwrap()])
        .ok();
    let mut daemon = Daemon::start(s, &[]);
    let speak = "head -c 900000 /dev/urandom > /noise; i=0; while :; do i=$((i+1)); echo line $i; echo $i > /dev/shm/n; sleep 0.01; done";
    let run = [
        "run",
        "-d",
        "--name",
        "cc",
        "--network",
        "none",
        "b:1",
        "sh",
        "-c",
        speak,
    ];
    daemon.docker(s, &run).ok();
    let said = || {
        let number = daemon.docker(s, &["exec", "cc", "cat", "/dev/shm/n"]);
        number.stdout.trim().parse::<u64>().unwrap_or(0)
    };
    eventually("it speaks", || (said() > 0).then_some(()));
    small.fill();
    let refused = daemon.docker(s, &["commit", "cc", "full"]);
    assert!(
        refused.fails(1).contains("No space left on device"),
        "{refused}"
    );
    let before = said();
    eventually("it speaks on", || (said() > before + 100).then_some(()));
    assert!(daemon.docker(s, &["ps"]).ok().contains("cc"));
    daemon.docker(s, &["stop", "-t", "0", "cc"]).ok();
    daemon.docker(s, &["rm", "cc"]).ok();
    fs::remove_file(s.state().join("filler")).unwrap();
    let again = ["run", "--rm", "--network", "none", "b:1", "echo", "well"];
    assert_eq!(daemon.docker(s, &again).ok(), "well");
    assert!(daemon.stop());
    s.berth(&["system", "prune", "-af"]).ok();
    assert_eq!(s.berth(&["fsck"]).ok(), "all is well");
}
