//! containerd with `ctr`, and the shim `io.containerd.runc.v2` with our binary's name.

use std::fs;
use std::process::Command;

use testkit::{Finished, Sandbox, Session, eventually};

use crate::daemon::Daemon;
use crate::{cgroup, image, run, runtime, speak, table};

struct Containerd {
    // Before the sandbox, which looks for leaks.
    _daemon: Daemon,
    runtime: String,
    image: String,
    sandbox: Sandbox,
}

impl Containerd {
    fn start() -> Containerd {
        let sandbox = Sandbox::root().with_busybox();
        let archive = image(&sandbox);
        let path = |name: &str| sandbox.path().join("c").join(name);
        fs::create_dir(sandbox.path().join("c")).unwrap();
        let config = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\ndisabled_plugins = ['io.containerd.grpc.v1.cri']\n\
             [grpc]\naddress = {:?}\n",
            path("root"),
            path("state"),
            path("sock")
        );
        fs::write(path("config.toml"), config).unwrap();
        let mut command = sandbox.command("/usr/bin/containerd");
        command.arg("--config").arg(path("config.toml"));
        let daemon = Daemon::start(&mut command, &path("log"), &path("sock"));
        let mut containerd = Containerd {
            _daemon: daemon,
            runtime: runtime(&sandbox),
            image: String::new(),
            sandbox,
        };
        containerd.call(&["image", "import", &archive]).ok();
        containerd.image = containerd.call(&["image", "ls", "-q"]).ok().to_owned();
        containerd
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command("/usr/bin/ctr");
        command.arg("-a").arg(self.sandbox.path().join("c/sock"));
        command.args(arguments);
        command
    }

    fn call(&self, arguments: &[&str]) -> Finished {
        run(&mut self.command(arguments), "")
    }

    /// `ctr run` with the runtime under test.
    fn run_command(&self, options: &[&str], id: &str, command: &[&str]) -> Command {
        let group = self.cgroup(id);
        let root = self.sandbox.path().join("c/runc");
        let root = root.to_str().unwrap();
        let runc = ["run", "--runc-binary", &self.runtime, "--runc-root", root];
        let before = [&runc[..], &["--cgroup", &group]].concat();
        self.command(&[&before[..], options, &[&self.image, id], command].concat())
    }

    fn cgroup(&self, id: &str) -> String {
        format!("/{}/{id}", self.sandbox.cgroup_parent())
    }

    fn status(&self, id: &str) -> String {
        let tasks = self.call(&["task", "ls"]).ok().to_owned();
        let line = tasks.lines().find(|line| line.starts_with(id));
        let status = line.and_then(|line| line.split_whitespace().last());
        status.unwrap_or("none").to_owned()
    }
}

#[test]
fn tasks_run_and_fail_as_ctr_says() {
    let ctr = Containerd::start();
    table(
        &[
            (&["echo", "hi"], 0, "hi", ""),
            (&["sh", "-c", "echo no >&2; exit 7"], 7, "", "no"),
            (
                &["nosuch"],
                1,
                "",
                "OCI runtime create failed: exec `nosuch`: executable file not found in $PATH",
            ),
            (&["/etc/passwd"], 1, "", "permission denied"),
        ],
        |line| run(&mut ctr.run_command(&["--rm"], "task", line), ""),
    );
    // ctr keeps what could not be started.
    ctr.call(&["container", "rm", "task"]);
    // ctr never closes a task's input: a line of it is all that can be asked for.
    let line = ["sh", "-c", "read line; echo $line"];
    assert_eq!(
        run(&mut ctr.run_command(&["--rm"], "line", &line), "in\n").ok(),
        "in"
    );
    let shell = ctr.run_command(&["--rm", "-t"], "tty", &["sh"]);
    speak(Session::start(&shell));
}

#[test]
fn a_task_is_limited_entered_paused_killed_and_removed() {
    let ctr = Containerd::start();
    let limits = ["-d", "--memory-limit", "67108864"];
    run(
        &mut ctr.run_command(&limits, "task", &["sleep", "1000"]),
        "",
    )
    .ok();
    assert_eq!(cgroup::memory(&ctr.cgroup("task")), "67108864");
    assert_eq!(ctr.status("task"), "RUNNING");
    table(
        &[
            (
                &[
                    "task",
                    "exec",
                    "--exec-id",
                    "a",
                    "task",
                    "sh",
                    "-c",
                    "echo out; exit 3",
                ],
                3,
                "out",
                "",
            ),
            (
                &["task", "exec", "--exec-id", "b", "task", "nosuch"],
                1,
                "",
                "OCI runtime exec failed: exec `nosuch`: executable file not found in $PATH",
            ),
            (&["task", "pause", "task"], 0, "", ""),
        ],
        |line| ctr.call(line),
    );
    assert_eq!(ctr.status("task"), "PAUSED");
    assert!(cgroup::is_frozen(&ctr.cgroup("task")));
    ctr.call(&["task", "resume", "task"]).ok();
    let exec = ["task", "exec", "-t", "--exec-id", "c", "task", "sh"];
    speak(Session::start(&ctr.command(&exec)));
    assert!(
        ctr.call(&["task", "metrics", "task"])
            .ok()
            .contains("67108864")
    );
    assert_eq!(ctr.call(&["task", "ps", "task"]).ok().lines().count(), 2);
    ctr.call(&["task", "kill", "-s", "KILL", "task"]).ok();
    eventually("the end", || {
        (ctr.status("task") == "STOPPED").then_some(())
    });
    // The shim asks for a container that has ended, and for one that is gone.
    ctr.call(&["task", "kill", "-s", "KILL", "task"]).fails(1);
    ctr.call(&["task", "rm", "task"]).ok();
    ctr.call(&["container", "rm", "task"]).ok();
    assert_eq!(ctr.status("task"), "none");
}
