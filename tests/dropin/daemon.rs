//! A daemon of the test's own, whose runtime is called by containerd's shim.

use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use testkit::hierarchies;

/// How long a daemon may take to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running daemon; ended with this. When the test fails, the end of its log is told.
pub struct Daemon {
    child: Child,
    log: PathBuf,
    /// The shim measures only while they stay as they are.
    _hierarchies: File,
}

impl Daemon {
    /// Starts it, its output in `log`, and waits until it answers at `socket`.
    ///
    /// # Panics
    /// When it does not.
    pub fn start(command: &mut Command, log: &Path, socket: &Path) -> Daemon {
        let hierarchies = hierarchies::steady();
        let file = File::create(log).expect("a log");
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a descriptor"))
            .stderr(file);
        let mut daemon = Daemon {
            child: command.spawn().expect("it is installed"),
            log: log.to_owned(),
            _hierarchies: hierarchies,
        };
        let end = Instant::now() + PATIENCE;
        while UnixStream::connect(socket).is_err() {
            let ended = daemon.child.try_wait().expect("our own child");
            assert!(
                ended.is_none() && Instant::now() < end,
                "no answer from {command:?}, {ended:?}:\n{}",
                std::fs::read_to_string(log).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon
    }

    /// The end of its log, without what is only told for information.
    fn tell(&self) {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.contains("level=info"))
            .collect();
        for line in &lines[lines.len().saturating_sub(20)..] {
            eprintln!("{line}");
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell();
        }
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let end = Instant::now() + PATIENCE;
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() > end {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
