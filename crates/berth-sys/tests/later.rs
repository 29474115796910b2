//! Files that are closed without waiting. One test: the choice is the whole process's.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{PipeReader, Read as _, pipe};
use std::os::fd::OwnedFd;
use std::time::Duration;

use berth_sys::later;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Whether all writing ends are closed within this time.
fn is_closed(reader: &PipeReader, time: Duration) -> bool {
    let time = Timespec::try_from(time).unwrap();
    poll(&mut [PollFd::new(reader, PollFlags::IN)], Some(&time)).unwrap() == 1
}

#[test]
fn in_a_thread_or_at_the_end() {
    let long = Duration::from_secs(10);
    let (reader, writer) = pipe().unwrap();
    later::close(OwnedFd::from(writer));
    assert!(is_closed(&reader, long), "in a thread");

    later::until_end();
    let (mut reader, writer) = pipe().unwrap();
    later::close(OwnedFd::from(writer));
    assert!(!is_closed(&reader, Duration::from_millis(100)), "kept");
    // More than it keeps.
    let many: Vec<PipeReader> = (0..40)
        .map(|_| {
            let (reader, writer) = pipe().unwrap();
            later::close(OwnedFd::from(writer));
            reader
        })
        .collect();
    let closed = many
        .iter()
        .filter(|one| is_closed(one, Duration::from_millis(100)));
    assert!(closed.count() >= 24);
    later::end();
    assert!(is_closed(&reader, long) && many.iter().all(|one| is_closed(one, long)));
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
}
