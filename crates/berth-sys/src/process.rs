//! Making and replacing processes: clone3, execve, unshare, close_range.
//!
//! Source: clone(2), execveat(2), unshare(2), close_range(2).

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::check;

/// New namespaces as bits for [`clone3`] and [`unshare`]: `CLONE_NEW*` of linux/sched.h.
pub mod namespace {
    /// Mount.
    pub const MOUNT: u64 = libc::CLONE_NEWNS as u64;
    /// Control group.
    pub const CGROUP: u64 = libc::CLONE_NEWCGROUP as u64;
    /// Host and domain name.
    pub const UTS: u64 = libc::CLONE_NEWUTS as u64;
    /// System V IPC and POSIX message queues.
    pub const IPC: u64 = libc::CLONE_NEWIPC as u64;
    /// User.
    pub const USER: u64 = libc::CLONE_NEWUSER as u64;
    /// Process ids.
    pub const PID: u64 = libc::CLONE_NEWPID as u64;
    /// Network.
    pub const NETWORK: u64 = libc::CLONE_NEWNET as u64;
    /// Clocks (from Linux 5.6).
    pub const TIME: u64 = 0x80;
    /// All of them.
    pub const ALL: u64 = MOUNT | CGROUP | UTS | IPC | USER | PID | NETWORK | TIME;
}

/// Which of the two processes returned from [`clone3`].
#[derive(Debug)]
pub enum Forked {
    /// The new process.
    Child,
    /// The old one.
    Parent(Child),
}

/// A child just made.
#[derive(Debug)]
pub struct Child {
    /// Its pid in the caller's pid namespace.
    pub pid: i32,
    /// Refers to this process and no other, ever.
    pub pidfd: OwnedFd,
}

/// `struct clone_args` of linux/sched.h, version 2.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

const CLONE_PIDFD: u64 = 0x1000;
const CLONE_PARENT: u64 = libc::CLONE_PARENT as u64;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// How [`clone3`] makes a child.
#[derive(Debug, Clone, Copy, Default)]
pub struct CloneOptions<'a> {
    /// [`namespace`] bits: the child is the first process of these new namespaces.
    pub namespaces: u64,
    /// The child is born in this cgroup (v2, from Linux 5.7).
    pub cgroup: Option<BorrowedFd<'a>>,
    /// The child becomes its maker's sibling: the maker's parent reaps it.
    pub parent: bool,
}

/// Forks, as a copy of the whole process, with new namespaces and in a cgroup where asked.
///
/// # Errors
/// `EBUSY` when the process has more than one thread (the child could find locks held by threads
/// that it does not have); else the kernel's: `EPERM`, `EINVAL`, `EACCES` (the cgroup), `EAGAIN`.
pub fn clone3(options: CloneOptions<'_>) -> io::Result<Forked> {
    if !is_single_threaded() {
        return Err(io::Error::from_raw_os_error(libc::EBUSY));
    }
    let mut pidfd: libc::c_int = -1;
    let mut args = CloneArgs {
        flags: CLONE_PIDFD | options.namespaces & namespace::ALL,
        pidfd: &raw mut pidfd as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    if options.parent {
        // With CLONE_PARENT the exit signal is the caller's own.
        args.flags |= CLONE_PARENT;
        args.exit_signal = 0;
    }
    if let Some(cgroup) = options.cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    let size = std::mem::size_of::<CloneArgs>();
    // SAFETY: `args` is a whole, initialised clone_args and `pidfd` outlives the call. No CLONE_VM
    // and no stack: the child runs on its own copy of everything, as after fork(2); the process
    // has one thread (checked above), so no lock in the copy is held by a thread that is missing.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Forked::Child),
        pid => {
            // SAFETY: with CLONE_PIDFD the kernel stored a new descriptor, which is ours alone.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Forked::Parent(Child {
                pid: pid as i32,
                pidfd,
            }))
        }
    }
}

/// Whether this process has one thread, as far as libc knows: it says `false` from the first
/// thread on.
pub fn is_single_threaded() -> bool {
    unsafe extern "C" {
        /// glibc 2.32, sys/single_threaded.h.
        static __libc_single_threaded: libc::c_char;
    }
    // SAFETY: glibc defines this variable; it is written only by the one thread there is when it
    // changes (in pthread_create), so reading it races with nothing.
    unsafe { (&raw const __libc_single_threaded).read_volatile() != 0 }
}

/// Leaves the parent's namespaces ([`namespace`] bits).
///
/// # Errors
/// The kernel's; `EINVAL` for a user namespace when there are several threads.
pub fn unshare(namespaces: u64) -> io::Result<()> {
    // SAFETY: only namespace bits pass; the dangerous ones (CLONE_FILES, CLONE_FS) are masked out.
    let result = unsafe { libc::unshare((namespaces & namespace::ALL) as libc::c_int) };
    check(result).map(drop)
}

/// Strings as execve wants them: NUL-terminated, in an array that ends with a null pointer.
#[derive(Debug)]
pub struct Strings {
    _strings: Vec<CString>,
    pointers: Vec<*const libc::c_char>,
}

impl Strings {
    /// Takes the strings. Everything that allocates happens here, long before the exec.
    pub fn new(strings: Vec<CString>) -> Self {
        let mut pointers: Vec<_> = strings.iter().map(|s| s.as_ptr()).collect();
        pointers.push(std::ptr::null());
        Strings {
            _strings: strings,
            pointers,
        }
    }
}

/// Becomes the program at `path`; returns only if that failed.
pub fn execve(path: &CStr, args: &Strings, env: &Strings) -> io::Error {
    // SAFETY: all three are NUL-terminated strings; the arrays end with null and live until the
    // call returns, if it does.
    unsafe { libc::execve(path.as_ptr(), args.pointers.as_ptr(), env.pointers.as_ptr()) };
    io::Error::last_os_error()
}

/// Becomes the program behind `file`; returns only if that failed. A script's interpreter could
/// not open it again (the descriptor is close-on-exec), so this is for binaries.
pub fn fexecve(file: BorrowedFd<'_>, args: &Strings, env: &Strings) -> io::Error {
    let (args, env) = (args.pointers.as_ptr(), env.pointers.as_ptr());
    // SAFETY: as for `execve`; the path is the empty string, so only the descriptor counts.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            args,
            env,
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

/// Marks every descriptor from `first` on as close-on-exec.
///
/// # Errors
/// `ENOSYS` before Linux 5.9, `EINVAL` before 5.11.
pub fn close_on_exec_from(first: u32) -> io::Result<()> {
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    // SAFETY: the call only sets a flag on descriptors; none is closed under anybody's hands.
    let result = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            first,
            libc::c_uint::MAX,
            CLOSE_RANGE_CLOEXEC,
        )
    };
    check(result).map(drop)
}

/// Takes over a descriptor that the process was started with (an agreed number, `--preserve-fds`).
/// It becomes close-on-exec. Each number may be taken once, before anything else opens files: this
/// is checked no further than that the number is open.
///
/// # Errors
/// `EBADF` when it is not open.
pub fn inherited_fd(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: F_SETFD changes a flag of the descriptor and touches no memory.
    if number < 0 || unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: it is open (just checked) and by the contract above nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Leaves an inherited descriptor, which nobody here owns, open across exec.
///
/// # Errors
/// `EBADF` when it is not open.
pub fn stay_open(number: i32) -> io::Result<()> {
    // SAFETY: F_SETFD changes a flag of the descriptor and touches no memory.
    check(unsafe { libc::fcntl(number, libc::F_SETFD, 0) }).map(drop)
}

/// Puts `file` at the descriptor `number` and leaves it open across exec. What was there is closed.
/// For the last steps before an exec only: whoever owned `number` must not use it again.
///
/// # Errors
/// The kernel's.
pub fn place_fd(file: BorrowedFd<'_>, number: i32) -> io::Result<()> {
    let result = if file.as_raw_fd() == number {
        // SAFETY: F_SETFD changes a flag of the descriptor and touches no memory.
        unsafe { libc::fcntl(number, libc::F_SETFD, 0) }
    } else {
        // SAFETY: both are numbers of descriptors; by the contract above the old owner is done.
        unsafe { libc::dup2(file.as_raw_fd(), number) }
    };
    check(result).map(drop)
}

/// Ends the process at once: no destructors, no exit handlers. For a child that could not become
/// what it was made for.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit takes an int, touches no memory of ours and does not return.
    unsafe { libc::_exit(code) }
}
