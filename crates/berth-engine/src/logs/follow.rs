//! Waiting for more of a log, and noticing the container's end.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::Error;

/// What following needs to know of the container.
pub struct Follow<'a> {
    /// The directory in which `exit.json` appears.
    pub exit_dir: &'a Path,
    /// Whether the container still runs; asked when anything but more text comes, and once a second.
    pub is_running: &'a mut dyn FnMut() -> bool,
}

/// Longest wait: a monitor that was killed leaves no event.
const WAIT: Duration = Duration::from_secs(1);

pub(super) struct Watch<'a> {
    follow: Follow<'a>,
    notify: OwnedFd,
    log: PathBuf,
    /// When it was last seen to run; `None`: to be asked.
    seen: Option<Instant>,
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
            seen: None,
        })
    }

    pub(super) fn is_running(&mut self) -> bool {
        // A look at each line would cost more than the line.
        if self.seen.is_some_and(|seen| seen.elapsed() < WAIT) {
            return true;
        }
        let running = (self.follow.is_running)();
        self.seen = running.then(Instant::now);
        running
    }

    /// Waits for an event, or for a while.
    pub(super) fn wait(&mut self) -> Result<(), Error> {
        let error = |source: Errno| Error::Watch {
            path: self.log.clone(),
            source: source.into(),
        };
        let timeout = Timespec {
            tv_sec: WAIT.as_secs() as i64,
            tv_nsec: WAIT.subsec_nanos().into(),
        };
        let mut fds = [PollFd::new(&self.notify, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(source) => return Err(error(source)),
        }
        let mut place = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(&self.notify, &mut place);
        loop {
            match events.next() {
                Ok(event) if event.events() == ReadFlags::MODIFY => {}
                // A file came or went: the log's next, or the record of the end.
                Ok(_) => self.seen = None,
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Err(source) => return Err(error(source)),
            }
        }
    }
}
