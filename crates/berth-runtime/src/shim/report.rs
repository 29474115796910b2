//! The sync pipe to the engine: one JSON [`ShimReport`] a line, of which the last one counts.

use std::io;
use std::os::fd::OwnedFd;

use berth_model::task::{Pid, RuntimeFailure, ShimReport};

use crate::error::{Error, Result};
use crate::json;

/// The pipe's write end. It is close-on-exec: the engine reads its end when the monitor has begun.
pub struct Reporter(OwnedFd);

impl Reporter {
    /// Takes over the descriptor.
    ///
    /// # Errors
    /// `EBADF` when it is not open.
    pub fn take(number: i32) -> io::Result<Reporter> {
        berth_sys::process::inherited_fd(number).map(Reporter)
    }

    /// Init runs its program.
    ///
    /// # Errors
    /// [`Error::Sync`]: the engine is gone, and with it whoever asked for the container.
    pub fn started(&mut self, pid: Pid) -> Result<()> {
        self.write(&ShimReport::Started(pid))
            .map_err(|source| Error::Sync { source })
    }

    /// Nothing runs. Nobody is left to tell when this fails.
    pub fn failed(&mut self, failure: RuntimeFailure) {
        let _ = self.write(&ShimReport::Failed(failure));
    }

    fn write(&mut self, report: &ShimReport) -> io::Result<()> {
        let mut line = json::write(report)?;
        line.push(b'\n');
        Ok(berth_fs::atomic::write_all(&self.0, &line)?)
    }
}
