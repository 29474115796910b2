//! [`berth_sys::pid`], with this crate's errors.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::error::{Error, Result, step};

/// The start time of the process `pid`.
///
/// # Errors
/// [`Error::ReadFile`]: there is no such process.
pub fn start_time(pid: i32) -> Result<u64> {
    berth_sys::pid::start_time(pid).map_err(|source| Error::ReadFile {
        path: format!("/proc/{pid}/stat").into(),
        source,
    })
}

/// The process `pid` that began at `start_time`; `None` when that one has ended (security: R28).
///
/// # Errors
/// [`Error::Step`].
pub fn open(pid: i32, start_time: u64) -> Result<Option<OwnedFd>> {
    berth_sys::pid::open(pid, start_time).map_err(|e| step("open the container's process", e))
}

/// Waits until the process has ended, or for so long: whether it has. It is not reaped.
pub(crate) fn ends_within(pidfd: impl AsFd, limit: Duration) -> std::result::Result<bool, Errno> {
    let limit = Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    };
    let mut wanted = [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
    rustix::io::retry_on_intr(|| poll(&mut wanted, Some(&limit))).map(|ended| ended > 0)
}

/// The number of the process behind a pidfd, as this process's pid namespace numbers it: whoever sent it
/// may be in another one. Source: proc(5), `Pid:` in fdinfo.
pub(crate) fn number(pidfd: &OwnedFd) -> Option<i32> {
    use std::os::fd::AsRawFd as _;
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).ok()?;
    info.lines()
        .find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())
}
