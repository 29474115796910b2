//! Writing the container's output to descriptors that we share with others, without ever waiting.
//!
//! They must stay blocking (a flag on them would be the other holders' too), so at most [`PIECE`]
//! bytes are written once poll says that there is room: a pipe then has room for a page.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::FileType;
use rustix::io::{Errno, write};

use super::error::Error;

/// PIPE_BUF: what a pipe that is ready takes at once. Source: pipe(7).
const PIECE: usize = 4096;

/// One output and what waits for it.
#[derive(Debug)]
pub struct Output<'a> {
    fd: BorrowedFd<'a>,
    piece: usize,
    waiting: Vec<u8>,
    written: usize,
}

impl<'a> Output<'a> {
    /// Over a descriptor.
    pub fn new(fd: BorrowedFd<'a>) -> Self {
        let is_file = rustix::fs::fstat(fd)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        let piece = if is_file { usize::MAX } else { PIECE };
        Output {
            fd,
            piece,
            waiting: Vec::new(),
            written: 0,
        }
    }

    /// Whether all was written.
    pub fn is_empty(&self) -> bool {
        self.written == self.waiting.len()
    }

    /// Takes data, to be written by [`Self::flush`].
    pub fn push(&mut self, data: &[u8]) {
        if self.is_empty() {
            self.waiting.clear();
            self.written = 0;
        }
        self.waiting.extend_from_slice(data);
    }

    /// Forgets what waits: nobody reads it.
    pub fn discard(&mut self) {
        self.waiting.clear();
        self.written = 0;
    }

    /// Writes one piece; to be called when poll says that there is room. `false`: the reader is gone.
    ///
    /// # Errors
    /// [`Error::Stdio`].
    pub fn flush(&mut self) -> Result<bool, Error> {
        let end = self
            .written
            .saturating_add(self.piece)
            .min(self.waiting.len());
        match write(self.fd, &self.waiting[self.written..end]) {
            Ok(count) => self.written += count,
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(Errno::PIPE | Errno::IO) => return Ok(false),
            Err(source) => {
                return Err(Error::Stdio {
                    action: "write the output",
                    source,
                });
            }
        }
        Ok(true)
    }
}

impl AsFd for Output<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd
    }
}
