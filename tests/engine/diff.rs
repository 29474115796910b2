//! `diff`: what a container changed, as docker tells it.

use testkit::{Dockerd, Sandbox};

/// Each thing that can be done to a file of the image, and what is told of it.
const CASES: &[(&str, &[&str])] = &[
    ("true", &[]),
    ("echo > /new", &["A /new"]),
    (
        "mkdir -p /a/b; echo > /a/b/c",
        &["A /a", "A /a/b", "A /a/b/c"],
    ),
    ("echo x >> /etc/passwd", &["C /etc", "C /etc/passwd"]),
    ("chmod 700 /home", &["C /home"]),
    ("rm /etc/group", &["C /etc", "D /etc/group"]),
    ("rm -r /var", &["D /var"]),
    (
        "rm -r /usr/sbin; echo > /usr/sbin",
        &["C /usr", "C /usr/sbin"],
    ),
    (
        "mv /etc/passwd /etc/p",
        &["C /etc", "A /etc/p", "D /etc/passwd"],
    ),
    ("ln -s nowhere /link; mkfifo /pipe", &["A /link", "A /pipe"]),
    ("echo > /x; rm /x", &[]),
    (
        "echo 1 > /tmp/f; echo 2 > /dev/shm/g",
        &["A /tmp/f", "C /tmp"],
    ),
];

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

both! {
    fn added_changed_and_deleted(s) {
        for (at, (line, expected)) in CASES.iter().enumerate() {
            let name = format!("cc{at}");
            s.berth(&["run", "--name", &name, "busybox", "sh", "-c", line]).ok();
            let told = s.berth(&["diff", &name]).ok().to_owned();
            let mut expected: Vec<&str> = expected.to_vec();
            expected.sort();
            assert_eq!(sorted(&told), expected, "{line}");
        }
        s.berth(&["diff", "none"]).fails(1);
    }
}

both! {
    fn of_a_running_one_and_of_files_that_its_user_closed(s) {
        let line = "mkdir /closed; echo > /closed/f; chmod 0 /closed; chown -R 7:7 /closed; echo > /end; sleep 1000";
        s.berth(&["run", "-d", "--name", "cc", "-v", "/mounted", "--tmpfs", "/t", "busybox", "sh", "-c", line]).ok();
        testkit::eventually("the files", || s.berth(&["exec", "cc", "test", "-e", "/end"]).status.success().then_some(()));
        let told = s.berth(&["diff", "cc"]).ok().to_owned();
        assert_eq!(sorted(&told), ["A /closed", "A /closed/f", "A /end", "A /mounted", "A /t"]);
    }
}

/// What an emptied and made-again directory has lost is told by us; docker tells the directory alone.
#[test]
fn a_directory_made_again() {
    let s = Sandbox::root().with_busybox();
    let line = "rm -r /etc; mkdir /etc; echo > /etc/new; echo > /etc/passwd";
    s.berth(&["run", "--name", "cc", "busybox", "sh", "-c", line])
        .ok();
    let told = s.berth(&["diff", "cc"]).ok().to_owned();
    let expected = ["A /etc/new", "C /etc", "C /etc/passwd", "D /etc/group"];
    let told = sorted(&told);
    assert!(
        expected
            .iter()
            .all(|line| told.contains(&(*line).to_owned())),
        "{told:?}"
    );
}

#[test]
fn docker_tells_the_same() {
    let s = Sandbox::root().with_busybox();
    let archive = s.home().join("b.tar");
    let archive = archive.to_str().unwrap();
    s.berth(&["save", "-o", archive, "busybox"]).ok();
    let docker = Dockerd::start(&s);
    docker.call(&s, &["load", "-q", "-i", archive]).ok();
    for (at, (line, _)) in CASES.iter().enumerate() {
        let name = format!("cc{at}");
        let words = ["run", "--name", &name, "busybox", "sh", "-c", line];
        s.berth(&words).ok();
        let theirs = [&["run", "--network=none"], &words[1..]].concat();
        docker.call(&s, &theirs).ok();
        let theirs = docker.call(&s, &["diff", &name]).ok().to_owned();
        let ours = s.berth(&["diff", &name]).ok().to_owned();
        assert_eq!(sorted(&ours), sorted(&theirs), "{line}");
        docker.call(&s, &["rm", &name]).ok();
    }
}
