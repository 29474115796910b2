//! How the engine speaks to the process that answers, and starts it where none runs.

use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use berth_fs::{Lock, LockMode, ensure_dir};
use berth_model::ContainerId;
use berth_sys::fdpass;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::keeper::{NAME, PACKET, Told, Wish, address};
use crate::{Error, Result};

/// How long an answer may take: it may have a thousand containers to begin with.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks for one who is starting.
const LOOK: Duration = Duration::from_millis(5);
/// How long one that was faster is waited for before it is taken for gone.
const FASTER: Duration = Duration::from_secs(1);
/// What the process says on its standard output once it can be spoken to; or that another one is there.
pub const READY: &[u8] = b"ready\n";

/// The resolver of a RUN_DIR.
pub struct Resolver<'a> {
    /// The directory.
    pub run_dir: &'a Path,
    /// `berth internal network` of this directory.
    pub command: &'a dyn Fn() -> Command,
    /// Who takes notice of its end, where the caller lives longer.
    pub keep: &'a dyn Fn(Child),
}

impl Resolver<'_> {
    /// Serves a container in its namespace as its `dns.json` says now, from when this returns. Again for a container that
    /// is served: as it says by now.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Start`], [`Error::Silent`].
    pub fn look(&self, id: &ContainerId, namespace: BorrowedFd<'_>) -> Result<()> {
        let wish = Wish::Look(id.to_string());
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(told) = self.tell(&wish, &[namespace])? {
                return told;
            }
            self.start(end)?;
        }
        Err(Error::Silent)
    }

    /// Lets go of a container. That nobody serves it is fine.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Kernel`].
    pub fn forget(&self, id: &ContainerId) -> Result<()> {
        self.tell(&Wish::Forget(id.to_string()), &[])?
            .unwrap_or(Ok(()))
    }

    /// Starts one in the place of one that was killed: it serves all that run. Whether one was.
    ///
    /// # Errors
    /// [`Error::Start`].
    pub fn ensure(&self) -> Result<bool> {
        let dir = self.run_dir.join("dns");
        // Whoever ends by himself takes it away.
        if !dir.join(NAME).exists() {
            return Ok(false);
        }
        let lock = Lock::try_file(&dir.join("lock"), LockMode::Shared)
            .map_err(Error::files("lock the resolver's directory"))?;
        if lock.is_none() {
            return Ok(false);
        }
        drop(lock);
        self.start(Instant::now() + PATIENCE)?;
        Ok(true)
    }

    /// Waits until one ends that serves, or will.
    ///
    /// # Errors
    /// [`Error::Kernel`], [`Error::Files`].
    pub fn wait(&self) -> Result<()> {
        let dir = self.run_dir.join("dns");
        let fail = Error::kernel("watch the resolver");
        ensure_dir(&dir, 0o700).map_err(Error::files("make the resolver's directory"))?;
        let told = inotify::init(CreateFlags::CLOEXEC).map_err(|error| fail(error.into()))?;
        inotify::add_watch(&told, &dir, WatchFlags::CREATE).map_err(|error| fail(error.into()))?;
        while !dir.join(NAME).exists() {
            rustix::io::read(&told, &mut [0; 4096][..]).map_err(|error| fail(error.into()))?;
        }
        // It has had the lock before it made its socket.
        Lock::file(&dir.join("lock"), LockMode::Shared)
            .map(drop)
            .map_err(Error::files("wait for the resolver"))
    }

    /// `None`: nobody is there, or he ended meanwhile.
    fn tell(&self, wish: &Wish, with: &[BorrowedFd<'_>]) -> Result<Option<Result<()>>> {
        let fail = Error::kernel("speak to the resolver");
        let packet = serde_json::to_vec(wish).map_err(|error| fail(error.into()))?;
        let Some(socket) = connect(&self.run_dir.join("dns")).map_err(&fail)? else {
            return Ok(None);
        };
        let mut answer = [0; PACKET];
        let got = fdpass::send(&socket, &packet, with)
            .and_then(|_| fdpass::receive(&socket, &mut answer, 0));
        match got {
            Ok(got) if got.bytes > 0 => {
                let told: Told = serde_json::from_slice(&answer[..got.bytes])
                    .map_err(|error| fail(error.into()))?;
                let refused = told.error.map(|message| Error::Refused { message });
                Ok(Some(refused.map_or(Ok(()), Err)))
            }
            Ok(_) | Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => Ok(None),
            Err(Errno::AGAIN) => Err(Error::Silent),
            Err(error) => Err(fail(error.into())),
        }
    }

    /// Starts it, and waits until it can be spoken to. Of several that are started at once one stays.
    fn start(&self, end: Instant) -> Result<()> {
        let mut command = (self.command)();
        let program = Path::new(command.get_program()).to_owned();
        let fail = |source| Error::Start {
            program: program.clone(),
            source,
        };
        let mut child = command
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(fail)?;
        let (mut said, mut why) = (Vec::new(), String::new());
        if let Some(output) = child.stdout.take() {
            output
                .take(READY.len() as u64)
                .read_to_end(&mut said)
                .map_err(fail)?;
        }
        let errors = child.stderr.take();
        if said == READY {
            (self.keep)(child);
            return Ok(());
        }
        if let Some(errors) = errors {
            let _ = errors.take(4096).read_to_string(&mut why);
        }
        let status = child.wait().map_err(fail)?;
        if !status.success() {
            return Err(fail(io::Error::other(why.trim().to_owned())));
        }
        // Another one was faster, and may not listen yet; or it was told so by who only looked.
        let end = end.min(Instant::now() + FASTER);
        while Instant::now() < end && connect(&self.run_dir.join("dns")).ok().flatten().is_none() {
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

/// `None`: nobody listens.
fn connect(dir: &Path) -> io::Result<Option<OwnedFd>> {
    let gone = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
        )
    };
    let (_dir, address) = match address(dir) {
        Err(error) if gone(&error) => return Ok(None),
        found => found?,
    };
    let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
    let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    for which in [sockopt::Timeout::Recv, sockopt::Timeout::Send] {
        sockopt::set_socket_timeout(socket.as_fd(), which, Some(PATIENCE))?;
    }
    match rustix::net::connect(&socket, &address).map_err(io::Error::from) {
        Err(error) if gone(&error) => Ok(None),
        Err(error) => Err(error),
        Ok(()) => Ok(Some(socket)),
    }
}
