//! `berth` with a daemon elsewhere: each verb runs there, and looks as if it ran here.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use testkit::daemon::Daemon;
use testkit::{Finished, Sandbox, Session, eventually};

/// A daemon over the sandbox's engine, and a client with none of its directories.
struct There<'a> {
    sandbox: &'a Sandbox,
    daemon: Daemon,
}

impl There<'_> {
    fn start<'a>(sandbox: &'a Sandbox, options: &[&str]) -> There<'a> {
        let daemon = Daemon::start(sandbox, options);
        There { sandbox, daemon }
    }

    /// A client whose own engine is empty.
    fn client(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.berth_command(arguments);
        let elsewhere = self.sandbox.home().join("elsewhere");
        command
            .env("BERTH_ROOT", elsewhere.join("root"))
            .env("BERTH_RUN_DIR", elsewhere.join("run"))
            .env("BERTH_HOST", self.daemon.address());
        command
    }

    fn berth(&self, arguments: &[&str]) -> Finished {
        self.berth_with(arguments, b"")
    }

    fn berth_with(&self, arguments: &[&str], input: &[u8]) -> Finished {
        Finished::run(&mut self.client(arguments), input, Duration::from_secs(60))
    }
}

#[test]
fn a_verb_runs_there_and_looks_as_if_it_ran_here() {
    let s = Sandbox::root().with_busybox();
    let there = There::start(&s, &[]);
    let run = there.berth(&[
        "run",
        "--rm",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "echo out; echo err >&2; exit 7",
    ]);
    assert_eq!(
        (run.code(), &*run.stdout, &*run.stderr),
        (7, "out\n", "err\n"),
        "{run}"
    );
    let id = there.berth(&[
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        "web",
        "busybox",
        "sleep",
        "1000",
    ]);
    assert_eq!(id.ok().len(), 64);
    assert_eq!(s.berth(&["ps", "--format", "{{.Names}}"]).ok(), "web");
    assert_eq!(there.berth(&["ps", "--format", "{{.Names}}"]).ok(), "web");
    assert_eq!(there.berth(&["exec", "web", "echo", "a  b"]).ok(), "a  b");
    // What is wrong is told as it is here, with its exit code.
    for line in [
        &["logs", "nope"][..],
        &["run", "--pull", "never", "nope"],
        &["ps", "--filter", "a=b"],
    ] {
        let (here, elsewhere) = (s.berth(line), there.berth(line));
        assert_eq!(
            (here.code(), here.stderr),
            (elsewhere.code(), elsewhere.stderr),
            "{line:?}"
        );
    }
    there.berth(&["rm", "-f", "web"]).ok();
    assert!(
        !s.home().join("elsewhere").exists(),
        "nothing was done here"
    );
}

#[test]
fn input_goes_there_as_fast_as_it_is_read_and_no_faster() {
    let s = Sandbox::root().with_busybox();
    let there = There::start(&s, &[]);
    let big = vec![b'x'; 3 << 20];
    let line = [
        "run",
        "-i",
        "--rm",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "sleep 1; wc -c",
    ];
    assert_eq!(there.berth_with(&line, &big).ok().trim(), "3145728");
    // A verb that reads nothing leaves the input to others.
    let mut loop_ = there.sandbox.command("/bin/sh");
    loop_.env("BERTH_HOST", there.daemon.address()).args([
        "-c",
        "printf 'a\\nb\\n' | while read line; do berth ps -q; echo $line; done",
    ]);
    let ended = Finished::run(&mut loop_, b"", Duration::from_secs(60));
    assert_eq!(ended.ok(), "a\nb");
}

#[test]
fn files_of_the_client_are_brought_there_and_back() {
    let s = Sandbox::root().with_busybox();
    let there = There::start(&s, &[]);
    let path = |name: &str| s.home().join(name).to_string_lossy().into_owned();
    let (archive, root, cid) = (path("image.tar"), path("root.tar"), path("cid"));
    there.berth(&["save", "-o", &archive, "busybox"]).ok();
    there.berth(&["rmi", "busybox"]).ok();
    assert!(
        there
            .berth(&["load", "-i", &archive])
            .ok()
            .contains("Loaded image: busybox:latest")
    );

    s.file("vars", "A=1\nB\n");
    let mut command = there.client(&[
        "run",
        "--network",
        "none",
        "--name",
        "cc",
        "--env-file",
        "vars",
        "-e",
        "C",
        "-e",
        "A=2",
        "--cidfile",
        &cid,
        "-v",
        "./shared:/shared",
        "busybox",
        "sh",
        "-c",
        "echo $A $B $C; cat /shared/f",
    ]);
    s.folder("shared");
    s.file("shared/f", "from here\n");
    command.env("B", "b").env("C", "c");
    let run = Finished::run(&mut command, b"", Duration::from_secs(60));
    assert_eq!(run.ok(), "2 b c\nfrom here");
    let id = std::fs::read_to_string(&cid).unwrap();
    assert_eq!(there.berth(&["ps", "-aq", "--no-trunc"]).ok(), id);
    // There is one already.
    there
        .berth(&["create", "--cidfile", &cid, "busybox"])
        .fails(1);
    there.berth(&["export", "-o", &root, "cc"]).ok();
    let imported = there.berth(&["import", &root, "copy"]);
    assert!(imported.ok().starts_with("sha256:"));

    let profile = s.file("profile", r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}"#);
    let option = format!("seccomp={}", profile.display());
    let run = there.berth(&[
        "run",
        "--rm",
        "--network",
        "none",
        "--security-opt",
        &option,
        "busybox",
        "mkdir",
        "/a",
    ]);
    assert!(run.stderr.contains("Operation not permitted"), "{run}");
    there.berth(&["load", "-i", "/nonexistent"]).fails(1);
    there.berth(&["rm", "cc"]).ok();
    assert_eq!(
        std::fs::read_dir(s.run_dir())
            .unwrap()
            .flatten()
            .filter(|e| e.file_name() == "no-client")
            .count(),
        0
    );
}

#[test]
fn a_terminal_here_is_a_terminal_there() {
    let s = Sandbox::root().with_busybox();
    let there = There::start(&s, &[]);
    let line = ["run", "-it", "--rm", "--network", "none", "busybox", "sh"];
    let mut session = Session::start_for(&there.client(&line), None);
    session.send("tty\n");
    session.expect("/dev/pts/");
    session.resize(33, 77);
    session.send("until stty size | grep 33; do sleep 0.1; done\n");
    session.expect("33 77");
    // A key is a signal over there.
    session.send("sleep 1000\n");
    std::thread::sleep(Duration::from_millis(500));
    session.send("\x03");
    session.send("echo still $((40 + 2))\n");
    session.expect("still 42");
    session.send("exit 5\n");
    assert_eq!(session.wait().code(), Some(5));

    // Asked on the terminal, answered on it.
    let mut session = Session::start_for(&there.client(&["container", "prune"]), None);
    session.expect("[y/N]");
    session.send("y\n");
    session.expect("Total reclaimed space");
    assert_eq!(session.wait().code(), Some(0));
}

#[test]
fn signals_go_there_and_the_end_of_the_client_ends_the_verb() {
    let s = Sandbox::root().with_busybox();
    let there = There::start(&s, &[]);
    let line = [
        "run",
        "--network",
        "none",
        "--name",
        "cc",
        "busybox",
        "sh",
        "-c",
        "trap 'echo got it; exit 3' TERM; echo ready; while :; do sleep 0.1; done",
    ];
    let mut client = there.client(&line).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(client.stdout.take().unwrap());
    let mut text = String::new();
    output.read_line(&mut text).unwrap();
    kill_process(Pid::from_child(&client), Signal::TERM).unwrap();
    output.read_line(&mut text).unwrap();
    assert_eq!(
        (text.as_str(), client.wait().unwrap().code()),
        ("ready\ngot it\n", Some(3))
    );
    there.berth(&["rm", "cc"]).ok();

    // A client that is gone: its verb ends, its container does not.
    let line = [
        "run",
        "--network",
        "none",
        "--name",
        "dd",
        "busybox",
        "sh",
        "-c",
        "echo ready; sleep 1000",
    ];
    let mut client = there.client(&line).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(client.stdout.take().unwrap());
    output.read_line(&mut text).unwrap();
    let verbs = || {
        let ours = there.daemon.pid().to_string();
        let found = Command::new("ps")
            .args(["--ppid", &ours, "-o", "args="])
            .output()
            .unwrap();
        String::from_utf8_lossy(&found.stdout)
            .matches("--for-client")
            .count()
    };
    assert_eq!(verbs(), 1);
    client.kill().unwrap();
    client.wait().unwrap();
    eventually("the verb ends", || (verbs() == 0).then_some(()));
    assert_eq!(s.berth(&["ps", "--format", "{{.Names}}"]).ok(), "dd");
    s.berth(&["rm", "-f", "dd"]).ok();
}

/// Only verbs that are for it are run for a client, and none of this machine's are sent.
#[test]
fn what_cannot_be_done_elsewhere_is_refused() {
    let s = Sandbox::root();
    let there = There::start(&s, &[]);
    let refused = there.berth(&["unshare", "true"]);
    assert!(
        refused.fails(1).contains("cannot be done elsewhere"),
        "{refused}"
    );
    for line in [
        &["internal", "reap", "x"][..],
        &["daemon"],
        &["login"],
        &["unshare"],
        &["context", "ls"],
    ] {
        let line = [&["--for-client"], line].concat();
        let refused = s.berth(&line);
        assert!(
            refused.fails(1).contains("not for clients elsewhere"),
            "{refused}"
        );
    }
    let mut command = there.client(&["--host", "unix:///nonexistent/sock", "ps"]);
    let ended = Finished::run(&mut command, b"", Duration::from_secs(60));
    assert!(
        ended
            .fails(1)
            .contains("cannot reach the daemon at unix:///nonexistent/sock"),
        "{ended}"
    );
    let mut command = there.client(&["--host", "unix:///a", "--context", "b", "ps"]);
    let ended = Finished::run(&mut command, b"", Duration::from_secs(60));
    assert!(ended.fails(1).contains("exclude each other"), "{ended}");
}

/// Frames that make no sense end the session, not the daemon.
#[test]
fn nonsense_ends_the_connection_alone() {
    let s = Sandbox::root();
    let there = There::start(&s, &[]);
    let socket = there.daemon.socket();
    for after in [
        &b"S\0\0\0\xff\xff\xff\xff"[..],
        b"S\0\0\0\0\0\0\x02{}",
        b"?\0\0\0\0\0\0\0",
        b"i\0\0\0\0\0\0\x01x",
    ] {
        let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream.write_all(b"POST /berth/v1/command HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: berth-command\r\n\r\n").unwrap();
        stream.write_all(after).unwrap();
        let mut answer = Vec::new();
        std::io::Read::read_to_end(&mut stream, &mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        assert!(answer.contains("the daemon could not run it"), "{answer}");
    }
    assert_eq!(there.berth(&["ps", "-q"]).ok(), "");
    let mut plain = Command::new("curl");
    plain.args([
        "-s",
        "--unix-socket",
        &socket.to_string_lossy(),
        "-X",
        "POST",
        "http://x/berth/v1/command",
    ]);
    let ended = Finished::run(&mut plain, b"", Duration::from_secs(60));
    assert!(ended.ok().contains("Upgrade: berth-command"), "{ended}");
}
