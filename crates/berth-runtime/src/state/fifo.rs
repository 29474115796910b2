//! `exec.fifo`: how `start` lets init go on, and learns what became of it.
//!
//! Every `start` writes its own token, init takes one: whose token that is has started it. So a `start` that was
//! killed can be repeated: either init has its token, or the fifo is as it was.

use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::retry_on_intr;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, tee};

use super::{Dir, FIFO};
use crate::error::{Error, Result, step};
use crate::json;

/// What a `start` writes: a NUL, which no JSON has, and the three bytes that a pid has at most.
type Token = [u8; 4];

/// The writing end of the fifo: init has the other one, and loses it in the exec of its program.
#[derive(Debug)]
pub struct Released {
    id: String,
    fifo: OwnedFd,
    token: Token,
}

impl Released {
    /// Waits until the program runs, or init has ended.
    ///
    /// # Errors
    /// What init told, the kernel's; [`Error::WrongState`] when init did not take our token.
    pub fn wait_for_exec(self) -> Result<()> {
        let fail = |errno| step("wait for the program", errno);
        let mut wanted = [PollFd::new(&self.fifo, PollFlags::empty())];
        // A fifo that nobody reads is in error, which poll always tells.
        retry_on_intr(|| poll(&mut wanted, None)).map_err(fail)?;
        // What was written stays in it as long as we hold it, although it has no name any more.
        if rustix::io::ioctl_fionread(&self.fifo).map_err(fail)? == 0 {
            return Ok(());
        }
        let left = copy_of(&self.fifo).map_err(fail)?;
        let tokens = left.chunks_exact(4).take_while(|token| token[0] == 0);
        let (tokens, told) = left.split_at(4 * tokens.count());
        let told = told.split(|byte| *byte == 0).next().unwrap_or_default();
        if !told.is_empty() {
            let failure = json::read(told);
            return Err(failure.map_or_else(
                |_| Error::EndedEarly {
                    how: "before its program ran".to_owned(),
                },
                |failure| Error::Child {
                    failure: Box::new(failure),
                },
            ));
        }
        match tokens.chunks_exact(4).any(|token| token == self.token) {
            // Another `start` was first, or init did not live to read it.
            true => Err(cannot_start(&self.id, "running")),
            false => Ok(()),
        }
    }
}

impl Dir {
    /// Makes the fifo and opens it, non-blocking: init waits on it, and tells there what keeps its program from
    /// running, once nobody listens to it elsewhere.
    ///
    /// # Errors
    /// [`Error::StateDir`].
    pub fn make_fifo(&self) -> Result<OwnedFd> {
        let path = self.path.join(FIFO);
        let fail = |errno: rustix::io::Errno| Error::StateDir {
            path: path.clone(),
            source: errno.into(),
        };
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .map_err(fail)?;
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::open(&path, flags, Mode::empty()).map_err(fail)
    }

    /// Lets init go on. The fifo is removed after that: without it the container counts as running.
    ///
    /// # Errors
    /// [`Error::WrongState`] when there is no fifo or nobody reads it. Of several at once all may come here:
    /// [`Released::wait_for_exec`] tells which one it was.
    pub fn release_init(&self) -> Result<Released> {
        let path = self.path.join(FIFO);
        let wrong = |status| cannot_start(&self.id, status);
        let fail = |errno: rustix::io::Errno| Error::StateDir {
            path: path.clone(),
            source: errno.into(),
        };
        let fifo = open_to_write(&path).map_err(|errno| match errno {
            rustix::io::Errno::NOENT => wrong("running"),
            rustix::io::Errno::NXIO => wrong("stopped"),
            errno => fail(errno),
        })?;
        let [pid @ .., _] = std::process::id().to_le_bytes();
        let token = [0, pid[0], pid[1], pid[2]];
        rustix::io::write(&fifo, &token).map_err(|_| wrong("stopped"))?;
        // Not before: killed in between, nobody could let init go on.
        match rustix::fs::unlink(&path) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(errno) => return Err(fail(errno)),
        }
        Ok(Released {
            id: self.id.clone(),
            fifo,
            token,
        })
    }
}

/// What is in the fifo. It stays there: others may have to look, too.
fn copy_of(fifo: &OwnedFd) -> rustix::io::Result<Vec<u8>> {
    let path = format!("/proc/self/fd/{}", fifo.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fifo = rustix::fs::open(path, flags, Mode::empty())?;
    let (copy, into) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut bytes = vec![0; 64 << 10];
    tee(&fifo, &into, bytes.len(), SpliceFlags::empty())?;
    let length = rustix::io::read(&copy, &mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

/// Waits, as init, until a `start` has written; takes its token. The fifo is non-blocking.
///
/// # Errors
/// The kernel's.
pub(crate) fn wait_for_start(fifo: BorrowedFd<'_>) -> rustix::io::Result<()> {
    loop {
        let mut wanted = [PollFd::from_borrowed_fd(fifo, PollFlags::IN)];
        retry_on_intr(|| poll(&mut wanted, None))?;
        match retry_on_intr(|| rustix::io::read(fifo, &mut Token::default())) {
            Err(rustix::io::Errno::AGAIN) => {}
            // Open for writing here, too, it has no end.
            other => return other.map(drop),
        }
    }
}

fn cannot_start(id: &str, status: &'static str) -> Error {
    Error::WrongState {
        verb: "start",
        id: id.to_owned(),
        status,
    }
}

/// Opens the fifo, which somebody reads: else it is an error.
pub(super) fn open_to_write(fifo: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(fifo, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;
    use crate::state::Root;

    #[test]
    fn init_is_released_once() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::new(Some(dir.path().to_owned()));
        let state = root.make("x").unwrap();
        let fifo = state.make_fifo().unwrap();
        let released = state.release_init().unwrap();
        wait_for_start(fifo.as_fd()).unwrap();
        assert_eq!(rustix::io::ioctl_fionread(&fifo), Ok(0));
        let waiting = std::thread::spawn(move || released.wait_for_exec().unwrap());
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(!waiting.is_finished(), "init has not lost its end");
        drop(fifo);
        waiting.join().unwrap();
        assert!(matches!(
            state.release_init(),
            Err(Error::WrongState {
                status: "running",
                ..
            })
        ));
        let other = root.make("y").unwrap();
        drop(other.make_fifo().unwrap());
        assert!(matches!(
            other.release_init(),
            Err(Error::WrongState {
                status: "stopped",
                ..
            })
        ));
    }

    /// The first is killed before it has removed the fifo, or is just slower than the second.
    #[test]
    fn of_two_starts_one_has_started_it() {
        let dir = tempfile::tempdir().unwrap();
        let state = Root::new(Some(dir.path().to_owned())).make("x").unwrap();
        let init = state.make_fifo().unwrap();
        let (path, other) = (state.path.join(FIFO), state.path.join("other"));
        std::fs::hard_link(&path, &other).unwrap();
        let first = state.release_init().unwrap();
        std::fs::rename(other, &path).unwrap();
        let mut second = state.release_init().unwrap();
        // As another process's.
        second.token[1] ^= 1;
        rustix::io::write(&second.fifo, &second.token).unwrap();
        let mut taken = Token::default();
        assert_eq!(rustix::io::read(&init, &mut taken), Ok(4));
        assert_eq!(taken, first.token);
        assert_eq!(rustix::io::read(&init, &mut taken), Ok(4));
        drop(init);
        let lost = second.wait_for_exec();
        assert!(matches!(lost, Err(Error::WrongState { .. })), "{lost:?}");
        first.wait_for_exec().unwrap();
    }

    #[test]
    fn what_init_told_is_found_among_tokens() {
        let dir = tempfile::tempdir().unwrap();
        let state = Root::new(Some(dir.path().to_owned())).make("x").unwrap();
        let init = state.make_fifo().unwrap();
        let released = state.release_init().unwrap();
        let failure = Error::Unsupported { what: "x" }.to_failure();
        rustix::io::write(&init, &json::write(&failure).unwrap()).unwrap();
        rustix::io::write(&init, &[0, 1, 0, 0]).unwrap();
        drop(init);
        let told = released.wait_for_exec();
        assert!(matches!(told, Err(Error::Child { failure: got }) if *got == failure));
    }
}
