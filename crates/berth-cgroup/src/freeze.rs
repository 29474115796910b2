//! Stops and resumes all processes of a cgroup.
//!
//! v2: `cgroup.freeze`, and `cgroup.events` says `frozen 1` once all have stopped (it notifies
//! by POLLPRI). v1: `freezer.state`, which reads FREEZING until it is FROZEN.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::Cgroup;
use crate::dir::Dir;
use crate::error::{Error, Result};

/// How long processes may take to stop: one in an uninterruptible wait never does.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Cgroup {
    /// Stops all processes and waits until they have stopped.
    ///
    /// # Errors
    /// [`Error::FreezeTimeout`] (thawed again), [`Error::NoFreezer`], or the kernel's.
    pub fn freeze(&self) -> Result<()> {
        let done = match (self.unified(), self.dir_with("freezer.state")) {
            (Some(dir), _) => {
                dir.write("cgroup.freeze", "1")?;
                wait_frozen_v2(dir)?
            }
            (None, Some(dir)) => wait_frozen_v1(dir)?,
            (None, None) => return Err(Error::NoFreezer),
        };
        if !done {
            self.thaw()?;
            let path = self
                .dirs
                .first()
                .map(|d| d.path.clone())
                .unwrap_or_default();
            return Err(Error::FreezeTimeout {
                path,
                timeout_ms: TIMEOUT.as_millis() as u64,
            });
        }
        Ok(())
    }

    /// Resumes all processes.
    ///
    /// # Errors
    /// [`Error::NoFreezer`], or the kernel's.
    pub fn thaw(&self) -> Result<()> {
        match self.unified() {
            Some(dir) => dir.write("cgroup.freeze", "0"),
            None if self.dir_with("freezer.state").is_none() => Err(Error::NoFreezer),
            None => self.thaw_v1(),
        }
    }

    /// Whether all processes are stopped by [`Cgroup::freeze`].
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn is_frozen(&self) -> Result<bool> {
        match (self.unified(), self.dir_with("freezer.state")) {
            (Some(dir), _) => frozen_v2(dir),
            (None, Some(dir)) => Ok(dir.read("freezer.state")?.trim() == "FROZEN"),
            (None, None) => Ok(false),
        }
    }

    /// The same for who asks again and again; `None`: there is nothing that freezes.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn frozen_file(&self) -> Result<Option<FrozenFile>> {
        let (dir, name, word) = match (self.unified(), self.dir_with("freezer.state")) {
            (Some(dir), _) => (dir, "cgroup.events", "frozen 1"),
            (None, Some(dir)) => (dir, "freezer.state", "FROZEN"),
            (None, None) => return Ok(None),
        };
        let file = dir.open_file(name).map_err(|source| Error::ReadFile {
            path: dir.path.join(name),
            source,
        })?;
        Ok(Some(FrozenFile { file, word }))
    }

    pub(crate) fn thaw_v1(&self) -> Result<()> {
        match self.v1().find(|d| d.has("freezer.state")) {
            Some(dir) => dir.write("freezer.state", "THAWED"),
            None => Ok(()),
        }
    }
}

/// A cgroup's state of freezing, to be read again and again.
#[derive(Debug)]
pub struct FrozenFile {
    file: OwnedFd,
    /// The line that says so.
    word: &'static str,
}

impl FrozenFile {
    /// Whether all processes are stopped; not, if the cgroup is gone.
    pub fn is_frozen(&self) -> bool {
        let mut bytes = [0; 256];
        let read = rustix::io::pread(&self.file, &mut bytes, 0).unwrap_or(0);
        let mut lines = bytes[..read].split(|byte| *byte == b'\n');
        lines.any(|line| line == self.word.as_bytes())
    }
}

fn frozen_v2(dir: &Dir) -> Result<bool> {
    Ok(dir
        .read("cgroup.events")?
        .lines()
        .any(|line| line == "frozen 1"))
}

fn wait_frozen_v2(dir: &Dir) -> Result<bool> {
    let path = || dir.path.join("cgroup.events");
    let events = dir
        .open_file("cgroup.events")
        .map_err(|source| Error::ReadFile {
            path: path(),
            source,
        })?;
    let deadline = Instant::now() + TIMEOUT;
    loop {
        // Reading before polling arms the notification, so no change is missed.
        let mut bytes = [0u8; 256];
        let n = rustix::io::pread(&events, &mut bytes, 0).map_err(|source| Error::ReadFile {
            path: path(),
            source,
        })?;
        if bytes[..n]
            .split(|b| *b == b'\n')
            .any(|line| line == b"frozen 1")
        {
            return Ok(true);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let timeout = Timespec {
            tv_sec: left.as_secs() as i64,
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut fds = [PollFd::new(&events, PollFlags::PRI)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(source) => {
                return Err(Error::ReadFile {
                    path: path(),
                    source,
                });
            }
        }
    }
}

fn wait_frozen_v1(dir: &Dir) -> Result<bool> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        // Written again each time: a process forked meanwhile may have been missed.
        dir.write("freezer.state", "FROZEN")?;
        if dir.read("freezer.state")?.trim() == "FROZEN" {
            return Ok(true);
        }
        if Instant::now() > deadline {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}
