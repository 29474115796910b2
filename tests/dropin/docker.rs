//! dockerd 20.10 with `--add-runtime`, which calls the runtime by containerd's shim.

use std::process::Command;

use testkit::{Finished, Sandbox, Session, eventually};

use crate::daemon::Daemon;
use crate::{cgroup, image, run, runtime, speak, table};

/// Debian's own, which speaks as its daemon does.
const DOCKER: &str = "/usr/bin/docker";

struct Docker {
    // In this order: a daemon's mounts and processes go before the sandbox looks for leaks.
    daemon: Option<Daemon>,
    sandbox: Sandbox,
}

impl Docker {
    fn start() -> Docker {
        let sandbox = Sandbox::root().with_busybox();
        let archive = image(&sandbox);
        let path = |name: &str| sandbox.path().join("d").join(name);
        std::fs::create_dir_all(path("tmp")).unwrap();
        let socket = path("sock");
        let mut command = sandbox.command("/usr/sbin/dockerd");
        command.env("TMPDIR", path("tmp"));
        command
            .arg("--host")
            .arg(format!("unix://{}", socket.display()))
            .arg("--data-root")
            .arg(path("data"))
            .arg("--exec-root")
            .arg(path("exec"))
            .arg("--pidfile")
            .arg(path("pid"))
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false"])
            .arg("--add-runtime")
            .arg(format!("berth={}", runtime(&sandbox)))
            .args(["--default-runtime", "berth", "--cgroup-parent"])
            .arg(format!("/{}", sandbox.cgroup_parent()));
        let daemon = Daemon::start(&mut command, &path("log"), &socket);
        let docker = Docker {
            daemon: Some(daemon),
            sandbox,
        };
        docker.call(&["load", "-i", &archive]).ok();
        docker
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(DOCKER);
        let socket = self.sandbox.path().join("d/sock");
        command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
        command.args(arguments);
        command
    }

    fn call(&self, arguments: &[&str]) -> Finished {
        run(&mut self.command(arguments), "")
    }

    /// A container of its own for a command, to the end of it.
    fn run(&self, arguments: &[&str]) -> Finished {
        self.call(&[&["run", "--rm", "--network=none"], arguments].concat())
    }

    fn inspect(&self, name: &str, template: &str) -> String {
        self.call(&["inspect", "-f", template, name])
            .ok()
            .to_owned()
    }

    fn cgroup(&self, name: &str) -> String {
        let id = self.inspect(name, "{{.Id}}");
        format!("{}/{id}", self.sandbox.cgroup_parent())
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let ids = self.call(&["ps", "-aq"]);
            let ids: Vec<&str> = ids.stdout.split_whitespace().collect();
            self.call(&[&["rm", "-f"], &ids[..]].concat());
        }
        drop(self.daemon.take());
        // Its own network namespace, which it never lets go of.
        let _ = Command::new("umount")
            .arg(self.sandbox.path().join("d/exec/netns/default"))
            .output();
    }
}

/// What berth pushed docker pulls and runs; what docker pushed, berth does.
#[test]
fn images_go_both_ways_through_a_registry() {
    let docker = Docker::start();
    let registry = testkit::Registry::start(testkit::registry::Options::default());
    let from_berth = format!("{}/from/berth:1", registry.host());
    docker.sandbox.berth(&["tag", "busybox", &from_berth]).ok();
    docker.sandbox.berth(&["push", &from_berth]).ok();
    docker.call(&["pull", &from_berth]).ok();
    assert_eq!(docker.run(&[&from_berth, "echo", "there"]).ok(), "there");

    let from_docker = format!("{}/from/docker:1", registry.host());
    docker.call(&["tag", "busybox", &from_docker]).ok();
    docker.call(&["push", &from_docker]).ok();
    let ran = [
        "run",
        "--rm",
        "-q",
        "--network=none",
        &from_docker,
        "echo",
        "back",
    ];
    assert_eq!(docker.sandbox.berth(&ran).ok(), "back");
    // Docker's own media types, pushed as they came.
    let again = format!("{}/again:1", registry.host());
    docker.sandbox.berth(&["tag", &from_docker, &again]).ok();
    docker.sandbox.berth(&["push", &again]).ok();
    docker.call(&["pull", &again]).ok();
    let digests = ["images", "--digests", "--format", "{{.Digest}}"];
    let digest = |name: &str| {
        docker
            .call(&[&digests[..], &[name]].concat())
            .ok()
            .to_owned()
    };
    assert_eq!(digest(&again), digest(&from_docker));
}

#[test]
fn programs_run_and_fail_as_docker_says() {
    let docker = Docker::start();
    table(
        &[
            (&["busybox", "echo", "hi"], 0, "hi", ""),
            (&["busybox", "sh", "-c", "echo no >&2; exit 7"], 7, "", "no"),
            (
                &["busybox", "sh", "-c", "sh -c 'kill -9 $$'; exit $?"],
                137,
                "",
                "",
            ),
            (
                &["busybox", "nosuch"],
                127,
                "",
                "executable file not found in $PATH",
            ),
            (
                &["busybox", "/no/such"],
                127,
                "",
                "no such file or directory",
            ),
            (&["busybox", "/etc/passwd"], 126, "", "permission denied"),
            (&["busybox", "/etc"], 126, "", "permission denied"),
            (
                &["-v", "/etc/hostname:/etc", "busybox", "true"],
                125,
                "",
                "Are you trying to mount a directory onto a file",
            ),
            (
                &["--read-only", "busybox", "touch", "/x"],
                1,
                "",
                "Read-only file system",
            ),
            (&["-u", "1000:1000", "busybox", "id", "-u"], 0, "1000", ""),
            (
                &["--hostname", "here", "busybox", "hostname"],
                0,
                "here",
                "",
            ),
            (&["--init", "busybox", "sh", "-c", "exit 5"], 5, "", ""),
            (
                &["--privileged", "busybox", "test", "-e", "/dev/loop0"],
                0,
                "",
                "",
            ),
            (
                &["--pid=host", "--ipc=host", "--uts=host", "busybox", "true"],
                0,
                "",
                "",
            ),
            (
                &[
                    "--ulimit",
                    "nofile=100:200",
                    "busybox",
                    "sh",
                    "-c",
                    "ulimit -n",
                ],
                0,
                "100",
                "",
            ),
        ],
        |line| docker.run(line),
    );
    let mut cat = docker.command(&["run", "--rm", "-i", "--network=none", "busybox", "cat"]);
    assert_eq!(run(&mut cat, "in").ok(), "in");
    let tty = ["run", "--rm", "-it", "--network=none", "busybox", "sh"];
    speak(Session::start(&docker.command(&tty)));
    // Without a pid namespace of its own nobody ends with init: the sandbox would find who is left.
    docker
        .run(&["--pid=host", "busybox", "sh", "-c", "sleep 1000 & exit 0"])
        .ok();
}

#[test]
fn a_container_is_limited_entered_paused_updated_killed_and_removed() {
    let docker = Docker::start();
    let loop_ = "trap 'echo usr1' USR1; while :; do sleep 0.1; done";
    let limits = [
        "-m",
        "64m",
        "--memory-swap",
        "64m",
        "--cpus",
        "0.5",
        "--pids-limit",
        "50",
    ];
    let start = ["run", "-d", "--name", "box", "--network=none"];
    docker
        .call(&[&start[..], &limits, &["busybox", "sh", "-c", loop_]].concat())
        .ok();
    let group = docker.cgroup("box");
    cgroup::has_limits(&group);
    table(
        &[
            (
                &["exec", "box", "sh", "-c", "echo out; exit 3"],
                3,
                "out",
                "",
            ),
            (
                &[
                    "exec",
                    "-u",
                    "1000",
                    "-w",
                    "/tmp",
                    "-e",
                    "A=b",
                    "box",
                    "sh",
                    "-c",
                    "id -u; pwd; echo $A",
                ],
                0,
                "1000\n/tmp\nb",
                "",
            ),
            (
                &["exec", "box", "nosuch"],
                126,
                "OCI runtime exec failed: exec `nosuch`: executable file not found in $PATH: unknown",
                "",
            ),
            (
                &["exec", "box", "/etc/passwd"],
                126,
                "OCI runtime exec failed: exec `/etc/passwd`: permission denied: unknown",
                "",
            ),
            (&["pause", "box"], 0, "box", ""),
            (
                &["inspect", "-f", "{{.State.Status}}", "box"],
                0,
                "paused",
                "",
            ),
            (&["exec", "box", "true"], 1, "", "is paused"),
        ],
        |line| docker.call(line),
    );
    assert!(cgroup::is_frozen(&group));
    docker.call(&["unpause", "box"]).ok();
    assert!(!cgroup::is_frozen(&group));
    let mut cat = docker.command(&["exec", "-i", "box", "cat"]);
    assert_eq!(run(&mut cat, "in").ok(), "in");
    speak(Session::start(
        &docker.command(&["exec", "-it", "box", "sh"]),
    ));
    docker
        .call(&["update", "-m", "32m", "--memory-swap", "32m", "box"])
        .ok();
    assert_eq!(cgroup::memory(&group), "33554432");
    // A container without such a limit need not have had a cgroup for it.
    docker
        .call(&["update", "--cpuset-cpus", "0", "--cpus", "0.4", "box"])
        .ok();
    let cpus = cgroup::read("cpuset", &group, "cpuset.cpus", "cpuset.cpus");
    assert_eq!(cpus, "0");
    assert!(
        docker
            .call(&["stats", "--no-stream", "box"])
            .ok()
            .contains("/ 32MiB")
    );
    assert!(docker.call(&["top", "box"]).ok().contains("trap"));
    docker.call(&["kill", "-s", "USR1", "box"]).ok();
    eventually("the signal", || {
        docker
            .call(&["logs", "box"])
            .ok()
            .contains("usr1")
            .then_some(())
    });
    docker.call(&["restart", "-t", "0", "box"]).ok();
    assert_eq!(docker.inspect("box", "{{.State.Running}}"), "true");
    docker.call(&["kill", "box"]).ok();
    assert_eq!(docker.call(&["wait", "box"]).ok(), "137");
    docker.call(&["rm", "box"]).ok();
    docker.call(&["inspect", "box"]).fails(1);
}

#[test]
fn running_out_of_memory_is_seen() {
    let docker = Docker::start();
    let start = [
        "run",
        "--name",
        "eater",
        "--network=none",
        "-m",
        "16m",
        "--memory-swap",
        "16m",
    ];
    let eat = ["busybox", "sh", "-c", "x=a; while :; do x=$x$x; done"];
    docker.call(&[&start[..], &eat].concat()).fails(137);
    assert_eq!(docker.inspect("eater", "{{.State.OOMKilled}}"), "true");
    docker.call(&["rm", "eater"]).ok();
    // Removed while it runs, and paused.
    for name in ["one", "two"] {
        docker
            .call(&[
                "run",
                "-d",
                "--name",
                name,
                "--network=none",
                "busybox",
                "sleep",
                "1000",
            ])
            .ok();
    }
    docker.call(&["pause", "two"]).ok();
    docker.call(&["rm", "-f", "one", "two"]).ok();
}
