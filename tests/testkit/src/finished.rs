//! A command that has ended, and running one with a limit of time.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// What a command left: its status and its output, as text.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The command line, for messages.
    pub line: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Finished {
    /// Runs `command` with `input` on standard input to its end.
    ///
    /// # Panics
    /// When it cannot be started, takes longer than `limit` (it is killed), or leaves somebody behind who
    /// keeps its output open.
    pub fn run(command: &mut Command, input: &[u8], limit: Duration) -> Finished {
        let line = describe(command);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{line}: {e}"));
        let stdout = collect(child.stdout.take().expect("piped"));
        let stderr = collect(child.stderr.take().expect("piped"));
        let mut stdin = child.stdin.take().expect("piped");
        let input = input.to_vec();
        // The command may end without reading.
        std::thread::spawn(move || stdin.write_all(&input));
        let status = wait(&mut child, limit);
        let text = |from: mpsc::Receiver<Vec<u8>>| {
            let bytes = from.recv_timeout(Duration::from_secs(10));
            bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        match (status, text(stdout), text(stderr)) {
            (Some(status), Ok(stdout), Ok(stderr)) => Finished {
                line,
                status,
                stdout,
                stderr,
            },
            (None, stdout, stderr) => {
                panic!("{line}: no end after {limit:?}: {stdout:?} {stderr:?}")
            }
            (_, stdout, stderr) => panic!(
                "{line}: it ended, but something that it started keeps its output open: {stdout:?} {stderr:?}"
            ),
        }
    }

    /// The exit code; 128 + n when signal n ended it.
    pub fn code(&self) -> i32 {
        self.status
            .code()
            .unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// Its standard output, without the last line break.
    ///
    /// # Panics
    /// When it failed.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert!(self.status.success(), "{self}");
        self.stdout.trim_end_matches('\n')
    }

    /// Its standard error, after checking that it ended with `code`.
    ///
    /// # Panics
    /// When it ended otherwise.
    #[track_caller]
    pub fn fails(&self, code: i32) -> &str {
        assert_eq!(self.code(), code, "{self}");
        &self.stderr
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Finished {
            line,
            status,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "`{line}` ended with {status}\n--- stdout\n{stdout}--- stderr\n{stderr}---"
        )
    }
}

/// The program's name and its arguments.
pub fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn collect(mut from: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        sender.send(bytes)
    });
    receiver
}

/// `None`: it had to be killed.
fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("our own child") {
            return Some(status);
        }
        if Instant::now() > end {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
