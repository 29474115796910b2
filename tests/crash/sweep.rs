//! create, pull, load, bootstrap, start, rm, rmi, rename, tag: killed at each step.

use std::fs;
use std::path::Path;

use testkit::registry::Options;
use testkit::{Finished, Registry, Sandbox};

/// Runs `line` killed at its first step, then at its second, … until it runs to its end. `prepare` makes
/// the state that it starts from; `check` looks at what is left after the repair.
pub fn sweep(
    s: &Sandbox,
    line: &[&str],
    mut prepare: impl FnMut(&Sandbox),
    mut check: impl FnMut(&Sandbox, Killed),
) {
    for step in 1.. {
        assert!(step < 1000, "{line:?} has no end");
        prepare(s);
        let log = s.home().join("steps");
        let _ = fs::remove_file(&log);
        let mut command = s.berth_command(line);
        command
            .env("BERTH_FP", format!("#{step}"))
            .env("BERTH_FP_LOG", &log);
        let done = Finished::run(&mut command, b"", testkit::wait::PATIENCE);
        let name = last_line(&log);
        let place = format!("step {step} ({name}) of {line:?}");
        // Readers are not disturbed by what lies about.
        for reader in [["ps", "-a"], ["images", "-a"]] {
            let read = s.berth(&reader);
            assert!(read.status.success(), "{place}: {read}");
        }
        let repaired = s.berth(&["fsck", "--repair"]);
        assert!(repaired.status.success(), "{place}: {repaired}");
        let clean = s.berth(&["fsck"]);
        assert!(clean.status.success(), "{place}: {clean}");
        // N1: no address belongs to who does not run.
        let running = s.berth(&["ps", "-q"]).ok().lines().count();
        let reserved = fs::read_dir(s.run_dir().join("networks/bridge/addr"));
        let reserved = reserved.map_or(0, Iterator::count);
        assert!(
            reserved <= running,
            "{place}: {reserved} addresses of {running} containers"
        );
        let killed = done.code() != 0;
        check(
            s,
            Killed {
                killed,
                place: &place,
                done: &done,
            },
        );
        if !killed {
            assert!(
                step > 1,
                "{line:?} passed no step: fail points are not built in"
            );
            return;
        }
    }
}

/// How a run of the sweep ended.
pub struct Killed<'a> {
    pub killed: bool,
    pub place: &'a str,
    pub done: &'a Finished,
}

fn last_line(path: &Path) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .lines()
        .last()
        .unwrap_or_default()
        .to_owned()
}

fn containers(s: &Sandbox) -> Vec<String> {
    s.berth(&["ps", "-a", "--format", "{{.Names}} {{.State}}"])
        .ok()
        .lines()
        .map(str::to_owned)
        .collect()
}

pub fn remove_all(s: &Sandbox) {
    let ids = s.berth(&["ps", "-aq"]).ok().to_owned();
    for id in ids.lines() {
        s.berth(&["rm", "-f", id]).ok();
    }
}

#[test]
fn create() {
    let s = Sandbox::root().with_busybox();
    sweep(
        &s,
        &["create", "--name", "cc", "busybox", "true"],
        remove_all,
        |s, end| {
            let list = containers(s);
            // All or nothing; and once the id is printed, all.
            assert!(
                list.is_empty() || list == ["cc created"],
                "{}: {list:?}",
                end.place
            );
            if !end.done.stdout.is_empty() {
                assert_eq!(list, ["cc created"], "{}", end.place);
            }
            // What is there works, what is not leaves its name free.
            if list.is_empty() {
                s.berth(&["create", "--name", "cc", "busybox", "true"]).ok();
            }
            s.berth(&["start", "-a", "cc"]).ok();
        },
    );
}

#[test]
fn start() {
    let s = Sandbox::root().with_busybox();
    let prepare = |s: &Sandbox| {
        remove_all(s);
        s.berth(&[
            "create", "--name", "cc", "-p", "80", "busybox", "sleep", "1000",
        ])
        .ok();
    };
    sweep(&s, &["start", "cc"], prepare, |s, end| {
        let list = containers(s);
        assert_eq!(list.len(), 1, "{}: {list:?}", end.place);
        if !end.killed {
            assert_eq!(list, ["cc running"], "{}", end.place);
        }
        if list != ["cc running"] {
            s.berth(&["start", "cc"]).ok();
        }
        s.berth(&["exec", "cc", "true"]).ok();
    });
}

#[test]
fn rm() {
    let s = Sandbox::root().with_busybox();
    let prepare = |s: &Sandbox| {
        remove_all(s);
        s.berth(&[
            "run", "-d", "--name", "cc", "-p", "80", "busybox", "sleep", "1000",
        ])
        .ok();
    };
    sweep(&s, &["rm", "-f", "cc"], prepare, |s, end| {
        let list = containers(s);
        assert!(list.len() <= 1, "{}: {list:?}", end.place);
        if end.done.stdout.contains('c') {
            assert!(list.is_empty(), "{}: {list:?}", end.place);
        }
        s.berth(&["rm", "-f", "cc"]).ok();
        s.berth(&["create", "--name", "cc", "busybox"]).ok();
    });
}

#[test]
fn rename() {
    let s = Sandbox::root().with_busybox();
    let prepare = |s: &Sandbox| {
        remove_all(s);
        s.berth(&["create", "--name", "old", "busybox"]).ok();
    };
    sweep(&s, &["rename", "old", "new"], prepare, |s, end| {
        let list = containers(s);
        assert!(
            list == ["old created"] || list == ["new created"],
            "{}: {list:?}",
            end.place
        );
        if !end.killed {
            assert_eq!(list, ["new created"], "{}", end.place);
        }
    });
}

fn images(s: &Sandbox) -> Vec<String> {
    s.berth(&["images", "--format", "{{.Repository}}:{{.Tag}}"])
        .ok()
        .lines()
        .map(str::to_owned)
        .collect()
}

fn remove_images(s: &Sandbox) {
    for image in images(s) {
        s.berth(&["rmi", "-f", &image]).ok();
    }
}

/// An image is listed only when it is whole: it runs.
fn whole_or_absent(s: &Sandbox, image: &str, end: &Killed<'_>) {
    let list = images(s);
    assert!(
        list.is_empty() || list == [image],
        "{}: {list:?}",
        end.place
    );
    if !end.killed {
        assert_eq!(list, [image], "{}", end.place);
    }
    if list.is_empty() {
        let left = s.count("blobs/sha256");
        assert_eq!(left, 0, "{}: blobs that nobody needs", end.place);
    } else {
        s.berth(&["run", "--rm", image, "true"]).ok();
    }
}

#[test]
fn bootstrap() {
    let s = Sandbox::root();
    sweep(
        &s,
        &["image", "bootstrap", "busybox"],
        remove_images,
        |s, end| {
            whole_or_absent(s, "busybox:latest", &end);
        },
    );
}

#[test]
fn pull() {
    let source = Sandbox::root().with_busybox();
    let s = Sandbox::root();
    let registry = Registry::start(Options::default());
    registry.push(&format!("oci:{}", source.stored_image()), "b:1", &[]);
    let image = format!("{}/b:1", registry.host());
    sweep(&s, &["pull", "-q", &image], remove_images, |s, end| {
        whole_or_absent(s, &image, &end)
    });
}

#[test]
fn load() {
    let s = Sandbox::root().with_busybox();
    let archive = s.home().join("a.tar");
    s.export(&format!("docker-archive:{}:b:1", archive.display()));
    sweep(
        &s,
        &["load", "-q", "-i", archive.to_str().unwrap()],
        remove_images,
        |s, end| {
            whole_or_absent(s, "b:1", &end);
        },
    );
}

/// N5.
#[test]
fn n5_commit() {
    let s = Sandbox::root().with_busybox();
    let line = "echo more > /new; sleep 1000";
    s.berth(&["run", "-d", "--name", "cc", "busybox", "sh", "-c", line])
        .ok();
    let prepare = |s: &Sandbox| drop(s.berth(&["rmi", "-f", "mine"]));
    sweep(&s, &["commit", "cc", "mine"], prepare, |s, end| {
        let mut list = images(s);
        list.sort();
        let whole = ["busybox:latest", "mine:latest"];
        assert!(
            list == whole || list == whole[..1],
            "{}: {list:?}",
            end.place
        );
        if !end.killed || !end.done.stdout.is_empty() {
            assert_eq!(list, whole, "{}", end.place);
        }
        if list == whole {
            let seen = s.berth(&["run", "--rm", "mine", "cat", "/new"]);
            assert_eq!(seen.ok(), "more", "{}", end.place);
        }
        // Whoever froze it has died; it runs.
        let running = || (containers(s) == ["cc running"]).then_some(());
        testkit::eventually(end.place, running);
    });
}

#[test]
fn rmi() {
    let s = Sandbox::root();
    let prepare = |s: &Sandbox| drop(s.berth(&["image", "bootstrap", "busybox"]).ok().to_owned());
    sweep(&s, &["rmi", "busybox"], prepare, |s, end| {
        let list = images(s);
        assert!(
            list.is_empty() || list == ["busybox:latest"],
            "{}: {list:?}",
            end.place
        );
        if let [image] = &list[..] {
            s.berth(&["run", "--rm", image, "true"]).ok();
        }
    });
}

/// The image's files are in a volume as a whole or not at all, wherever their copying ends.
#[test]
fn filling_a_volume() {
    let s = Sandbox::root().with_busybox();
    let inside = s.berth(&["run", "--rm", "busybox", "ls", "-A", "/bin"]);
    let whole = inside.ok().lines().count();
    let prepare = |s: &Sandbox| {
        remove_all(s);
        s.berth(&["volume", "rm", "-f", "vol"]).ok();
        s.berth(&["volume", "create", "vol"]).ok();
    };
    let data = s.state().join("volumes/vol/_data");
    let line = [
        "create", "--name", "cc", "-v", "vol:/bin", "busybox", "true",
    ];
    sweep(&s, &line, prepare, |s, end| {
        let found = fs::read_dir(&data).unwrap().count();
        assert!(
            found == 0 || found == whole,
            "{}: {found} of {whole} files",
            end.place
        );
        if containers(s).is_empty() {
            s.berth(&line).ok();
        }
        s.berth(&["start", "-a", "cc"]).ok();
        assert_eq!(fs::read_dir(&data).unwrap().count(), whole, "{}", end.place);
    });
    s.berth(&["rm", "-f", "cc"]).ok();
    s.berth(&["volume", "rm", "vol"]).ok();
}

/// A volume is made, and removed, whole.
#[test]
fn volume_create_and_rm() {
    let s = Sandbox::root().with_busybox();
    let there = |s: &Sandbox| s.berth(&["volume", "ls", "-q"]).ok() == "vol";
    let none = |s: &Sandbox| drop(s.berth(&["volume", "rm", "-f", "vol"]).ok().to_owned());
    sweep(
        &s,
        &["volume", "create", "--label", "a=1", "vol"],
        none,
        |s, end| {
            assert!(end.killed || there(s), "{}", end.place);
            if there(s) {
                let label = s.berth(&["volume", "inspect", "-f", "{{.Labels.a}}", "vol"]);
                assert_eq!(label.ok(), "1", "{}", end.place);
            }
        },
    );
    let one = |s: &Sandbox| drop(s.berth(&["volume", "create", "vol"]).ok().to_owned());
    sweep(&s, &["volume", "rm", "vol"], one, |s, end| {
        assert!(end.killed || !there(s), "{}", end.place);
    });
}
