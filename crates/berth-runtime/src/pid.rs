//! [`berth_sys::pid`], with this crate's errors.

use std::os::fd::OwnedFd;

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

/// The number of the process behind a pidfd, as this process's pid namespace numbers it: whoever sent it
/// may be in another one. Source: proc(5), `Pid:` in fdinfo.
pub(crate) fn number(pidfd: &OwnedFd) -> Option<i32> {
    use std::os::fd::AsRawFd as _;
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).ok()?;
    info.lines()
        .find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())
}
