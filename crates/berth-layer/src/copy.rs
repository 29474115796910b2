//! A copy of a whole tree with owners, modes, times, attributes and hard links: written as an archive by one
//! thread, applied by another, so that there is one code for metadata.

use std::io::{BufReader, BufWriter, PipeWriter};
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::apply::{Form, Options, apply};
use crate::tar::Reader;
use crate::{Error, Limits, WriteOptions, write_tree};

/// Copies what is below `from`, and the root's metadata, into the empty directory `to`. Modes of pipes and
/// devices are subject to the umask. Needs root, for the owners.
///
/// # Errors
/// As [`write_tree`] and [`apply`].
pub fn copy_tree(from: BorrowedFd<'_>, to: OwnedFd) -> Result<(), Error> {
    let root = WriteOptions {
        root: true,
        ..WriteOptions::default()
    };
    transfer(
        |output| write_tree(from, output, &root).map(drop),
        to,
        false,
    )
}

/// Applies what another thread writes.
///
/// # Errors
/// The writer's, else the applier's.
pub(crate) fn transfer(
    write: impl FnOnce(BufWriter<PipeWriter>) -> Result<(), Error> + Send,
    to: OwnedFd,
    skip_devices: bool,
) -> Result<(), Error> {
    let limits = Limits {
        total_bytes: u64::MAX,
        entries: u64::MAX,
        ..Limits::default()
    };
    let options = Options {
        form: Form::Plain,
        skip_devices,
        limits,
    };
    let (receiver, sender) = std::io::pipe().map_err(|source| Error::Read { source })?;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(BufWriter::with_capacity(64 << 10, sender)));
        let mut reader = Reader::new(BufReader::with_capacity(64 << 10, receiver), limits);
        let applied = apply(&mut reader, to, Vec::new(), options);
        // An unread pipe would block the other thread.
        drop(reader);
        let written = writer.join().map_err(|_| Error::Thread {
            source: std::io::Error::other("it panicked"),
        })?;
        match (applied, written) {
            // The writer only noticed that nobody listened.
            (Err(error), Err(Error::Write { .. }) | Ok(())) => Err(error),
            (_, Err(error)) => Err(error),
            (Ok(_), Ok(())) => Ok(()),
        }
    })
}
