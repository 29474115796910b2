//! A daemon of the test's own.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a daemon may take to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running daemon; ended with this.
pub struct Daemon(Child);

impl Daemon {
    /// Starts it, its output in `log`, and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    pub fn start(command: &mut Command, log: &Path, answers: impl Fn() -> bool) -> Daemon {
        let file = File::create(log).expect("a log");
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a descriptor"))
            .stderr(file);
        let mut daemon = Daemon(command.spawn().expect("it is installed"));
        let end = Instant::now() + PATIENCE;
        while !answers() {
            let ended = daemon.0.try_wait().expect("our own child");
            assert!(
                ended.is_none() && Instant::now() < end,
                "no answer from {command:?}, {ended:?}:\n{}",
                std::fs::read_to_string(log).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let end = Instant::now() + PATIENCE;
        while let Ok(None) = self.0.try_wait() {
            if Instant::now() > end {
                let _ = self.0.kill();
                let _ = self.0.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The end of a daemon's log, without what is only told for information.
pub fn tell(log: &Path) {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("level=info"))
        .collect();
    for line in &lines[lines.len().saturating_sub(20)..] {
        eprintln!("{line}");
    }
}
