//! `export`: all that a container sees as an archive, and back by `import`.

use std::fs;

use testkit::{Sandbox, eventually};

const LINE: &str = "mkdir -p /a/closed; echo in > /a/closed/f; chmod 0700 /a/closed; chown 7:8 /a/closed/f; ln /a/closed/f /a/second; \
    ln -s /nowhere /a/link; mkfifo /a/pipe; rm /etc/group; rm -r /home; mkdir /home; echo o > /vol/outside; touch -d @1000000000 /a/second";

both! {
    fn all_that_it_sees_but_mounts_and_back(s) {
        s.berth(&["run", "-d", "--name", "cc", "-v", "vol:/vol", "busybox", "sh", "-c", &format!("{LINE}; echo > /end; sleep 1000")]).ok();
        eventually("the files", || s.berth(&["exec", "cc", "test", "-e", "/end"]).status.success().then_some(()));
        let running = s.home().join("running.tar");
        s.berth(&["export", "-o", running.to_str().unwrap(), "cc"]).ok();
        s.berth(&["stop", "-t", "0", "cc"]).ok();
        let stopped = s.home().join("stopped.tar");
        s.shell(&format!("berth export cc > {}", stopped.display())).ok();
        let bytes = fs::read(&running).unwrap();
        assert!(bytes == fs::read(&stopped).unwrap(), "the same each time");

        let listed = s.shell(&format!("tar --numeric-owner -tvf {} | awk '{{print $1, $2, $6, $7, $8, $9}}'", running.display())).ok().to_owned();
        for line in [
            "drwx------ 0/0 a/closed/   ",
            "-rw-r--r-- 7/8 a/closed/f   ",
            "hrw-r--r-- 7/8 a/second link to a/closed/f",
            "lrwxrwxrwx 0/0 a/link -> /nowhere ",
            "prw-r--r-- 0/0 a/pipe   ",
            "drwxr-xr-x 0/0 home/   ",
            "drwxr-xr-x 0/0 vol/   ",
        ] {
            assert!(listed.lines().any(|other| other == line), "no {line:?} in\n{listed}");
        }
        assert!(!listed.contains("outside") && !listed.contains("etc/group"), "{listed}");

        s.berth(&["import", "-c", "CMD [\"sh\"]", running.to_str().unwrap(), "back"]).ok();
        let look = "cat /a/second; stat -c '%u %a %Y %h' /a/closed/f; ls /vol /home; test -p /a/pipe; test -e /etc/passwd";
        assert_eq!(s.berth(&["run", "--rm", "back", "sh", "-c", look]).ok(), "in\n7 644 1000000000 2\n/home:\n\n/vol:");
    }
}

#[test]
fn what_cannot_be_written_is_told_and_leaves_no_file() {
    let s = Sandbox::root().with_busybox();
    s.berth(&["create", "--name", "cc", "busybox"]).ok();
    s.berth(&["export", "none"]).fails(1);
    assert!(
        s.berth(&["export", "-o", "/no/such/x.tar", "cc"])
            .fails(1)
            .contains("/no/such")
    );
    let full = s.shell("berth export cc > /dev/full");
    assert!(full.fails(1).contains("No space left"), "{full}");
    s.shell("berth export cc | head -c 1 >/dev/null").ok();
    // A name that only layers give a meaning is a file like any other here.
    s.berth(&["run", "--name", "wh", "busybox", "touch", "/.wh.x"])
        .ok();
    assert!(s.shell("berth export wh | tar -t").ok().contains(".wh.x"));
    assert!(s.berth(&["commit", "wh"]).fails(1).contains(".wh.x"));
}
