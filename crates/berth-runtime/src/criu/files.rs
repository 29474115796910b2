//! What is read and written in an image directory: `descriptors.json` and the log. Neither is followed if it is
//! a link, and of each no more is read than has a use.
//!
//! ```text
//! descriptors.json   ["pipe:[4711]", "file[1f:8c]", "/dev/pts/0"]     standard input, output and error
//! ```

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};

use crate::error::{Error, Result};
use crate::json;

const DESCRIPTORS: &str = "descriptors.json";
const MAX_DESCRIPTORS: u64 = 64 << 10;
/// The end of a log that is looked at.
const LOG_TAIL: i64 = 64 << 10;
/// Lines of it that a message carries.
const LOG_LINES: usize = 4;

/// Opens a directory, which is made with its parents where missing.
///
/// # Errors
/// [`Error::ReadFile`], [`Error::WriteFile`].
pub(super) fn directory(path: &Path, make: bool) -> Result<OwnedFd> {
    if make && !path.is_dir() {
        use std::os::unix::fs::DirBuilderExt as _;
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path);
        made.map_err(|source| Error::WriteFile {
            path: path.to_owned(),
            source,
        })?;
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| Error::ReadFile {
        path: path.to_owned(),
        source: errno.into(),
    })
}

/// Notes what the standard streams are.
///
/// # Errors
/// [`Error::WriteFile`].
pub(super) fn write_descriptors(image: BorrowedFd<'_>, keys: &[String]) -> Result<()> {
    let fail = |source| Error::WriteFile {
        path: DESCRIPTORS.into(),
        source,
    };
    let json = json::write(keys).map_err(|e| fail(e.into()))?;
    berth_fs::atomic_write_at(image, DESCRIPTORS, &json, berth_fs::Durability::Volatile)
        .map_err(|e| fail(e.into()))
}

/// What the standard streams were.
///
/// # Errors
/// [`Error::ReadFile`], [`Error::ParseJson`].
pub(super) fn read_descriptors(image: BorrowedFd<'_>) -> Result<Vec<String>> {
    let fail = |source| Error::ReadFile {
        path: DESCRIPTORS.into(),
        source,
    };
    let file = open(image, DESCRIPTORS).map_err(fail)?;
    let mut bytes = Vec::new();
    file.take(MAX_DESCRIPTORS)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    json::read(&bytes).map_err(|source| Error::ParseJson {
        path: DESCRIPTORS.into(),
        source,
    })
}

/// The last errors in a log, in one line; empty if there are none to be had.
pub(super) fn errors_in(directory: BorrowedFd<'_>, name: &str) -> String {
    let read = || -> io::Result<String> {
        let mut file = open(directory, name)?;
        let length = i64::try_from(file.metadata()?.len()).unwrap_or(0);
        file.seek(SeekFrom::End(-length.min(LOG_TAIL)))?;
        let mut bytes = Vec::new();
        file.take(LOG_TAIL.cast_unsigned())
            .read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|l| l.contains("Error")).collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("; ")
}

/// A regular file, not through a link.
fn open(directory: impl AsFd, name: &str) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_fifos_are_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let fd = directory(&dir.path().join("image"), true).unwrap();
        let place = dir.path().join("image");
        write_descriptors(fd.as_fd(), &["pipe:[1]".to_owned()]).unwrap();
        assert_eq!(read_descriptors(fd.as_fd()).unwrap(), ["pipe:[1]"]);

        std::fs::write(dir.path().join("secret"), "Error secret\n").unwrap();
        std::os::unix::fs::symlink("../secret", place.join("dump.log")).unwrap();
        assert_eq!(errors_in(fd.as_fd(), "dump.log"), "");
        std::fs::remove_file(place.join("descriptors.json")).unwrap();
        std::os::unix::fs::symlink("../secret", place.join("descriptors.json")).unwrap();
        assert!(read_descriptors(fd.as_fd()).is_err());
        rustix::fs::mknodat(&fd, "fifo.log", FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(errors_in(fd.as_fd(), "fifo.log"), "");
    }

    #[test]
    fn the_last_errors_of_a_log_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let fd = directory(dir.path(), false).unwrap();
        let noise = "(00.1) nothing\n".repeat(10_000);
        let log = format!("Error 0\n{noise}Error 1\n(00.2) x\nError 2\nError 3\nError 4\n");
        std::fs::write(dir.path().join("dump.log"), log).unwrap();
        let wanted = "Error 1; Error 2; Error 3; Error 4";
        assert_eq!(errors_in(fd.as_fd(), "dump.log"), wanted);
    }
}
