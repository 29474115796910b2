//! Networks of one's own: create, rm, connect, disconnect and a start, killed at each step. N6.

use std::fs;

use testkit::Sandbox;

use crate::sweep::{remove_all, sweep};

fn networks(s: &Sandbox) -> Vec<String> {
    let list = s.berth(&[
        "network",
        "ls",
        "-f",
        "type=custom",
        "--format",
        "{{.Name}}",
    ]);
    list.ok().lines().map(str::to_owned).collect()
}

fn make(s: &Sandbox, name: &str, which: u8) {
    let subnet = s.other_subnet(which);
    s.berth(&["network", "create", "--subnet", &subnet, name])
        .ok();
}

/// Addresses that are somebody's in networks of one's own.
fn reserved(s: &Sandbox) -> usize {
    let all = fs::read_dir(s.run_dir().join("networks"))
        .into_iter()
        .flatten()
        .flatten();
    let own = all.filter(|one| one.file_name() != "bridge");
    own.map(|one| fs::read_dir(one.path().join("addr")).map_or(0, Iterator::count))
        .sum()
}

/// The devices inside, and what `inspect` says of them.
fn places(s: &Sandbox) -> (usize, usize) {
    let inside = s.berth(&[
        "exec",
        "cc",
        "sh",
        "-c",
        "ls -d /sys/class/net/eth* 2>/dev/null | wc -l",
    ]);
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
    let told = s.berth(&["inspect", "-f", format, "cc"]);
    (
        inside.ok().trim().parse().unwrap(),
        told.ok().split_whitespace().count(),
    )
}

#[test]
fn create() {
    let s = Sandbox::root();
    let subnet = s.other_subnet(1);
    let prepare = |s: &Sandbox| drop(s.berth(&["network", "prune", "-f"]));
    sweep(
        &s,
        &["network", "create", "--subnet", &subnet, "lan"],
        prepare,
        |s, end| {
            let list = networks(s);
            assert!(
                list.is_empty() || list == ["lan"],
                "{}: {list:?}",
                end.place
            );
            if !end.done.stdout.is_empty() {
                assert_eq!(list, ["lan"], "{}", end.place);
            }
            // Name and subnet are free, or the network can be removed.
            match list.is_empty() {
                true => make(s, "lan", 1),
                false => drop(s.berth(&["network", "rm", "lan"]).ok()),
            }
        },
    );
}

#[test]
fn rm() {
    let s = Sandbox::root();
    let prepare = |s: &Sandbox| {
        s.berth(&["network", "prune", "-f"]).ok();
        make(s, "lan", 1);
    };
    sweep(&s, &["network", "rm", "lan"], prepare, |s, end| {
        let list = networks(s);
        assert!(list.len() <= 1, "{}: {list:?}", end.place);
        if !end.killed {
            assert!(list.is_empty(), "{}: {list:?}", end.place);
        }
        if list.is_empty() {
            make(s, "lan", 1);
        }
    });
}

#[test]
fn connect_and_disconnect() {
    let s = Sandbox::root().with_busybox();
    make(&s, "one", 1);
    make(&s, "two", 2);
    let run = |s: &Sandbox, more: &[&str]| {
        remove_all(s);
        let head = ["run", "-d", "--name", "cc", "--network", "one", "-p", "80"];
        s.berth(&[&head[..], more, &["busybox", "sleep", "1000"]].concat())
            .ok();
    };
    sweep(
        &s,
        &["network", "connect", "two", "cc"],
        |s| run(s, &[]),
        |s, end| {
            let (inside, told) = places(s);
            assert_eq!((inside, reserved(s)), (told, told), "{}", end.place);
            assert_eq!(told, if end.killed { told } else { 2 }, "{}", end.place);
            if told == 1 {
                s.berth(&["network", "connect", "two", "cc"]).ok();
            }
            s.berth(&["exec", "cc", "nslookup", "cc"]).ok();
        },
    );
    let line = ["network", "disconnect", "one", "cc"];
    sweep(
        &s,
        &line,
        |s| run(s, &["--network", "two"]),
        |s, end| {
            let (inside, told) = places(s);
            assert_eq!((inside, reserved(s)), (told, told), "{}", end.place);
            assert_eq!(told, if end.killed { told } else { 1 }, "{}", end.place);
        },
    );
    remove_all(&s);
    assert_eq!(reserved(&s), 0);
}

#[test]
fn start() {
    let s = Sandbox::root().with_busybox();
    make(&s, "one", 1);
    make(&s, "two", 2);
    let prepare = |s: &Sandbox| {
        remove_all(s);
        s.berth(&[
            "create",
            "--name",
            "cc",
            "--network",
            "one",
            "--network",
            "two",
            "busybox",
            "sleep",
            "1000",
        ])
        .ok();
    };
    sweep(&s, &["start", "cc"], prepare, |s, end| {
        let running = s.berth(&["ps", "-q"]).ok().lines().count();
        assert_eq!(reserved(s), 2 * running, "{}", end.place);
        if running == 0 {
            s.berth(&["start", "cc"]).ok();
        }
        assert_eq!(places(s), (2, 2), "{}", end.place);
    });
}
