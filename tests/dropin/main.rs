//! berth-runtime in the place of runc, under its real callers from Debian's packages: dockerd, containerd with
//! its shim, podman and buildah, the last two as root and as an ordinary user. Each runs, enters, limits, pauses,
//! updates, kills and removes containers. And berth's registry in the place of Debian's, under the same clients; and
//! `berth daemon` in the place of dockerd, under Docker's. Daemons are the test's own: started, and ended by their pids.
#![allow(clippy::unwrap_used, reason = "what is not as expected fails the test")]

mod browser;
mod buildah;
mod cgroup;
mod clients;
mod compare;
mod compose;
mod containerd;
mod containers;
mod context;
mod daemon;
mod docker;
mod events;
mod help;
mod package;
mod podman;
mod registry;

use std::process::Command;
use std::time::Duration;

use testkit::{Finished, Sandbox, Session};

/// An archive of the image `busybox`, as `docker save` writes it.
fn image(sandbox: &Sandbox) -> String {
    let path = sandbox.home().join("busybox.tar");
    let path = path.to_str().unwrap().to_owned();
    sandbox.berth(&["save", "-o", &path, "busybox"]).ok();
    path
}

/// The runtime under test.
fn runtime(sandbox: &Sandbox) -> String {
    let path = sandbox.path().join("bin/berth-runtime");
    path.to_str().unwrap().to_owned()
}

/// Runs a command to its end.
fn run(command: &mut Command, input: &str) -> Finished {
    Finished::run(command, input.as_bytes(), Duration::from_secs(60))
}

/// A shell on a terminal: of what size, and how it ends. What ends at once, ctr and others may not show.
#[track_caller]
fn speak(mut session: Session) {
    session.send("tty\n");
    session.expect("/dev/pts/");
    // Docker gives it its size after the start.
    session.send("until stty size | grep 24; do sleep 0.1; done; exit 4\n");
    session.expect("24 80");
    assert_eq!(session.wait().code(), Some(4));
}

/// What a command line has to come to: exit code, standard output, and words of standard error.
type Row<'a> = (&'a [&'a str], i32, &'a str, &'a str);

/// Runs each line, and compares.
#[track_caller]
fn table(rows: &[Row<'_>], call: impl Fn(&[&str]) -> Finished) {
    for (line, code, stdout, stderr) in rows {
        let ended = call(line);
        assert_eq!(ended.code(), *code, "{ended}");
        assert_eq!(ended.stdout.trim_end(), *stdout, "{ended}");
        assert!(ended.stderr.contains(stderr), "no {stderr:?}: {ended}");
    }
}
