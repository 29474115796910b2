//! `init`: a little process 1 for containers started with `--init`: starts one program, passes signals
//! on to it, reaps orphans, and ends with the program's exit code.
//!
//! The engine binds this very file read-only into the container as `docker-init`; under that name no
//! verb is needed. A single-threaded loop without state: what it does is in front of you.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::Command;

use berth_sys::signals;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, WaitOptions, wait};

/// SIGCHLD.
const CHILD: i32 = 17;
/// What faults raise, and what cannot be caught: not to be passed on.
const NOT_FORWARDED: [i32; 8] = [4, 5, 6, 7, 8, 9, 11, 19];

pub(super) fn main(mut arguments: Vec<String>) -> i32 {
    if arguments.first().is_some_and(|a| a == "--") {
        arguments.remove(0);
    }
    let Some((program, rest)) = arguments.split_first() else {
        eprintln!("error: init: the command is missing");
        return 125;
    };
    match run(program, rest) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: init: {error}");
            125
        }
    }
}

fn run(program: &str, rest: &[String]) -> std::io::Result<i32> {
    let all: Vec<i32> = (1..=signals::MAX)
        .filter(|s| !NOT_FORWARDED.contains(s))
        .collect();
    let listen = signals::listen(&all)?;
    let mut command = Command::new(program);
    // A session's foreground group, if there is a terminal, so that ^C reaches the program only.
    command.args(rest).process_group(0);
    berth_sys::signals::reset_in_child(&mut command);
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("error: exec `{program}`: {error}");
            return Ok(if error.kind() == std::io::ErrorKind::NotFound {
                127
            } else {
                126
            });
        }
    };
    let main = Pid::from_child(&child);
    // Without a terminal there is nothing to give.
    let _ = rustix::termios::tcsetpgrp(rustix::stdio::stdin(), main);
    // From here on it is waited for by number, with all the orphans.
    std::mem::forget(child);
    loop {
        if let Some(code) = reap(main)? {
            return Ok(code);
        }
        next_signals(&listen, main)?;
    }
}

/// Reaps all that have ended; the main program's exit code when it is among them.
fn reap(main: Pid) -> std::io::Result<Option<i32>> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == main => {
                let status = std::process::ExitStatus::from_raw(status.as_raw());
                return Ok(status.code().or_else(|| status.signal().map(|n| 128 + n)));
            }
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn next_signals(listen: &OwnedFd, main: Pid) -> std::io::Result<()> {
    match poll(
        &mut [PollFd::from_borrowed_fd(listen.as_fd(), PollFlags::IN)],
        None,
    ) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    while let Some(number) = signals::read(listen)? {
        if number != CHILD
            && let Ok(pidfd) =
                rustix::process::pidfd_open(main, rustix::process::PidfdFlags::empty())
        {
            // Our child, not reaped yet: the number is its own.
            let _ = signals::send(&pidfd, number);
        }
    }
    Ok(())
}
