//! `berth daemon` in a sandbox, at a socket of its own.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::PATIENCE;
use crate::{Finished, Sandbox};

/// The daemon; it is stopped when dropped, before its sandbox.
pub struct Daemon {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
    killed: bool,
}

impl Daemon {
    /// Starts it, with these options more.
    ///
    /// # Panics
    /// When it does not listen; with what it said.
    pub fn start(sandbox: &Sandbox, options: &[&str]) -> Daemon {
        let place = match sandbox.is_rootless() {
            true => sandbox.home(),
            false => sandbox.path().to_owned(),
        };
        let socket = place.join("d.sock");
        let log = sandbox.home().join("daemon.log");
        let address = format!("unix://{}", socket.display());
        let mut command = sandbox.berth_command(&[&["daemon", "-H", &address], options].concat());
        let output = OpenOptions::new().create(true).append(true).open(&log);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(output.expect("our own directory"))
            .spawn()
            .expect("berth starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("its output");
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        assert_eq!(line, "ready\n", "the daemon said: {}", said());
        Daemon {
            child,
            socket,
            log,
            killed: false,
        }
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// `unix://…`.
    pub fn address(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Kills it, as a crash would.
    pub fn kill(&mut self) {
        self.killed = true;
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }

    /// Asks it to read its settings again.
    pub fn reload(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::HUP).expect("it is ours");
    }

    /// Asks it to end; whether it did with success.
    pub fn stop(&mut self) -> bool {
        if let Ok(None) = self.child.try_wait() {
            let pid = Pid::from_child(&self.child);
            kill_process(pid, Signal::TERM).expect("it is ours");
        }
        self.child.wait().is_ok_and(|status| status.success())
    }

    /// Docker's own command against it, in the sandbox.
    pub fn docker_command(&self, sandbox: &Sandbox, arguments: &[&str]) -> Command {
        let mut command = sandbox.command("/usr/bin/docker");
        command.env("DOCKER_HOST", self.address()).args(arguments);
        command
    }

    /// Runs docker's own command against it.
    pub fn docker(&self, sandbox: &Sandbox, arguments: &[&str]) -> Finished {
        Finished::run(
            &mut self.docker_command(sandbox, arguments),
            b"",
            PATIENCE * 3,
        )
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let stopped = self.stop();
        if std::thread::panicking() {
            eprintln!("the daemon said: {}", self.said());
        } else {
            assert!(
                stopped || self.killed,
                "the daemon ended badly: {}",
                self.said()
            );
        }
    }
}
