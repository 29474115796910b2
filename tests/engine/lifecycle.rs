//! create start stop kill restart rm wait rename top, and what outlives whom.

use std::time::{Duration, Instant};

use testkit::{Sandbox, eventually};

fn state(s: &Sandbox, name: &str) -> String {
    s.berth(&["inspect", "-f", "{{.State.Status}}", name])
        .ok()
        .to_owned()
}

both! {
    fn create_start_wait_start_again(s) {
        let id = s.berth(&["create", "--name", "cc", "busybox", "sh", "-c", "echo ran; exit 4"]).ok().to_owned();
        assert_eq!(id.len(), 64);
        assert_eq!(state(s, "cc"), "created");
        assert_eq!(s.berth(&["start", "cc"]).ok(), "cc");
        assert_eq!(s.berth(&["wait", "cc"]).ok(), "4");
        assert_eq!(state(s, "cc"), "exited");
        assert_eq!(s.berth(&["inspect", "-f", "{{.State.ExitCode}}", "cc"]).ok(), "4");
        s.berth(&["start", "cc"]).ok();
        s.berth(&["wait", "cc"]).ok();
        assert_eq!(s.berth(&["logs", "cc"]).ok(), "ran\nran");
    }
}

both! {
    fn what_a_container_did_to_its_root_lasts(s) {
        s.berth(&["run", "--name", "own", "busybox", "sh", "-c", "stat -c '%a %u' /; chmod 711 /; chown 5:5 /"]).ok();
        // The same command again: it prints what it found.
        let found = s.berth(&["start", "-a", "own"]);
        assert_eq!(found.ok().trim(), "711 5", "{found}");
    }
}

both! {
    fn start_attached_passes_output_and_code_on(s) {
        s.berth(&["create", "--name", "cc", "busybox", "sh", "-c", "echo out; exit 5"]).ok();
        let done = s.berth(&["start", "-a", "cc"]);
        assert_eq!((done.code(), done.stdout.as_str()), (5, "out\n"));
    }
}

both! {
    fn several_are_stopped_and_removed_at_once_and_told_in_their_order(s) {
        let names: Vec<String> = (0..6).map(|number| format!("c{number}")).collect();
        for name in &names {
            // Asked to end, each waits until all others have been asked, too.
            let script = "trap 'touch /all/$HOSTNAME; until [ $(ls /all | wc -l) = 6 ]; do sleep 0.05; done; exit 7' TERM; \
                echo ready; while :; do sleep 0.05; done";
            s.berth(&["run", "-d", "--name", name, "-v", "all:/all", "busybox", "sh", "-c", script]).ok();
            eventually("its trap is set", || (s.berth(&["logs", name]).ok() == "ready").then_some(()));
        }
        let mut line = vec!["stop", "-t", "40"];
        line.extend(names.iter().map(String::as_str));
        assert_eq!(s.berth(&line).ok().lines().collect::<Vec<_>>(), names);
        for name in &names {
            assert_eq!(s.berth(&["inspect", "-f", "{{.State.ExitCode}}", name]).ok(), "7");
        }
        let done = s.berth(&["rm", "c0", "c1", "nobody", "c2", "c1", "c3", "c4", "c5"]);
        assert_eq!(done.code(), 1, "{done}");
        let told: Vec<_> = done.stdout.lines().collect();
        // Whichever of the two removes it is told at its place.
        let by_second = ["c0", "c2", "c1", "c3", "c4", "c5"];
        assert!(told == names || told == by_second, "{done}");
        assert!(done.stderr.contains("nobody"), "{done}");
        assert_eq!(s.berth(&["ps", "-aq"]).ok(), "");
    }
}

both! {
    fn stop_asks_then_kills(s) {
        s.berth(&["run", "-d", "--name", "polite", "busybox", "sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.05; done"]).ok();
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(s.berth(&["stop", "polite"]).ok(), "polite");
        assert_eq!(s.berth(&["inspect", "-f", "{{.State.ExitCode}}", "polite"]).ok(), "3");
        s.berth(&["run", "-d", "--name", "deaf", "busybox", "sleep", "100"]).ok();
        let begin = Instant::now();
        s.berth(&["stop", "-t", "1", "deaf"]).ok();
        assert!(begin.elapsed() >= Duration::from_secs(1) && begin.elapsed() < Duration::from_secs(5));
        assert_eq!(s.berth(&["inspect", "-f", "{{.State.ExitCode}}", "deaf"]).ok(), "137");
        // Stopping what is stopped is no failure.
        s.berth(&["stop", "deaf"]).ok();
    }
}

both! {
    fn kill_sends_what_is_asked_for(s) {
        s.berth(&["run", "-d", "--name", "cc", "busybox", "sh", "-c", "trap 'echo hup' HUP; while :; do sleep 0.05; done"]).ok();
        std::thread::sleep(Duration::from_millis(300));
        s.berth(&["kill", "-s", "HUP", "cc"]).ok();
        eventually("the trap runs", || s.berth(&["logs", "cc"]).ok().contains("hup").then_some(()));
        assert_eq!(state(s, "cc"), "running");
        s.berth(&["kill", "cc"]).ok();
        assert_eq!(s.berth(&["wait", "cc"]).ok(), "137");
        let again = s.berth(&["kill", "cc"]);
        assert!(again.fails(1).contains("not running"), "{again}");
    }
}

both! {
    fn restart_gives_a_new_process(s) {
        s.berth(&["run", "-d", "--name", "cc", "busybox", "sleep", "100"]).ok();
        let pid = |_: ()| s.berth(&["inspect", "-f", "{{.State.Pid}}", "cc"]).ok().to_owned();
        let before = pid(());
        s.berth(&["restart", "-t", "0", "cc"]).ok();
        assert_eq!(state(s, "cc"), "running");
        assert_ne!(pid(()), before);
    }
}

both! {
    fn rm_wants_force_for_what_runs(s) {
        s.berth(&["run", "-d", "--name", "cc", "busybox", "sleep", "100"]).ok();
        let refused = s.berth(&["rm", "cc"]);
        assert!(refused.fails(1).contains("hint: "), "{refused}");
        assert_eq!(s.berth(&["rm", "-f", "cc"]).ok(), "cc");
        s.berth(&["inspect", "cc"]).fails(1);
        s.berth(&["rm", "cc"]).fails(1);
        s.berth(&["rm", "-f", "cc"]).ok();
    }
}

both! {
    fn several_at_once_and_what_fails_does_not_stop_the_rest(s) {
        for name in ["a", "b"] {
            s.berth(&["create", "--name", &format!("{name}{name}"), "busybox"]).ok();
        }
        let done = s.berth(&["rm", "aa", "no-such", "bb"]);
        assert_eq!((done.code(), done.stdout.as_str()), (1, "aa\nbb\n"), "{done}");
        assert!(done.stderr.contains("no-such"), "{done}");
    }
}

both! {
    fn rm_flag_removes_when_detached_too(s) {
        let id = s.berth(&["run", "-d", "--rm", "busybox", "sleep", "0.2"]).ok().to_owned();
        eventually("it is gone", || (s.berth(&["ps", "-aq"]).ok() != &id[..12]).then_some(()));
        assert!(!s.state().join("containers").join(&id).exists());
    }
}

both! {
    /// What goes with its end waits for no disk, neither while it runs nor when it ends.
    fn only_what_is_removed_at_its_end_is_volatile(s) {
        let options = |flag: &str| {
            let mounts = s.berth(&["run", flag, "busybox", "cat", "/proc/self/mounts"]).ok().to_owned();
            mounts.lines().find(|line| line.contains(" / overlay ")).unwrap().to_owned()
        };
        let removed = options("--rm");
        assert!(removed.contains("volatile"), "{removed}");
        assert!(!options("--init").contains("volatile"));
    }
}

both! {
    fn rename_moves_the_name(s) {
        s.berth(&["create", "--name", "old", "busybox"]).ok();
        s.berth(&["create", "--name", "taken", "busybox"]).ok();
        s.berth(&["rename", "old", "new"]).ok();
        assert_eq!(s.berth(&["inspect", "-f", "{{.Name}}", "new"]).ok().trim_start_matches('/'), "new");
        s.berth(&["inspect", "old"]).fails(1);
        s.berth(&["rename", "new", "taken"]).fails(1);
        s.berth(&["rename", "new", "no/slash"]).fails(1);
        s.berth(&["create", "--name", "old", "busybox"]).ok();
    }
}

both! {
    fn top_shows_processes_with_host_pids(s) {
        s.berth(&["run", "-d", "--name", "cc", "busybox", "sh", "-c", "sleep 101 & sleep 102; wait"]).ok();
        let text = eventually("both sleep", || {
            let text = s.berth(&["top", "cc"]).ok().to_owned();
            (text.contains("sleep 101") && text.contains("sleep 102")).then_some(text)
        });
        assert!(text.lines().next().unwrap().contains("PID"), "{text}");
        let pid = s.berth(&["inspect", "-f", "{{.State.Pid}}", "cc"]).ok().to_owned();
        assert!(text.split_whitespace().any(|word| word == pid), "{text}");
    }
}

both! {
    fn containers_outlive_the_command_that_started_them(s) {
        let mut child = s.spawn(&["run", "--name", "cc", "busybox", "sleep", "100"]);
        eventually("it runs", || s.berth(&["ps", "-q"]).stdout.trim().len().eq(&12).then_some(()));
        child.kill().unwrap();
        child.wait().unwrap();
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(state(s, "cc"), "running");
        assert_eq!(s.berth(&["exec", "cc", "echo", "still"]).ok(), "still");
        s.berth(&["stop", "-t", "0", "cc"]).ok();
        assert_eq!(s.berth(&["inspect", "-f", "{{.State.ExitCode}}", "cc"]).ok(), "137");
    }
}

both! {
    /// The monitor is killed: init is alone, and the next command notices and ends it.
    fn a_killed_monitor_loses_nothing_acknowledged(s) {
        let id = s.berth(&["run", "-d", "--name", "cc", "busybox", "sh", "-c", "echo written; sleep 100"]).ok().to_owned();
        eventually("it wrote", || s.berth(&["logs", "cc"]).ok().contains("written").then_some(()));
        s.shell(&format!("kill -9 {}", s.monitor(&id))).ok();
        // The kernel may not be done with it yet.
        eventually("the loss is noticed", || {
            s.berth(&["fsck", "--repair"]).ok();
            (state(s, "cc") == "exited").then_some(())
        });
        assert_eq!(s.berth(&["logs", "cc"]).ok(), "written");
        s.berth(&["start", "cc"]).ok();
        assert_eq!(state(s, "cc"), "running");
    }
}

both! {
    fn a_reboot_leaves_containers_exited_and_startable(s) {
        let id = s.berth(&["run", "-d", "--name", "cc", "busybox", "sleep", "100"]).ok().to_owned();
        // What a reboot does: no process, no RUN_DIR.
        for pid in s.processes() {
            s.shell(&format!("kill -9 {pid} 2>/dev/null || true")).ok();
        }
        eventually("all are dead", || s.processes().is_empty().then_some(()));
        for state in std::fs::read_dir(s.run_dir()).unwrap() {
            std::fs::remove_dir_all(state.unwrap().path()).unwrap();
        }
        assert_eq!(state(s, "cc"), "exited", "{id}");
        // No disk vouches for layers that were unpacked in another boot.
        let snapshots = s.state().join("snapshots");
        let other = r#"s/"boot_id":"[^"]*"/"boot_id":"another"/"#;
        s.shell(&format!("cd {} && rm -f */synced && sed -i '{other}' */snapshot.json", snapshots.display())).ok();
        s.berth(&["start", "cc"]).ok();
        assert_eq!(state(s, "cc"), "running");
        // The kernel was not booted: a rule for the device that has gone is still there.
        s.berth(&["fsck", "--repair"]);
    }
}

both! {
    fn wait_waits_for_several_and_prints_each_code(s) {
        s.berth(&["run", "-d", "--name", "aa", "busybox", "sh", "-c", "sleep 0.3; exit 1"]).ok();
        s.berth(&["run", "-d", "--name", "bb", "busybox", "sh", "-c", "sleep 0.1; exit 2"]).ok();
        assert_eq!(s.berth(&["wait", "aa", "bb"]).ok(), "1\n2");
        assert_eq!(s.berth(&["wait", "aa"]).ok(), "1");
        s.berth(&["wait", "no-such"]).fails(1);
    }
}

#[test]
fn many_side_by_side() {
    let s = Sandbox::root().with_busybox();
    let children: Vec<_> = (0..16)
        .map(|n| s.spawn(&["run", "--rm", "busybox", "sh", "-c", &format!("exit {n}")]))
        .collect();
    for (n, child) in children.into_iter().enumerate() {
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(n as i32),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert_eq!(s.berth(&["ps", "-aq"]).ok(), "");
}
