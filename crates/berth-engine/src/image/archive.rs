//! The files of an image archive: an outer tar, read once, front to back, or a directory.
//!
//! Of a tar large files go straight into the store, and small ones stay in memory until it is known what they are. Of a
//! directory only what is asked for is read.
//!
//! Nothing of it is visible before a reference is written; what is not used becomes garbage.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use berth_layer::path;
use berth_oci::Digest;
use berth_store::{Expected, Ingest, Lease};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::Error;
use super::error::store;

mod read;

/// Bytes copied at once.
const COPY_BYTES: usize = 256 << 10;
/// Links to links.
const MAX_LINKS: usize = 8;

/// One entry of `manifest.json`. Source: Docker image specification 1.2, "Combined Image JSON".
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DockerImage {
    pub(crate) config: String,
    #[serde(default)]
    pub(crate) repo_tags: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) layers: Option<Vec<String>>,
}

/// Where an OCI layout has a blob.
pub(crate) fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().as_str(), digest.hex())
}

/// The files of an archive by their clean paths.
#[derive(Default)]
pub(crate) struct Contents {
    files: HashMap<Vec<u8>, Stored>,
    links: HashMap<Vec<u8>, Vec<u8>>,
    directory: Option<OwnedFd>,
}

enum Stored {
    Memory(Vec<u8>),
    Blob(Expected),
}

/// A file that was asked for.
enum Found<'a> {
    Memory(&'a [u8]),
    Blob(&'a Expected),
    File(File),
}

impl Contents {
    /// The files of a directory. Links are followed inside it only.
    pub(crate) fn of_directory(path: &Path) -> Result<Contents, Error> {
        let directory = berth_fs::open_dir(path).map_err(|source| Error::Directory { source })?;
        Ok(Contents {
            directory: Some(directory),
            ..Contents::default()
        })
    }

    pub(crate) fn has(&self, path: &str) -> Result<bool, Error> {
        Ok(self.find(path)?.is_some())
    }

    /// The whole file, if it is at most `max` bytes.
    pub(crate) fn bytes(&self, lease: &Lease, path: &str, max: u64) -> Result<Vec<u8>, Error> {
        let too_large = |size| Error::TooLarge {
            path: shown(path.as_bytes()),
            size,
            limit: max,
        };
        match self.find(path)? {
            Some(Found::Memory(bytes)) if bytes.len() as u64 > max => {
                Err(too_large(bytes.len() as u64))
            }
            Some(Found::Memory(bytes)) => Ok(bytes.to_vec()),
            Some(Found::Blob(blob)) => lease
                .store()
                .read_blob(&blob.digest, max)
                .map_err(store("read from the archive")),
            Some(Found::File(file)) => {
                let mut bytes = Vec::new();
                let read = file.take(max + 1).read_to_end(&mut bytes);
                let length = read.map_err(unreadable)? as u64;
                if length > max {
                    return Err(too_large(length));
                }
                Ok(bytes)
            }
            None => Err(lacks(path)),
        }
    }

    /// The file as a blob of the store.
    pub(crate) fn blob(&self, lease: &Lease, path: &str) -> Result<Expected, Error> {
        let keep = store("keep the archive's content");
        match self.find(path)? {
            Some(Found::Blob(blob)) => Ok(blob.clone()),
            Some(Found::Memory(bytes)) => {
                let put = lease.put("", bytes).map_err(keep)?;
                Ok(Expected {
                    digest: put.digest,
                    size: put.size,
                })
            }
            Some(Found::File(file)) => copy(lease.ingest(None).map_err(&keep)?, file),
            None => Err(lacks(path)),
        }
    }

    /// The blob of a layout, or of skopeo's `dir`, by its digest; `false`: the archive does not hold it.
    pub(crate) fn bring(&self, lease: &Lease, wanted: &Expected) -> Result<bool, Error> {
        let digest = &wanted.digest;
        let keep = store("keep the archive's content");
        let hex = digest.hex();
        let manifest = format!("{hex}.manifest.json");
        for path in [&blob_path(digest), hex, &manifest] {
            match self.find(path)? {
                None => {}
                // Its digest was checked on the way in, its size was not.
                Some(Found::Blob(blob)) if blob == wanted => return Ok(true),
                Some(Found::Blob(blob)) => {
                    return Err(keep(if blob.digest == *digest {
                        berth_store::Error::SizeMismatch {
                            digest: digest.clone(),
                            expected: wanted.size,
                            found: blob.size,
                        }
                    } else {
                        berth_store::Error::DigestMismatch {
                            expected: digest.clone(),
                            found: blob.digest.clone(),
                        }
                    }));
                }
                Some(Found::Memory(bytes)) => {
                    let mut ingest = lease.ingest(Some(wanted.clone())).map_err(&keep)?;
                    ingest.restart().map_err(&keep)?;
                    ingest.append(bytes).map_err(&keep)?;
                    ingest.commit().map_err(&keep)?;
                    return Ok(true);
                }
                Some(Found::File(file)) => {
                    if !is_here(lease, wanted)? {
                        let mut ingest = lease.ingest(Some(wanted.clone())).map_err(&keep)?;
                        ingest.restart().map_err(&keep)?;
                        copy(ingest, file)?;
                    }
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn find(&self, path: &str) -> Result<Option<Found<'_>>, Error> {
        let Ok(mut path) = path::clean(path.as_bytes()) else {
            return Ok(None);
        };
        if let Some(directory) = &self.directory {
            return open_file(directory, &path);
        }
        for _ in 0..MAX_LINKS {
            match self.links.get(&path) {
                Some(target) => path = target.clone(),
                None => {
                    return Ok(self.files.get(&path).map(|stored| match stored {
                        Stored::Memory(bytes) => Found::Memory(bytes),
                        Stored::Blob(blob) => Found::Blob(blob),
                    }));
                }
            }
        }
        Ok(None)
    }
}

/// A regular file below `directory`.
fn open_file<'a>(directory: &OwnedFd, path: &[u8]) -> Result<Option<Found<'a>>, Error> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    // Without waiting: it may be a fifo.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::openat2(directory.as_fd(), path, flags, Mode::empty(), resolve) {
        Ok(file) => {
            let file = File::from(file);
            let is_file = file.metadata().map_err(unreadable)?.is_file();
            Ok(is_file.then_some(Found::File(file)))
        }
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(Error::Io {
            action: "open the archive's",
            path: Path::new(OsStr::from_bytes(path)).to_owned(),
            source: errno.into(),
        }),
    }
}

fn unreadable(source: std::io::Error) -> Error {
    Error::Archive {
        source: berth_layer::Error::Read { source },
    }
}

/// Whether the store has it, whole; then it is kept.
fn is_here(lease: &Lease, wanted: &Expected) -> Result<bool, Error> {
    let keep = store("keep the archive's content");
    Ok(lease.add(&wanted.digest).map_err(&keep)?
        && lease.store().size(&wanted.digest).map_err(&keep)? == Some(wanted.size))
}

fn copy(mut ingest: Ingest<'_>, mut file: File) -> Result<Expected, Error> {
    let keep = store("keep the archive's content");
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return ingest.commit().map_err(&keep),
            Ok(length) => ingest.append(&buffer[..length]).map_err(&keep)?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
}

fn shown(path: &[u8]) -> String {
    path.escape_ascii().take(200).map(char::from).collect()
}

fn lacks(path: &str) -> Error {
    Error::Incomplete {
        what: format!("`{}`", shown(path.as_bytes())),
    }
}
