//! A service manager's `NOTIFY_SOCKET`, lent to the container: what says that it is ready there says so to the
//! manager, with the pid to watch.
//!
//! ```text
//! STATE/<id>/notify/notify.sock   ours; the container has the directory at /run/notify
//! READY=1                         from the container, once
//! READY=1, MAINPID=…, BARRIER=1   to the manager
//! ```
//! Source: sd_notify(3); runc 1.3, notify_socket.go.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use berth_oci::spec::{Mount, Spec};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Mode;
use rustix::io::retry_on_intr;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::error::{Error, Result, step};
use crate::state::Dir;
use crate::warning::warn;

const INSIDE: &str = "/run/notify";
const NAME: &str = "notify.sock";
/// How long the manager may take to have read everything.
const BARRIER: Timespec = Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

/// The socket that the container writes to, and the manager's.
pub(super) struct Notify {
    socket: UnixDatagram,
    manager: String,
}

fn manager() -> Option<String> {
    let name = std::env::var("NOTIFY_SOCKET").ok();
    name.filter(|name| !name.is_empty())
}

/// Shows the container where to write, if there is a manager: `env` is that of its first process.
///
/// # Errors
/// [`Error::StateDir`].
pub(super) fn offer(dir: &Dir, spec: &mut Spec, env: &mut Vec<String>) -> Result<()> {
    if manager().is_none() {
        return Ok(());
    }
    let place = dir.path().join("notify");
    rustix::fs::mkdir(&place, Mode::from_raw_mode(0o755)).map_err(|errno| Error::StateDir {
        path: place.clone(),
        source: errno.into(),
    })?;
    env.push(format!("NOTIFY_SOCKET={INSIDE}/{NAME}"));
    let options = ["bind", "nosuid", "noexec", "nodev", "ro"];
    spec.mounts.push(Mount {
        destination: INSIDE.to_owned(),
        source: Some(place.to_string_lossy().into_owned()),
        options: options.map(str::to_owned).to_vec(),
        ..Mount::default()
    });
    Ok(())
}

/// Listens, before the program can write. `None` without a manager, or when there was none at creation.
///
/// # Errors
/// [`Error::Step`].
pub(super) fn listen(dir: &Dir) -> Result<Option<Notify>> {
    let place = dir.path().join("notify");
    let Some(manager) = manager().filter(|_| place.is_dir()) else {
        return Ok(None);
    };
    let path = place.join(NAME);
    let bound = UnixDatagram::bind(&path).and_then(|socket| {
        // Whoever the program is.
        rustix::fs::chmod(&path, Mode::from_raw_mode(0o777))?;
        Ok(socket)
    });
    let socket = bound.map_err(|e| step("listen for the container's readiness", e))?;
    Ok(Some(Notify { socket, manager }))
}

impl AsFd for Notify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Notify {
    /// Waits until the container is ready, or has ended, and tells the manager that `main` is to be watched.
    /// The container runs: a failure is a warning.
    pub(super) fn pass_on(&self, init: &OwnedFd, main: i32) {
        match self.ready(init) {
            Ok(true) => self.tell(main),
            Ok(false) => {}
            Err(error) => warn(format_args!("wait for the container's readiness: {error}")),
        }
    }

    fn ready(&self, init: &OwnedFd) -> io::Result<bool> {
        loop {
            let mut wanted = [
                PollFd::new(&self.socket, PollFlags::IN),
                PollFd::new(init, PollFlags::IN),
            ];
            retry_on_intr(|| poll(&mut wanted, None))?;
            if wanted[0].revents().is_empty() {
                return Ok(false);
            }
            if self.heard()? {
                return Ok(true);
            }
        }
    }

    /// Takes a message, which is there: whether it says that the container is ready.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn heard(&self) -> io::Result<bool> {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message)?;
        let mut lines = message[..length].split(|byte| *byte == b'\n');
        Ok(lines.any(|line| line == b"READY=1"))
    }

    /// Tells the manager that `main` is to be watched. A failure is a warning.
    pub(super) fn tell(&self, main: i32) {
        if let Err(error) = self.try_tell(main) {
            warn(format_args!("tell the service manager: {error}"));
        }
    }

    fn try_tell(&self, main: i32) -> io::Result<()> {
        let address = match self.manager.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(&self.manager)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        socket.send(b"READY=1\n")?;
        socket.send(format!("MAINPID={main}\n").as_bytes())?;
        // The manager closes the descriptor when it has read so far: only then may this process end.
        let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
        berth_sys::fdpass::send(&socket, b"BARRIER=1", &[theirs.as_fd()])?;
        drop(theirs);
        retry_on_intr(|| {
            poll(
                &mut [PollFd::new(&ours, PollFlags::empty())],
                Some(&BARRIER),
            )
        })?;
        Ok(())
    }
}
