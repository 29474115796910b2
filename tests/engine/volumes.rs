//! Volumes: made, listed, filled with the image's files, shared, removed.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use testkit::Sandbox;

both! {
    fn made_listed_inspected_and_removed(s) {
        assert_eq!(s.berth(&["volume", "create", "--label", "a=1", "--label", "b", "one"]).ok(), "one");
        s.berth(&["volume", "create", "two"]).ok();
        // Once more: it stays as it is.
        assert_eq!(s.berth(&["volume", "create", "--label", "c=3", "one"]).ok(), "one");
        let unnamed = s.berth(&["volume", "create"]).ok().to_owned();
        assert_eq!(unnamed.len(), 64);
        let list = |filters: &[&str]| {
            let filters: Vec<&str> = filters.iter().flat_map(|one| ["--filter", *one]).collect();
            s.berth(&[&["volume", "ls", "-q"], &filters[..]].concat()).ok().to_owned()
        };
        s.berth(&["create", "--name", "cc", "-v", "two:/data", "busybox"]).ok();
        assert_eq!(list(&["name=o"]), "one\ntwo");
        assert_eq!(list(&["label=a"]), "one");
        assert_eq!(list(&["label=a=2"]), "");
        assert_eq!(list(&["driver=other"]), "");
        assert_eq!(list(&["dangling=true", "name=o"]), "one");
        assert_eq!(list(&["dangling=false"]), "two");
        assert!(s.berth(&["volume", "ls"]).ok().starts_with("DRIVER    VOLUME NAME\nlocal     "));
        s.berth(&["volume", "ls", "--filter", "foo=bar"]).fails(1);

        let shown = s.berth(&["volume", "inspect", "one", "none"]);
        assert!(shown.fails(1).contains("no such volume"), "{shown}");
        let volumes: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
        assert_eq!(volumes[0]["Labels"], serde_json::json!({"a": "1", "b": ""}));
        assert_eq!(volumes[0]["Mountpoint"], s.state().join("volumes/one/_data").to_str().unwrap());
        assert_eq!(s.berth(&["volume", "inspect", "-f", "{{.Driver}} {{.Scope}} {{.Options}}", "one"]).ok(), "local local map[]");

        let id = s.berth(&["inspect", "-f", "{{.Id}}", "cc"]).ok().to_owned();
        let used = s.berth(&["volume", "rm", "two", "one"]);
        assert!(used.fails(1).contains(&format!("remove two: volume is in use - [{id}]")), "{used}");
        assert_eq!(used.stdout, "one\n");
        assert!(s.berth(&["volume", "rm", "one"]).fails(1).contains("get one: no such volume"));
        assert_eq!(s.berth(&["volume", "rm", "-f", "one"]).ok(), "one");
        s.berth(&["rm", "cc"]).ok();
        s.berth(&["volume", "rm", "two", &unnamed]).ok();
        assert_eq!(s.count("volumes"), 0);
    }
}

#[test]
fn what_docker_refuses() {
    let s = Sandbox::root();
    for (arguments, words) in [
        (&["a"][..], "volume name is too short"),
        (
            &["a b"],
            "includes invalid characters for a local volume name",
        ),
        (&["../x"], "includes invalid characters"),
        (&["-o", "foo=1", "bb"], "create bb: invalid option: \"foo\""),
        (
            &["-o", "o=bind", "bb"],
            "create bb: missing required option: \"device\"",
        ),
        (
            &["-o", "size=1g", "bb"],
            "quota size requested but no quota support",
        ),
        (
            &["-d", "nodriver", "bb"],
            "error looking up volume plugin nodriver: plugin \"nodriver\" not found",
        ),
        (&["--name", "aa", "bb"], "conflicting options"),
    ] {
        let done = s.berth(&[&["volume", "create"], arguments].concat());
        assert!(done.fails(1).contains(words), "{done}");
    }
    assert_eq!(s.count("volumes"), 0);
}

both! {
    fn the_images_files_come_with_owner_mode_and_links(s) {
        let line = "mkdir -p /data/sub; echo in >/data/f; chown 7:8 /data /data/f; chmod 4750 /data/f; ln /data/f /data/sub/hard; \
            ln -s f /data/link; mkfifo /data/pipe; chmod 1770 /data; touch -d @1000000000 /data/f; mkdir /empty; chown 9 /empty; ln -s data /alias";
        s.berth(&["run", "--name", "aa", "busybox", "sh", "-c", line]).ok();
        s.berth(&["commit", "aa", "filled"]).ok();
        let look = "cd /data; stat -c '%n %a %u %g %h' . f sub/hard link pipe; stat -c %Y f";
        let expected = ". 1770 7 8 3\nf 4750 7 8 2\nsub/hard 4750 7 8 2\nlink 777 0 0 1\npipe 644 0 0 1\n1000000000";
        s.berth(&["volume", "create", "made"]).ok();
        for volume in ["made:/data", "new:/data", "/data"] {
            let done = s.berth(&["run", "--rm", "-v", volume, "filled", "sh", "-c", look]);
            assert_eq!(done.ok(), expected, "{volume}");
        }
        // A link in the image leads to what it leads to there.
        assert_eq!(s.berth(&["run", "--rm", "-v", "by-link:/alias", "filled", "ls", "/alias/"]).ok(), "f\nlink\npipe\nsub");
        // What has something, or is told not to, stays as it is.
        s.berth(&["run", "--rm", "-v", "new:/bin", "filled", "true"]).fails(127);
        assert_eq!(s.berth(&["run", "--rm", "-v", "bare:/data:nocopy", "filled", "ls", "/data"]).ok(), "");
        assert_eq!(s.berth(&["run", "--rm", "-v", "owned:/empty", "filled", "stat", "-c", "%u", "/empty"]).ok(), "9");
        s.berth(&["rm", "aa"]).ok();
        s.berth(&["volume", "prune", "-af"]).ok();
        assert_eq!(s.count("volumes"), 0);
    }
}

/// D4.
#[test]
fn d4_nothing_of_the_host_is_copied_into_a_volume() {
    let s = Sandbox::root().with_busybox();
    let canary = s.folder("canary");
    s.file("canary/secret", "of the host");
    let line = format!(
        "ln -s {} /out; ln -s ../../../../../../..{} /up",
        canary.display(),
        canary.display()
    );
    s.berth(&["run", "--name", "aa", "busybox", "sh", "-c", &line])
        .ok();
    s.berth(&[
        "commit",
        "-c",
        "VOLUME /out /up /../../etc",
        "aa",
        "hostile",
    ])
    .ok();
    let look = "ls -A /out /up 2>/dev/null; true";
    let done = s.berth(&["run", "--rm", "hostile", "sh", "-c", look]);
    assert!(!done.stdout.contains("secret"), "{done}");
    for volume in ["vv:/out", "ww:/up"] {
        let done = s.berth(&["run", "--rm", "-v", volume, "hostile", "sh", "-c", look]);
        assert!(!done.stdout.contains("secret"), "{done}");
    }
    assert_eq!(fs::read_dir(&canary).unwrap().count(), 1);
    s.berth(&["rm", "aa"]).ok();
}

both! {
    fn mounts_are_taken_from_another_container(s) {
        let folder = s.folder("data");
        let bind = format!("{}:/bound", folder.display());
        s.berth(&["run", "--name", "aa", "-v", "/anon", "-v", "named:/named", "-v", &bind, "busybox", "sh", "-c",
            "echo 1 >/anon/f; echo 2 >/named/f; echo 3 >/bound/f"]).ok();
        let cat = ["sh", "-c", "cat /anon/f /named/f /bound/f; touch /named/x 2>/dev/null || echo read-only"];
        let run = |from: &str| {
            let line = [&["run", "--rm", "--volumes-from", from, "busybox"], &cat[..]].concat();
            s.berth(&line).ok().to_owned()
        };
        assert_eq!(run("aa"), "1\n2\n3");
        assert_eq!(run("aa:ro"), "1\n2\n3\nread-only");
        // What goes first: what is asked for otherwise.
        let other = s.berth(&["run", "--rm", "--volumes-from", "aa", "-v", "other:/named", "busybox", "ls", "/named"]);
        assert_eq!(other.ok(), "");
        // The volume without a name goes with its last user.
        s.berth(&["create", "--name", "bb", "--volumes-from", "aa", "busybox", "cat", "/anon/f"]).ok();
        s.berth(&["rm", "-v", "aa"]).ok();
        assert_eq!(s.berth(&["start", "-a", "bb"]).ok(), "1");
        s.berth(&["rm", "-v", "bb"]).ok();
        assert_eq!(s.berth(&["volume", "ls", "-q"]).ok(), "named\nother");
        assert!(s.berth(&["create", "--volumes-from", "none", "busybox"]).fails(1).contains("none"));
    }
}

both! {
    fn volumes_without_a_name_stay_with_rm_and_go_by_prune(s) {
        s.berth(&["run", "--name", "aa", "-v", "/anon", "-v", "named:/named", "busybox", "true"]).ok();
        s.berth(&["rm", "aa"]).ok();
        assert_eq!(s.count("volumes"), 2);
        // Nobody's, but not garbage.
        s.berth(&["fsck", "--repair"]).ok();
        assert_eq!(s.count("volumes"), 2);
        assert!(s.berth(&["volume", "prune", "-f", "--filter", "label=x"]).ok().starts_with("Total reclaimed space: 0B"));
        let pruned = s.berth(&["volume", "prune", "-f"]);
        assert!(pruned.ok().starts_with("Deleted Volumes:\n"), "{pruned}");
        assert_eq!(s.berth(&["volume", "ls", "-q"]).ok(), "named");
        s.berth(&["volume", "prune", "-f", "--filter", "all=true"]).ok();
        assert_eq!(s.count("volumes"), 0);
    }
}

/// N6: a volume that comes while volumes are pruned stays, and so does one whose container comes.
#[test]
fn n6_prune_removes_nothing_that_is_newer() {
    let s = Sandbox::root().with_busybox();
    for round in 0..10 {
        let name = format!("v{round}");
        let makers = [
            s.spawn(&["create", "-v", &format!("{name}:/data"), "busybox"]),
            s.spawn(&["volume", "prune", "-af"]),
            s.spawn(&["volume", "prune", "-af"]),
        ];
        for mut maker in makers {
            assert!(maker.wait().unwrap().success());
        }
        assert!(
            s.state().join("volumes").join(&name).join("_data").is_dir(),
            "{name} went with its container there"
        );
    }
}

#[test]
fn the_local_drivers_options_are_mounted() {
    let s = Sandbox::root().with_busybox();
    let folder = s.folder("data");
    s.file("data/in", "there");
    let device = format!("device={}", folder.display());
    s.berth(&[
        "volume",
        "create",
        "-o",
        "type=none",
        "-o",
        "o=bind",
        "-o",
        &device,
        "bound",
    ])
    .ok();
    let read = s.berth(&[
        "run",
        "--rm",
        "-v",
        "bound:/x",
        "busybox",
        "sh",
        "-c",
        "cat /x/in; echo >/x/out",
    ]);
    assert_eq!(read.ok(), "there");
    assert!(folder.join("out").exists());
    let line = [
        "-o",
        "type=tmpfs",
        "-o",
        "device=tmpfs",
        "-o",
        "o=size=1m,uid=5",
    ];
    s.berth(&[&["volume", "create"], &line[..], &["mem"]].concat())
        .ok();
    let seen = s.berth(&[
        "run",
        "--rm",
        "-v",
        "mem:/x",
        "busybox",
        "sh",
        "-c",
        "grep ' /x ' /proc/mounts; stat -c %u /x",
    ]);
    assert!(
        seen.ok().contains("size=1024k") && seen.ok().ends_with("\n5"),
        "{seen}"
    );
    // What is not there is told at the start.
    let line = ["-o", "type=none", "-o", "o=bind", "-o", "device=/no/such"];
    s.berth(&[&["volume", "create"], &line[..], &["nowhere"]].concat())
        .ok();
    let failed = s.berth(&["run", "--rm", "-v", "nowhere:/x", "busybox", "true"]);
    assert!(failed.fails(125).contains("/no/such"), "{failed}");
    // The engine's own directory is not had by this way either.
    let own = format!("device={}", s.state().display());
    s.berth(&[
        "volume",
        "create",
        "-o",
        "type=none",
        "-o",
        "o=bind",
        "-o",
        &own,
        "own",
    ])
    .ok();
    let refused = s.berth(&["run", "--rm", "-v", "own:/x", "busybox", "true"]);
    assert!(
        refused.fails(125).contains("not given to containers"),
        "{refused}"
    );
}

both! {
    fn a_subpath_is_resolved_inside(s) {
        s.berth(&["run", "--rm", "-v", "vol:/data", "busybox", "sh", "-c",
            "mkdir -p /data/a/b; echo deep >/data/a/b/f; ln -s /a/b /data/abs; ln -s ../../../../.. /data/up; ln -s /etc /data/out"]).ok();
        let run = |subpath: &str| {
            let mount = format!("type=volume,src=vol,dst=/x,volume-subpath={subpath}");
            s.berth(&["run", "--rm", "--mount", &mount, "busybox", "sh", "-c", "cat /x/f; ls /x"])
        };
        assert_eq!(run("a/b").ok(), "deep\nf");
        assert_eq!(run("abs").ok(), "deep\nf");
        // Links lead nowhere else: above the volume's root is the volume's root.
        assert_eq!(run("up").stdout, "a\nabs\nout\nup\n");
        assert!(run("out").fails(125).contains("o such file"));
        assert!(run("none").fails(125).contains("o such file"));
    }
}

#[test]
fn an_earlier_berths_volumes_are_still_there() {
    let s = Sandbox::root().with_busybox();
    let old = s.state().join("volumes/old");
    fs::create_dir_all(old.join("_data")).unwrap();
    fs::write(old.join("_data/f"), "kept").unwrap();
    assert_eq!(s.berth(&["volume", "ls", "-q"]).ok(), "old");
    let read = s.berth(&["run", "--rm", "-v", "old:/x", "busybox", "cat", "/x/f"]);
    assert_eq!(read.ok(), "kept");
    assert_eq!(old.join("_data/f").metadata().unwrap().nlink(), 1);
    symlink("/etc", s.state().join("volumes/link")).unwrap();
    s.berth(&["volume", "rm", "old"]).ok();
    fs::remove_file(s.state().join("volumes/link")).unwrap();
}
