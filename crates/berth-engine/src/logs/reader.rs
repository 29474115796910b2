//! From files to records: which of them, in their order, once or for as long as the container runs.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

use jiff::Timestamp;

use super::Error;
use super::files::{self, LogFile};
use super::follow::{Follow, Watch};
use super::record::{LogStream, Record};

/// Which records.
#[derive(Debug, Clone)]
pub struct Options {
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Not newer than this.
    pub until: Option<Timestamp>,
    /// Only so many from the end.
    pub tail: Option<usize>,
    /// Standard output's.
    pub stdout: bool,
    /// Standard error's.
    pub stderr: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            since: None,
            until: None,
            tail: None,
            stdout: true,
            stderr: true,
        }
    }
}

impl Options {
    fn wants(&self, record: &Record) -> bool {
        let stream = match record.stream {
            LogStream::Stdout => self.stdout,
            LogStream::Stderr => self.stderr,
        };
        stream
            && self.since.is_none_or(|since| record.time >= since)
            && self.until.is_none_or(|until| record.time <= until)
    }

    fn is_past(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| now > until)
    }
}

/// Hands the records of the log at `path` to `sink`, oldest first; with `follow` also those to come,
/// until the container ends.
///
/// # Errors
/// [`Error::Read`], [`Error::Watch`], and what the sink returns.
pub fn read(
    path: &Path,
    options: &Options,
    follow: Option<Follow<'_>>,
    sink: &mut dyn FnMut(&Record) -> Result<(), Error>,
) -> Result<(), Error> {
    // The watch comes first: what happens from here on wakes us.
    let mut watch = follow.map(|follow| Watch::new(path, follow)).transpose()?;
    let mut files = files::open_all(path)?;
    let (first, offset) = match options.tail {
        Some(count) => files::last_records(&files, count)?,
        None => (0, 0),
    };
    files.drain(..first.min(files.len()));
    let mut current: Option<Tail> = None;
    let mut offset = Some(offset);
    for file in files {
        let mut tail = Tail::new(file, offset.take().unwrap_or(0));
        tail.drain(options, sink)?;
        current = Some(tail);
    }
    let Some(watch) = &mut watch else {
        return Ok(());
    };
    loop {
        // Asked before reading: what was written before the end is then read.
        let running = watch.is_running();
        let mut found = false;
        if let Some(tail) = &mut current {
            found = tail.drain(options, sink)?;
        }
        for file in newer(path, current.as_ref())? {
            // What was written to the old one before it was moved.
            if let Some(tail) = &mut current {
                tail.drain(options, sink)?;
            }
            let mut tail = Tail::new(file, 0);
            tail.drain(options, sink)?;
            current = Some(tail);
            found = true;
        }
        if !running || options.is_past(Timestamp::now()) {
            return Ok(());
        }
        if !found {
            watch.wait()?;
        }
    }
}

/// The files made since `current` was the newest, oldest first.
fn newer(path: &Path, current: Option<&Tail>) -> Result<Vec<LogFile>, Error> {
    let Some(current) = current else {
        return files::open_all(path);
    };
    let newest = std::fs::metadata(path);
    if newest.is_ok_and(|metadata| files::identity(&metadata) == current.file.identity) {
        return Ok(Vec::new());
    }
    let mut files = files::open_all(path)?;
    let known = files
        .iter()
        .position(|file| file.identity == current.file.identity);
    Ok(files.split_off(known.map_or(0, |at| at + 1)))
}

/// A file read as far as it goes.
struct Tail {
    file: LogFile,
    /// End of the last whole line read.
    offset: u64,
    line: Vec<u8>,
}

impl Tail {
    fn new(file: LogFile, offset: u64) -> Tail {
        Tail {
            file,
            offset,
            line: Vec::new(),
        }
    }

    /// Hands on the whole lines that are there; whether there were any.
    fn drain(
        &mut self,
        options: &Options,
        sink: &mut dyn FnMut(&Record) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let read_error = |source| Error::Read {
            path: self.file.path.clone(),
            source,
        };
        let mut file: &File = &self.file.file;
        if file.metadata().map_err(read_error)?.len() < self.offset {
            // Emptied by a rotation that keeps one file.
            self.offset = 0;
        }
        file.seek(SeekFrom::Start(self.offset))
            .map_err(read_error)?;
        let mut reader = BufReader::with_capacity(64 * 1024, file);
        let mut found = false;
        loop {
            self.line.clear();
            reader
                .read_until(b'\n', &mut self.line)
                .map_err(read_error)?;
            // The end of what is there, or of a line that is still being written.
            if self.line.last() != Some(&b'\n') {
                return Ok(found);
            }
            self.offset += self.line.len() as u64;
            found = true;
            if let Some(record) = Record::parse(&self.line)
                && options.wants(&record)
            {
                sink(&record)?;
            }
        }
    }
}

#[cfg(test)]
mod tests;
