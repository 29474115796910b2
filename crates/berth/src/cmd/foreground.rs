//! Standing for a container: its output, its input, its signals, its exit code. Shared by `run`,
//! `start --attach` and `attach`.

use std::io::IsTerminal;
use std::os::fd::AsFd;

use berth_engine::Engine;
use berth_engine::attach::{
    AttachStream, DetachKeys, Outcome as Ended, Session, Signals, Wants, terminal,
};
use berth_engine::start::StartOptions;
use berth_model::ContainerId;

use crate::ui::diagnostic::Failure;
use crate::verbs::Outcome;

/// How to stand for it.
pub struct Foreground {
    /// Pass our standard input on.
    pub stdin: bool,
    /// Show what the container writes: its output, its errors.
    pub shown: (bool, bool),
    /// The container has a terminal.
    pub tty: bool,
    /// Pass signals on.
    pub sig_proxy: bool,
    /// Which keys detach.
    pub detach_keys: DetachKeys,
}

impl Foreground {
    /// Starts the container attached from its first byte, and stays until it ends or is left. We clean up
    /// after it, so that nothing of it is there any more when the command returns.
    ///
    /// # Errors
    /// The start or the connection failed.
    pub fn start(self, engine: &Engine, id: &ContainerId) -> Outcome {
        check_terminal(self.stdin, self.tty)?;
        // Before the container is there: no signal is missed.
        let signals = Signals::listen()?;
        let (mut stream, shims_end) = AttachStream::foreground(self.wants())?;
        let console_size = if self.tty {
            terminal::size(std::io::stdout())
        } else {
            None
        };
        engine.start(
            id,
            StartOptions {
                client: Some(shims_end),
                console_size,
            },
        )?;
        let ended = self.session(engine, id, &mut stream, &signals)?;
        if let Ended::Exited { .. } = ended {
            engine.take_over(stream, id);
        }
        code(ended)
    }

    /// Attaches to a container that runs.
    ///
    /// # Errors
    /// The connection failed.
    pub fn attach(self, engine: &Engine, id: &ContainerId) -> Outcome {
        check_terminal(self.stdin, self.tty)?;
        let signals = Signals::listen()?;
        let mut stream = engine.attach(id, self.wants())?;
        let ended = self.session(engine, id, &mut stream, &signals)?;
        code(ended)
    }

    fn wants(&self) -> Wants {
        Wants {
            stdin: self.stdin,
            stdout: self.shown.0,
            stderr: self.shown.1,
        }
    }

    fn session(
        self,
        engine: &Engine,
        id: &ContainerId,
        stream: &mut AttachStream,
        signals: &Signals,
    ) -> Result<Ended, Failure> {
        let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        // A signal to a container that has just ended has nobody to reach.
        let mut forward = |signal: i32| drop(engine.kill(id, signal));
        let session = Session {
            stream,
            stdin: self.stdin.then(|| stdin.as_fd()),
            stdout: stdout.as_fd(),
            stderr: stderr.as_fd(),
            tty: self.tty,
            detach_keys: self.detach_keys,
            signals,
            forward: if self.sig_proxy {
                Some(&mut forward)
            } else {
                None
            },
        };
        let ended = session.run()?;
        if ended == Ended::Detached {
            engine.record_of(id, "detach");
        }
        Ok(ended)
    }
}

/// Docker refuses a terminal whose input is none.
///
/// # Errors
/// Standard input is not a terminal, and a terminal is asked for.
pub fn check_terminal(stdin: bool, tty: bool) -> Result<(), Failure> {
    if stdin && tty && !std::io::stdin().is_terminal() {
        return Err(Failure::new("the input device is not a TTY")
            .hint("leave -t out when the input comes from a pipe or file")
            .code(1));
    }
    Ok(())
}

fn code(ended: Ended) -> Outcome {
    match ended {
        Ended::Exited { code, .. } => Ok(u8::try_from(code).unwrap_or(255)),
        Ended::Detached => Ok(0),
        Ended::Interrupted(signal) => Ok(u8::try_from(128 + signal).unwrap_or(255)),
        // As a program that SIGPIPE ended.
        Ended::OutputClosed => Ok(141),
        Ended::Lost => Err(Failure::new("the container's monitor died")
            .hint("`berth fsck --repair` puts the container's state right")),
    }
}
