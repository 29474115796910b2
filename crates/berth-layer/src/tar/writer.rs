//! The deterministic writer: ustar where it fits, one PAX header where not; same entries, same bytes.

use std::fs::File;
use std::io::{self, Read as _, Write};

use super::entry::{Entry, Kind};
use super::header::{BLOCK, Field, HeaderBuilder};
use super::pax;
use crate::Error;

/// Writes an archive; [`Writer::finish`] closes it.
pub struct Writer<W> {
    output: W,
}

impl<W: Write> Writer<W> {
    /// An empty archive.
    pub fn new(output: W) -> Writer<W> {
        Writer { output }
    }

    /// Appends an entry; `data` must give exactly `entry.size` bytes. A directory's name gets its
    /// closing slash here.
    ///
    /// # Errors
    /// `Write` if the output fails; `Read` if `data` fails or is too short.
    pub fn append(&mut self, entry: &Entry, data: &mut dyn io::Read) -> Result<(), Error> {
        self.header(entry)?;
        let copied = copy(data, &mut self.output, entry.size)?;
        if copied < entry.size {
            return Err(too_short());
        }
        self.pad(entry.size)
    }

    /// As [`Writer::append`], from an open file: where the output allows it, the kernel copies.
    ///
    /// # Errors
    /// As [`Writer::append`], but that a failure to read is a `Write`, too.
    pub fn append_file(&mut self, entry: &Entry, data: &File) -> Result<(), Error> {
        self.header(entry)?;
        let copied = io::copy(&mut data.take(entry.size), &mut self.output)
            .map_err(|source| Error::Write { source })?;
        if copied < entry.size {
            return Err(too_short());
        }
        self.pad(entry.size)
    }

    /// Writes the closing blocks and gives the output back.
    ///
    /// # Errors
    /// `Write` if the output fails.
    pub fn finish(mut self) -> Result<W, Error> {
        self.put(&[0; 2 * BLOCK])?;
        self.output
            .flush()
            .map_err(|source| Error::Write { source })?;
        Ok(self.output)
    }

    fn header(&mut self, entry: &Entry) -> Result<(), Error> {
        let mut path = entry.path.clone();
        if entry.kind == Kind::Dir && !path.ends_with(b"/") {
            path.push(b'/');
        }
        let mut header = HeaderBuilder::new(typeflag(entry.kind));
        let mut records = Vec::new();
        if !header.path(&path) {
            pax::push(&mut records, b"path", &path);
        }
        if !header.link(&entry.link) {
            pax::push(&mut records, b"linkpath", &entry.link);
        }
        for (field, key, value) in [
            (Field::Size, &b"size"[..], i128::from(entry.size)),
            (Field::Uid, b"uid", i128::from(entry.uid)),
            (Field::Gid, b"gid", i128::from(entry.gid)),
        ] {
            if !header.number(field, value) {
                pax::push(&mut records, key, value.to_string().as_bytes());
            }
        }
        if !header.number(Field::Mtime, i128::from(entry.mtime.secs)) || entry.mtime.nanos != 0 {
            pax::push(
                &mut records,
                b"mtime",
                pax::format_time(entry.mtime).as_bytes(),
            );
        }
        header.number(Field::Mode, i128::from(entry.mode & 0o7777));
        if let Kind::Char { major, minor } | Kind::Block { major, minor } = entry.kind
            && !(header.number(Field::Major, i128::from(major))
                && header.number(Field::Minor, i128::from(minor)))
        {
            let reason = "the device number does not fit the format".to_owned();
            return Err(Error::Entry {
                path: crate::error::shown(&path),
                reason,
            });
        }
        for (name, value) in &entry.xattrs {
            pax::push(&mut records, &[b"SCHILY.xattr.", &name[..]].concat(), value);
        }
        if !records.is_empty() {
            self.extension(&records)?;
        }
        self.put(&header.finish())
    }

    fn extension(&mut self, records: &[u8]) -> Result<(), Error> {
        let mut header = HeaderBuilder::new(b'x');
        header.path(b"pax_header");
        header.number(Field::Mode, 0o644);
        for field in [Field::Uid, Field::Gid, Field::Mtime] {
            header.number(field, 0);
        }
        header.number(Field::Size, records.len() as i128);
        self.put(&header.finish())?;
        self.put(records)?;
        self.pad(records.len() as u64)
    }

    fn pad(&mut self, size: u64) -> Result<(), Error> {
        let padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        self.put(&[0; BLOCK][..padding as usize])
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.output
            .write_all(bytes)
            .map_err(|source| Error::Write { source })
    }
}

fn too_short() -> Error {
    Error::Read {
        source: io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the file became shorter while it was read",
        ),
    }
}

fn typeflag(kind: Kind) -> u8 {
    match kind {
        Kind::File => b'0',
        Kind::Hardlink => b'1',
        Kind::Symlink => b'2',
        Kind::Char { .. } => b'3',
        Kind::Block { .. } => b'4',
        Kind::Dir => b'5',
        Kind::Fifo => b'6',
    }
}

/// Copies up to `size` bytes, telling the reader's failure from the writer's.
fn copy(data: &mut dyn io::Read, output: &mut impl Write, size: u64) -> Result<u64, Error> {
    let mut buffer = vec![0; (size.min(256 << 10)) as usize];
    let mut copied = 0;
    while copied < size {
        let want = buffer
            .len()
            .min(usize::try_from(size - copied).unwrap_or(usize::MAX));
        let got = match data.read(&mut buffer[..want]) {
            Ok(0) => break,
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(Error::Read { source }),
        };
        output
            .write_all(&buffer[..got])
            .map_err(|source| Error::Write { source })?;
        copied += got as u64;
    }
    Ok(copied)
}
