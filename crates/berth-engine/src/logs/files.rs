//! The files of one log, opened so that a rotation meanwhile leaves no gap.
//!
//! Rotation only ever moves a file to a higher number. So they are opened from the newest up: a file
//! that moves meanwhile is met again (and known by its inode), never missed.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::Error;

/// One file of the log.
#[derive(Debug)]
pub struct LogFile {
    /// Open for reading.
    pub file: File,
    /// Device and inode: the name may change.
    pub identity: (u64, u64),
    /// As it was called when opened.
    pub path: PathBuf,
}

/// How many numbers in a row may be missing: between its two renames a rotation leaves a hole.
const HOLE: u32 = 2;

/// Opens all files of the log at `path`, oldest first. None need exist.
///
/// # Errors
/// [`Error::Read`].
pub fn open_all(path: &Path) -> Result<Vec<LogFile>, Error> {
    let mut files: Vec<LogFile> = Vec::new();
    let mut missing = 0;
    for number in 0.. {
        let name = numbered(path, number);
        let read_error = |source| Error::Read {
            path: name.clone(),
            source,
        };
        match File::open(&name) {
            Ok(file) => {
                missing = 0;
                let identity = identity(&file.metadata().map_err(read_error)?);
                if !files.iter().any(|known| known.identity == identity) {
                    files.push(LogFile {
                        file,
                        identity,
                        path: name,
                    });
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                missing += 1;
                if missing > HOLE {
                    break;
                }
            }
            Err(error) => return Err(read_error(error)),
        }
    }
    files.reverse();
    Ok(files)
}

pub(super) fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Where the last `count` records begin: index of a file (oldest first) and offset in it. Reads
/// backwards, so the end of a long log is cheap.
///
/// # Errors
/// [`Error::Read`].
pub fn last_records(files: &[LogFile], count: usize) -> Result<(usize, u64), Error> {
    const BLOCK: u64 = 64 * 1024;
    let mut block = vec![0; BLOCK as usize];
    let mut found = 0;
    for (index, log_file) in files.iter().enumerate().rev() {
        let read_error = |source| Error::Read {
            path: log_file.path.clone(),
            source,
        };
        let mut end = log_file.file.metadata().map_err(read_error)?.len();
        while end > 0 {
            let start = end.saturating_sub(BLOCK);
            let part = &mut block[..(end - start) as usize];
            match log_file.file.read_exact_at(part, start) {
                Ok(()) => {}
                // Emptied meanwhile by a rotation that keeps one file.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok((index, 0));
                }
                Err(error) => return Err(read_error(error)),
            }
            for (at, _) in part
                .iter()
                .enumerate()
                .rev()
                .filter(|&(_, &byte)| byte == b'\n')
            {
                // The line feed before the first of the records wanted.
                if found == count {
                    return Ok((index, start + at as u64 + 1));
                }
                found += 1;
            }
            end = start;
        }
    }
    Ok((0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        for (name, text) in files {
            let mut file = File::create(dir.path().join(name)).unwrap();
            io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        }
        (dir, path)
    }

    #[test]
    fn oldest_first_and_over_a_hole() {
        let (dir, path) = log(&[("log", "3"), ("log.2", "2"), ("log.3", "1"), ("log.9", "x")]);
        let files = open_all(&path).unwrap();
        let names: Vec<_> = files
            .iter()
            .map(|file| file.path.file_name().unwrap())
            .collect();
        assert_eq!(names, ["log.3", "log.2", "log"]);
        // A rotation between two opens shows a file twice.
        std::fs::hard_link(dir.path().join("log"), dir.path().join("log.1")).unwrap();
        assert_eq!(open_all(&path).unwrap().len(), 3);
        assert!(open_all(&dir.path().join("none")).unwrap().is_empty());
    }

    #[test]
    fn the_last_records_over_files() {
        let (_dir, path) = log(&[("log", "e\nf\n"), ("log.1", "c\nd\n"), ("log.2", "a\nb\n")]);
        let files = open_all(&path).unwrap();
        for (count, place) in [
            (0, (2, 4)),
            (1, (2, 2)),
            (2, (1, 4)),
            (3, (1, 2)),
            (4, (0, 4)),
            (5, (0, 2)),
            (6, (0, 0)),
            (99, (0, 0)),
        ] {
            assert_eq!(last_records(&files, count).unwrap(), place, "{count}");
        }
    }

    #[test]
    fn the_last_records_over_blocks() {
        let long = format!("{}\n", "x".repeat(70_000)).repeat(3);
        let (_dir, path) = log(&[("log", &long)]);
        let files = open_all(&path).unwrap();
        assert_eq!(last_records(&files, 2).unwrap(), (0, 70_001));
        assert_eq!(last_records(&files, 3).unwrap(), (0, 0));
    }
}
