//! Bad input: one clear error, a hint where one helps, nothing half done left visible.

use testkit::{Finished, Sandbox};

/// An error in our form: first line `error: …`, no panic, no debug output.
#[track_caller]
fn is_clear(done: &Finished) {
    assert!(done.stderr.starts_with("error: "), "{done}");
    assert_eq!(
        done.stderr
            .lines()
            .filter(|l| l.starts_with("error: "))
            .count(),
        1,
        "{done}"
    );
    for noise in ["panicked", "RUST_BACKTRACE", "Some(", "Err(", "Os {"] {
        assert!(!done.stderr.contains(noise), "{noise}: {done}");
    }
    assert_eq!(done.stdout, "", "{done}");
}

both! {
    fn unknown_images_and_bad_references(s) {
        for image in ["no-such-image:1", "UPPER", "a b", "", "../../etc", "busybox@sha256:zz", "x:y:z", "-x"] {
            let done = s.berth(&["run", "--rm", "--pull", "never", "--", image, "true"]);
            assert_eq!(done.code(), 125, "{done}");
            is_clear(&done);
        }
        let done = s.berth(&["run", "--rm", "--pull", "never", "no-such-image", "true"]);
        assert!(done.stderr.contains("no-such-image"), "{done}");
        assert_eq!(s.berth(&["ps", "-aq"]).ok(), "");
    }
}

both! {
    fn unknown_verbs_flags_and_missing_arguments(s) {
        for line in [&["no-such-verb"][..], &["run"], &["run", "--memory"], &["exec", "cc"], &["rm"], &["rename", "a"]] {
            let done = s.berth(line);
            assert_ne!(done.code(), 0, "{done}");
            is_clear(&done);
        }
    }
}

both! {
    fn a_container_that_is_not_there(s) {
        for verb in ["start", "stop", "kill", "restart", "rm", "logs", "attach", "top", "wait", "explain"] {
            let done = s.berth(&[verb, "no-such"]);
            is_clear(&done);
            assert!(done.fails(1).contains("no-such"), "{done}");
        }
    }
}

both! {
    fn ids_that_mean_several_are_refused(s) {
        let mut first = std::collections::BTreeSet::new();
        let ids: Vec<String> = (0..17).map(|_| s.berth(&["create", "busybox"]).ok().to_owned()).collect();
        let ambiguous = ids.iter().map(|id| id[..1].to_owned()).find(|c| !first.insert(c.clone())).unwrap();
        let done = s.berth(&["rm", &ambiguous]);
        is_clear(&done);
        assert_eq!(s.berth(&["ps", "-aq"]).ok().lines().count(), 17);
    }
}

#[test]
fn an_ordinary_user_without_subordinate_ids_is_told_what_to_do() {
    let s = Sandbox::rootless().without_final_check();
    let mut command = std::process::Command::new("setpriv");
    // A uid of nobody's, so with no range.
    command
        .args(["--reuid=54321", "--regid=54321", "--clear-groups", "--"])
        .arg(s.path().join("bin/berth"));
    let directory = s.folder("other");
    s.shell_as_root(&format!("chown 54321:54321 {}", directory.display()))
        .ok();
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", &directory);
    command
        .env("BERTH_ROOT", directory.join("r"))
        .env("BERTH_RUN_DIR", directory.join("x"));
    let done = Finished::run(
        command.args(["image", "bootstrap", "busybox"]),
        b"",
        testkit::wait::PATIENCE,
    );
    assert_ne!(done.code(), 0, "{done}");
    is_clear(&done);
    assert!(done.stderr.contains("/etc/subuid"), "{done}");
}

#[test]
fn a_state_directory_that_cannot_be_written() {
    let s = Sandbox::rootless().without_final_check();
    let done = s.berth(&["--root", "/proc/no", "images"]);
    is_clear(&done);
    let done = s.berth(&["--root", "/etc/berth-no", "image", "bootstrap", "busybox"]);
    is_clear(&done);
}

/// D3: what somebody else may have planted, as under `/tmp`, is not used, not even to look into it.
#[test]
fn a_state_directory_of_somebody_else_is_refused() {
    let s = Sandbox::rootless();
    let (other, link) = (s.path().join("other"), s.path().join("link"));
    let own = s.folder("own");
    s.shell_as_root(&format!("mkdir -m 777 {}", other.display()))
        .ok();
    std::os::unix::fs::symlink(&own, &link).unwrap();
    for place in [&other, &link] {
        for option in ["--root", "--run-dir"] {
            let done = s.berth(&[option, place.to_str().unwrap(), "ps"]);
            is_clear(&done);
            assert!(done.fails(1).contains("hint: "), "{done}");
            assert_eq!(std::fs::read_dir(place).unwrap().count(), 0, "{done}");
        }
    }
}

#[test]
fn a_full_disk_leaves_nothing_half_done() {
    let s = Sandbox::root();
    // Too small for the files of the store, then for the layer.
    for size in ["300k", "1500k"] {
        bootstrap_on_a_full_disk(&s, size);
    }
}

fn bootstrap_on_a_full_disk(s: &Sandbox, size: &str) {
    s.shell(&format!(
        "mount -t tmpfs -o size={size} none {}",
        s.state().display()
    ))
    .ok();
    let done = s.berth(&["image", "bootstrap", "busybox"]);
    assert_ne!(done.code(), 0, "{done}");
    is_clear(&done);
    assert!(done.stderr.contains("No space left"), "{done}");
    assert!(done.stderr.contains("hint: the disk is full"), "{done}");
    assert_eq!(s.berth(&["images", "-q"]).ok(), "");
    assert_eq!(s.count("ingest"), 0);
    s.berth(&["fsck"]).ok();
    s.shell(&format!(
        "mount -o remount,size=30m {}",
        s.state().display()
    ))
    .ok();
    s.berth(&["image", "bootstrap", "busybox"]).ok();
    s.berth(&["run", "--rm", "busybox", "true"]).ok();
    s.shell(&format!("umount -l {}", s.state().display())).ok();
}
