//! podman with `--runtime`, as root and as an ordinary user.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use testkit::wait::PATIENCE;
use testkit::{Finished, Sandbox, Session, eventually};

use crate::{cgroup, containers, image, run, runtime, speak, table};

struct Podman {
    sandbox: Sandbox,
}

impl Podman {
    fn start(sandbox: Sandbox) -> Podman {
        let sandbox = sandbox.with_busybox();
        let archive = image(&sandbox);
        // podman reads the log of a runtime that it knows by name.
        let known = format!("[engine.runtimes]\nrunc = [{:?}]\n", runtime(&sandbox));
        containers::set_up(&sandbox, "podman", &known);
        let podman = Podman { sandbox };
        podman.call(&["load", "-q", "-i", &archive]).ok();
        podman
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let s = &self.sandbox;
        let mut command = containers::command(s, "podman");
        command
            .arg("--tmpdir")
            .arg(s.home().join("podman/tmp"))
            .arg("--cgroup-manager=cgroupfs")
            .args(["--events-backend=none", "--log-level=error", "--runtime"])
            .arg(runtime(s))
            .args(arguments);
        command
    }

    fn call(&self, arguments: &[&str]) -> Finished {
        run(&mut self.command(arguments), "")
    }

    /// `run` or `create` and their options, with those that all have.
    fn run_command(&self, arguments: &[&str]) -> Command {
        let parent = format!("/{}", self.sandbox.cgroup_parent());
        let before = ["run", "--network=none", "--cgroup-parent", &parent];
        // Without cgroups of its own an ordinary user has no parent to name.
        let count = if self.has_cgroups() { 4 } else { 2 };
        self.command(&[&before[..count], arguments].concat())
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        run(&mut self.run_command(arguments), "")
    }

    fn has_cgroups(&self) -> bool {
        !self.sandbox.is_rootless() || cgroup::is_v2()
    }

    fn session(&self, command: &Command) -> Session {
        Session::start_for(command, self.sandbox.user())
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.call(&["rm", "-f", "-a", "-t", "0"]);
        }
        // What keeps an ordinary user's namespaces, until he logs out.
        for place in ["run/libpod/tmp/pause.pid", "home/podman/tmp/pause.pid"] {
            let text = fs::read_to_string(self.sandbox.path().join(place)).unwrap_or_default();
            if let Some(pid) = text.trim().parse().ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        // Its monitors' cgroup, once the last of them has ended.
        let parent = self.sandbox.cgroup_parent();
        for hierarchy in fs::read_dir("/sys/fs/cgroup")
            .into_iter()
            .flatten()
            .flatten()
        {
            let group = hierarchy.path().join(parent).join("conmon");
            let end = Instant::now() + PATIENCE;
            while group.exists() && fs::remove_dir(&group).is_err() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        containers::unmount(&self.sandbox, "podman");
    }
}

macro_rules! both {
    ($(fn $name:ident($podman:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            fn body($podman: &Podman) $body

            #[test]
            fn root() {
                body(&Podman::start(Sandbox::root()));
            }

            #[test]
            fn rootless() {
                body(&Podman::start(Sandbox::rootless()));
            }
        }
    )*};
}

both! {
    fn programs_run_and_fail_as_podman_says(podman) {
        table(
            &[
                (&["--rm", "busybox", "echo", "hi"], 0, "hi", ""),
                (&["--rm", "busybox", "sh", "-c", "echo no >&2; exit 7"], 7, "", "no"),
                (&["--rm", "busybox", "nosuch"], 127, "", "executable file not found in $PATH: OCI runtime attempted to invoke a command that was not found"),
                (&["--rm", "busybox", "/no/such"], 127, "", "no such file or directory: OCI runtime attempted to invoke a command that was not found"),
                (&["--rm", "busybox", "/etc/passwd"], 126, "", "permission denied: OCI permission denied"),
                (&["--rm", "--read-only", "busybox", "touch", "/x"], 1, "", "Read-only file system"),
                (&["--rm", "-u", "1000:1000", "busybox", "id", "-u"], 0, "1000", ""),
                (&["--rm", "--privileged", "busybox", "true"], 0, "", ""),
                // On v1 podman mounts systemd's hierarchy into the container's cgroups.
                (&["--rm", "--systemd=always", "busybox", "touch", "/run/here"], 0, "", ""),
                (&["--rm", "--ulimit=nofile=100:200", "--ulimit=nproc=100", "busybox", "sh", "-c", "ulimit -n"], 0, "100", ""),
            ],
            |line| podman.run(line),
        );
        let as_runc = ["--runtime=runc", "run", "--rm", "--network=none", "busybox", "nosuch"];
        let error = podman.call(&as_runc);
        let says = "Error: runc: exec `nosuch`: executable file not found in $PATH: OCI runtime attempted";
        assert!(error.fails(127).contains(says), "{error}");
        if podman.has_cgroups() {
            // Without a pid namespace of its own nobody ends with init: the sandbox would find who is left.
            podman.run(&["--rm", "--pid=host", "busybox", "sh", "-c", "sleep 1000 & exit 0"]).ok();
        }
        let mut cat = podman.run_command(&["--rm", "-i", "busybox", "cat"]);
        assert_eq!(run(&mut cat, "in").ok(), "in");
        speak(podman.session(&podman.run_command(&["--rm", "-it", "busybox", "sh"])));
    }

    fn a_container_is_limited_entered_paused_updated_killed_and_removed(podman) {
        let trap = "trap 'echo usr1' USR1; while :; do sleep 0.1; done";
        let limits = ["-m", "64m", "--memory-swap", "64m", "--cpus", "0.5", "--pids-limit", "50"];
        let limits = if podman.has_cgroups() { &limits[..] } else { &[] };
        let command = ["busybox", "sh", "-c", trap];
        podman.run(&[&["-d", "--name", "box"], limits, &command].concat()).ok();
        table(
            &[
                (&["exec", "box", "sh", "-c", "echo out; exit 3"], 3, "out", ""),
                (&["exec", "-u", "1000", "-w", "/tmp", "-e", "A=b", "box", "sh", "-c", "id -u; pwd; echo $A"], 0, "1000\n/tmp\nb", ""),
                (&["exec", "box", "nosuch"], 127, "", "executable file not found in $PATH"),
                (&["exec", "box", "/etc/passwd"], 126, "", "permission denied"),
                (&["inspect", "-f", "{{.State.Status}}", "box"], 0, "running", ""),
            ],
            |line| podman.call(line),
        );
        let mut cat = podman.command(&["exec", "-i", "box", "cat"]);
        assert_eq!(run(&mut cat, "in").ok(), "in");
        speak(podman.session(&podman.command(&["exec", "-it", "box", "sh"])));
        if podman.has_cgroups() {
            limits_hold(podman);
        } else {
            // podman itself refuses where an ordinary user has no cgroups.
            podman.call(&["pause", "box"]).fails(125);
        }
        assert!(podman.call(&["top", "box"]).ok().contains("trap"));
        podman.call(&["kill", "-s", "USR1", "box"]).ok();
        eventually("the signal", || {
            podman.call(&["logs", "box"]).stdout.contains("usr1").then_some(())
        });
        podman.call(&["restart", "-t", "0", "box"]).ok();
        podman.call(&["kill", "box"]).ok();
        assert_eq!(podman.call(&["wait", "box"]).ok(), "137");
        podman.call(&["rm", "box"]).ok();
        podman.run(&["-d", "--name", "other", "busybox", "sleep", "1000"]).ok();
        podman.call(&["rm", "-f", "-t", "0", "other"]).ok();
        assert_eq!(podman.call(&["ps", "-aq"]).ok(), "");
    }
}

fn limits_hold(podman: &Podman) {
    let id = podman
        .call(&["inspect", "-f", "{{.Id}}", "box"])
        .ok()
        .to_owned();
    let group = format!("{}/libpod-{id}", podman.sandbox.cgroup_parent());
    cgroup::has_limits(&group);
    podman.call(&["pause", "box"]).ok();
    assert!(cgroup::is_frozen(&group));
    assert_eq!(
        podman
            .call(&["inspect", "-f", "{{.State.Status}}", "box"])
            .ok(),
        "paused"
    );
    podman.call(&["unpause", "box"]).ok();
    assert!(!cgroup::is_frozen(&group));
    podman
        .call(&["update", "-m", "32m", "--memory-swap", "32m", "box"])
        .ok();
    assert_eq!(cgroup::memory(&group), "33554432");
    podman.call(&["stats", "--no-stream", "box"]).ok();
}
