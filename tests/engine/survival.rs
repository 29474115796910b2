//! A daemon is killed, and another one takes its containers up.

use std::process::Stdio;
use std::time::Duration;

use testkit::daemon::Daemon;
use testkit::{Finished, Sandbox, eventually};

fn client(s: &Sandbox, daemon: &Daemon, arguments: &[&str]) -> Finished {
    let address = daemon.address();
    s.berth(&[&["-H", &address], arguments].concat())
}

/// How many descriptors a process has open.
fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .count()
}

/// N7 (200 in the full form): containers run and log on while the daemon is killed, and the next one has their logs,
/// attach, health and exit codes; nothing is started again.
#[test]
fn n7_the_next_daemon_takes_them_up() {
    let count = match std::env::var_os("BERTH_TEST_FULL") {
        Some(_) => 200,
        None => 8,
    };
    let s = Sandbox::root().with_busybox();
    let mut daemon = Daemon::start(&s, &[]);
    let loop_ = "i=0; while [ ! -e /end ]; do echo $i; i=$((i+1)); sleep 0.05; done; exit 7";
    let names: Vec<String> = (0..count).map(|number| format!("c{number}")).collect();
    let begin = |name: &str, more: &[&str]| {
        let line = [
            &["run", "-d", "--name", name, "--network", "none"],
            more,
            &["busybox", "sh", "-c", loop_],
        ];
        client(&s, &daemon, &line.concat()).ok();
    };
    for name in &names {
        begin(name, &[]);
    }
    let check = ["--health-cmd", "true", "--health-interval", "200ms"];
    begin("checked", &check);
    // And one whose client the daemon was.
    let mut attached = s.berth_command(&[
        "-H",
        &daemon.address(),
        "run",
        "--name",
        "attached",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        loop_,
    ]);
    let mut attached = attached
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("it runs", || {
        let shown = s.berth(&["inspect", "-f", "{{.State.Running}}", "attached"]);
        (shown.stdout.trim() == "true").then_some(())
    });
    let state = || {
        let line = [
            "inspect",
            "-f",
            "{{.Name}} {{.State.Pid}} {{.State.Status}} {{.RestartCount}}",
        ];
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let all = [&line[..], &names, &["checked", "attached"]].concat();
        s.berth(&all).ok().to_owned()
    };
    let before = state();
    daemon.kill();
    attached.wait().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(state(), before);
    drop(daemon);
    let daemon = Daemon::start(&s, &[]);
    assert_eq!(state(), before);
    // Attach goes on where the output is.
    let address = daemon.address();
    let mut attach = s.berth_command(&["-H", &address, "attach", "--no-stdin", "c0"]);
    let attach = attach
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Probes, too.
    let end = "{{(index .State.Health.Log 0).End}}";
    let end = || s.berth(&["inspect", "-f", end, "checked"]).stdout;
    eventually("it was probed", || (!end().trim().is_empty()).then_some(()));
    let first = end();
    eventually("it is probed again", || (end() != first).then_some(()));
    let all = names
        .iter()
        .map(String::as_str)
        .chain(["checked", "attached"]);
    for name in all.clone() {
        // It may be gone before its helper is.
        client(&s, &daemon, &["exec", name, "touch", "/end"]);
    }
    for name in all {
        assert_eq!(client(&s, &daemon, &["wait", name]).ok(), "7", "{name}");
        let logs = client(&s, &daemon, &["logs", name]).ok().to_owned();
        let whole = logs
            .lines()
            .enumerate()
            .all(|(at, line)| line == at.to_string());
        assert!(
            whole && logs.lines().count() > 10,
            "{name} has a gap: {logs}"
        );
    }
    let seen = attach.wait_with_output().unwrap();
    assert_eq!(seen.status.code(), Some(7));
    assert!(seen.stdout.iter().filter(|&&byte| byte == b'\n').count() > 3);
}

/// N23, short: a container that crashes again and again leaves nothing in the daemon.
#[test]
fn n23_a_crash_loop_leaves_nothing() {
    let s = Sandbox::root().with_busybox();
    let daemon = Daemon::start(&s, &[]);
    let run = [
        "run",
        "-d",
        "--name",
        "cc",
        "--network",
        "none",
        "--restart",
        "always",
    ];
    let check = ["--health-cmd", "true", "--health-interval", "50ms"];
    let line = [
        &run[..],
        &check,
        &["busybox", "sh", "-c", "sleep 0.1; exit 1"],
    ]
    .concat();
    client(&s, &daemon, &line).ok();
    let restarts = || -> u32 {
        let count = s.berth(&["inspect", "-f", "{{.RestartCount}}", "cc"]);
        count.ok().parse().unwrap()
    };
    eventually("it has crashed", || (restarts() >= 1).then_some(()));
    let (before, begun) = (descriptors(daemon.pid()), restarts());
    eventually("it has crashed more", || {
        (restarts() >= begun + 4).then_some(())
    });
    s.berth(&["rm", "-f", "cc"]).ok();
    eventually("all descriptors are closed", || {
        (descriptors(daemon.pid()) <= before).then_some(())
    });
    eventually("no child is left to it", || {
        let line = format!("pgrep -P {}", daemon.pid());
        s.shell_as_root(&line)
            .stdout
            .trim()
            .is_empty()
            .then_some(())
    });
}
