//! The end: `exit.json`, and becoming the engine's clean-up.

use core::ffi::CStr;

use berth_monitor::args::Args;
use berth_monitor::clock;
use berth_monitor::oom;
use berth_monitor::record::{decimal, joined};

use super::signals;
use super::start::CommandLine;
use super::sys::{self, Errno, Fd, Open};

/// Attempts to record the exit on a disk that is full, and the pause between them.
const ATTEMPTS: u32 = 50;
const PAUSE_MS: u32 = 200;

/// How init ended.
#[derive(Clone, Copy)]
pub struct Exit {
    /// The exit status; 128 + n for signal n.
    pub code: i32,
    /// The out-of-memory killer struck; known once recorded.
    pub oom: bool,
    /// It was not seen.
    lost: bool,
    time: [u8; clock::LEN],
}

impl Exit {
    /// From a wait status, now.
    pub fn new(status: i32) -> Self {
        let signal = status & 0x7f;
        let code = if signal == 0 {
            status >> 8 & 0xff
        } else {
            128 + signal
        };
        Exit::now(code, false)
    }

    /// Init is gone and somebody else has its status.
    pub fn lost() -> Self {
        Exit::now(137, true)
    }

    fn now(code: i32, lost: bool) -> Self {
        let (seconds, nanoseconds) = sys::now();
        Exit {
            code,
            oom: false,
            lost,
            time: clock::rfc3339(seconds, nanoseconds),
        }
    }
}

/// Writes `exit.json` (berth-model, `status::Exit`), whole or not at all.
pub fn record(args: &Args<'static>, exit: &mut Exit) {
    exit.oom = args.oom.is_some_and(was_oom_killed);
    for _ in 0..ATTEMPTS {
        match write_record(args, exit) {
            // Without its directory the container was removed, and nobody will ask.
            Ok(()) | Err(Errno::NOENT) => return,
            Err(_) => {}
        }
        let _ = sys::poll(&mut [], Some(PAUSE_MS));
    }
}

fn was_oom_killed(path: &CStr) -> bool {
    let Ok(fd) = sys::open(path, Open::Read) else {
        return false;
    };
    let mut text = [0; 1024];
    let length = sys::read(fd, &mut text).unwrap_or(0);
    sys::close(fd);
    oom::struck(&text[..length])
}

fn write_record(args: &Args<'static>, exit: &Exit) -> Result<(), Errno> {
    let mut place = [0u8; 4096 + 8];
    let path = args.exit.to_bytes();
    let temporary = joined(&[path, b".tmp\0"], &mut place).ok_or(Errno(36))?;
    let temporary = CStr::from_bytes_with_nul(temporary).map_err(|_| Errno(22))?;
    let fd = sys::open(temporary, Open::Fresh)?;
    let durable = args.durable && !args.removing.is_some_and(is_there);
    let written = write_text(fd, exit).and_then(|()| if durable { sys::fsync(fd) } else { Ok(()) });
    sys::close(fd);
    if let Err(error) = written.and_then(|()| sys::rename(temporary, args.exit)) {
        let _ = sys::unlink(temporary);
        return Err(error);
    }
    if durable {
        let end = path
            .iter()
            .rposition(|&byte| byte == b'/')
            .unwrap_or(0)
            .max(1);
        place[..end].copy_from_slice(&path[..end]);
        place[end] = 0;
        let directory = CStr::from_bytes_until_nul(&place).map_err(|_| Errno(22))?;
        let fd = sys::open(directory, Open::Directory)?;
        let synced = sys::fsync(fd);
        sys::close(fd);
        synced?;
    }
    Ok(())
}

fn is_there(path: &CStr) -> bool {
    sys::open(path, Open::Read).map(sys::close).is_ok()
}

fn write_text(fd: Fd, exit: &Exit) -> Result<(), Errno> {
    let (mut text, mut digits) = ([0u8; 160], [0u8; 20]);
    let word = |set: bool| if set { b"true".as_slice() } else { b"false" };
    let code = decimal(exit.code.unsigned_abs().into(), &mut digits);
    let parts = [
        b"{\"code\":".as_slice(),
        code,
        b",\"oom_killed\":",
        word(exit.oom),
        b",\"lost\":",
        word(exit.lost),
        b",\"finished_at\":\"",
        &exit.time,
        b"\"}\n",
    ];
    let text = joined(&parts, &mut text).ok_or(Errno(36))?;
    match sys::write(fd, text)? {
        count if count == text.len() => Ok(()),
        _ => Err(Errno(28)),
    }
}

/// Becomes the program at `reap` of the command line; without one, exits.
pub fn become_reaper(line: &CommandLine, reap: Option<usize>, signal_fd: Fd) -> ! {
    let program = reap.and_then(|index| line.arguments().nth(index).map(|path| (index, path)));
    if let Some((index, path)) = program {
        signals::restore(signal_fd);
        // SAFETY: both vectors are the kernel's own, of this process's start.
        let _ = unsafe { sys::execve(path, line.tail(index), line.environment()) };
        // The next reconcile cleans up: the exit is recorded and the lock free.
        sys::exit(crate::FAILED);
    }
    sys::exit(0)
}
