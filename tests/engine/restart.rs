//! Restart policies without a daemon.

use std::time::{Duration, Instant};

use testkit::{Sandbox, eventually};

fn shown(s: &Sandbox, what: &str) -> String {
    s.berth(&["inspect", "-f", what, "cc"]).ok().to_owned()
}

fn actions(s: &Sandbox) -> Vec<String> {
    let line = [
        "events",
        "--since",
        "0",
        "--until",
        "0s",
        "--filter",
        "type=container",
        "--format",
        "{{.Action}}",
    ];
    s.berth(&line).ok().lines().map(str::to_owned).collect()
}

fn starts(s: &Sandbox) -> usize {
    actions(s)
        .iter()
        .filter(|action| *action == "start")
        .count()
}

/// A container that ends at once, and is started again under this policy.
fn crash_loop(s: &Sandbox, policy: &str) {
    s.berth(&[
        "run",
        "-d",
        "--name",
        "cc",
        "--restart",
        policy,
        "busybox",
        "sh",
        "-c",
        "echo hi; exit 3",
    ])
    .ok();
}

both! {
    fn on_failure_stops_after_so_many(s) {
        let began = Instant::now();
        crash_loop(s, "on-failure:2");
        eventually("it was started three times and ended", || {
            (shown(s, "{{.State.Status}}") == "exited" && starts(s) == 3).then_some(())
        });
        // 100 ms and 200 ms were waited.
        assert!(began.elapsed() >= Duration::from_millis(300));
        assert_eq!(shown(s, "{{.RestartCount}} {{.State.ExitCode}} {{.HostConfig.RestartPolicy.Name}}"), "2 3 on-failure");
        assert_eq!(s.berth(&["logs", "cc"]).ok(), "hi\nhi\nhi");
        assert_eq!(actions(s), ["create", "start", "die", "start", "die", "start", "die"]);
    }
}

both! {
    fn an_end_without_failure_is_one(s) {
        s.berth(&["run", "-d", "--name", "cc", "--restart", "on-failure", "busybox", "true"]).ok();
        eventually("it ended", || (shown(s, "{{.State.Status}}") == "exited").then_some(()));
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(starts(s), 1);
    }
}

both! {
    fn the_foreground_client_does_not_wait_for_it(s) {
        let done = s.berth(&["run", "--name", "cc", "--restart", "on-failure:1", "busybox", "sh", "-c", "echo hi; exit 3"]);
        assert_eq!((done.code(), done.stdout.as_str()), (3, "hi\n"), "{done}");
        eventually("it is started again", || (starts(s) == 2).then_some(()));
        eventually("it ended", || (shown(s, "{{.State.Status}}") == "exited").then_some(()));
    }
}

both! {
    fn restarting_is_shown_and_stop_ends_it(s) {
        crash_loop(s, "always");
        eventually("it waits for its next start", || {
            let status = s.berth(&["ps", "--format", "{{.State}} {{.Status}}"]).ok().to_owned();
            status.starts_with("restarting Restarting (3) ").then_some(())
        });
        eventually("some restarts", || (starts(s) >= 5).then_some(()));
        eventually("no verb for what runs", || {
            let done = s.berth(&["exec", "cc", "true"]);
            done.stderr.contains("about to be started again").then_some(())
        });
        eventually("it is not removed so", || {
            let done = s.berth(&["rm", "cc"]);
            assert_ne!(done.code(), 0);
            done.stderr.contains("about to be started again").then_some(())
        });
        s.berth(&["stop", "cc"]).ok();
        assert_eq!(shown(s, "{{.State.Status}} {{.State.ExitCode}}"), "exited 3");
        let before = starts(s);
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!((starts(s), shown(s, "{{.State.Status}}").as_str()), (before, "exited"));
        // A start by a user counts anew. Whoever looks late sees the second restart, or the third.
        let restarts = |template| shown(s, template).parse::<usize>().unwrap();
        let ended_with = restarts("{{.RestartCount}}");
        s.berth(&["start", "cc"]).ok();
        eventually("it waits again", || (shown(s, "{{.State.Status}}") == "restarting").then_some(()));
        let now = restarts("{{.RestartCount}}");
        assert!((1..ended_with).contains(&now), "{now} of {ended_with}");
        s.berth(&["kill", "cc"]).ok();
        eventually("it ended", || (shown(s, "{{.State.Status}}") == "exited").then_some(()));
    }
}

both! {
    fn who_was_stopped_or_killed_stays_so(s) {
        s.berth(&["run", "-d", "--name", "cc", "--restart", "unless-stopped", "busybox", "sleep", "100"]).ok();
        s.berth(&["kill", "-s", "WINCH", "cc"]).ok();
        for line in [&["stop", "-t", "0", "cc"][..], &["kill", "cc"]] {
            s.berth(line).ok();
            eventually("it ended", || (shown(s, "{{.State.Status}}") == "exited").then_some(()));
            std::thread::sleep(Duration::from_millis(300));
            assert_eq!(shown(s, "{{.State.Status}}"), "exited", "{line:?}");
            s.berth(&["start", "cc"]).ok();
        }
        // What it does itself, or somebody else does to it, is another thing.
        let pid = shown(s, "{{.State.Pid}}");
        s.shell(&format!("kill -9 {pid}")).ok();
        eventually("it runs again", || {
            let now = shown(s, "{{.State.Pid}} {{.State.Status}}");
            (now != format!("{pid} running") && now.ends_with(" running")).then_some(())
        });
        assert_eq!(shown(s, "{{.RestartCount}}"), "1");
        s.berth(&["rm", "-f", "cc"]).ok();
    }
}

both! {
    fn removed_while_it_waits(s) {
        crash_loop(s, "always");
        eventually("a long wait", || {
            (starts(s) >= 4 && shown(s, "{{.State.Status}}") == "restarting").then_some(())
        });
        s.berth(&["rm", "-f", "cc"]).ok();
        eventually("nobody waits any more", || s.processes().is_empty().then_some(()));
    }
}

both! {
    /// The reaper that waits is killed: whoever reconciles goes on.
    fn a_wait_survives_who_waits(s) {
        crash_loop(s, "always");
        eventually("it waits long enough", || (starts(s) >= 5).then_some(()));
        let waiting = eventually("a process waits", || {
            (shown(s, "{{.State.Status}}") == "restarting").then(|| s.processes())
        });
        for pid in waiting {
            s.shell(&format!("kill -9 {pid} 2>&- || true")).ok();
        }
        let before = starts(s);
        eventually("repaired", || {
            s.berth(&["fsck", "--repair"]).ok();
            s.berth(&["fsck"]).status.success().then_some(())
        });
        eventually("it is started again", || (starts(s) > before).then_some(()));
        s.berth(&["rm", "-f", "cc"]).ok();
    }
}

/// N8: the monitor is killed, and with a policy the container starts again.
#[test]
fn n8_a_lost_container_is_started_again() {
    let s = Sandbox::root().with_busybox();
    let id = s
        .berth(&[
            "run",
            "-d",
            "--name",
            "cc",
            "--restart",
            "always",
            "busybox",
            "sleep",
            "100",
        ])
        .ok()
        .to_owned();
    s.shell(&format!("kill -9 {}", s.monitor(&id))).ok();
    s.berth(&["fsck", "--repair"]).ok();
    eventually("it runs", || {
        (shown(&s, "{{.State.Status}} {{.RestartCount}}") == "running 1").then_some(())
    });
    assert_eq!(actions(&s), ["create", "start", "die", "start"]);
    s.berth(&["rm", "-f", "cc"]).ok();
}

/// N23, short: what a crash-looping container leaves per round is nothing.
#[test]
fn n23_a_crash_loop_leaves_nothing() {
    let s = Sandbox::root().with_busybox();
    s.berth(&[
        "run",
        "-d",
        "--name",
        "cc",
        "--restart",
        "always",
        "busybox",
        "true",
    ])
    .ok();
    let count = || {
        let listed = s.shell(&format!(
            "find {} {} | wc -l",
            s.state().display(),
            s.run_dir().display()
        ));
        listed.ok().trim().parse::<usize>().unwrap()
    };
    let waits = |starts_wanted| {
        eventually("it waits", || {
            (starts(&s) >= starts_wanted && shown(&s, "{{.State.Status}}") == "restarting")
                .then_some(())
        });
    };
    waits(3);
    let before = count();
    waits(6);
    assert_eq!(count(), before);
    s.berth(&["rm", "-f", "cc"]).ok();
}
