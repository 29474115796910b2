//! The strict reader: entries in the order of the archive, bounded memory.

use std::io::{self, BufRead};

use super::entry::{Entry, Kind, Time};
use super::header::{BLOCK, Dialect, Field, Header};
use super::pax::{self, Records};
use crate::limits::{EXTENSION_BYTES, PATH_BYTES};
use crate::{Error, Limits};

/// Reads an archive entry by entry; see the [module](super) for what it refuses.
pub struct Reader<R> {
    input: R,
    limits: Limits,
    /// Offset in the archive of the next byte of `input`.
    offset: u64,
    /// Bytes of the current entry's data not yet read.
    data_left: u64,
    /// Bytes of padding after the data.
    padding: u64,
    headers: u64,
    ended: bool,
}

/// The extension headers that came before an entry.
#[derive(Default)]
struct Extensions {
    pax: Option<Records>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl<R: BufRead> Reader<R> {
    /// A reader of the archive that `input` holds from its first byte on.
    pub fn new(input: R, limits: Limits) -> Reader<R> {
        Reader {
            input,
            limits,
            offset: 0,
            data_left: 0,
            padding: 0,
            headers: 0,
            ended: false,
        }
    }

    /// The next entry, or `None` at the archive's end. Data not read of the entry before is passed over.
    /// At the end all the input has been read.
    ///
    /// # Errors
    /// Anything that is no well-formed archive; a limit exceeded; the input's own failure.
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator could not lend the data"
    )]
    pub fn next(&mut self) -> Result<Option<Entry>, Error> {
        let mut extensions = Extensions::default();
        loop {
            if self.ended {
                return Ok(None);
            }
            self.skip_data()?;
            let Some(header) = self.header()? else {
                self.ended = true;
                if extensions.pax.is_some()
                    || extensions.long_name.is_some()
                    || extensions.long_link.is_some()
                {
                    return Err(self.malformed("an extension header without an entry"));
                }
                return Ok(None);
            };
            self.headers += 1;
            if self.headers > self.limits.entries {
                return Err(Error::Limit {
                    limit: self.limits.entries,
                    unit: "entries",
                });
            }
            let dialect = header
                .dialect()
                .ok_or_else(|| self.malformed("unknown magic"))?;
            match header.typeflag() {
                b'x' | b'g' | b'L' | b'K' => self.extension(&header, &mut extensions)?,
                _ => return self.entry(&header, dialect, extensions).map(Some),
            }
        }
    }

    /// The data of the entry that `next` gave last.
    pub fn data(&mut self) -> Data<'_, R> {
        Data { reader: self }
    }

    fn extension(&mut self, header: &Header, extensions: &mut Extensions) -> Result<(), Error> {
        let size = self.size(header)?;
        if size > EXTENSION_BYTES {
            return Err(Error::Limit {
                limit: EXTENSION_BYTES,
                unit: "bytes of an extension header",
            });
        }
        let mut bytes = vec![0; size as usize];
        self.read_exact(&mut bytes)?;
        self.skip((BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64)?;
        let gnu = extensions.long_name.is_some() || extensions.long_link.is_some();
        match header.typeflag() {
            b'x' if extensions.pax.is_some() || gnu => {
                Err(self.malformed("more than one extension header"))
            }
            b'x' => {
                extensions.pax = Some(pax::parse(&bytes).map_err(|why| self.malformed(why))?);
                Ok(())
            }
            b'g' if extensions.pax.is_some() || gnu => {
                Err(self.malformed("a global header after an extension header"))
            }
            b'g' => pax::check_global(&bytes).map_err(|why| self.malformed(why)),
            _ if extensions.pax.is_some() => {
                Err(self.malformed("a GNU long name after a PAX header"))
            }
            flag => {
                let slot = if flag == b'L' {
                    &mut extensions.long_name
                } else {
                    &mut extensions.long_link
                };
                let twice = slot.is_some();
                *slot = long_name(&bytes);
                match (twice, slot.is_some()) {
                    (true, _) => Err(self.malformed("two GNU long names")),
                    (_, false) => Err(self.malformed("malformed GNU long name")),
                    _ => Ok(()),
                }
            }
        }
    }

    fn entry(
        &mut self,
        header: &Header,
        dialect: Dialect,
        extensions: Extensions,
    ) -> Result<Entry, Error> {
        if dialect == Dialect::Ustar && header.is_ambiguous_star() {
            return Err(self.malformed("a prefix that runs into star's fields"));
        }
        let pax = extensions.pax.unwrap_or_default();
        let path = pax
            .path
            .or(extensions.long_name)
            .unwrap_or_else(|| header.name(dialect));
        let link = pax
            .link
            .or(extensions.long_link)
            .unwrap_or_else(|| header.link().to_vec());
        if path.is_empty() || path.len() > PATH_BYTES || link.len() > PATH_BYTES {
            return Err(self.malformed("an empty or overlong name"));
        }
        let size = match pax.size {
            Some(size) => size,
            None => self.size(header)?,
        };
        let kind = self.kind(header, &path)?;
        if size != 0 && kind != Kind::File {
            return Err(self.refused(&path, "it has data but is no file"));
        }
        match kind {
            Kind::Hardlink | Kind::Symlink if link.is_empty() => {
                return Err(self.refused(&path, "a link to nothing"));
            }
            Kind::File if path.ends_with(b"/") => {
                return Err(self.refused(&path, "a file whose name ends like a directory's"));
            }
            _ => {}
        }
        let mtime = match pax.mtime {
            Some(time) => time,
            None => Time {
                secs: self.ranged(header, Field::Mtime)?,
                nanos: 0,
            },
        };
        self.begin_data(size)?;
        Ok(Entry {
            path,
            kind,
            link: if matches!(kind, Kind::Hardlink | Kind::Symlink) {
                link
            } else {
                Vec::new()
            },
            size,
            // Some writers put the file type into the upper bits.
            mode: self.ranged::<i64>(header, Field::Mode)? as u32 & 0o7777,
            uid: self.id(header, Field::Uid, pax.uid)?,
            gid: self.id(header, Field::Gid, pax.gid)?,
            mtime,
            xattrs: pax.xattrs,
        })
    }

    fn kind(&self, header: &Header, path: &[u8]) -> Result<Kind, Error> {
        Ok(match header.typeflag() {
            b'0' | b'7' => Kind::File,
            // Before POSIX a directory was a file whose name ends in a slash.
            0 if path.ends_with(b"/") => Kind::Dir,
            0 => Kind::File,
            b'1' => Kind::Hardlink,
            b'2' => Kind::Symlink,
            b'3' | b'4' => {
                let (major, minor) = (
                    self.ranged(header, Field::Major)?,
                    self.ranged(header, Field::Minor)?,
                );
                if header.typeflag() == b'3' {
                    Kind::Char { major, minor }
                } else {
                    Kind::Block { major, minor }
                }
            }
            b'5' => Kind::Dir,
            b'6' => Kind::Fifo,
            b'S' => return Err(self.refused(path, "sparse files are not supported")),
            other => {
                return Err(
                    self.refused(path, format!("unknown entry type {:?}", char::from(other)))
                );
            }
        })
    }

    fn id(&self, header: &Header, field: Field, pax: Option<u32>) -> Result<u32, Error> {
        let id = match pax {
            Some(id) => id,
            None => self.ranged(header, field)?,
        };
        // The kernel takes this value for "leave it as it is".
        if id == u32::MAX {
            Err(self.malformed("the owner -1"))
        } else {
            Ok(id)
        }
    }

    fn size(&self, header: &Header) -> Result<u64, Error> {
        let size: i64 = self.ranged(header, Field::Size)?;
        u64::try_from(size).map_err(|_| self.malformed("a negative size"))
    }

    fn ranged<T: TryFrom<i128>>(&self, header: &Header, field: Field) -> Result<T, Error> {
        let value = header
            .field(field)
            .map_err(|name| self.malformed(format!("malformed {name}")))?;
        T::try_from(value)
            .map_err(|_| self.malformed(format!("{field:?} out of range").to_lowercase()))
    }

    /// The next header block; `None` at the end of the archive, whose rest has then been read.
    fn header(&mut self) -> Result<Option<Header>, Error> {
        let mut header = Header([0; BLOCK]);
        if !self.block(&mut header.0)? {
            return Ok(None);
        }
        if !header.is_zero() {
            if !header.checksum_matches() {
                return Err(self.malformed("wrong checksum"));
            }
            header
                .check_fields()
                .map_err(|field| self.malformed(format!("malformed {field}")))?;
            return Ok(Some(header));
        }
        if self.block(&mut header.0)? && !header.is_zero() {
            return Err(self.malformed("an entry after the end of the archive"));
        }
        self.drain_zeros()?;
        Ok(None)
    }

    /// After the two closing blocks there is nothing but the zeros that fill up a record.
    fn drain_zeros(&mut self) -> Result<(), Error> {
        loop {
            let chunk = self.input.fill_buf().map_err(Error::from_io)?;
            if chunk.is_empty() {
                return Ok(());
            }
            let zeros = chunk.iter().all(|byte| *byte == 0);
            let length = chunk.len();
            self.input.consume(length);
            self.offset += length as u64;
            if !zeros {
                return Err(self.malformed("data after the end of the archive"));
            }
        }
    }

    /// Fills a block; false at the end of the input, which some writers reach without closing blocks.
    fn block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, Error> {
        if self.input.fill_buf().map_err(Error::from_io)?.is_empty() {
            return Ok(false);
        }
        self.read_exact(block)?;
        Ok(true)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        self.input
            .read_exact(buffer)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    self.malformed("the archive ends in the middle of an entry")
                }
                _ => Error::from_io(error),
            })?;
        self.offset += buffer.len() as u64;
        Ok(())
    }

    fn begin_data(&mut self, size: u64) -> Result<(), Error> {
        if size > self.limits.total_bytes.saturating_sub(self.offset) {
            return Err(Error::Limit {
                limit: self.limits.total_bytes,
                unit: "bytes",
            });
        }
        self.data_left = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        Ok(())
    }

    fn skip_data(&mut self) -> Result<(), Error> {
        let left = std::mem::take(&mut self.data_left) + std::mem::take(&mut self.padding);
        self.skip(left)
    }

    fn skip(&mut self, mut left: u64) -> Result<(), Error> {
        while left > 0 {
            let available = self.input.fill_buf().map_err(Error::from_io)?.len() as u64;
            if available == 0 {
                return Err(self.malformed("the archive ends in the middle of an entry"));
            }
            let step = available.min(left);
            self.input.consume(step as usize);
            self.offset += step;
            left -= step;
        }
        Ok(())
    }

    fn malformed(&self, reason: impl Into<String>) -> Error {
        Error::Archive {
            offset: self.offset,
            reason: reason.into(),
        }
    }

    fn refused(&self, path: &[u8], reason: impl Into<String>) -> Error {
        Error::Entry {
            path: crate::error::shown(path),
            reason: reason.into(),
        }
    }
}

/// A long name: text, one or more NULs, nothing else.
fn long_name(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    (end > 0 && bytes[end..].iter().all(|byte| *byte == 0)).then(|| bytes[..end].to_vec())
}

/// The current entry's data. Reading it to the end is not needed.
pub struct Data<'a, R> {
    reader: &'a mut Reader<R>,
}

impl<R: BufRead> Data<'_, R> {
    /// The next piece of data, empty at its end; `consume` what was used.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub fn chunk(&mut self) -> Result<&[u8], Error> {
        let left = self.reader.data_left;
        if left == 0 {
            return Ok(&[]);
        }
        let offset = self.reader.offset;
        let chunk = self.reader.input.fill_buf().map_err(Error::from_io)?;
        if chunk.is_empty() {
            return Err(Error::Archive {
                offset,
                reason: "the archive ends in the middle of an entry".to_owned(),
            });
        }
        Ok(&chunk[..chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX))])
    }

    /// Marks `length` bytes of the last chunk as used.
    pub fn consume(&mut self, length: usize) {
        debug_assert!(
            length as u64 <= self.reader.data_left,
            "consumed more than there is"
        );
        self.reader.input.consume(length);
        self.reader.offset += length as u64;
        self.reader.data_left -= length as u64;
    }

    /// All the data that is left, if it is at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Reader::next`], and `Limit`.
    pub fn to_vec(mut self, limit: u64) -> Result<Vec<u8>, Error> {
        if self.reader.data_left > limit {
            return Err(Error::Limit {
                limit,
                unit: "bytes of a file",
            });
        }
        let mut all = Vec::with_capacity(self.reader.data_left as usize);
        loop {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(chunk);
            let length = chunk.len();
            self.consume(length);
        }
    }
}

impl<R: BufRead> io::Read for Data<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let chunk = self.chunk()?;
        let length = chunk.len().min(buffer.len());
        buffer[..length].copy_from_slice(&chunk[..length]);
        self.consume(length);
        Ok(length)
    }
}
