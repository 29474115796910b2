//! `berth registry serve` on a free port of 127.0.0.1, in a sandbox.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{Finished, Sandbox};

/// The registry; it is stopped when dropped, before its sandbox.
pub struct Served {
    child: Child,
    host: String,
    root: PathBuf,
}

impl Served {
    /// Starts it, with these options more; its content is kept below the sandbox's home, so the next one has it.
    ///
    /// # Panics
    /// When it does not listen; with what it said.
    pub fn start(sandbox: &Sandbox, options: &[&str]) -> Served {
        let root = sandbox.home().join("registry");
        let place = root.display().to_string();
        let verb = [
            "registry",
            "serve",
            "--addr",
            "127.0.0.1:0",
            "--root",
            &place,
        ];
        let mut command = sandbox.berth_command(&[&verb[..], options].concat());
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(sandbox.home().join("registry.log"))
            .expect("our own directory");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("berth starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("text");
        let host = line
            .trim()
            .split_once("://")
            .map(|(_, host)| host.to_owned());
        let Some(host) = host else {
            let _ = child.kill();
            let _ = child.wait();
            let log = std::fs::read_to_string(sandbox.home().join("registry.log"));
            panic!(
                "the registry does not listen: {line:?}\n{}",
                log.unwrap_or_default()
            );
        };
        Served { child, host, root }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where it keeps its content.
    pub fn root(&self) -> &PathBuf {
        &self.root
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, as the machine's end would.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks with curl: `options` and the path behind the host.
    pub fn ask(&self, options: &[&str], path: &str) -> Finished {
        let mut command = std::process::Command::new("curl");
        command.args(["-sS", "--max-time", "30"]).args(options);
        command.arg(format!("http://{}{path}", self.host));
        Finished::run(&mut command, b"", Duration::from_secs(60))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}
