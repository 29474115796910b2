//! Where the runtime sends the terminal that it has made in the container: a socket in the task's directory.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};

/// A socket that listens; it goes with this value.
pub(crate) struct Console {
    listener: UnixListener,
    /// Where it is reached.
    pub(crate) path: PathBuf,
    file: PathBuf,
    _directory: File,
}

impl Console {
    /// Listens at `name` in `directory`.
    pub(crate) fn listen(directory: &Path, name: &str) -> io::Result<Console> {
        let handle = File::open(directory)?;
        // A socket's path holds 107 bytes; a task's directory may be longer.
        let path = format!(
            "/proc/{}/fd/{}/{name}",
            std::process::id(),
            handle.as_raw_fd()
        );
        let listener = UnixListener::bind(&path)?;
        Ok(Console {
            listener,
            path: path.into(),
            file: directory.join(name),
            _directory: handle,
        })
    }

    /// The terminal's master; `None`: the runtime ended before it had one.
    pub(crate) fn accept(&self, runtime: &OwnedFd) -> io::Result<Option<OwnedFd>> {
        let mut ready = [
            PollFd::new(&self.listener, PollFlags::IN),
            PollFd::new(runtime, PollFlags::IN),
        ];
        rustix::io::retry_on_intr(|| poll(&mut ready, None))?;
        if !ready[0].revents().contains(PollFlags::IN) {
            return Ok(None);
        }
        let (stream, _) = self.listener.accept()?;
        let received = berth_sys::fdpass::receive(stream.as_fd(), &mut [0; 64], 1)?;
        Ok(received.fds.into_iter().next())
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // What stays goes with the task.
        _ = std::fs::remove_file(&self.file);
    }
}
