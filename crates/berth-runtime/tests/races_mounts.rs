//! Somebody who shares the root file system exchanges its directories for links while containers are made.
//! A container then fails, or is as it was asked for; outside its root nothing ever changes. Needs root and
//! busybox-static. With BERTH_TEST_FULL, 2,000 rounds each.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod mount_rig;
mod rig;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mount_rig::HostMount;
use rig::Bundle;
use rustix::fs::{CWD, RenameFlags};
use serde_json::json;

/// Calls `round` 2,000 times, or as often as two seconds allow.
fn rounds(mut round: impl FnMut()) {
    let full = std::env::var_os("BERTH_TEST_FULL").is_some();
    let start = Instant::now();
    let mut done = 0;
    while done < 2000 && (full || start.elapsed() < Duration::from_secs(2)) {
        round();
        done += 1;
    }
    eprintln!("{done} rounds in {:?}", start.elapsed());
}

/// Exchanges two names for each other, without end, beside the runtime's process.
struct Exchanger {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Exchanger {
    fn start(pairs: Vec<(PathBuf, PathBuf)>) -> Exchanger {
        let (stop, count) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (told, counted) = (stop.clone(), count.clone());
        // The pauses between exchanges: a fixed sequence of up to some hundred microseconds.
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                for (a, b) in &pairs {
                    rustix::fs::renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).unwrap();
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let until = Instant::now() + Duration::from_micros(seed >> 55);
                while Instant::now() < until {
                    std::hint::spin_loop();
                }
            }
        });
        Exchanger {
            stop,
            count,
            thread: Some(thread),
        }
    }

    /// Ends it, leaving things as they were at first.
    fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        let count = self.count.load(Ordering::Relaxed);
        assert!(
            count > 100,
            "only {count} exchanges: the test shows nothing"
        );
    }
}

fn entries(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        found.push(entry.path().display().to_string());
        if entry.file_type().unwrap().is_dir() {
            found.extend(entries(&entry.path()));
        }
    }
    found.sort();
    found
}

/// R3, R10, R15: `/proc` and `/sys` are exchanged for directories of the image's and for links. No mask is
/// missing wherever the procfs ended up, and sysctls reach the kernel or nothing.
#[test]
fn r3_r10_r15_proc_is_exchanged() {
    let look = "for p in /proc /fake /sys /other; do \
        for f in keys timer_list kcore; do test -e $p/$f || continue; \
            c=$(head -c 4 $p/$f 2>/dev/null | tr '\\0' x); case \"$c\" in ''|fake) ;; *) echo SEEN $p/$f;; esac; done; \
        for f in sysrq-trigger sys/kernel/core_pattern; do test -e $p/$f && (: >> $p/$f) 2>/dev/null && echo WRITABLE $p/$f; done; \
        test -d $p/firmware && test -n \"$(ls -A $p/firmware)\" && echo SEEN $p/firmware; done; true";
    let mut bundle = Bundle::writable(look);
    bundle.caps(&["CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN", "CAP_SYSLOG"]);
    let forward = "sys/net/ipv4/conf/all/forwarding";
    let host = std::fs::read_to_string(Path::new("/proc").join(forward)).unwrap();
    bundle.config["linux"]["sysctl"] = json!({"net.ipv4.conf.all.forwarding": "1"});
    let fake = bundle.rootfs("fake");
    std::fs::create_dir_all(fake.join("sys/net/ipv4/conf/all")).unwrap();
    for file in ["keys", "timer_list", "kcore", forward] {
        std::fs::write(fake.join(file), "fake").unwrap();
    }
    symlink("fake", bundle.rootfs("other")).unwrap();
    let pairs = vec![
        (bundle.rootfs("proc"), fake.clone()),
        (bundle.rootfs("sys"), bundle.rootfs("other")),
    ];
    let racer = Exchanger::start(pairs);
    let mut made = 0;
    rounds(|| {
        let run = bundle.run();
        assert!(
            matches!(run.code(), 0 | 125),
            "{} {}",
            run.stdout,
            run.stderr
        );
        assert_eq!(run.stdout, "", "{}", run.stderr);
        made += u32::from(run.code() == 0);
    });
    racer.stop();
    assert!(
        made > 0,
        "no container was ever made: the test shows nothing"
    );
    for directory in ["proc", "fake"] {
        if let Ok(text) = std::fs::read_to_string(bundle.rootfs(directory).join(forward)) {
            assert_eq!(text, "fake");
        }
    }
    assert_eq!(
        std::fs::read_to_string(Path::new("/proc").join(forward)).unwrap(),
        host
    );
}

/// R4, R12: a component of destinations is exchanged for links that lead out. The host would see a mount
/// there: its directory is shared with the container's namespace.
#[test]
fn r4_r12_destinations_are_exchanged() {
    let mut bundle = Bundle::writable("true");
    let canary = HostMount::tmpfs(bundle.path(), "canary", "");
    canary.make_shared();
    std::fs::create_dir_all(canary.path.join("there")).unwrap();
    std::fs::write(canary.path.join("file"), "").unwrap();
    for directory in ["a/there", "b/there"] {
        std::fs::create_dir_all(bundle.rootfs(directory)).unwrap();
    }
    symlink("../../../../../../canary", bundle.rootfs("up")).unwrap();
    symlink(&canary.path, bundle.rootfs("out")).unwrap();
    bundle.config["linux"]["rootfsPropagation"] = json!("rshared");
    let source = bundle.path().join("source");
    std::fs::write(&source, "").unwrap();
    for (destination, kind) in [
        ("/a/there", "tmpfs"),
        ("/a/missing/deep", "tmpfs"),
        ("/b/there", "tmpfs"),
        ("/b/missing/deep", "tmpfs"),
        ("/a/file", "bind"),
        ("/b/made/file", "bind"),
    ] {
        bundle.mount(
            json!({"destination": destination, "type": kind, "source": source,
            "options": if kind == "bind" { json!(["bind"]) } else { json!([]) }}),
        );
    }
    bundle.config["linux"]["devices"] = json!([{"path": "/a/node", "type": "c", "major": 1, "minor": 3}, {"path": "/b/x/node", "type": "p"}]);
    let before = entries(&canary.path);
    let mounts = |path: &Path| {
        let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        text.lines()
            .filter(|line| line.contains(path.to_str().unwrap()))
            .count()
    };
    let racer = Exchanger::start(vec![
        (bundle.rootfs("a"), bundle.rootfs("out")),
        (bundle.rootfs("b"), bundle.rootfs("up")),
    ]);
    let mut made = 0;
    rounds(|| {
        let run = bundle.run();
        assert!(matches!(run.code(), 0 | 125), "{}", run.stderr);
        made += u32::from(run.code() == 0);
        assert_eq!(mounts(bundle.path()), 1, "{}", run.stderr);
    });
    racer.stop();
    assert!(
        made > 0,
        "no container was ever made: the test shows nothing"
    );
    assert_eq!(entries(&canary.path), before);
}

/// R13, R16: the image's `/dev` is exchanged for a link to a directory of the host's, its `null` for a link
/// to a file that must not be written.
#[test]
fn r13_r16_dev_is_exchanged() {
    let look = "wc -c < /proc/keys; (: >> /proc/sys/kernel/core_pattern) 2>/dev/null && echo WRITABLE; true";
    let mut bundle = Bundle::writable(look);
    bundle.without_dev();
    let canary = bundle.path().join("canary");
    std::fs::create_dir(&canary).unwrap();
    std::fs::write(canary.join("ptmx"), "untouched").unwrap();
    symlink(&canary, bundle.rootfs("out")).unwrap();
    std::fs::create_dir(bundle.rootfs("nulls")).unwrap();
    symlink("/proc/sys/kernel/core_pattern", bundle.rootfs("nulls/null")).unwrap();
    let pattern = || std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let before = pattern();
    let racer = Exchanger::start(vec![
        (bundle.rootfs("dev"), bundle.rootfs("out")),
        (bundle.rootfs("dev"), bundle.rootfs("nulls")),
    ]);
    rounds(|| {
        let run = bundle.run();
        match run.code() {
            0 => assert_eq!(run.stdout, "0\n", "{}", run.stderr),
            125 => {}
            _ => panic!("{}", run.stderr),
        }
    });
    racer.stop();
    assert_eq!(pattern(), before);
    assert_eq!(
        std::fs::read_to_string(canary.join("ptmx")).unwrap(),
        "untouched"
    );
    assert_eq!(entries(&canary).len(), 1);
}

/// R14: the console and the terminals' directory are exchanged for links.
#[test]
fn r14_the_console_is_exchanged() {
    let mut bundle = Bundle::writable("test -c /proc/self/fd/0 && stat -L -c %t /proc/self/fd/0");
    bundle.config["process"]["terminal"] = json!(true);
    for destination in ["/dev", "/dev/shm", "/dev/mqueue"] {
        bundle.remove_mount(destination);
    }
    let canary = bundle.path().join("canary");
    std::fs::create_dir_all(canary.join("pts")).unwrap();
    for file in ["console", "pts/0", "pts/ptmx"] {
        std::fs::write(canary.join(file), "untouched").unwrap();
    }
    std::fs::create_dir(bundle.rootfs("dev/pts")).unwrap();
    std::fs::write(bundle.rootfs("dev/console"), "").unwrap();
    symlink(&canary, bundle.rootfs("out")).unwrap();
    symlink(canary.join("console"), bundle.rootfs("link")).unwrap();
    let racer = Exchanger::start(vec![
        (bundle.rootfs("dev"), bundle.rootfs("out")),
        (bundle.rootfs("tmp"), bundle.rootfs("link")),
    ]);
    rounds(|| {
        let mut session = testkit::pty::Session::start(&bundle.command(&["run", "c"]));
        session.wait();
    });
    racer.stop();
    for file in ["console", "pts/0", "pts/ptmx"] {
        assert_eq!(
            std::fs::read_to_string(canary.join(file)).unwrap(),
            "untouched"
        );
    }
    assert_eq!(entries(&canary).len(), 4);
}
