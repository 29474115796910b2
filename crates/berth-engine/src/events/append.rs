//! Writing an event down.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use berth_fs::atomic::write_all;
use berth_fs::{Durability, Lock, LockMode, failpoint};
use berth_model::Event;
use jiff::Timestamp;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::Error;
use crate::error::files;

/// The file that is written.
pub(super) const LOG: &str = "log";
/// The one before.
pub(super) const OLD: &str = "log.1";
/// A file that would be longer is moved away first.
const MAX_BYTES: u64 = 1 << 20;
/// What is read at once in search of a line's end.
const BLOCK: usize = 4096;

/// Adds `event`, with the time at which it is written, to the log in `dir`.
pub(super) fn append(dir: &Path, mut event: Event) -> Result<(), Error> {
    let path = dir.join(LOG);
    let failed = |source: Errno| Error::Io {
        action: "write",
        path: path.clone(),
        source: source.into(),
    };
    loop {
        let lock = Lock::take(open(&path).map_err(failed)?, &path, LockMode::Exclusive)
            .map_err(files("lock the log of events"))?;
        if !lock.still_at(&path) {
            // Moved away while we waited.
            continue;
        }
        let file = lock.as_fd();
        let length = whole(file).map_err(failed)?;
        // In the lock: so the order of lines is the order of times.
        let now = Timestamp::now();
        event.time = now.as_second();
        event.time_nano = i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX);
        let mut line = serde_json::to_vec(&event).map_err(|source| Error::Damaged {
            path: path.clone(),
            source,
        })?;
        line.push(b'\n');
        if length > 0 && length + line.len() as u64 > MAX_BYTES {
            berth_fs::rename(&path, &dir.join(OLD), Durability::Volatile)
                .map_err(files("move the log of events away"))?;
            continue;
        }
        failpoint!("event.append");
        return write_all(file, &line).map_err(|error| {
            // No room for all of it: none of it. If this fails too, the next writer does it.
            let _ = rustix::fs::ftruncate(file, length);
            failed(error)
        });
    }
}

fn open(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)
}

/// The length up to the end of the last whole line; what a killed writer left behind it is cut off.
fn whole(file: BorrowedFd<'_>) -> Result<u64, Errno> {
    let length = rustix::fs::fstat(file)?.st_size as u64;
    let end = last_line_end(file, length)?;
    if end < length {
        rustix::fs::ftruncate(file, end)?;
    }
    Ok(end)
}

/// Where the last whole line below `length` ends; 0: there is none.
pub(super) fn last_line_end(file: BorrowedFd<'_>, length: u64) -> Result<u64, Errno> {
    // Nearly always it is the last byte.
    let mut block = [0; BLOCK];
    let mut end = length;
    let mut wanted = 1;
    while end > 0 {
        let begin = end.saturating_sub(wanted);
        let part = &mut block[..(end - begin) as usize];
        let read = rustix::io::pread(file, &mut *part, begin)?;
        if let Some(at) = part[..read].iter().rposition(|&byte| byte == b'\n') {
            return Ok(begin + at as u64 + 1);
        }
        end = begin;
        wanted = BLOCK as u64;
    }
    Ok(0)
}
