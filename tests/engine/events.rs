//! events: what each verb tells, in Docker's order and words, once.

use std::time::{Duration, Instant};

use testkit::{Sandbox, eventually};

/// The actions told since the beginning, those on containers or with `filter`.
fn told(s: &Sandbox, filter: &str) -> Vec<String> {
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

fn containers(s: &Sandbox) -> Vec<String> {
    told(s, "type=container")
}

both! {
    fn a_run_tells_its_life(s) {
        s.berth(&["run", "--rm", "--label", "a=b", "--name", "cc", "busybox", "sh", "-c", "exit 3"]).fails(3);
        assert_eq!(containers(s), ["create", "attach", "start", "die", "destroy"]);
        let lines = s.berth(&["events", "--since", "0", "--until", "0s", "--filter", "event=die"]).ok().to_owned();
        let (time, rest) = lines.split_once(' ').unwrap();
        assert_eq!(time.len(), "2026-01-01T00:00:00.000000000Z".len(), "{lines}");
        let (words, attributes) = rest.split_once('(').unwrap();
        assert!(words.starts_with("container die "), "{lines}");
        assert_eq!(attributes, "a=b, exitCode=3, image=busybox, name=cc)");
        let json = s.berth(&["events", "--since", "0", "--until", "0s", "--format", "json", "--filter", "event=die"]).ok().to_owned();
        assert!(json.starts_with(r#"{"status":"die","id":""#), "{json}");
        assert!(json.contains(r#""from":"busybox","Type":"container","Action":"die","Actor":{"ID":""#), "{json}");
    }
}

both! {
    /// The monitor's reaper comes to clean up, and so do `stop` and whatever comes after it.
    fn an_end_is_told_once(s) {
        s.berth(&["run", "-d", "--name", "cc", "busybox", "sleep", "100"]).ok();
        s.berth(&["stop", "-t", "0", "cc"]).ok();
        s.berth(&["start", "cc"]).ok();
        s.berth(&["kill", "cc"]).ok();
        s.berth(&["wait", "cc"]).ok();
        s.berth(&["rm", "cc"]).ok();
        assert_eq!(
            containers(s),
            ["create", "start", "kill", "kill", "die", "stop", "start", "kill", "die", "destroy"],
        );
        let signals = s.berth(&["events", "--since", "0", "--until", "0s", "--filter", "event=kill", "--format", "{{.Actor.Attributes.signal}}"]);
        assert_eq!(signals.ok(), "15\n9\n9");
    }
}

both! {
    fn verbs_on_what_runs(s) {
        s.berth(&["run", "-d", "--name", "cc", "busybox", "sleep", "100"]).ok();
        s.berth(&["exec", "cc", "true"]).ok();
        s.berth(&["top", "cc"]).ok();
        s.berth(&["rename", "cc", "dd"]).ok();
        s.berth(&["restart", "-t", "0", "dd"]).ok();
        s.berth(&["rm", "-f", "dd"]).ok();
        assert_eq!(
            containers(s),
            [
                "create", "start", "exec_create: true ", "exec_start: true ", "exec_die", "top", "rename",
                "kill", "kill", "die", "stop", "start", "restart", "kill", "die", "destroy"
            ],
        );
        let renamed = s.berth(&["events", "--since", "0", "--until", "0s", "--filter", "event=rename", "--format", "{{.Actor.Attributes.oldName}} {{.Actor.Attributes.name}}"]);
        assert_eq!(renamed.ok(), "/cc dd");
    }
}

both! {
    fn a_start_that_fails_is_no_end(s) {
        s.berth(&["run", "--name", "cc", "busybox", "/no/such"]).fails(127);
        s.berth(&["rm", "cc"]).ok();
        assert_eq!(containers(s), ["create", "attach", "destroy"]);
    }
}

#[test]
fn freezing() {
    let s = Sandbox::root().with_busybox();
    s.berth(&["run", "-d", "--name", "cc", "busybox", "sleep", "100"])
        .ok();
    s.berth(&["pause", "cc"]).ok();
    s.berth(&["unpause", "cc"]).ok();
    s.berth(&["commit", "cc", "mine"]).ok();
    s.berth(&["pause", "cc"]).ok();
    s.berth(&["stop", "-t", "0", "cc"]).ok();
    assert_eq!(
        containers(&s),
        [
            "create", "start", "pause", "unpause", "pause", "unpause", "commit", "pause", "kill",
            "unpause", "kill", "die", "stop"
        ],
    );
}

both! {
    /// Nobody saw the end: who comes next tells it, and only that one.
    fn a_loss_is_told_once(s) {
        let id = s.berth(&["run", "-d", "--name", "cc", "busybox", "sleep", "100"]).ok().to_owned();
        let monitor = s.monitor(&id);
        s.shell(&format!("kill -9 {monitor}")).ok();
        let program = format!("/proc/{monitor}/exe");
        eventually("it is dead", || std::fs::read_link(&program).is_err().then_some(()));
        s.berth(&["fsck", "--repair"]).ok();
        s.berth(&["fsck"]).ok();
        s.berth(&["start", "cc"]).ok();
        assert_eq!(containers(s), ["create", "start", "die", "start"]);
        // A reboot: no process, no RUN_DIR.
        for pid in s.processes() {
            s.shell(&format!("kill -9 {pid} 2>/dev/null || true")).ok();
        }
        eventually("all are dead", || s.processes().is_empty().then_some(()));
        std::fs::remove_dir_all(s.run_dir().join("tasks")).unwrap();
        s.berth(&["fsck", "--repair"]).ok();
        assert_eq!(containers(s), ["create", "start", "die", "start", "die"]);
        // A real reboot takes the cgroups along, too.
        s.berth(&["start", "cc"]).ok();
    }
}

both! {
    fn images_tell_too(s) {
        s.berth(&["tag", "busybox", "mine:1"]).ok();
        let archive = s.home().join("a.tar");
        let archive = archive.to_str().unwrap();
        s.berth(&["save", "-o", archive, "mine:1"]).ok();
        s.berth(&["rmi", "mine:1"]).ok();
        s.berth(&["rmi", "busybox"]).ok();
        s.berth(&["load", "-i", archive]).ok();
        assert_eq!(told(s, "type=image"), ["tag", "tag", "save", "untag", "untag", "delete", "load"]);
        let name = s.berth(&["events", "--since", "0", "--until", "0s", "--filter", "event=tag", "--format", "{{.Actor.Attributes.name}}"]);
        assert_eq!(name.ok(), "busybox:latest\nmine:1");
        s.berth(&["rmi", "mine:1"]).ok();
    }
}

both! {
    fn following_shows_what_happens_until_the_end(s) {
        s.berth(&["create", "--name", "early", "busybox"]).ok();
        let end = (since_1970() + Duration::from_secs(3)).as_secs().to_string();
        let began = Instant::now();
        let follower = s.spawn(&["events", "--until", &end, "--filter", "container=late", "--format", "{{.Action}} {{.Actor.Attributes.name}}"]);
        std::thread::sleep(Duration::from_millis(500));
        s.berth(&["create", "--name", "late", "busybox"]).ok();
        s.berth(&["rm", "early", "late"]).ok();
        let output = follower.wait_with_output().unwrap();
        assert!(began.elapsed() < Duration::from_secs(6));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "create late\ndestroy late\n");
    }
}

fn since_1970() -> Duration {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
}

both! {
    fn bad_filters_and_times_are_refused(s) {
        for line in [
            &["events", "--filter", "colour=red"][..],
            &["events", "--filter", "type"],
            &["events", "--since", "yesterday"],
        ] {
            let done = s.berth(line);
            assert_ne!(done.code(), 0, "{done}");
            assert!(done.stderr.starts_with("error: "), "{done}");
        }
    }
}
