//! Claiming a task: away from the caller's session, then the lock and the socket.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::error::{Error, Result, step};

/// Whoever only asks whether the lock is held, holds it for an instant.
const LOCK_ATTEMPTS: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(5);
/// Waiting connections; more are refused until the monitor has taken them.
const BACKLOG: i32 = 16;

/// Leaves the caller's session, descriptors, umask and orphans' reaper.
///
/// # Errors
/// [`Error::Step`].
pub fn leave_the_caller() -> Result<()> {
    // Already a session's leader: as good.
    let _ = rustix::process::setsid();
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    let null = null.map_err(|e| step("open /dev/null", e))?;
    for number in 0..=2 {
        berth_sys::process::place_fd(null.as_fd(), number)
            .map_err(|e| step("leave the caller's streams", e))?;
    }
    // Whatever else we were given must not outlive this program; what the monitor needs is named later.
    berth_sys::process::close_on_exec_from(3)
        .map_err(|e| step("leave the caller's descriptors", e))?;
    let own = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(own))
        .map_err(|e| step("become the reaper of orphans", e))
}

/// A claimed task.
pub struct Claim {
    /// Says that the shim, later the monitor, lives. Held by `flock`.
    pub lock: OwnedFd,
    /// The listening socket.
    pub listen: OwnedFd,
    dir: OwnedFd,
}

impl Claim {
    /// Takes the lock and listens at `shim.sock`.
    ///
    /// # Errors
    /// [`Error::WrongState`] when another shim lives; [`Error::StateDir`].
    pub fn make(task_dir: &Path) -> Result<Claim> {
        let fail = |source: io::Error| Error::StateDir {
            path: task_dir.to_owned(),
            source,
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(task_dir, flags, Mode::empty()).map_err(|e| fail(e.into()))?;
        let lock = lock(&dir, task_dir)?;
        let listen = listen(&dir).map_err(|error| fail(error.into()))?;
        Ok(Claim { lock, listen, dir })
    }

    /// Undoes it. The lock's file stays: whoever waits for it would else hold a file that nobody sees.
    pub fn release(self) {
        let _ = rustix::fs::unlinkat(&self.dir, "shim.sock", AtFlags::empty());
    }
}

fn lock(dir: &OwnedFd, task_dir: &Path) -> Result<OwnedFd> {
    let fail = |source: Errno| Error::StateDir {
        path: task_dir.join("shim.lock"),
        source: source.into(),
    };
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file =
        rustix::fs::openat(dir, "shim.lock", flags, Mode::from_raw_mode(0o600)).map_err(fail)?;
    for _ in 0..LOCK_ATTEMPTS {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK | Errno::INTR) => std::thread::sleep(LOCK_PAUSE),
            Err(source) => return Err(fail(source)),
        }
    }
    let id = task_dir
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Err(Error::WrongState {
        verb: "start",
        id,
        status: "running",
    })
}

fn listen(dir: &OwnedFd) -> std::result::Result<OwnedFd, Errno> {
    // What a dead shim left.
    match rustix::fs::unlinkat(dir, "shim.sock", AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error),
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    // A socket's path holds 107 bytes; a task's directory may be longer.
    let number = std::os::fd::AsRawFd::as_raw_fd(dir);
    let path = PathBuf::from(format!("/proc/self/fd/{number}/shim.sock"));
    rustix::net::bind(&socket, &SocketAddrUnix::new(&path)?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}
