//! The container's standard streams: pipes between it and the monitor. A terminal is made by the
//! container itself, in its own devpts.

use std::os::fd::OwnedFd;

use berth_model::task::TaskRequest;
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::error::{Result, step};
use crate::process::Stdio;

/// The monitor's ends, non-blocking.
#[derive(Default)]
pub struct Streams {
    /// Write end of standard input.
    pub stdin: Option<OwnedFd>,
    /// Read end of standard output.
    pub stdout: Option<OwnedFd>,
    /// Read end of standard error.
    pub stderr: Option<OwnedFd>,
    /// Master of the terminal, in place of all three.
    pub terminal: Option<OwnedFd>,
}

impl Streams {
    /// Makes the pipes, whose other ends are the container's; none with a terminal.
    ///
    /// # Errors
    /// [`Error::Step`]: no descriptors or memory left.
    pub fn make(request: &TaskRequest) -> Result<(Streams, Stdio)> {
        if request.terminal {
            return Ok((Streams::default(), Stdio::Terminal));
        }
        let fail = |e: rustix::io::Errno| step("make the standard streams", e);
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(fail);
        let (stdout, stdout_end) = pipe()?;
        let (stderr, stderr_end) = pipe()?;
        let (stdin_end, stdin) = if request.stdin {
            let (read, write) = pipe()?;
            (read, Some(write))
        } else {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let null = rustix::fs::open("/dev/null", flags, Mode::empty());
            (null.map_err(fail)?, None)
        };
        // Each end of a pipe has its own flags: the container's stay blocking.
        for ours in [Some(&stdout), Some(&stderr), stdin.as_ref()]
            .into_iter()
            .flatten()
        {
            rustix::io::ioctl_fionbio(ours, true).map_err(fail)?;
        }
        let streams = Streams {
            stdin,
            stdout: Some(stdout),
            stderr: Some(stderr),
            terminal: None,
        };
        Ok((
            streams,
            Stdio::Fds {
                stdin: stdin_end,
                stdout: stdout_end,
                stderr: stderr_end,
            },
        ))
    }

    /// Takes the terminal that the container made.
    ///
    /// # Errors
    /// [`Error::Step`].
    pub fn adopt(&mut self, terminal: Option<OwnedFd>) -> Result<()> {
        if let Some(terminal) = &terminal {
            rustix::io::ioctl_fionbio(terminal, true)
                .map_err(|e| step("set up the terminal", e))?;
        }
        self.terminal = terminal;
        Ok(())
    }
}
