//! `kill -9` at any time: of the command, of the monitor, of everything.

use std::time::Duration;

use testkit::{Sandbox, eventually};

/// What was killed, or had been started by it, may still be on its way to its end: then there is something
/// to repair once more.
fn repaired(s: &Sandbox, place: &str) {
    eventually(place, || {
        let done = s.berth(&["fsck", "--repair"]);
        assert!(done.status.success(), "{place}: {done}");
        s.berth(&["fsck"]).status.success().then_some(())
    });
}

/// The command dies a little later each time: from before it has done anything to when it is done.
#[test]
fn the_command_at_any_millisecond() {
    for make in Sandbox::both() {
        let s = make().with_busybox();
        for delay in 0..40 {
            let place = format!("after {delay} ms");
            let mut child = s.spawn(&["run", "--name", "cc", "busybox", "sleep", "1000"]);
            std::thread::sleep(Duration::from_millis(delay));
            child.kill().unwrap();
            child.wait().unwrap();
            repaired(&s, &place);
            s.berth(&["rm", "-f", "cc"]).ok();
            eventually("nothing of it runs", || {
                s.processes().is_empty().then_some(())
            });
        }
    }
}

#[test]
fn everything_at_once() {
    for make in Sandbox::both() {
        let s = make().with_busybox();
        for name in ["aa", "bb", "cc"] {
            s.berth(&[
                "run",
                "-d",
                "--name",
                name,
                "busybox",
                "sh",
                "-c",
                "echo said; sleep 1000",
            ])
            .ok();
        }
        eventually("all spoke", || {
            ["aa", "bb", "cc"]
                .iter()
                .all(|name| s.berth(&["logs", name]).ok() == "said")
                .then_some(())
        });
        for pid in s.processes() {
            s.shell(&format!("kill -9 {pid} 2>&- || true")).ok();
        }
        eventually("all are dead", || s.processes().is_empty().then_some(()));
        repaired(&s, "everything killed");
        for name in ["aa", "bb", "cc"] {
            assert_eq!(s.berth(&["logs", name]).ok(), "said");
            assert_eq!(
                s.berth(&[
                    "inspect",
                    "-f",
                    "{{.State.Status}} {{.State.ExitCode}}",
                    name
                ])
                .ok(),
                "exited 137"
            );
            s.berth(&["start", name]).ok();
        }
    }
}

/// init goes on without its monitor until somebody looks: then it is ended and the loss recorded.
#[test]
fn only_the_monitor() {
    for make in Sandbox::both() {
        let s = make().with_busybox();
        let id = s
            .berth(&["run", "-d", "--name", "cc", "busybox", "sleep", "1000"])
            .ok()
            .to_owned();
        s.shell(&format!("kill -9 {}", s.monitor(&id))).ok();
        repaired(&s, "monitor killed");
        assert_eq!(
            s.berth(&["inspect", "-f", "{{.State.Status}}", "cc"]).ok(),
            "exited"
        );
        eventually("nothing of it runs", || {
            s.processes().is_empty().then_some(())
        });
    }
}

/// A copy that is killed leaves nothing mounted, and its container as it was: it starts, and takes the next copy.
#[test]
fn a_copy_at_any_millisecond() {
    for make in Sandbox::both() {
        let s = make().with_busybox();
        s.file("big", vec![b'x'; 8 << 20]);
        s.berth(&[
            "create", "--name", "cc", "-v", "vol:/vol", "busybox", "sleep", "1000",
        ])
        .ok();
        for round in 0..16 {
            let place = format!("after {} ms", round * 3);
            let line = [["cp", "big", "cc:/vol/big"], ["cp", "cc:/vol", "out"]][round % 2];
            let mut child = s.spawn(&line);
            std::thread::sleep(Duration::from_millis(round as u64 * 3));
            child.kill().unwrap();
            child.wait().unwrap();
            repaired(&s, &place);
            if round == 8 {
                s.berth(&["start", "cc"]).ok();
            }
        }
        s.berth(&["exec", "cc", "true"]).ok();
        s.berth(&["cp", "big", "cc:/vol/big"]).ok();
        let size = s.berth(&["exec", "cc", "stat", "-c", "%s", "/vol/big"]);
        assert_eq!(size.ok(), (8 << 20).to_string());
    }
}
