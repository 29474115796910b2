//! Waiting for more of a log, and noticing the container's end.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::Error;

/// What following needs to know of the container.
pub struct Follow<'a> {
    /// The directory in which `exit.json` appears.
    pub exit_dir: &'a Path,
    /// Whether the container still runs; asked after each event, and once a second.
    pub is_running: &'a mut dyn FnMut() -> bool,
}

/// Longest wait in milliseconds: a monitor that was killed leaves no event.
const WAIT_MS: i64 = 1000;

pub(super) struct Watch<'a> {
    follow: Follow<'a>,
    notify: OwnedFd,
    log: PathBuf,
}

impl<'a> Watch<'a> {
    pub(super) fn new(log: &Path, follow: Follow<'a>) -> Result<Watch<'a>, Error> {
        let error = |source: Errno| Error::Watch {
            path: log.to_owned(),
            source: source.into(),
        };
        let notify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(error)?;
        let log_events = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
        let log_dir = log.parent().unwrap_or(Path::new("."));
        inotify::add_watch(&notify, log_dir, log_events | WatchFlags::MASK_ADD).map_err(error)?;
        let exit_events = WatchFlags::MOVED_TO | WatchFlags::DELETE_SELF | WatchFlags::MASK_ADD;
        inotify::add_watch(&notify, follow.exit_dir, exit_events).map_err(error)?;
        Ok(Watch {
            follow,
            notify,
            log: log.to_owned(),
        })
    }

    pub(super) fn is_running(&mut self) -> bool {
        (self.follow.is_running)()
    }

    /// Waits for an event, or for a while.
    pub(super) fn wait(&self) -> Result<(), Error> {
        let error = |source: Errno| Error::Watch {
            path: self.log.clone(),
            source: source.into(),
        };
        let timeout = Timespec {
            tv_sec: WAIT_MS / 1000,
            tv_nsec: WAIT_MS % 1000 * 1_000_000,
        };
        let mut fds = [PollFd::new(&self.notify, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(source) => return Err(error(source)),
        }
        // What happened does not matter: everything is looked at again.
        let mut events = [0; 4096];
        loop {
            match rustix::io::read(&self.notify, &mut events) {
                Ok(length) if length > 0 => {}
                Ok(_) | Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Err(source) => return Err(error(source)),
            }
        }
    }
}
