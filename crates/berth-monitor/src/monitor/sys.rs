//! The system calls that the monitor makes, and no other. Errors are errno numbers.

use core::arch::asm;
use core::ffi::CStr;

pub use process::*;
pub use socket::*;

mod number;
mod process;
mod socket;

/// An open file descriptor. Copied freely: the monitor closes few, and the kernel the rest.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fd(pub i32);

impl Fd {
    /// Standard error.
    pub const STDERR: Fd = Fd(2);
    /// Stands for "none" in poll arrays: the kernel skips it.
    pub const NONE: Fd = Fd(-1);
}

/// An error number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    pub const NOENT: Errno = Errno(2);
    pub const INTR: Errno = Errno(4);
    pub const AGAIN: Errno = Errno(11);
    pub const INVAL: Errno = Errno(22);
    pub const MSGSIZE: Errno = Errno(90);
    pub const INPROGRESS: Errno = Errno(115);
}

type Result<T> = core::result::Result<T, Errno>;

/// # Safety
/// As the system call itself: pointers among the arguments must be valid for what the kernel does.
#[cfg(target_arch = "x86_64")]
unsafe fn syscall(number: usize, a: [usize; 6]) -> Result<usize> {
    let result: isize;
    // SAFETY: the caller vouches for the arguments; the kernel changes rax, rcx and r11 only.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2], in("r10") a[3], in("r8") a[4], in("r9") a[5],
            out("rcx") _, out("r11") _, options(nostack));
    }
    check(result)
}

/// # Safety
/// As the system call itself: pointers among the arguments must be valid for what the kernel does.
#[cfg(target_arch = "aarch64")]
unsafe fn syscall(number: usize, a: [usize; 6]) -> Result<usize> {
    let result: isize;
    // SAFETY: the caller vouches for the arguments; the kernel changes x0 only.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a[0] as isize => result,
            in("x1") a[1], in("x2") a[2], in("x3") a[3], in("x4") a[4], in("x5") a[5], options(nostack));
    }
    check(result)
}

fn check(result: isize) -> Result<usize> {
    if result < 0 {
        Err(Errno(-result as i32))
    } else {
        Ok(result as usize)
    }
}

/// A call with numbers only, none of them a pointer.
fn plain(number: usize, a: [usize; 6]) -> Result<usize> {
    // SAFETY: used below only for calls that take no pointers.
    unsafe { syscall(number, a) }
}

const AT_FDCWD: usize = -100isize as usize;
const O_CLOEXEC: usize = 0o2_000_000;

/// How [`open`] opens.
#[derive(Clone, Copy)]
pub enum Open {
    /// To read.
    Read,
    /// A directory, to fsync it.
    Directory,
    /// To append, made when absent.
    Append,
    /// To write from nothing.
    Fresh,
}

#[cfg(target_arch = "x86_64")]
const O_DIRECTORY: usize = 0o200_000;
#[cfg(target_arch = "aarch64")]
const O_DIRECTORY: usize = 0o40_000;

/// Opens `path`; what is made has mode 0600.
pub fn open(path: &CStr, how: Open) -> Result<Fd> {
    let flags = match how {
        Open::Read => 0,
        Open::Directory => O_DIRECTORY,
        Open::Append => 0o1 | 0o100 | 0o2000,
        Open::Fresh => 0o1 | 0o100 | 0o1000,
    };
    let a = [
        AT_FDCWD,
        path.as_ptr() as usize,
        flags | O_CLOEXEC,
        0o600,
        0,
        0,
    ];
    // SAFETY: the path is NUL-terminated and lives through the call.
    unsafe { syscall(number::OPENAT, a) }.map(|fd| Fd(fd as i32))
}

pub fn read(fd: Fd, place: &mut [u8]) -> Result<usize> {
    let a = [
        fd.0 as usize,
        place.as_mut_ptr() as usize,
        place.len(),
        0,
        0,
        0,
    ];
    // SAFETY: the kernel writes within `place`.
    unsafe { syscall(number::READ, a) }
}

pub fn write(fd: Fd, bytes: &[u8]) -> Result<usize> {
    let a = [fd.0 as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0];
    // SAFETY: the kernel reads within `bytes`.
    unsafe { syscall(number::WRITE, a) }
}

/// Closing cannot fail in a way that we could mend.
pub fn close(fd: Fd) {
    let _ = plain(number::CLOSE, [fd.0 as usize, 0, 0, 0, 0, 0]);
}

/// The file's length in bytes.
pub fn length(fd: Fd) -> Result<u64> {
    plain(number::LSEEK, [fd.0 as usize, 0, 2, 0, 0, 0]).map(|at| at as u64)
}

pub fn truncate(fd: Fd, length: u64) -> Result<()> {
    plain(
        number::FTRUNCATE,
        [fd.0 as usize, length as usize, 0, 0, 0, 0],
    )
    .map(drop)
}

pub fn fsync(fd: Fd) -> Result<()> {
    plain(number::FSYNC, [fd.0 as usize, 0, 0, 0, 0, 0]).map(drop)
}

pub fn rename(from: &CStr, to: &CStr) -> Result<()> {
    let a = [
        AT_FDCWD,
        from.as_ptr() as usize,
        AT_FDCWD,
        to.as_ptr() as usize,
        0,
        0,
    ];
    // SAFETY: both paths are NUL-terminated and live through the call.
    unsafe { syscall(number::RENAMEAT2, a) }.map(drop)
}

pub fn unlink(path: &CStr) -> Result<()> {
    // SAFETY: the path is NUL-terminated and lives through the call.
    unsafe {
        syscall(
            number::UNLINKAT,
            [AT_FDCWD, path.as_ptr() as usize, 0, 0, 0, 0],
        )
    }
    .map(drop)
}

/// Sets close-on-exec on all from `first` on.
pub fn close_on_exec_from(first: u32) {
    const CLOSE_RANGE_CLOEXEC: usize = 4;
    let a = [
        first as usize,
        u32::MAX as usize,
        CLOSE_RANGE_CLOEXEC,
        0,
        0,
        0,
    ];
    let _ = plain(number::CLOSE_RANGE, a);
}

/// `struct pollfd`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct PollFd {
    pub fd: Fd,
    pub events: i16,
    pub revents: i16,
}

impl PollFd {
    /// Skipped by the kernel.
    pub const NOTHING: PollFd = PollFd {
        fd: Fd::NONE,
        events: 0,
        revents: 0,
    };
}

pub const POLLIN: i16 = 1;
pub const POLLOUT: i16 = 4;
pub const POLLERR: i16 = 8;
pub const POLLHUP: i16 = 16;
/// The peer of a stream sends nothing more.
pub const POLLRDHUP: i16 = 0x2000;

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Timespec {
    pub seconds: i64,
    pub nanoseconds: i64,
}

/// Waits for events, at most `timeout_ms` milliseconds; `None`: for ever. The number of ready ones.
pub fn poll(fds: &mut [PollFd], timeout_ms: Option<u32>) -> Result<usize> {
    let mut timeout = Timespec::default();
    let timeout = match timeout_ms {
        Some(ms) => {
            timeout.seconds = i64::from(ms / 1000);
            timeout.nanoseconds = i64::from(ms % 1000) * 1_000_000;
            &raw mut timeout as usize
        }
        None => 0,
    };
    let a = [fds.as_mut_ptr() as usize, fds.len(), timeout, 0, 8, 0];
    // SAFETY: the array and the time live through the call; no signal mask.
    unsafe { syscall(number::PPOLL, a) }
}

/// Time of day: seconds since 1970 and nanoseconds.
pub fn now() -> (i64, u32) {
    let mut time = Timespec::default();
    // SAFETY: the kernel fills the structure; CLOCK_REALTIME cannot fail.
    let _ = unsafe {
        syscall(
            number::CLOCK_GETTIME,
            [0, &raw mut time as usize, 0, 0, 0, 0],
        )
    };
    (time.seconds, time.nanoseconds as u32)
}

/// Milliseconds of a clock that never jumps.
pub fn monotonic_ms() -> u64 {
    let mut time = Timespec::default();
    // SAFETY: the kernel fills the structure; CLOCK_MONOTONIC cannot fail.
    let _ = unsafe {
        syscall(
            number::CLOCK_GETTIME,
            [1, &raw mut time as usize, 0, 0, 0, 0],
        )
    };
    time.seconds as u64 * 1000 + time.nanoseconds as u64 / 1_000_000
}

/// The effective user id.
pub fn own_uid() -> u32 {
    plain(number::GETEUID, [0; 6]).map_or(u32::MAX, |uid| uid as u32)
}

/// The process's own id.
pub fn own_pid() -> u32 {
    plain(number::GETPID, [0; 6]).map_or(0, |pid| pid as u32)
}

/// Sets a terminal's size; its foreground processes get SIGWINCH.
pub fn resize(terminal: Fd, rows: u16, cols: u16) {
    const TIOCSWINSZ: usize = 0x5414;
    let size = [rows, cols, 0, 0];
    // SAFETY: struct winsize is four u16, and lives through the call.
    let _ = unsafe {
        syscall(
            number::IOCTL,
            [
                terminal.0 as usize,
                TIOCSWINSZ,
                &raw const size as usize,
                0,
                0,
                0,
            ],
        )
    };
}

/// Opens the other side of a terminal's master, without it becoming ours.
pub fn open_peer(terminal: Fd) -> Result<Fd> {
    const TIOCGPTPEER: usize = 0x5441;
    const O_RDWR: usize = 2;
    const O_NOCTTY: usize = 0o400;
    let a = [
        terminal.0 as usize,
        TIOCGPTPEER,
        O_RDWR | O_NOCTTY | O_CLOEXEC,
        0,
        0,
        0,
    ];
    plain(number::IOCTL, a).map(|fd| Fd(fd as i32))
}

/// Fresh pages, all zero; they count once touched.
pub fn map(length: usize) -> Result<*mut u8> {
    const READ_WRITE: usize = 3;
    const PRIVATE_ANONYMOUS: usize = 0x22 | 0x4000; // MAP_NORESERVE
    let a = [
        0,
        length,
        READ_WRITE,
        PRIVATE_ANONYMOUS,
        -1isize as usize,
        0,
    ];
    // SAFETY: a new mapping at a place of the kernel's choice disturbs nothing.
    unsafe { syscall(number::MMAP, a) }.map(|at| at as *mut u8)
}

/// Gives the whole pages inside `place` back to the kernel; they read as zero afterwards.
pub fn give_back(place: &mut [u8]) {
    const MADV_DONTNEED: usize = 4;
    // The kernel rounds up: the largest page that it may have, lest neighbours are lost.
    const PAGE: usize = if cfg!(target_arch = "x86_64") {
        4096
    } else {
        65536
    };
    let from = (place.as_mut_ptr() as usize).next_multiple_of(PAGE);
    let to = (place.as_mut_ptr() as usize + place.len()) / PAGE * PAGE;
    if from < to {
        // SAFETY: the pages lie within `place`, which is borrowed mutably and holds plain bytes.
        let _ = unsafe { syscall(number::MADVISE, [from, to - from, MADV_DONTNEED, 0, 0, 0]) };
    }
}

pub fn exit(code: i32) -> ! {
    loop {
        let _ = plain(number::EXIT_GROUP, [code as usize, 0, 0, 0, 0, 0]);
    }
}
