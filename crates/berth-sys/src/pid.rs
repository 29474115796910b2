//! Process numbers that cannot lie: a process is its pid together with its start time (security: R28).
//!
//! A pid may be another process's by the time it is used. A pidfd stays with one process, and the start
//! time, read after the pidfd was opened, says which one that is.
//!
//! Source: proc_pid_stat(5), pidfd_open(2).

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Field 22 of `/proc/PID/stat`: clock ticks since boot.
///
/// # Errors
/// There is no such process.
pub fn start_time(pid: i32) -> io::Result<u64> {
    stat(pid).map(|(_, start_time)| start_time)
}

/// Whether the process `pid` that began at `start_time` lives (a zombie does not).
pub fn is_alive(pid: i32, start_time: u64) -> bool {
    stat(pid).is_ok_and(|(state, began)| began == start_time && !matches!(state, b'Z' | b'X'))
}

/// The process `pid` that began at `start_time`; `None` when that one has ended.
///
/// # Errors
/// The kernel's: `EMFILE`, `ENFILE`, `ENOMEM`.
pub fn open(pid: i32, start_time: u64) -> Result<Option<OwnedFd>, Errno> {
    let Some(number) = Some(pid).filter(|pid| *pid > 0).and_then(Pid::from_raw) else {
        return Ok(None);
    };
    match pidfd_open(number, PidfdFlags::empty()) {
        // Asked after it is held: the number cannot change hands any more.
        Ok(pidfd) => Ok(is_alive(pid, start_time).then_some(pidfd)),
        Err(Errno::SRCH | Errno::INVAL) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// State letter and start time.
fn stat(pid: i32) -> io::Result<(u8, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
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
        assert!(open(own, began).unwrap().is_some() && is_alive(own, began));
        assert!(open(own, began + 1).unwrap().is_none() && !is_alive(own, began + 1));
        assert!(open(-1, 0).unwrap().is_none());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let (pid, began) = (child.id() as i32, start_time(child.id() as i32).unwrap());
        while stat(pid).unwrap().0 != b'Z' {
            std::thread::yield_now();
        }
        assert!(open(pid, began).unwrap().is_none(), "a zombie has ended");
        assert!(!is_alive(pid, began));
        child.wait().unwrap();
    }
}
