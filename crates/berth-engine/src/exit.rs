//! How a container ended: reading `exit.json`, and waiting for it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use berth_model::ErrorKind;
use berth_model::status::Exit;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

/// A container that is killed has ended by then, unless the machine is busy.
const SOON: Duration = Duration::from_millis(50);

/// A failure of reading or awaiting an exit.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It is not what a monitor writes.
    #[error("`{}` is damaged", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// Watching for it failed.
    #[error("cannot wait for `{}`", path.display())]
    Watch {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Parse { .. } => ErrorKind::Corrupt,
            Error::Read { .. } | Error::Watch { .. } => ErrorKind::Internal,
        }
    }
}

/// The exit recorded at `path`; `None`: none is.
///
/// # Errors
/// [`Error::Read`], [`Error::Parse`].
pub fn read(path: &Path) -> Result<Option<Exit>, Error> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|source| Error::Parse {
                path: path.to_owned(),
                source,
            }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Waits until an exit is recorded at `path`. `None`: `may_come` said that none will come any more
/// (asked after each change in the directory, and once a second).
///
/// # Errors
/// As [`read`], and [`Error::Watch`].
pub fn wait(path: &Path, may_come: impl FnMut() -> bool) -> Result<Option<Exit>, Error> {
    watch(path, None, may_come)
}

/// As [`wait`], until `deadline` at the latest. Most ends that are waited for like that come at once, sooner than a watch
/// of the directory would be closed again: it begins with looking.
///
/// # Errors
/// Likewise.
pub fn wait_until(
    path: &Path,
    deadline: Instant,
    mut may_come: impl FnMut() -> bool,
) -> Result<Option<Exit>, Error> {
    let soon = deadline.min(Instant::now() + SOON);
    while Instant::now() < soon {
        let more = may_come();
        let exit = read(path)?;
        if exit.is_some() || !more {
            return Ok(exit);
        }
        std::thread::sleep(SOON / 100);
    }
    watch(path, Some(deadline), may_come)
}

fn watch(
    path: &Path,
    deadline: Option<Instant>,
    mut may_come: impl FnMut() -> bool,
) -> Result<Option<Exit>, Error> {
    let error = |source: Errno| Error::Watch {
        path: path.to_owned(),
        source: source.into(),
    };
    let dir = path.parent().unwrap_or(Path::new("."));
    let notify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(error)?;
    match inotify::add_watch(&notify, dir, WatchFlags::MOVED_TO | WatchFlags::DELETE_SELF) {
        Ok(_) => {}
        // Removed, and with it every exit.
        Err(Errno::NOENT) => return Ok(None),
        Err(source) => return Err(error(source)),
    }
    loop {
        // Asked before reading: what was recorded before the answer is then seen.
        let more = may_come();
        let exit = read(path)?;
        if exit.is_some() || !more {
            berth_sys::later::close(notify);
            return Ok(exit);
        }
        let second = Duration::from_secs(1);
        let pause = deadline.map_or(second, |deadline| {
            deadline
                .saturating_duration_since(Instant::now())
                .min(second)
        });
        let pause = Timespec {
            tv_sec: pause.as_secs() as i64,
            tv_nsec: pause.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(&notify, PollFlags::IN)], Some(&pause)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(source) => return Err(error(source)),
        }
        let mut events = [0; 4096];
        while rustix::io::read(&notify, &mut events).is_ok_and(|length| length > 0) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        r#"{"code":3,"oom_killed":true,"finished_at":"2026-01-01T00:00:00.000000000Z"}"#;

    #[test]
    fn reading() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("exit.json");
        assert_eq!(read(&path).unwrap(), None);
        std::fs::File::create(&path).unwrap();
        assert!(matches!(read(&path), Err(Error::Parse { .. })));
    }

    #[test]
    fn waiting_ends_with_the_record_or_when_none_will_come() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("exit.json");
        assert_eq!(wait(&path, || false).unwrap(), None);
        let start = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(100));
                let other = dir.path().join("other");
                io::Write::write_all(&mut std::fs::File::create(&other).unwrap(), TEXT.as_bytes())
                    .unwrap();
                std::fs::rename(other, &path).unwrap();
            });
            let exit = wait(&path, || true).unwrap().unwrap();
            assert_eq!((exit.code, exit.oom_killed, exit.lost), (3, true, false));
        });
        assert!(
            start.elapsed() < Duration::from_millis(900),
            "woken, not polled"
        );
        assert_eq!(
            wait(&dir.path().join("no/exit.json"), || true).unwrap(),
            None
        );
    }
}
