//! Process numbers that cannot lie: a pid together with its start time.
//!
//! Source: proc(5), `/proc/PID/stat`; pidfd_open(2).

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::error::{Error, Result};

/// Field 22 of `/proc/PID/stat`: clock ticks since boot.
///
/// # Errors
/// [`Error::ReadFile`]: there is no such process.
pub fn start_time(pid: i32) -> Result<u64> {
    stat(pid).map(|(_, start_time)| start_time)
}

/// The process `pid` that began at `start_time`; `None` when that one has ended (security: R28).
///
/// # Errors
/// [`Error::Step`].
pub fn open(pid: i32, start_time: u64) -> Result<Option<OwnedFd>> {
    let Some(number) = Some(pid).filter(|pid| *pid > 0).and_then(Pid::from_raw) else {
        return Ok(None);
    };
    let pidfd = match pidfd_open(number, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(rustix::io::Errno::SRCH | rustix::io::Errno::INVAL) => return Ok(None),
        Err(errno) => {
            return Err(Error::Step {
                action: "open the container's process",
                source: errno.into(),
            });
        }
    };
    // Read after it is held: the number cannot change hands any more.
    match stat(pid) {
        Ok((state, began)) if began == start_time && !matches!(state, b'Z' | b'X') => {
            Ok(Some(pidfd))
        }
        _ => Ok(None),
    }
}

/// State letter and start time.
fn stat(pid: i32) -> Result<(u8, u64)> {
    let path = PathBuf::from(format!("/proc/{pid}/stat"));
    let text = std::fs::read_to_string(&path).map_err(|source| Error::ReadFile {
        path: path.clone(),
        source,
    })?;
    parse(&text).ok_or_else(|| Error::ReadFile {
        path,
        source: io::ErrorKind::InvalidData.into(),
    })
}

/// The name in field 2 may hold blanks and parentheses, so counting begins after the last one.
fn parse(stat: &str) -> Option<(u8, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_does_not_shift_the_fields() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 99";
        assert_eq!(
            parse(&format!("12 (a) R 1 (b)) {rest}")),
            Some((b'S', 4242))
        );
        assert_eq!(parse("12 (a) S 1"), None);
    }

    #[test]
    fn another_start_time_is_another_process() {
        let own = std::process::id() as i32;
        let began = start_time(own).unwrap();
        assert!(open(own, began).unwrap().is_some());
        assert!(open(own, began + 1).unwrap().is_none());
        assert!(open(-1, 0).unwrap().is_none());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let (pid, began) = (child.id() as i32, start_time(child.id() as i32).unwrap());
        while stat(pid).unwrap().0 != b'Z' {
            std::thread::yield_now();
        }
        assert!(open(pid, began).unwrap().is_none(), "a zombie has ended");
        child.wait().unwrap();
    }
}
