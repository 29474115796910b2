//! The steps on the disk, each with its fail point, so that a crash test can end the process at any of them.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_fs::{Error, failpoint};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat, Timespec, Timestamps};
use rustix::io::Errno;

/// Opens for reading; `None`: not there.
pub(super) fn open(path: &Path) -> Result<Option<File>, Error> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => Ok(Some(File::from(file))),
        Err(Errno::NOENT) => Ok(None),
        Err(source) => Err(Error::Open {
            path: path.to_owned(),
            source,
        }),
    }
}

/// All bytes of a small file, at most `limit`; `None`: not there.
pub(super) fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let mut bytes = Vec::with_capacity(size.min(limit) as usize);
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::Read {
            path: path.to_owned(),
            source: Errno::from_io_error(&error).unwrap_or(Errno::IO),
        })?;
    Ok(Some(bytes))
}

/// What a name is now; `None`: nothing.
pub(super) fn stat(path: &Path) -> Result<Option<Stat>, Error> {
    match rustix::fs::lstat(path) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(source) => Err(Error::Open {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Creates a new file (0600).
pub(super) fn create(path: &Path) -> Result<OwnedFd, Error> {
    failpoint!("registry.create");
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(|source| Error::Create {
        path: path.to_owned(),
        source,
    })
}

/// Gives a file a second name, which must be free.
pub(super) fn link(from: &Path, to: &Path) -> Result<(), Errno> {
    failpoint!("registry.link");
    rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty())
}

/// Renames, replacing what is there. (Both the same file: then both names stay.)
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    failpoint!("registry.rename");
    rustix::fs::rename(from, to).map_err(|source| Error::Rename {
        from: from.to_owned(),
        to: to.to_owned(),
        source,
    })
}

/// Removes a file; tells whether it was there.
pub(super) fn unlink(path: &Path) -> Result<bool, Error> {
    failpoint!("registry.unlink");
    match rustix::fs::unlink(path) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(source) => Err(Error::Remove {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Makes content durable, and its size; not its times.
pub(super) fn sync_content(file: impl AsFd, path: &Path) -> Result<(), Error> {
    failpoint!("registry.sync");
    rustix::fs::fdatasync(file).map_err(|source| Error::Sync {
        path: path.to_owned(),
        source,
    })
}

/// Makes the names in a directory durable.
pub(super) fn sync_names(dir: &Path) -> Result<(), Error> {
    berth_fs::fsync_dir(berth_fs::open_dir(dir)?.as_fd(), dir)
}

/// Marks a file as needed just now: its change time is what collectors go by, the time of its content stays.
pub(super) fn touch(path: &Path) -> Result<(), Error> {
    let omit = Timespec {
        tv_sec: 0,
        tv_nsec: rustix::fs::UTIME_OMIT,
    };
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: rustix::fs::UTIME_NOW,
    };
    let times = Timestamps {
        last_access: now,
        last_modification: omit,
    };
    failpoint!("registry.touch");
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(|source| {
        Error::Write {
            path: path.to_owned(),
            source,
        }
    })
}

/// How long ago the file was made, linked or touched. A clock that was put back makes nothing old.
pub(super) fn age(stat: &Stat) -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let nanoseconds =
        |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    let age = nanoseconds(now.tv_sec, now.tv_nsec)
        - nanoseconds(stat.st_ctime, stat.st_ctime_nsec as i64);
    Duration::from_nanos(u64::try_from(age).unwrap_or(0))
}

/// The names in a directory, but those of the moment; none, if it is not there.
pub(super) fn names(dir: &Path) -> Result<Vec<String>, Error> {
    let names = read_names(dir)?.into_iter();
    Ok(names.filter(|name| !name.starts_with('.')).collect())
}

/// All names in a directory, each with its path; none, if it is not there.
pub(super) fn all_names(dir: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let names = read_names(dir)?.into_iter();
    Ok(names.map(|name| (name.clone(), dir.join(name))).collect())
}

/// What is not text is not ours.
fn read_names(dir: &Path) -> Result<Vec<String>, Error> {
    let open = match berth_fs::open_dir(dir) {
        Ok(open) => open,
        Err(error) if error.errno() == Some(Errno::NOENT) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let names = berth_fs::dirs::names(open.as_fd())?.into_iter();
    Ok(names.filter_map(|name| name.into_string().ok()).collect())
}

/// Makes a directory (0700) whose parent is there already; durable, if it was missing.
pub(super) fn ensure_dir(path: &Path) -> Result<(), Error> {
    failpoint!("registry.mkdir");
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Err(Errno::EXIST) => Ok(()),
        Ok(()) => path.parent().map_or(Ok(()), sync_names),
        Err(source) => Err(Error::Create {
            path: path.to_owned(),
            source,
        }),
    }
}

/// A name beside `path` that nobody else uses, in this process or another.
pub(super) fn temporary_beside(path: &Path) -> Result<PathBuf, Error> {
    let prefix = berth_fs::atomic::TEMPORARY_PREFIX;
    Ok(path.with_file_name(format!("{prefix}{:032x}", random()?)))
}

/// 128 bits that nobody guesses.
pub(super) fn random() -> Result<u128, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| Error::Read {
        path: "getrandom".into(),
        source: Errno::IO,
    })?;
    Ok(u128::from_ne_bytes(bytes))
}
