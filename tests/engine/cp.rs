//! `cp`: into and out of containers that run, stand still or are stopped.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::Duration;

use testkit::{Dockerd, Finished, Sandbox, eventually};

/// Copies by a command line, case by case, and tells of each whether it went well and what there is then.
const CASES: &str = r#"
made() { # a tree, the letters told apart by $2
    mkdir -p $1/d/sub $1/empty $1/dst/d; echo $2 >$1/f; echo $2x >$1/d/x; echo $2y >$1/d/sub/y; echo old >$1/dst/f
    ln -s f $1/lf; ln -s d $1/ld; ln -s dst $1/ldst; ln -s nowhere $1/broken; ln -s sub/new $1/d/dangling
}
tree() { (cd $1 && find . | sort | while read -r p; do
    if [ -L "$p" ]; then echo "$p -> $(readlink "$p")"; elif [ -f "$p" ]; then echo "$p = $(cat "$p")"; else echo "$p/"; fi; done); }
rm -rf F; mkdir F; made F/s F; ln -s /s/d F/s/labs; ln -s ../../../../s/f F/s/up
tar -C F --owner=0 --group=0 -cf fixture.tar s
$CLI create --network=none --name tt busybox >/dev/null
$CLI cp - tt:/ <fixture.tar
while read -r src dst flag; do
    rm -rf L; mkdir L; made L L
    $CLI cp $flag "tt:$src" "$dst" >/dev/null 2>&1 </dev/null
    echo "== $src $dst $flag: $(($? != 0))"; tree L
done <<X
/s/f L/new
/s/f L/dst
/s/f L/dst/
/s/f L/dst/f
/s/f L/nodir/new
/s/f L/newdir/
/s/f L/f
/s/f L/lf
/s/f L/broken
/s/f L/ldst
/s/f/ L/new
/s/f L/d/x/y
/s/f L/dst/d
/s/d L/new
/s/d L/dst
/s/d L/dst/
/s/d/ L/new
/s/d/. L/new
/s/d/. L/dst
/s/d/. L/new/
/s/d L/f
/s/d L/new/
/s/d L/ldst
/s/lf L/new
/s/lf L/dst -L
/s/lf L/new -L
/s/ld L/dst
/s/ld L/dst -L
/s/ld/ L/dst
/s/ld/. L/dst
/s/labs L/new -L
/s/broken L/new
/s/broken L/new -L
/s/nope L/new
/nope/x L/new
/s/up L/new -L
s/f L/new
/s/../s/./f L/new
/s/empty L/new
/s/empty/. L/dst
X
rm -rf L; mkdir L; made L L; n=0
while read -r src dst flag; do
    n=$((n+1)); rm -rf F; mkdir F; made F/s$n F; tar -C F --owner=0 --group=0 -cf - s$n | $CLI cp - tt:/
    $CLI cp $flag "$src" "tt:${dst/@/s$n}" >/dev/null 2>&1 </dev/null
    echo "== $src $dst $flag: $(($? != 0))"; rm -rf R; mkdir R; $CLI cp tt:/s$n - | tar -C R -xf -; tree R
done <<X
L/f /@/new
L/f /@/dst
L/f /@/dst/
L/f /@/dst/f
L/f /@/nodir/new
L/f /@/newdir/
L/f /@/f
L/f /@/lf
L/f /@/broken
L/f /@/ldst
L/f /@/dst/d
L/f/ /@/new
L/d /@/new
L/d /@/dst
L/d/ /@/new
L/d/. /@/new
L/d/. /@/dst
L/d /@/f
L/d /@/new/
L/d /@/ldst
L/lf /@/new
L/lf /@/dst -L
L/ld /@/dst
L/ld /@/dst -L
L/ld/ /@/dst
L/ld/. /@/dst
L/broken /@/new
L/broken /@/new -L
L/nope /@/new
L/empty /@/new
L/empty/. /@/dst
L/dst /@
L/dst/. /@/d
L/f @/new
L/f
X
$CLI rm -f tt >/dev/null
"#;

/// What a path means is what it means to docker, in some 75 cases, with a real dockerd beside.
#[test]
fn paths_mean_what_they_mean_to_docker() {
    let s = Sandbox::root().with_busybox();
    let archive = s.home().join("busybox.tar");
    let archive = archive.to_str().unwrap();
    s.berth(&["save", "-o", archive, "busybox"]).ok();
    let docker = Dockerd::start(&s);
    docker.call(&s, &["load", "-q", "-i", archive]).ok();
    let told = |name: &str, line: &str| {
        let folder = s.folder(name);
        let mut command = s.command("/bin/bash");
        command
            .current_dir(&folder)
            .env("CLI", line)
            .args(["-c", CASES]);
        Finished::run(&mut command, b"", Duration::from_secs(280))
            .ok()
            .to_owned()
    };
    let socket = s.path().join("d/sock");
    let theirs = told(
        "theirs",
        &format!("/usr/bin/docker -H unix://{}", socket.display()),
    );
    let ours = told("ours", "berth");
    assert!(theirs.matches("== ").count() > 70, "{theirs}");
    for (theirs, ours) in theirs.split("== ").zip(ours.split("== ")) {
        assert_eq!(theirs, ours);
    }
    assert_eq!(theirs.len(), ours.len());
}

both! {
    fn files_go_both_ways_whatever_the_container_does(s) {
        let bound = s.folder("bound");
        let bind = format!("{}:/bound", bound.display());
        s.berth(&["run", "-d", "--name", "cc", "-v", "vol:/vol", "-v", &bind, "--tmpfs", "/mem", "busybox", "sleep", "1000"]).ok();
        s.file("in", "to the container");
        let round = |place: &str, state: &str| {
            s.berth(&["cp", "in", &format!("cc:{place}/f")]).ok();
            s.berth(&["cp", &format!("cc:{place}/f"), "out"]).ok();
            assert_eq!(fs::read_to_string(s.home().join("out")).unwrap(), "to the container", "{place} {state}");
            fs::remove_file(s.home().join("out")).unwrap();
        };
        for place in ["", "/vol", "/bound", "/mem", "/tmp"] {
            round(place, "running");
        }
        assert_eq!(s.berth(&["exec", "cc", "cat", "/f", "/vol/f", "/mem/f"]).ok(), "to the container".repeat(3));
        // An ordinary user's containers can be frozen only where cgroups are delegated.
        if !s.is_rootless() {
            s.berth(&["pause", "cc"]).ok();
            round("/vol", "paused");
            s.berth(&["unpause", "cc"]).ok();
        }
        s.berth(&["stop", "-t", "0", "cc"]).ok();
        for place in ["", "/vol", "/bound"] {
            round(place, "stopped");
        }
        // One that was never started has its volumes, too.
        s.berth(&["create", "--name", "dd", "-v", "vol:/deep/er", "busybox"]).ok();
        assert_eq!(s.shell("berth cp dd:/deep/er/f - | tar -xO").ok(), "to the container");
        assert!(fs::read_to_string(bound.join("f")).is_ok());
        let missing = s.berth(&["cp", "dd:/none", "out"]);
        assert!(missing.fails(1).contains("could not find the file /none in container"), "{missing}");
    }
}

#[test]
fn owners_modes_and_times_are_kept_as_docker_keeps_them() {
    let s = Sandbox::root().with_busybox();
    s.berth(&[
        "run", "-d", "--name", "cc", "--user", "7:8", "busybox", "sleep", "1000",
    ])
    .ok();
    let folder = s.folder("d");
    let file = s.file("d/f", "x");
    fs::hard_link(&file, folder.join("hard")).unwrap();
    s.shell_as_root(&format!(
        "chown 12:13 {0}; touch -d @1000000000 {0}",
        file.display()
    ))
    .ok();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4751)).unwrap();
    let look = |path: &str| {
        s.berth(&["exec", "cc", "stat", "-c", "%u %g %a %Y %h", path])
            .ok()
            .to_owned()
    };
    s.berth(&["cp", "d", "cc:/plain"]).ok();
    assert_eq!(look("/plain/f"), "12 13 4751 1000000000 2");
    s.berth(&["cp", "-a", "d", "cc:/mine"]).ok();
    assert_eq!(look("/mine/f"), "7 8 4751 1000000000 2");
    s.berth(&["cp", "cc:/plain", "back"]).ok();
    let found = s.home().join("back/f").metadata().unwrap();
    assert_eq!(
        (
            found.uid(),
            found.mode() & 0o7777,
            found.mtime(),
            found.nlink()
        ),
        (0, 0o4751, 1_000_000_000, 2)
    );
    // Compressed archives are taken as they are.
    s.shell("tar -C d -czf z.tgz f && berth cp - cc:/tmp <z.tgz")
        .ok();
    assert_eq!(
        s.berth(&["exec", "-u", "0", "cc", "cat", "/tmp/f"]).ok(),
        "x"
    );
    // All of a running container, whose kernel's file systems are left out.
    let all = s.shell("berth cp cc:/ - | tar -t");
    assert!(
        all.ok().contains("/plain/f") && !all.stdout.contains("proc/1/"),
        "{all}"
    );
}

both! {
    fn what_is_read_only_is_not_written(s) {
        s.berth(&["run", "-d", "--name", "cc", "--read-only", "-v", "ro:/ro:ro", "-v", "rw:/rw", "busybox", "sleep", "1000"]).ok();
        s.file("in", "x");
        for state in ["running", "stopped"] {
            let root = s.berth(&["cp", "in", "cc:/f"]);
            assert!(root.fails(1).contains("container rootfs is marked read-only"), "{state}: {root}");
            let volume = s.berth(&["cp", "in", "cc:/ro/f"]);
            assert!(volume.fails(1).contains("mounted volume is marked read-only"), "{state}: {volume}");
            s.berth(&["cp", "in", "cc:/rw/f"]).ok();
            s.berth(&["cp", "cc:/rw/f", "out"]).ok();
            s.berth(&["stop", "-t", "0", "cc"]).ok();
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let s = Sandbox::root().with_busybox();
    s.berth(&["create", "--name", "cc", "busybox"]).ok();
    s.file("f", "x");
    for (arguments, words) in [
        (["f", "g"], "must specify at least one container source"),
        (
            ["cc:/a", "cc:/b"],
            "copying between containers is not supported",
        ),
        (["", "cc:/b"], "source can not be empty"),
        (["none:/a", "b"], "no such container"),
        (
            ["f", "cc:/etc/passwd/x"],
            "extraction point is not a directory",
        ),
        (["f", "cc:/dev/null/"], "no such directory"),
    ] {
        let done = s.berth(&["cp", arguments[0], arguments[1]]);
        assert!(done.fails(1).contains(words), "{done}");
    }
    let stream = s.berth_with_input(&["cp", "-", "cc:/etc/passwd"], b"");
    assert!(stream.fails(1).contains("must be a directory"), "{stream}");
    let rubbish = s.berth_with_input(&["cp", "-", "cc:/tmp"], [b'x'; 1024]);
    assert!(rubbish.fails(1).contains("malformed archive"), "{rubbish}");
    s.file("passwd", "a file");
    let over = s.berth(&["cp", "passwd", "cc:/bin/.."]);
    over.ok();
    let dir = s.folder("d/passwd");
    let over = s.berth(&[
        "cp",
        dir.parent().unwrap().join(".").to_str().unwrap(),
        "cc:/etc",
    ]);
    assert!(
        over.fails(1)
            .contains("cannot overwrite non-directory \"/passwd\" with directory"),
        "{over}"
    );
}

/// D5, D7: a program inside exchanges a directory for a link to the host's, with volumes below it.
#[test]
fn d5_d7_a_racing_link_leads_nowhere() {
    let rounds = match std::env::var_os("BERTH_TEST_FULL") {
        Some(_) => 2000,
        None => 40,
    };
    let s = Sandbox::root().with_busybox();
    let canary = s.folder("canary");
    s.file("canary/f", "of the host");
    s.file("in", "from outside");
    let race = format!(
        "mkdir /a; echo inside >/a/f; ln -s {0} /b; ln -s ../../../../../../..{0} /c; cp -r /a /x; echo >/ready; \
         while true; do for l in /b /c; do rm -rf /x; cp -P $l /x; rm -f /x; cp -r /a /x; done; done",
        canary.display()
    );
    s.berth(&[
        "run", "-d", "--name", "cc", "-v", "/a/vol", "busybox", "sh", "-c", &race,
    ])
    .ok();
    eventually("it races", || {
        s.berth(&["exec", "cc", "test", "-e", "/ready"])
            .status
            .success()
            .then_some(())
    });
    let out = s.home().join("out");
    for round in 0..rounds {
        let _ = fs::remove_dir_all(&out);
        let _ = fs::remove_file(&out);
        let source = ["cc:/x/f", "cc:/x/.", "cc:/x"][round % 3];
        s.berth(&["cp", "-L", source, "out"]);
        // A link is copied as a link: that it names the host's is no harm.
        if !out.is_symlink() {
            for path in [out.clone(), out.join("f")] {
                let text = fs::read_to_string(path).unwrap_or_default();
                assert!(!text.contains("of the host"), "round {round}: {source}");
            }
        }
        s.berth(&["cp", "in", ["cc:/x/f", "cc:/x/"][round % 2]]);
        assert_eq!(fs::read_to_string(canary.join("f")).unwrap(), "of the host");
        assert_eq!(fs::read_dir(&canary).unwrap().count(), 1, "round {round}");
    }
    assert_eq!(canary.metadata().unwrap().mode() & 0o7777, 0o755);
}

/// D6: what lies in the container where the host has its helpers is not run or loaded; D27: links at the engine's own
/// places lead nowhere else.
#[test]
fn d6_d27_nothing_of_the_containers_is_run_or_followed() {
    let s = Sandbox::root().with_busybox();
    let canary = s.file("canary", "untouched");
    let line = format!(
        "for p in xz unpigz zstd tar gzip; do mkdir -p /usr/bin; rm -f /usr/bin/$p /bin/$p; \
           printf '#!/bin/sh\\necho >/marker\\n' >/usr/bin/$p; chmod 755 /usr/bin/$p; cp /usr/bin/$p /bin/$p; done; \
         for l in /lib /lib64 /lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu; do mkdir -p $l; \
           for n in libnss_files.so.2 libc.so.6 ld-linux-x86-64.so.2; do echo no library >$l/$n; done; done; \
         ln -sf {0} /etc/mtab; ln -sf {0} /etc/canary; sleep 1000",
        canary.display()
    );
    s.berth(&["run", "-d", "--name", "cc", "busybox", "sh", "-c", &line])
        .ok();
    eventually("it is ready", || {
        s.berth(&["exec", "cc", "test", "-L", "/etc/canary"])
            .status
            .success()
            .then_some(())
    });
    s.file("in", "x");
    s.shell("tar -czf in.tgz in; tar -cf - in | zstd -q >in.zst")
        .ok();
    for state in ["running", "stopped"] {
        for archive in ["in.tgz", "in.zst"] {
            s.shell(&format!("berth cp - cc:/tmp <{archive}")).ok();
        }
        s.berth(&["cp", "cc:/usr", "usr"]).ok();
        // Where the links lead there is no directory inside.
        s.berth(&["cp", "in", "cc:/etc/mtab"]).fails(1);
        s.berth(&["cp", "in", "cc:/etc/canary"]).fails(1);
        s.berth(&["cp", "-L", "cc:/etc/canary", "out"]).fails(1);
        assert_eq!(fs::read_to_string(&canary).unwrap(), "untouched", "{state}");
        let marker = s.berth(&["cp", "cc:/marker", "out"]);
        assert!(
            marker.fails(1).contains("could not find the file"),
            "{marker}"
        );
        s.berth(&["stop", "-t", "0", "cc"]).ok();
    }
}
