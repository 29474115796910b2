//! The command line as runc 1.3 has it: verbs, flags, what they print, and the words of errors that callers look
//! for. Needs root and busybox-static.
//!
//! Source: runc(8) and the pages of its verbs; containerd's go-runc and shim, podman's libpod/oci_util.go, moby's
//! daemon/errors.go for the words.
#![allow(clippy::unwrap_used)] // this whole file is a test

mod rig;

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use rig::{Bundle, runtime};
use serde_json::{Value, json};
use testkit::{Finished, eventually};

fn json_of(finished: &Finished) -> Value {
    serde_json::from_str(finished.ok()).unwrap()
}

#[test]
fn state_and_list_have_runcs_fields() {
    let mut bundle = Bundle::new("sleep 1000");
    bundle.config["annotations"] = json!({"a": "b"});
    bundle.create();
    let state = bundle.state();
    assert_eq!(
        state["ociVersion"].as_str().unwrap().split('.').next(),
        Some("1")
    );
    assert_eq!(state["id"], "c");
    assert_eq!(state["status"], "created");
    assert!(state["pid"].as_i64().unwrap() > 0);
    assert_eq!(
        state["bundle"],
        json!(bundle.path().canonicalize().unwrap())
    );
    assert_eq!(
        state["rootfs"],
        json!(bundle.path().canonicalize().unwrap().join("rootfs"))
    );
    assert_eq!(state["annotations"], json!({"a": "b"}));
    let created = state["created"].as_str().unwrap();
    assert!(
        created.starts_with("20") && created.ends_with('Z'),
        "{created}"
    );

    let list = json_of(&bundle.call(&["list", "-f", "json"]));
    assert_eq!(
        (&list[0]["id"], &list[0]["owner"]),
        (&json!("c"), &json!("root"))
    );
    let table = bundle.call(&["list"]).ok().to_owned();
    let words: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(words, ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]);
    assert_eq!(bundle.call(&["list", "-q"]).ok(), "c");
    assert!(
        bundle
            .call(&["list", "--format=yaml"])
            .fails(125)
            .contains("invalid format option")
    );

    bundle.call(&["kill", "c", "KILL"]).ok();
    bundle.stopped();
    assert_eq!(bundle.state()["pid"], 0);
    bundle.call(&["delete", "c"]).ok();
}

#[test]
fn ps_is_ps_or_pids() {
    let bundle = Bundle::new("sleep 1000 & sleep 1001; true");
    bundle.start();
    let pids = eventually("both", || {
        let pids = json_of(&bundle.call(&["ps", "--format", "json", "c"]));
        (pids.as_array().unwrap().len() == 3).then_some(pids)
    });
    assert!(pids.as_array().unwrap().contains(&bundle.state()["pid"]));
    let table = bundle.call(&["ps", "c"]).ok().to_owned();
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(
        table.starts_with("UID") && table.contains("sleep 1001"),
        "{table}"
    );
    let own = bundle
        .call(&["ps", "c", "-o", "pid,comm", "-A"])
        .ok()
        .to_owned();
    assert_eq!(
        own.lines().filter(|l| l.ends_with("sleep")).count(),
        2,
        "{own}"
    );
    bundle.call(&["delete", "-f", "c"]).ok();
}

/// What each caller looks for in the error of a verb.
#[test]
fn errors_have_the_words_that_callers_look_for() {
    let mut bundle = Bundle::new("sleep 1000");
    let says = |bundle: &Bundle, line: &[&str], words: &str| {
        let error = bundle.call(line);
        assert!(error.stderr.contains(words), "no {words:?}: {error}");
        assert!(error.code() >= 125, "{error}");
    };
    for verb in ["state", "start", "pause", "resume", "kill", "delete", "ps"] {
        says(&bundle, &[verb, "c"], "container does not exist");
    }
    says(&bundle, &["exec", "c", "true"], "container does not exist");
    says(&bundle, &["state", "a/b"], "invalid container ID format");
    bundle.create();
    says(
        &bundle,
        &["create", "c"],
        "container with given ID already exists",
    );
    says(&bundle, &["resume", "c"], "container not paused");
    bundle.call(&["start", "c"]).ok();
    says(
        &bundle,
        &["start", "c"],
        "cannot start an already running container",
    );
    says(&bundle, &["resume", "c"], "container not paused");
    says(&bundle, &["delete", "c"], "not stopped: running");
    says(
        &bundle,
        &["exec", "c", "nosuch"],
        "executable file not found in $PATH",
    );
    says(
        &bundle,
        &["exec", "c", "/no/such"],
        "no such file or directory",
    );
    says(&bundle, &["exec", "c", "/etc/passwd"], "permission denied");
    bundle.call(&["kill", "c", "0"]).ok();
    bundle.call(&["kill", "-a", "c", "SIGKILL"]).ok();
    bundle.stopped();
    says(&bundle, &["kill", "c", "9"], "container not running");
    bundle.call(&["kill", "--all", "c", "9"]).ok();
    says(&bundle, &["pause", "c"], "container not running");
    says(
        &bundle,
        &["start", "c"],
        "cannot start a container that has stopped",
    );
    says(
        &bundle,
        &["exec", "c", "true"],
        "cannot exec in a stopped container",
    );
    bundle.call(&["delete", "c"]).ok();
    bundle.call(&["delete", "--force", "c"]).ok();
    // A file on a directory: Docker has advice for it.
    bundle.mount(json!({"destination": "/etc", "source": "/etc/hostname", "options": ["bind"]}));
    says(&bundle, &["run", "c"], "not a directory");
}

/// Source: containerd's go-runc and shim read the last error, podman the whole file, as JSON.
#[test]
fn the_log_is_what_engines_read() {
    let bundle = Bundle::new("true");
    let log = bundle.path().join("log");
    let path = log.to_str().unwrap();
    let with = |globals: &[&str], line: &[&str]| {
        let mut command = Command::new(runtime());
        command.arg("--root").arg(bundle.path().join("state"));
        command.args(globals).args(line).current_dir(bundle.path());
        Finished::run(&mut command, b"", rig::LIMIT)
    };
    with(&["--log", path, "--log-format", "json"], &["state", "c"]).fails(125);
    let text = std::fs::read_to_string(&log).unwrap();
    let entry: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(entry["level"], "error");
    assert_eq!(
        entry["msg"],
        "find the container `c`: container does not exist"
    );
    let time = entry["time"].as_str().unwrap();
    assert!(time.len() == 20 && time.ends_with('Z'), "{time}");

    std::fs::remove_file(&log).unwrap();
    with(
        &["-log=".to_owned().as_str(), "--log", path],
        &["state", "c"],
    )
    .fails(125);
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(
        text.starts_with("time=\"20") && text.contains("level=error msg=\"find"),
        "{text}"
    );
    // Without a file: standard error, as JSON when that is asked for.
    let error = with(&["--log-format=json"], &["state", "c"]);
    let entry: Value = serde_json::from_str(error.fails(125)).unwrap();
    assert_eq!(entry["level"], "error");
    let error = with(&["--log-format=xml"], &["state", "c"]);
    assert!(error.fails(125).contains("invalid log-format: xml"));
    let error = with(&["--root="], &["list"]);
    assert!(
        error
            .fails(125)
            .contains("--root argument should not be set to /")
    );

    // What is done, one line each; a file that cannot be opened is told at once.
    std::fs::remove_file(&log).unwrap();
    drop(bundle.command(&[]));
    with(
        &["--debug", "--log", path, "--log-format", "json"],
        &["run", "c"],
    )
    .ok();
    let text = std::fs::read_to_string(&log).unwrap();
    let told: Vec<Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert!(told.iter().all(|entry| entry["level"] == "debug"), "{text}");
    for step in [
        "run c",
        "the bundle is ",
        "init is ",
        "init ended: Ok(0)",
        "removed",
    ] {
        assert!(text.contains(step), "no {step}: {text}");
    }
    with(&["--debug", "--log", "/no/such/log"], &["list"]).fails(125);
    assert!(with(&["--debug"], &["list"]).stderr.contains("level=debug"));
}

#[test]
fn help_and_version_are_told() {
    let call = |line: &[&str]| {
        let mut command = Command::new(runtime());
        Finished::run(command.args(line), b"", rig::LIMIT)
    };
    for line in [
        &["--help"][..],
        &["-h"],
        &["help"],
        &["create", "--help"],
        &["exec", "-h"],
    ] {
        assert!(call(line).ok().starts_with("usage: "), "{line:?}");
    }
    // Docker takes the words around `version` apart, containerd the line of the specification.
    let version = call(&["--version"]).ok().to_owned();
    let (first, second) = version.split_once('\n').unwrap();
    assert!(first.starts_with("berth-runtime version 0."), "{version}");
    assert!(second.starts_with("spec: 1."), "{version}");
    assert!(call(&["nosuch"]).fails(125).contains("there is no verb"));
    assert!(
        call(&["create", "--nosuch", "c"])
            .fails(125)
            .contains("--nosuch")
    );
}

/// A process by its descriptor, sent to whoever listens.
fn received(socket: &UnixListener) -> OwnedFd {
    let (stream, _) = socket.accept().unwrap();
    let mut name = [0; 16];
    let mut got = berth_sys::fdpass::receive(&stream, &mut name, 1).unwrap();
    assert_eq!(&name[..5], b"pidfd");
    got.fds.pop().unwrap()
}

#[test]
fn pidfds_go_to_the_socket() {
    let bundle = Bundle::new("sleep 1000");
    let path = bundle.path().join("pidfds");
    let socket = UnixListener::bind(&path).unwrap();
    let option = format!("--pidfd-socket={}", path.display());
    bundle.leaving(&["create", &option, "c"]);
    let init = received(&socket);
    bundle.call(&["start", "c"]).ok();
    let mut exec = bundle.command(&["exec", &option, "c", "sh", "-c", "kill -USR1 $$; exit 3"]);
    let mut exec = exec.stdout(Stdio::null()).spawn().unwrap();
    let process = received(&socket);
    assert!(!exec.wait().unwrap().success());
    assert!(
        berth_sys::signals::send(process.as_fd(), 0).is_err(),
        "it has ended"
    );
    berth_sys::signals::send(init.as_fd(), 9).unwrap();
    bundle.stopped();
    bundle.call(&["delete", "c"]).ok();
}

#[test]
fn execs_flags() {
    let mut bundle = Bundle::new("sleep 1000");
    bundle.config["process"]["user"] = json!({"uid": 0, "gid": 7, "additionalGids": [8]});
    bundle.start();
    let out = |line: &[&str]| bundle.call(&[&["exec"], line].concat()).ok().to_owned();
    assert_eq!(
        out(&["-u", "1000", "c", "sh", "-c", "id -u; id -g; id -G"]),
        "1000\n7\n7 8"
    );
    assert_eq!(
        out(&[
            "--user=5:6",
            "-g",
            "9",
            "c",
            "sh",
            "-c",
            "id -u; id -g; id -G"
        ]),
        "5\n6\n6 8 9"
    );
    assert_eq!(
        out(&[
            "-e",
            "A=b",
            "-env",
            "C=d",
            "--cwd",
            "/tmp",
            "c",
            "sh",
            "-c",
            "echo $A$C; pwd"
        ]),
        "bd\n/tmp"
    );
    let status = |flags: &[&str], field: &str| {
        let line = [flags, &["c", "grep", field, "/proc/self/status"]].concat();
        out(&line).split_whitespace().last().unwrap().to_owned()
    };
    assert_eq!(status(&[], "NoNewPrivs"), "1");
    assert_eq!(status(&["--no-new-privs=false"], "NoNewPrivs"), "0");
    let effective = u64::from_str_radix(&status(&["--cap", "CAP_SYS_TIME"], "CapEff"), 16).unwrap();
    assert_ne!(effective & 1 << 25, 0, "CAP_SYS_TIME");
    for label in [["--apparmor", "some-profile"], ["--process-label", "a:b:c"]] {
        // No host of these tests has either.
        let error = bundle.call(&[&["exec"][..], &label, &["c", "true"]].concat());
        assert!(error.code() >= 125, "{error}");
    }
    let error = bundle.call(&["exec", "--preserve-fds", "7", "c", "true"]);
    assert!(error.fails(125).contains("is not open"));
    assert!(
        bundle
            .call(&["exec", "c"])
            .fails(125)
            .contains("cannot be empty")
    );
    bundle.call(&["exec", "-d", "-t", "c", "true"]).fails(125);
    bundle.call(&["delete", "-f", "c"]).ok();
}

#[test]
fn exec_waits_in_a_paused_container_when_asked_to() {
    let bundle = Bundle::new("sleep 1000");
    bundle.start();
    bundle.call(&["pause", "c"]).ok();
    let refused = bundle.call(&["exec", "c", "true"]);
    assert!(
        refused
            .fails(125)
            .contains("cannot exec in a paused container")
    );
    let mut exec = bundle.command(&["exec", "--ignore-paused", "c", "sh", "-c", "exit 3"]);
    let mut exec = exec.stdout(Stdio::null()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(exec.try_wait().unwrap().is_none(), "it is paused, too");
    bundle.call(&["resume", "c"]).ok();
    assert_eq!(exec.wait().unwrap().code(), Some(3));
    bundle.call(&["delete", "-f", "c"]).ok();
}

#[test]
fn exec_enters_a_cgroup_below() {
    let bundle = Bundle::new("sleep 1000");
    bundle.start();
    let cgroup = bundle.config["linux"]["cgroupsPath"].as_str().unwrap();
    let (hierarchy, argument) =
        if std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
            ("/sys/fs/cgroup".to_owned(), "below")
        } else {
            ("/sys/fs/cgroup/pids".to_owned(), "pids:below")
        };
    let below = format!("{hierarchy}{cgroup}/below");
    std::fs::create_dir(&below).unwrap();
    let line = [
        "exec",
        "--cgroup",
        argument,
        "c",
        "cat",
        "/proc/self/cgroup",
    ];
    let own = bundle.call(&line);
    assert!(own.ok().lines().any(|l| l.ends_with("/below")), "{own}");
    let error = bundle.call(&["exec", "--cgroup", "pids:../..", "c", "true"]);
    assert!(error.fails(125).contains("bad sub cgroup path"));
    eventually("its end", || std::fs::remove_dir(&below).ok());
    bundle.call(&["delete", "-f", "c"]).ok();
}

/// Without a pid namespace of its own nobody ends with init.
#[test]
fn sigkill_takes_all_who_share_the_hosts_pids() {
    let mut bundle = Bundle::new("sleep 1000 & sleep 1000 & wait");
    bundle.without_namespace("pid");
    bundle.start();
    let count = || {
        json_of(&bundle.call(&["ps", "-f", "json", "c"]))
            .as_array()
            .unwrap()
            .len()
    };
    eventually("all three", || (count() == 3).then_some(()));
    bundle.call(&["kill", "c", "KILL"]).ok();
    eventually("their end", || (count() == 0).then_some(()));
    bundle.call(&["delete", "c"]).ok();
}

#[test]
fn a_created_container_can_be_paused_and_resumed() {
    let bundle = Bundle::new("sleep 1000");
    bundle.create();
    bundle.call(&["pause", "c"]).ok();
    assert_eq!(bundle.state()["status"], "paused");
    bundle.call(&["resume", "c"]).ok();
    assert_eq!(bundle.state()["status"], "created");
    bundle.call(&["delete", "c"]).ok();
}

/// Source: sd_notify(3).
#[test]
fn readiness_goes_to_the_service_manager() {
    let bundle = Bundle::new("test -S $NOTIFY_SOCKET && sleep 1000");
    let manager = bundle.path().join("manager");
    let socket = std::os::unix::net::UnixDatagram::bind(&manager).unwrap();
    let create = bundle
        .command(&["create", "c"])
        .env("NOTIFY_SOCKET", &manager)
        .stdout(Stdio::null())
        .status();
    assert!(create.unwrap().success());
    let mut start = bundle.command(&["start", "c"]);
    let mut start = start.env("NOTIFY_SOCKET", &manager).spawn().unwrap();
    // As its program would, whose rootfs has nothing to send it with.
    let inside = bundle.path().join("state/c/notify/notify.sock");
    let program = std::os::unix::net::UnixDatagram::unbound().unwrap();
    eventually("the socket", || program.connect(&inside).ok());
    program.send(b"STATUS=soon").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(start.try_wait().unwrap().is_none(), "it is not ready");
    program.send(b"STATUS=now\nREADY=1").unwrap();
    let mut message = [0; 64];
    for expected in [
        "READY=1\n".to_owned(),
        format!("MAINPID={}\n", bundle.state()["pid"]),
    ] {
        let length = socket.recv(&mut message).unwrap();
        assert_eq!(std::str::from_utf8(&message[..length]).unwrap(), expected);
    }
    let barrier = berth_sys::fdpass::receive(&socket, &mut message, 1).unwrap();
    assert_eq!(
        (&message[..barrier.bytes], barrier.fds.len()),
        (&b"BARRIER=1"[..], 1)
    );
    drop(barrier);
    assert!(start.wait().unwrap().success());
    assert_eq!(bundle.state()["status"], "running");
    bundle.call(&["delete", "-f", "c"]).ok();
}

/// Source: sd_listen_fds(3).
#[test]
fn sockets_of_the_service_manager_are_passed_on() {
    let bundle = Bundle::new("echo $LISTEN_FDS $LISTEN_PID; cat <&3; exec sleep 1000");
    let (file, seen) = (bundle.path().join("passed"), bundle.path().join("seen"));
    std::fs::write(&file, "content").unwrap();
    let command = bundle.command(&["run", "c"]);
    let line = format!(
        "exec 3<{}; LISTEN_FDS=1 LISTEN_PID=$$ exec {} --root {} run -d c </dev/null >{} 2>&1",
        file.display(),
        command.get_program().display(),
        bundle.path().join("state").display(),
        seen.display()
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).current_dir(bundle.path());
    let run = Finished::run(&mut shell, b"", rig::LIMIT);
    run.ok();
    eventually("the content", || {
        let said = std::fs::read_to_string(&seen).unwrap();
        (said == "1 1\ncontent").then_some(())
    });
    // They are the first process's and no other's.
    let env = bundle.call(&["exec", "c", "env"]);
    assert!(!env.ok().contains("LISTEN_"), "{env}");
    bundle.call(&["delete", "-f", "c"]).ok();
}
