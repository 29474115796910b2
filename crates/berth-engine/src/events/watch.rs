//! Waiting for more events.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use crate::Error;

/// Becomes readable when something was written. One of it serves any number of readers in a process: of these watches
/// a user may have few (128 by default).
#[derive(Debug)]
pub struct EventWatch {
    notify: OwnedFd,
    dir: PathBuf,
}

impl EventWatch {
    pub(crate) fn new(dir: &Path) -> Result<EventWatch, Error> {
        let failed = |source: Errno| Error::Io {
            action: "watch",
            path: dir.to_owned(),
            source: source.into(),
        };
        let notify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(failed)?;
        let flags = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
        inotify::add_watch(&notify, dir, flags).map_err(failed)?;
        Ok(EventWatch {
            notify,
            dir: dir.to_owned(),
        })
    }

    /// Waits until something was written, or for `timeout`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn wait(&self, timeout: Option<Duration>) -> Result<(), Error> {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        match poll(
            &mut [PollFd::new(&self.notify, PollFlags::IN)],
            timeout.as_ref(),
        ) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(source) => {
                return Err(Error::Io {
                    action: "watch",
                    path: self.dir.clone(),
                    source: source.into(),
                });
            }
        }
        self.clear();
        Ok(())
    }

    /// Takes notice of what was written up to now: then it is readable again only after something more.
    pub fn clear(&self) {
        let mut told = [0; 4096];
        while rustix::io::read(&self.notify, &mut told).is_ok_and(|length| length > 0) {}
    }
}

impl AsFd for EventWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.notify.as_fd()
    }
}

impl AsRawFd for EventWatch {
    fn as_raw_fd(&self) -> RawFd {
        self.notify.as_raw_fd()
    }
}
