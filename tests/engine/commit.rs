//! `commit`: a container becomes an image; it stands still meanwhile, and runs on whatever happens.

use testkit::{Sandbox, eventually};

/// What a template says of an image.
fn of_image(s: &Sandbox, image: &str, template: &str) -> String {
    s.berth(&["image", "inspect", "-f", template, image])
        .ok()
        .to_owned()
}

fn state(s: &Sandbox, name: &str) -> String {
    s.berth(&["inspect", "-f", "{{.State.Status}}", name])
        .ok()
        .to_owned()
}

/// A container that has run this line to its end.
fn ended(s: &Sandbox, name: &str, options: &[&str], line: &str) {
    let words = [
        &["run", "--name", name],
        options,
        &["busybox", "sh", "-c", line],
    ];
    s.berth(&words.concat()).ok();
}

const LINE: &str = "echo new > /new; echo x >> /etc/passwd; rm /etc/group; rm -r /home; mkdir /home; echo h > /home/h";

both! {
    fn what_it_changed_is_a_layer_and_what_it_ran_the_default(s) {
        let line = format!("{LINE}; while [ ! -e /end ]; do sleep 0.1; done");
        let words = ["run", "-d", "--name", "cc", "-e", "A=1", "-w", "/tmp", "-u", "0:0", "-l", "k=v", "busybox", "sh", "-c", &line];
        s.berth(&words).ok();
        eventually("the files", || s.berth(&["exec", "cc", "test", "-e", "/home/h"]).status.success().then_some(()));
        let done = s.berth(&["commit", "-a", "me", "-m", "why", "-c", "LABEL more=1", "cc", "mine:1"]);
        let id = done.ok();
        assert!(id.starts_with("sha256:") && id.len() == 71, "{done}");
        assert_eq!(s.berth(&["images", "-q", "--no-trunc", "mine:1"]).ok(), id);
        assert_eq!(state(s, "cc"), "running");

        let look = "cat /new /home/h; tail -n 1 /etc/passwd; ls /etc/group /home; pwd; echo $A";
        let seen = s.berth(&["run", "--rm", "mine:1", "sh", "-c", look]);
        assert!(seen.stdout.contains("new\nh\nx\n") && seen.stdout.ends_with("/tmp\n1\n"), "{seen}");
        assert!(seen.stdout.contains("/home:\nh\n") && seen.stderr.contains("/etc/group"), "{seen}");
        let template = "{{.Author}} {{.Comment}} {{.Config.Labels.k}} {{.Config.Labels.more}} {{.Config.User}} {{len .RootFS.Layers}}";
        assert_eq!(of_image(s, "mine:1", template), "me why v 1 0:0 2");
        let history = s.berth(&["history", "--no-trunc", "--format", "{{.CreatedBy}}|{{.Comment}}", "mine:1"]).ok().to_owned();
        assert_eq!(history.lines().next(), Some(format!("sh -c {line}|why").as_str()));
        // The lower layer is the image's own, stored and unpacked once.
        assert_eq!(s.count("snapshots"), 2);
        // By the image alone, once the container and its image's name are gone.
        s.berth(&["rm", "-f", "cc"]).ok();
        s.berth(&["rmi", "busybox"]).ok();
        assert_eq!(s.berth(&["run", "--rm", "mine:1", "cat", "/new"]).ok(), "new");
    }
}

both! {
    fn of_a_stopped_container_by_id_or_with_nothing_changed(s) {
        ended(s, "cc", &[], LINE);
        let by_id = s.berth(&["commit", "cc"]).ok().to_owned();
        assert_eq!(of_image(s, &by_id, "{{.RepoTags}} {{len .RootFS.Layers}}"), "[] 2");
        assert_eq!(s.berth(&["run", "--rm", &by_id, "cat", "/new"]).ok(), "new");
        s.berth(&["create", "--name", "idle", "busybox", "true"]).ok();
        s.berth(&["commit", "idle", "same"]).ok();
        let layers = "{{.RootFS.Layers}}";
        assert_eq!(of_image(s, "same", layers), of_image(s, "busybox", layers));
        let lines = s.berth(&["history", "--format", "{{.CreatedBy}} {{.Size}}", "same"]).ok().to_owned();
        assert!(lines.starts_with("true 0B\n"), "{lines}");
    }
}

/// What the image says and the container did not change stays; its volumes are not part of it.
#[test]
fn defaults_that_nobody_replaced_stay_and_volumes_are_left_out() {
    let s = Sandbox::root().with_busybox();
    let changes = [
        "ENTRYPOINT [\"/bin/echo\"]",
        "CMD [\"of\", \"the\", \"image\"]",
        "ENV E=1",
        "WORKDIR /usr",
        "STOPSIGNAL SIGINT",
        "EXPOSE 80",
        "USER 7",
    ];
    s.berth(&["create", "--name", "first", "busybox", "true"])
        .ok();
    let mut words = vec!["commit"];
    changes
        .iter()
        .for_each(|change| words.extend(["-c", change]));
    s.berth(&[&words[..], &["first", "base"]].concat()).ok();
    s.berth(&["create", "--name", "second", "-v", "vol:/vol", "base"])
        .ok();
    s.berth(&["start", "-a", "second"]).ok();
    s.berth(&["commit", "second", "next"]).ok();
    let template = "{{json .Config}}";
    assert_eq!(
        of_image(&s, "next", template),
        of_image(&s, "base", template)
    );

    ended(
        &s,
        "third",
        &["-v", "vol:/vol"],
        "echo secret > /vol/file; echo 1 > /seen",
    );
    s.berth(&["commit", "third", "third"]).ok();
    let seen = s.berth(&["run", "--rm", "third", "sh", "-c", "ls /vol; cat /seen"]);
    assert_eq!(seen.ok(), "1");
}

#[test]
fn the_same_container_and_time_make_the_same_image() {
    let s = Sandbox::root().with_busybox();
    ended(&s, "cc", &[], LINE);
    let id = |_: u8| {
        let mut command = s.berth_command(&["commit", "cc"]);
        command.env("SOURCE_DATE_EPOCH", "1700000000");
        testkit::Finished::run(&mut command, b"", testkit::wait::PATIENCE)
            .ok()
            .to_owned()
    };
    assert_eq!(id(1), id(2));
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_made() {
    let s = Sandbox::root().with_busybox();
    s.berth(&["create", "--name", "cc", "busybox", "true"]).ok();
    for words in [
        &["commit", "none"][..],
        &["commit", "cc", "BAD NAME"],
        &["commit", "-c", "RUN x", "cc"],
        &["commit", "cc", "a@sha256:1234"],
    ] {
        assert!(s.berth(words).fails(1).starts_with("error: "));
    }
    assert_eq!(s.berth(&["images", "-aq"]).ok().lines().count(), 1);
}

#[test]
fn one_that_is_paused_stays_so() {
    let s = Sandbox::root().with_busybox();
    s.berth(&["run", "-d", "--name", "cc", "busybox", "sleep", "1000"])
        .ok();
    s.berth(&["pause", "cc"]).ok();
    s.berth(&["commit", "cc", "mine"]).ok();
    assert_eq!(state(&s, "cc"), "paused");
    s.berth(&["unpause", "cc"]).ok();
}

/// A running container with a layer that takes a while to compress.
fn large(s: &Sandbox) {
    let line = "dd if=/dev/urandom of=/large bs=1M count=64 2>/dev/null; echo > /ready; sleep 1000";
    s.berth(&["run", "-d", "--name", "cc", "busybox", "sh", "-c", line])
        .ok();
    eventually("the file", || {
        let done = s.berth(&["exec", "cc", "test", "-e", "/ready"]);
        done.status.success().then_some(())
    });
}

fn paused(s: &Sandbox) -> Option<()> {
    (state(s, "cc") == "paused").then_some(())
}

/// N5.
#[test]
fn n5_killed_it_thaws_the_container_and_leaves_no_image() {
    let s = Sandbox::root().with_busybox();
    large(&s);
    for signal in ["KILL", "TERM", "INT"] {
        let mut commit = s.spawn(&["commit", "cc", "mine"]);
        eventually("it is frozen", || paused(&s));
        let line = format!("kill -{signal} {}", commit.id());
        s.shell(&line).ok();
        assert!(!commit.wait().unwrap().success());
        eventually("it runs again", || {
            (state(&s, "cc") == "running").then_some(())
        });
        assert_eq!(s.berth(&["images", "-q", "mine"]).ok(), "");
        s.berth(&["fsck", "--repair"]).ok();
        assert_eq!(s.count("leases") + s.count("ingest"), 0);
    }
    // Nobody's help is needed afterwards.
    s.berth(&["commit", "cc", "mine"]).ok();
    assert_eq!(state(&s, "cc"), "running");
}

#[test]
fn n5_a_container_that_is_stopped_meanwhile_ends() {
    let s = Sandbox::root().with_busybox();
    large(&s);
    let commit = s.spawn(&["commit", "cc", "mine"]);
    eventually("it is frozen", || paused(&s));
    s.berth(&["rm", "-f", "cc"]).ok();
    let done = commit.wait_with_output().unwrap();
    let made = s.berth(&["images", "-q", "mine"]).ok().to_owned();
    assert_eq!(done.status.success(), !made.is_empty());
}
