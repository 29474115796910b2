//! Joins a container to the user's terminal, or to the caller's pipes, until it ends or is left.
//!
//! One loop, nothing in it waits but the poll: a reader that pauses, a container that does not take
//! its input and a signal cannot hold each other up.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read};

use super::detach::DetachKeys;
use super::error::Error;
use super::output::Output;
use super::signals::{Signal, Signals};
use super::stream::{AttachStream, Event};
use super::terminal::{self, RawTerminal};

/// What a session needs.
pub struct Session<'a> {
    /// The connection.
    pub stream: &'a mut AttachStream,
    /// What feeds the container's standard input, if anything.
    pub stdin: Option<BorrowedFd<'a>>,
    /// Where its standard output goes.
    pub stdout: BorrowedFd<'a>,
    /// Where its standard error goes.
    pub stderr: BorrowedFd<'a>,
    /// The container has a terminal: ours becomes raw, sizes are passed on, keys may detach.
    pub tty: bool,
    /// The keys that detach.
    pub detach_keys: DetachKeys,
    /// Signals that came to us.
    pub signals: &'a Signals,
    /// Passes a signal on to the container; without it a signal ends the session.
    pub forward: Option<&'a mut dyn FnMut(i32)>,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The container ended; all of its output was written.
    Exited {
        /// The exit status; 128 + n for signal n.
        code: i32,
        /// The out-of-memory killer struck.
        oom_killed: bool,
    },
    /// The user typed the detach keys.
    Detached,
    /// A signal came that was not to be forwarded.
    Interrupted(i32),
    /// Nobody reads our output any more; the container runs on.
    OutputClosed,
    /// The monitor died.
    Lost,
}

const READ: usize = 32 * 1024;

struct Run<'a> {
    session: Session<'a>,
    outputs: [Output<'a>; 2],
    /// Input read and not yet sent.
    typed: Vec<u8>,
    /// Standard input ended and the monitor is yet to be told.
    ending: bool,
    /// Our terminal's size changed and the monitor is yet to be told.
    resizing: bool,
    outcome: Option<Outcome>,
}

impl<'a> Session<'a> {
    /// Runs until the container ends or the user leaves. The terminal is restored before it returns.
    ///
    /// # Errors
    /// Failures of the connection, of the terminal and of our own streams.
    pub fn run(self) -> Result<Outcome, Error> {
        let _raw = match self.stdin {
            Some(stdin) if self.tty => RawTerminal::enter(stdin)?,
            _ => None,
        };
        let outputs = [Output::new(self.stdout), Output::new(self.stderr)];
        let mut run = Run {
            resizing: self.tty,
            session: self,
            outputs,
            typed: Vec::new(),
            ending: false,
            outcome: None,
        };
        loop {
            if let Some(outcome) = run.outcome
                && run.outputs.iter().all(Output::is_empty)
            {
                return Ok(outcome);
            }
            run.turn()?;
        }
    }
}

impl Run<'_> {
    fn turn(&mut self) -> Result<(), Error> {
        let none = PollFlags::empty();
        let when = |wanted: bool, flag| if wanted { flag } else { none };
        let idle = self.outputs.iter().all(Output::is_empty);
        let sending = !self.typed.is_empty() || self.ending || self.resizing;
        let stream_wants =
            when(idle && self.outcome.is_none(), PollFlags::IN) | when(sending, PollFlags::OUT);
        let stream = &*self.session.stream;
        let mut fds = vec![PollFd::new(self.session.signals, PollFlags::IN)];
        // What is asked nothing is left out: poll would report its hang-up again and again.
        let at_stream = add(
            &mut fds,
            PollFd::new(stream, stream_wants),
            stream_wants != none,
        );
        let at_outputs = [0, 1].map(|index| {
            let output = &self.outputs[index];
            add(
                &mut fds,
                PollFd::new(output, PollFlags::OUT),
                !output.is_empty(),
            )
        });
        let stdin = self
            .session
            .stdin
            .filter(|_| !sending && self.outcome.is_none());
        let at_stdin = match &stdin {
            Some(stdin) => add(&mut fds, PollFd::new(stdin, PollFlags::IN), true),
            None => None,
        };
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(source) => {
                return Err(Error::Stdio {
                    action: "wait for events",
                    source,
                });
            }
        }
        let events: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        let ready = |at: Option<usize>| at.is_some_and(|at| !events[at].is_empty());
        if ready(Some(0)) {
            self.take_signals()?;
        }
        for (index, at) in at_outputs.into_iter().enumerate() {
            if ready(at) && !self.outputs[index].flush()? {
                self.output_closed(index);
            }
        }
        if ready(at_stdin) {
            self.read_stdin()?;
        }
        if ready(at_stream) {
            self.send_input();
            if idle && self.outcome.is_none() {
                self.receive()?;
            }
        }
        Ok(())
    }

    fn output_closed(&mut self, index: usize) {
        self.outputs[index].discard();
        self.outcome.get_or_insert(Outcome::OutputClosed);
    }

    fn take_signals(&mut self) -> Result<(), Error> {
        while let Some(signal) = self.session.signals.take()? {
            match (signal, &mut self.session.forward) {
                (Signal::Resized, _) => self.resizing = self.session.tty,
                (Signal::Other(number), Some(forward)) => forward(number),
                (Signal::Other(number), None) => {
                    self.outcome.get_or_insert(Outcome::Interrupted(number));
                }
            }
        }
        Ok(())
    }

    fn read_stdin(&mut self) -> Result<(), Error> {
        let Some(stdin) = self.session.stdin else {
            return Ok(());
        };
        let mut buffer = [0; READ];
        match read(stdin, &mut buffer) {
            // A terminal that hung up reads as an error.
            Ok(0) | Err(Errno::IO) => {
                self.session.stdin = None;
                self.ending = true;
            }
            Ok(length) if self.session.tty => {
                if self
                    .session
                    .detach_keys
                    .filter(&buffer[..length], &mut self.typed)
                {
                    self.outcome = Some(Outcome::Detached);
                }
            }
            Ok(length) => self.typed.extend_from_slice(&buffer[..length]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(source) => {
                return Err(Error::Stdio {
                    action: "read standard input",
                    source,
                });
            }
        }
        self.send_input();
        Ok(())
    }

    fn send_input(&mut self) {
        if self.try_send_input().is_err() {
            // The monitor is gone; what it still said is there to be read.
            self.typed.clear();
            (self.ending, self.resizing) = (false, false);
            self.session.stdin = None;
        }
    }

    fn try_send_input(&mut self) -> Result<(), Error> {
        let stream = &*self.session.stream;
        if self.resizing {
            let size = terminal::size(self.session.stdout)
                .or_else(|| self.session.stdin.and_then(terminal::size));
            let sent = size.map_or(Ok(true), |(rows, columns)| stream.try_resize(rows, columns));
            self.resizing = !sent?;
        }
        while !self.typed.is_empty() {
            match stream.try_write_stdin(&self.typed)? {
                0 => return Ok(()),
                sent => drop(self.typed.drain(..sent)),
            }
        }
        if self.ending {
            self.ending = !stream.try_close_stdin()?;
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<(), Error> {
        match self.session.stream.try_receive()? {
            Some(Event::Stdout(data)) => self.outputs[0].push(data),
            Some(Event::Stderr(data)) => self.outputs[1].push(data),
            Some(Event::Exit { code, oom_killed }) => {
                self.outcome = Some(Outcome::Exited { code, oom_killed });
            }
            Some(Event::End) => self.outcome = Some(Outcome::Lost),
            None => {}
        }
        Ok(())
    }
}

fn add<'f>(fds: &mut Vec<PollFd<'f>>, fd: PollFd<'f>, wanted: bool) -> Option<usize> {
    wanted.then(|| {
        fds.push(fd);
        fds.len() - 1
    })
}

#[cfg(test)]
mod tests;
