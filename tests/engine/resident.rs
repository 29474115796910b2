//! What a daemon adds: health, what is started with it, what nobody else finishes; that there is one, and what it tells a
//! service manager.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::time::{Duration, Instant};

use testkit::daemon::Daemon;
use testkit::{Sandbox, eventually};

fn shown(s: &Sandbox, what: &str) -> String {
    s.berth(&["inspect", "-f", what, "cc"]).ok().to_owned()
}

fn until(s: &Sandbox, what: &str, wanted: &str) {
    eventually(wanted, || (shown(s, what) == wanted).then_some(()));
}

fn events(s: &Sandbox, filter: &str) -> Vec<String> {
    let line = [
        "events",
        "--since",
        "0",
        "--until",
        "0s",
        "--filter",
        filter,
        "--format",
        "{{.Action}}",
    ];
    s.berth(&line).ok().lines().map(str::to_owned).collect()
}

/// Runs `cc` with these options; it sleeps.
fn run(s: &Sandbox, options: &[&str]) -> String {
    let line = [
        &["run", "-d", "--name", "cc", "--network", "none"],
        options,
        &["busybox", "sleep", "1000"],
    ];
    s.berth(&line.concat()).ok().to_owned()
}

const STATUS: &str = "{{.State.Health.Status}}";

both! {
    fn health_is_seen_told_and_survives_the_daemon(s) {
        run(s, &[
            "--health-cmd", "echo seen; test -e /well", "--health-interval", "200ms", "--health-retries", "2",
        ]);
        assert_eq!(shown(s, STATUS), "starting");
        let mut daemon = Daemon::start(s, &[]);
        until(s, STATUS, "unhealthy");
        let status = s.berth(&["ps", "--format", "{{.Status}}"]);
        assert!(status.ok().ends_with("(unhealthy)"), "{status}");
        s.berth(&["exec", "cc", "touch", "/well"]).ok();
        until(s, "{{.State.Health.Status}} {{.State.Health.FailingStreak}}", "healthy 0");
        assert_eq!(s.berth(&["ps", "-q", "--filter", "health=healthy"]).ok().lines().count(), 1);
        let log = shown(s, "{{json .State.Health.Log}}");
        assert!(log.contains(r#""Output":"seen\n""#), "{log}");
        eventually("five results are kept", || {
            (shown(s, "{{json .State.Health.Log}}").matches("ExitCode").count() == 5).then_some(())
        });
        // Killed, and another one goes on.
        daemon.kill();
        s.berth(&["exec", "cc", "rm", "/well"]).ok();
        std::thread::sleep(Duration::from_millis(700));
        assert_eq!(shown(s, STATUS), "healthy", "nobody looks");
        drop(daemon);
        let mut daemon = Daemon::start(s, &[]);
        until(s, STATUS, "unhealthy");
        let told = events(s, "event=health_status");
        assert_eq!(told, ["unhealthy", "healthy", "unhealthy"].map(|word| format!("health_status: {word}")));
        let began = Instant::now();
        assert!(daemon.stop());
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}

/// The image's check, and how it is turned off. N15: a start period is counted by a clock that nobody sets.
#[test]
fn the_images_check_counts_unless_it_is_turned_off() {
    let s = Sandbox::root().with_busybox();
    let _daemon = Daemon::start(&s, &[]);
    run(&s, &[]);
    let change = r#"HEALTHCHECK --interval=100ms --start-period=60s --start-interval=50ms --retries=1 CMD ["false"]"#;
    s.berth(&["commit", "--change", change, "cc", "checked"])
        .ok();
    s.berth(&["rm", "-f", "cc"]).ok();
    let begin = |more: &[&str]| {
        let line = [
            &["run", "-d", "--name", "cc"],
            more,
            &["checked", "sleep", "100"],
        ];
        s.berth(&line.concat()).ok();
    };
    begin(&[]);
    eventually("it is probed", || {
        (shown(&s, "{{len .State.Health.Log}}") == "5").then_some(())
    });
    // In the start period failures do not count.
    assert_eq!(shown(&s, STATUS), "starting");
    s.berth(&["rm", "-f", "cc"]).ok();
    begin(&["--health-start-period", "1ms"]);
    until(&s, STATUS, "unhealthy");
    s.berth(&["rm", "-f", "cc"]).ok();
    begin(&["--no-healthcheck"]);
    assert_eq!(shown(&s, "{{json .State.Health}}"), "null");
}

#[test]
fn a_probe_that_takes_too_long_is_ended_with_all_it_started() {
    let s = Sandbox::root().with_busybox();
    let _daemon = Daemon::start(&s, &[]);
    run(
        &s,
        &[
            "--health-cmd",
            "echo begun; sleep 77 & sleep 78",
            "--health-interval",
            "100ms",
            "--health-timeout",
            "500ms",
            "--health-retries",
            "1",
        ],
    );
    until(&s, STATUS, "unhealthy");
    let log = shown(&s, "{{json .State.Health.Log}}");
    assert!(
        log.contains("Health check exceeded timeout (500ms): begun"),
        "{log}"
    );
    assert!(log.contains(r#""ExitCode":-1"#), "{log}");
    s.berth(&["pause", "cc"]).ok();
    s.berth(&["unpause", "cc"]).ok();
    eventually("nothing of it is left", || {
        let top = s.berth(&["top", "cc"]).ok().to_owned();
        (!top.contains("sleep 77") && !top.contains("sleep 78")).then_some(())
    });
}

/// N19: what a probe writes is cut, and what it cannot stop to write ends with it.
#[test]
fn n19_a_probes_flood_is_cut() {
    let s = Sandbox::root().with_busybox();
    let daemon = Daemon::start(&s, &[]);
    run(
        &s,
        &[
            "--health-cmd",
            "head -c 300000 /dev/zero | tr '\\0' x; exit 3",
            "--health-interval",
            "100ms",
        ],
    );
    eventually("it was probed", || {
        (shown(&s, "{{len .State.Health.Log}}") != "0").then_some(())
    });
    let output = shown(&s, "{{(index .State.Health.Log 0).Output}}");
    assert_eq!(output, format!("{}...", "x".repeat(4096)));
    assert_eq!(shown(&s, "{{(index .State.Health.Log 0).ExitCode}}"), "3");
    s.berth(&["rm", "-f", "cc"]).ok();
    run(
        &s,
        &[
            "--health-cmd",
            "yes",
            "--health-interval",
            "50ms",
            "--health-timeout",
            "1s",
        ],
    );
    eventually("it begins", || {
        s.berth(&["top", "cc"]).ok().contains("yes").then_some(())
    });
    let before = ticks(daemon.pid());
    eventually("its time is up", || {
        (shown(&s, "{{len .State.Health.Log}}") != "0").then_some(())
    });
    let spent = ticks(daemon.pid()) - before;
    assert!(spent < 50, "{spent} ticks of the processor");
}

#[test]
fn the_unhealthy_is_restarted_where_it_asks_for_it() {
    let s = Sandbox::root().with_busybox();
    let mut daemon = Daemon::start(&s, &[]);
    let check = [
        "--health-cmd",
        "false",
        "--health-interval",
        "100ms",
        "--health-retries",
        "1",
        "--stop-timeout",
        "0",
    ];
    run(
        &s,
        &[&["--label", "berth.restart-unhealthy=true"], &check[..]].concat(),
    );
    eventually("it is restarted", || {
        events(&s, "event=restart").first().map(drop)
    });
    eventually("it is told", || {
        daemon
            .said()
            .contains("restarted the unhealthy container")
            .then_some(())
    });
    // Once, and not again at once.
    until(&s, STATUS, "unhealthy");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(events(&s, "event=restart"), ["restart"]);
    s.berth(&["rm", "-f", "cc"]).ok();
    // Others are left alone, unless the daemon is told so; and who does not want it, even then.
    run(&s, &check);
    until(&s, STATUS, "unhealthy");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(events(&s, "event=restart").len(), 1);
    assert!(daemon.stop());
    drop(daemon);
    let _daemon = Daemon::start(&s, &["--restart-unhealthy"]);
    eventually("it is restarted, too", || {
        (events(&s, "event=restart").len() == 2).then_some(())
    });
    s.berth(&["rm", "-f", "cc"]).ok();
    run(
        &s,
        &[&["--label", "berth.restart-unhealthy=false"], &check[..]].concat(),
    );
    until(&s, STATUS, "unhealthy");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(events(&s, "event=restart").len(), 2);
}

/// A daemon that is killed while it restarts a container leaves none that does not run, whatever the policy.
#[test]
fn a_restart_of_the_unhealthy_outlives_the_daemon() {
    let s = Sandbox::root().with_busybox();
    let mut daemon = Daemon::start(&s, &["--restart-unhealthy"]);
    let line = ["run", "-d", "--name", "cc", "--network", "none"];
    let check = [
        "--health-cmd",
        "false",
        "--health-interval",
        "100ms",
        "--health-retries",
        "1",
    ];
    let slow = "trap 'sleep 1; exit 0' TERM; while :; do sleep 0.1; done";
    s.berth(&[&line[..], &check, &["busybox", "sh", "-c", slow]].concat())
        .ok();
    let before = shown(&s, "{{.State.Pid}}");
    eventually("it is to end", || {
        events(&s, "event=kill").first().map(drop)
    });
    daemon.kill();
    eventually("it is started again", || {
        let now = shown(&s, "{{.State.Status}} {{.State.Pid}}");
        (now.starts_with("running") && !now.ends_with(&format!(" {before}"))).then_some(())
    });
    // A stop is the last word.
    s.berth(&["stop", "-t", "3", "cc"]).ok();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(shown(&s, "{{.State.Status}}"), "exited");
}

/// Whoever stops an unhealthy container is not overruled.
#[test]
fn a_stop_is_not_answered_with_a_restart() {
    let s = Sandbox::root().with_busybox();
    let _daemon = Daemon::start(&s, &["--restart-unhealthy"]);
    s.berth(&[
        "run",
        "-d",
        "--name",
        "cc",
        "--health-cmd",
        "test ! -e /ill",
        "--health-interval",
        "100ms",
        "--health-retries",
        "1",
        "busybox",
        "sh",
        "-c",
        "trap 'touch /ill; until [ -e /go ]; do sleep 0.05; done; exit 0' TERM; while :; do sleep 0.1; done",
    ])
    .ok();
    until(&s, STATUS, "healthy");
    let mut stop = s.spawn(&["stop", "-t", "60", "cc"]);
    until(&s, STATUS, "unhealthy");
    s.berth(&["exec", "cc", "touch", "/go"]).ok();
    assert!(stop.wait().unwrap().success());
    assert!(
        events(&s, "event=health_status")
            .iter()
            .any(|event| event.ends_with("unhealthy"))
    );
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(shown(&s, "{{.State.Status}}"), "exited");
    assert!(events(&s, "event=restart").is_empty());
}

/// N22, short: what a policy wants runs again after a reboot, when the daemon starts; the oldest first.
#[test]
fn n22_policies_hold_over_a_reboot() {
    let s = Sandbox::root().with_busybox();
    for (name, policy) in [
        ("aa", "always"),
        ("bb", "unless-stopped"),
        ("cc", "no"),
        ("dd", "unless-stopped"),
    ] {
        let line = [
            "run",
            "-d",
            "--name",
            name,
            "--restart",
            policy,
            "--network",
            "none",
        ];
        s.berth(&[&line[..], &["busybox", "sleep", "1000"]].concat())
            .ok();
    }
    s.berth(&["stop", "-t", "0", "dd"]).ok();
    let since = s.shell("date +%s.%N").ok().trim().to_owned();
    reboot(&s);
    let _daemon = Daemon::start(&s, &[]);
    eventually("they run", || {
        let names = s.berth(&["ps", "--format", "{{.Names}}"]).ok().to_owned();
        let mut names: Vec<&str> = names.lines().collect();
        names.sort_unstable();
        (names == ["aa", "bb"]).then_some(())
    });
    let line = [
        "events",
        "--since",
        &since,
        "--until",
        "0s",
        "--filter",
        "event=start",
    ];
    let started = s.berth(&[&line[..], &["--format", "{{.Actor.Attributes.name}}"]].concat());
    assert_eq!(started.ok(), "aa\nbb");
}

/// N22 (300 in the full form): a herd is started one after the other, and the API answers all the while.
#[test]
fn n22_a_herd_leaves_the_api_usable() {
    let count = match std::env::var_os("BERTH_TEST_FULL") {
        Some(_) => 300,
        None => 8,
    };
    let s = Sandbox::root().with_busybox();
    let names: Vec<String> = (0..count).map(|number| format!("c{number}")).collect();
    for name in &names {
        let line = ["run", "-d", "--restart", "always", "--network", "none"];
        let program = ["--name", name, "busybox", "sleep", "1000"];
        s.berth(&[&line[..], &program].concat()).ok();
    }
    let since = s.shell("date +%s.%N").ok().trim().to_owned();
    reboot(&s);
    let daemon = Daemon::start(&s, &[]);
    let list = || {
        let answer =
            testkit::http::request(daemon.socket(), "GET", "/v1.41/containers/json", &[], b"");
        let rows: serde_json::Value = serde_json::from_str(&answer.text()).unwrap();
        rows.as_array().unwrap().len()
    };
    let mut seen = Vec::new();
    // So long a start may take, with all that runs already.
    let patience = Duration::from_secs(30 + count / 2);
    testkit::wait::within(patience, "all run", || {
        seen.push(list());
        (seen.last() == Some(&names.len())).then_some(())
    });
    assert!(seen.is_sorted(), "none ends again: {seen:?}");
    let starts = [
        "--filter",
        "event=start",
        "--format",
        "{{.Actor.Attributes.name}}",
    ];
    let events = ["events", "--since", &since, "--until", "0s"];
    let started = s.berth(&[&events[..], &starts].concat());
    assert_eq!(started.ok().lines().collect::<Vec<_>>(), names);
}

/// All processes end, and what a reboot clears is gone.
fn reboot(s: &Sandbox) {
    for pid in s.processes() {
        s.shell_as_root(&format!("kill -9 {pid} 2>&- || true")).ok();
    }
    eventually("all are dead", || s.processes().is_empty().then_some(()));
    std::fs::remove_dir_all(s.run_dir().join("tasks")).unwrap();
    let parent = s.cgroup_parent();
    let line =
        format!("find /sys/fs/cgroup -depth -type d -path '*/{parent}/*' -exec rmdir {{}} +");
    s.shell_as_root(&line).ok();
}

/// N29; N7, short: a second one is refused, and a killed one takes nothing along.
#[test]
fn n29_there_is_one_and_containers_do_not_notice() {
    let s = Sandbox::root().with_busybox();
    let mut first = Daemon::start(&s, &[]);
    run(&s, &["--restart", "always"]);
    let state = || shown(&s, "{{.State.Pid}} {{.RestartCount}} {{.State.StartedAt}}");
    let before = state();
    let socket = format!("unix://{}", s.path().join("never.sock").display());
    let refused = s.berth(&["daemon", "-H", &socket]);
    assert_eq!(refused.code(), 1, "{refused}");
    assert!(
        refused.stderr.contains("another daemon works on") && refused.stderr.contains("hint: "),
        "{refused}"
    );
    first.kill();
    drop(first);
    let mut second = Daemon::start(&s, &[]);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(state(), before);
    assert!(second.stop());
    assert_eq!(state(), before);
}

/// N8: the monitor is killed; the daemon notices by itself.
#[test]
fn n8_the_daemon_finishes_what_nobody_finishes() {
    let s = Sandbox::root().with_busybox();
    let _daemon = Daemon::start(&s, &[]);
    for policy in ["no", "always"] {
        let ends = events(&s, "event=die").len();
        let id = run(&s, &["--restart", policy]);
        let pid = shown(&s, "{{.State.Pid}}");
        s.shell(&format!("kill -9 {}", s.monitor(&id))).ok();
        match policy {
            "no" => until(&s, "{{.State.Status}} {{.State.ExitCode}}", "exited 137"),
            _ => eventually("it is started again", || {
                let now = shown(&s, "{{.State.Status}} {{.State.Pid}}");
                (now.starts_with("running") && !now.ends_with(&pid)).then_some(())
            }),
        }
        eventually("its end is told", || {
            (events(&s, "event=die").len() > ends).then_some(())
        });
        s.berth(&["rm", "-f", "cc"]).ok();
    }
}

/// N21, short: who runs and has no health check costs a daemon nothing.
#[test]
fn n21_idle_containers_cost_no_time() {
    let s = Sandbox::root().with_busybox();
    for number in 0..12 {
        let name = format!("c{number}");
        s.berth(&[
            "run",
            "-d",
            "--name",
            &name,
            "--network",
            "none",
            "busybox",
            "sleep",
            "1000",
        ])
        .ok();
    }
    let daemon = Daemon::start(&s, &[]);
    let idle = || {
        let before = switches(daemon.pid());
        std::thread::sleep(Duration::from_secs(1));
        let more = |(thread, count)| count - before.get(&thread).unwrap_or(&0);
        switches(daemon.pid()).into_iter().map(more).sum::<u64>()
    };
    eventually("it has come to rest", || (idle() <= 2).then_some(()));
    std::thread::sleep(Duration::from_secs(5));
    assert!(idle() <= 2, "it wakes up");
}

/// How often each of its threads has gone to sleep.
fn switches(pid: u32) -> BTreeMap<OsString, u64> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |status: String| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.map_or(0, |count| count.trim().parse::<u64>().unwrap())
    };
    tasks
        .flatten()
        .filter_map(|task| {
            let status = std::fs::read_to_string(task.path().join("status")).ok()?;
            Some((task.file_name(), of(status)))
        })
        .collect()
}

/// What it has spent of the processor, in ticks of 10 ms.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// The protocols of a service manager: who gave the socket keeps it, and hears how it goes.
#[test]
fn a_service_manager_gives_the_socket_and_hears() {
    let s = Sandbox::root();
    let told = UnixDatagram::bind(s.path().join("notify")).unwrap();
    told.set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let hear = || {
        let mut text = [0; 256];
        let length = told.recv(&mut text).unwrap();
        String::from_utf8(text[..length].to_vec()).unwrap()
    };
    let socket = s.path().join("given.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&listener);
    rustix::io::fcntl_setfd(&listener, rustix::io::FdFlags::empty()).unwrap();
    // As its own parent: LISTEN_PID is the daemon's.
    let mut command = s.command("/bin/sh");
    command.env("NOTIFY_SOCKET", s.path().join("notify"));
    let line = format!("exec env LISTEN_FDS=1 LISTEN_PID=$$ berth daemon 3<&{fd} {fd}<&-");
    let mut daemon = command.args(["-c", &line]).spawn().unwrap();
    assert_eq!(hear(), "READY=1");
    let info = s.berth(&[
        "-H",
        &format!("unix://{}", socket.display()),
        "info",
        "-f",
        "{{.ID}}",
    ]);
    assert_eq!(info.code(), 0, "{info}");
    assert!(
        !s.run_dir().with_extension("sock").exists(),
        "it listens nowhere else"
    );
    let pid = rustix::process::Pid::from_child(&daemon);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(hear(), "STOPPING=1");
    assert!(daemon.wait().unwrap().success());
    assert!(socket.exists(), "it is not the daemon's to remove");
    // Without a manager there is nothing to take.
    let none = s.berth(&["daemon", "-H", "fd://"]);
    assert!(
        none.stderr.contains("fd://") && none.stderr.contains("hint: "),
        "{none}"
    );
}
