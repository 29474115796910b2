//! Is told by the kernel when a cgroup has hit its memory limit.
//!
//! v1 signals an eventfd that was registered in `cgroup.event_control`; v2 modifies `memory.events`,
//! which inotify tells.

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::inotify;
use rustix::io::Errno;

use crate::Cgroup;
use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::usage::value_of;

/// Whoever waits; its descriptor can be polled for reading.
#[derive(Debug)]
pub struct OomWatch<'a> {
    fd: OwnedFd,
    dir: &'a Dir,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// With the file that is watched: closing it would end the watch.
    V1 { _control: OwnedFd },
    /// With the kills so far.
    V2 { seen: u64 },
}

impl Cgroup {
    /// Begins to watch.
    ///
    /// # Errors
    /// [`Error::NoController`] when nobody counts this cgroup's memory; the kernel's.
    pub fn watch_oom(&self) -> Result<OomWatch<'_>> {
        if let Some(dir) = self.v1_of("memory", "memory.oom_control") {
            return v1(dir);
        }
        match self.unified().filter(|dir| dir.has("memory.events")) {
            Some(dir) => v2(dir),
            None => Err(Error::NoController {
                controller: "memory",
                setting: "memory events",
                rootless: false,
            }),
        }
    }
}

fn v1(dir: &Dir) -> Result<OomWatch<'_>> {
    let (file, what) = ("cgroup.event_control", "EVENTFD memory.oom_control");
    let fail = |source| dir.refused(file, what, source);
    let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(fail)?;
    let control = dir.open_file("memory.oom_control").map_err(fail)?;
    let line = format!("{} {}", fd.as_raw_fd(), control.as_raw_fd());
    dir.try_write(file, &line).map_err(fail)?;
    Ok(OomWatch {
        fd,
        dir,
        kind: Kind::V1 { _control: control },
    })
}

fn v2(dir: &Dir) -> Result<OomWatch<'_>> {
    let path = dir.path.join("memory.events");
    let fail = |source| Error::ReadFile {
        path: path.clone(),
        source,
    };
    let fd = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)
        .map_err(fail)?;
    inotify::add_watch(&fd, &path, inotify::WatchFlags::MODIFY).map_err(fail)?;
    Ok(OomWatch {
        fd,
        dir,
        kind: Kind::V2 { seen: kills(dir) },
    })
}

fn kills(dir: &Dir) -> u64 {
    value_of(dir, "memory.events", "oom_kill")
}

impl OomWatch<'_> {
    /// Whether memory has run out since it was asked last.
    ///
    /// # Errors
    /// The kernel's.
    pub fn struck(&mut self) -> Result<bool> {
        let mut bytes = [0; 4096];
        let read = match rustix::io::read(&self.fd, &mut bytes) {
            Ok(n) => n > 0,
            Err(Errno::AGAIN | Errno::INTR) => false,
            Err(source) => {
                return Err(Error::ReadFile {
                    path: self.dir.path.clone(),
                    source,
                });
            }
        };
        match &mut self.kind {
            // The removal of the cgroup signals, too.
            Kind::V1 { .. } => Ok(read && self.dir.has("cgroup.event_control")),
            Kind::V2 { seen } => {
                let before = std::mem::replace(seen, kills(self.dir).max(*seen));
                Ok(*seen > before)
            }
        }
    }
}

impl AsFd for OomWatch<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
