//! dockerd of a test's own, from Debian's packages: its images and containers in the sandbox.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Finished, Sandbox, hierarchies};

/// How long it may take to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running daemon, asked by Debian's own client; ended with this.
pub struct Dockerd {
    child: Child,
    directory: PathBuf,
    /// Its shim measures only while they stay as they are.
    _hierarchies: File,
}

impl Dockerd {
    /// Starts it in the sandbox (drop it first) and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    pub fn start(sandbox: &Sandbox) -> Dockerd {
        Dockerd::run(
            sandbox,
            sandbox.command("/usr/sbin/dockerd"),
            &["--bridge=none"],
        )
    }

    /// Starts it in a network namespace of its own, with its bridge.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn start_apart(sandbox: &Sandbox) -> Dockerd {
        let mut command = sandbox.command("unshare");
        let script = "ip link set lo up; exec /usr/sbin/dockerd \"$@\"";
        command.args(["--net", "--", "sh", "-c", script, "dockerd"]);
        Dockerd::run(
            sandbox,
            command,
            &["--bip=172.17.0.1/16", "--ip-masq=false"],
        )
    }

    fn run(sandbox: &Sandbox, mut command: Command, network: &[&str]) -> Dockerd {
        let hierarchies = hierarchies::steady();
        let directory = sandbox.path().join("d");
        std::fs::create_dir_all(directory.join("tmp")).expect("our own directory");
        let log = File::create(directory.join("log")).expect("our own directory");
        command
            .env("TMPDIR", directory.join("tmp"))
            .args(network)
            .args(["--iptables=false", "--ip6tables=false"])
            .args(["--cgroup-parent", &format!("/{}", sandbox.cgroup_parent())])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log);
        for (option, name) in [
            ("--data-root", "data"),
            ("--exec-root", "exec"),
            ("--pidfile", "pid"),
        ] {
            command.arg(option).arg(directory.join(name));
        }
        let socket = directory.join("sock");
        command.arg(format!("--host=unix://{}", socket.display()));
        let mut daemon = Dockerd {
            child: command.spawn().expect("docker.io is installed"),
            directory,
            _hierarchies: hierarchies,
        };
        let end = Instant::now() + PATIENCE;
        // It listens some time before it answers.
        while !daemon.call(sandbox, &["version"]).status.success() {
            let ended = daemon.child.try_wait().expect("our own child");
            assert!(
                ended.is_none() && Instant::now() < end,
                "dockerd does not answer, {ended:?}:\n{}",
                std::fs::read_to_string(daemon.directory.join("log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        daemon
    }

    /// `unix://…`.
    pub fn address(&self) -> String {
        format!("unix://{}", self.directory.join("sock").display())
    }

    /// `docker` with these arguments.
    pub fn call(&self, sandbox: &Sandbox, arguments: &[&str]) -> Finished {
        let mut command = sandbox.command("/usr/bin/docker");
        command.env("DOCKER_HOST", self.address()).args(arguments);
        Finished::run(&mut command, b"", PATIENCE)
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let end = Instant::now() + PATIENCE;
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() > end {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // Its own network namespace, which it never lets go of.
        let _ = Command::new("umount")
            .arg(self.directory.join("exec/netns/default"))
            .output();
    }
}
