//! Reading the outer tar: once, front to back. Large files go into the store as they come; that they are on the disk is
//! waited for beside the reading.

use std::collections::VecDeque;
use std::io::{BufReader, Read};
use std::thread::{Scope, ScopedJoinHandle};

use berth_layer::decompress::decompress;
use berth_layer::tar::{Data, Entry, Kind, Reader};
use berth_layer::{Limits, path};
use berth_oci::{Algorithm, Digest};
use berth_store::{Expected, Ingest, Lease};

use super::super::Error;
use super::super::error::store;
use super::{Contents, Stored, is_here, shown};

/// Files up to this size are kept in memory, …
const SMALL_BYTES: u64 = 1 << 20;
/// … as long as they are not more than this together.
const MEMORY_BYTES: u64 = 32 << 20;
/// Bytes of names and links, with what keeping each costs.
const NAMES_BYTES: usize = 16 << 20;
/// See `NAMES_BYTES`.
const NAME_COST: usize = 128;
/// Files that are on their way to the disk at once.
const COMMITS: usize = 4;

impl Contents {
    /// Reads an archive, compressed or not. Blobs named by their digest are checked against it.
    pub(crate) fn read(lease: &Lease, input: impl Read + Send) -> Result<Contents, Error> {
        let limits = Limits::default();
        let plain = decompress(input, limits).map_err(archive)?;
        let mut reader = Reader::new(BufReader::with_capacity(256 << 10, plain), limits);
        std::thread::scope(|scope| {
            let mut reading = Reading {
                lease,
                contents: Contents::default(),
                in_memory: 0,
                names_bytes: 0,
                scope,
                commits: VecDeque::new(),
            };
            while let Some(entry) = reader.next().map_err(archive)? {
                reading.entry(entry, &mut reader)?;
            }
            while reading.finish_one()? {}
            Ok(reading.contents)
        })
    }
}

/// A thread that puts a file onto the disk.
type Commit<'scope> = ScopedJoinHandle<'scope, Result<Expected, Error>>;

struct Reading<'scope, 'env> {
    lease: &'env Lease,
    contents: Contents,
    /// Bytes of small files.
    in_memory: u64,
    names_bytes: usize,
    scope: &'scope Scope<'scope, 'env>,
    /// Large files by name, the first one the oldest.
    commits: VecDeque<(Vec<u8>, Commit<'scope>)>,
}

impl Reading<'_, '_> {
    fn entry<R: std::io::BufRead>(
        &mut self,
        entry: Entry,
        reader: &mut Reader<R>,
    ) -> Result<(), Error> {
        let refused = |reason: &str| {
            let path = shown(&entry.path);
            archive(berth_layer::Error::Entry {
                path,
                reason: reason.to_owned(),
            })
        };
        let name = path::clean(&entry.path).map_err(&refused)?;
        self.count_name(name.len() + entry.link.len())?;
        let twice = match entry.kind {
            Kind::Dir => false,
            Kind::File => {
                let fits = self.in_memory + entry.size <= MEMORY_BYTES;
                let stored = if entry.size <= SMALL_BYTES && fits {
                    self.in_memory += entry.size;
                    Stored::Memory(reader.data().to_vec(SMALL_BYTES).map_err(archive)?)
                } else {
                    self.ingest(&name, entry.size, reader.data())?
                };
                self.contents.files.insert(name.clone(), stored).is_some()
            }
            Kind::Symlink | Kind::Hardlink => {
                let target = match entry.kind {
                    Kind::Symlink => path::clean(&relative_to(&name, &entry.link)),
                    _ => path::clean(&entry.link),
                };
                let target = target.map_err(&refused)?;
                self.contents.links.insert(name.clone(), target).is_some()
            }
            _ => return Err(refused("an image archive holds files only")),
        };
        let contents = &self.contents;
        let both = contents.files.contains_key(&name) && contents.links.contains_key(&name);
        if twice || both {
            return Err(Error::TwiceInArchive { path: shown(&name) });
        }
        Ok(())
    }

    fn count_name(&mut self, length: usize) -> Result<(), Error> {
        self.names_bytes += length + NAME_COST;
        if self.names_bytes <= NAMES_BYTES {
            return Ok(());
        }
        Err(archive(berth_layer::Error::Limit {
            limit: NAMES_BYTES as u64,
            unit: "bytes of names",
        }))
    }

    /// Puts a large file into the store. What is returned stands in until that is done.
    fn ingest<R: std::io::BufRead>(
        &mut self,
        name: &[u8],
        size: u64,
        mut data: Data<'_, R>,
    ) -> Result<Stored, Error> {
        let keep = store("keep the archive's content");
        let expected = digest_in(name).map(|digest| Expected { digest, size });
        if let Some(expected) = &expected
            && is_here(self.lease, expected)?
        {
            return Ok(Stored::Blob(expected.clone()));
        }
        let mut ingest = self.lease.ingest(expected).map_err(&keep)?;
        ingest.restart().map_err(&keep)?;
        loop {
            let chunk = data.chunk().map_err(archive)?;
            if chunk.is_empty() {
                break;
            }
            ingest.append(chunk).map_err(&keep)?;
            let length = chunk.len();
            data.consume(length);
        }
        if self.commits.len() == COMMITS {
            self.finish_one()?;
        }
        let commit = move || commit(ingest);
        self.commits
            .push_back((name.to_vec(), self.scope.spawn(commit)));
        Ok(Stored::Memory(Vec::new()))
    }

    /// Waits for the oldest; `false`: there is none.
    fn finish_one(&mut self) -> Result<bool, Error> {
        let Some((name, thread)) = self.commits.pop_front() else {
            return Ok(false);
        };
        // A panic is a bug; what was not checked is not used.
        let blob = thread.join().unwrap_or(Err(Error::NotChecked))?;
        self.contents.files.insert(name, Stored::Blob(blob));
        Ok(true)
    }
}

fn commit(ingest: Ingest<'_>) -> Result<Expected, Error> {
    ingest.commit().map_err(store("keep the archive's content"))
}

fn archive(source: berth_layer::Error) -> Error {
    Error::Archive { source }
}

/// The digest that the path of a layout's blob says.
fn digest_in(path: &[u8]) -> Option<Digest> {
    let text = std::str::from_utf8(path).ok()?.strip_prefix("blobs/")?;
    let (algorithm, hex) = text.split_once('/')?;
    let digest = Digest::parse(&format!("{algorithm}:{hex}")).ok()?;
    matches!(digest.algorithm(), Algorithm::Sha256 | Algorithm::Sha512).then_some(digest)
}

fn relative_to(name: &[u8], link: &[u8]) -> Vec<u8> {
    if link.starts_with(b"/") {
        return link.to_vec();
    }
    let mut parts: Vec<&[u8]> = name.split(|b| *b == b'/').collect();
    parts.pop();
    for part in link.split(|b| *b == b'/') {
        match part {
            b".." => {
                if parts.pop().is_none() {
                    // Out of the archive: no file is called so.
                    return b"..".to_vec();
                }
            }
            b"." | b"" => {}
            part => parts.push(part),
        }
    }
    parts.join(&b'/')
}
