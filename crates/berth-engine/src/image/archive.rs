//! The outer tar of an image archive, read once, front to back: large files go straight into the
//! store, small ones stay in memory until it is known what they are.
//!
//! Nothing of it is visible before a reference is written; what is not used becomes garbage.

use std::collections::HashMap;
use std::io::{BufReader, Read};

use berth_layer::decompress::decompress;
use berth_layer::tar::{Data, Kind, Reader};
use berth_layer::{Limits, path};
use berth_oci::{Algorithm, Digest};
use berth_store::{Expected, Lease};
use serde::{Deserialize, Serialize};

use super::Error;
use super::error::store;

/// Files up to this size are kept in memory, …
const SMALL_BYTES: u64 = 1 << 20;
/// … as long as they are not more than this together.
const MEMORY_BYTES: u64 = 64 << 20;
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
pub(crate) struct Contents {
    files: HashMap<Vec<u8>, Stored>,
    links: HashMap<Vec<u8>, Vec<u8>>,
}

enum Stored {
    Memory(Vec<u8>),
    Blob(Expected),
}

impl Contents {
    /// Reads an archive, compressed or not. Blobs named by their digest are checked against it.
    pub(crate) fn read(lease: &Lease, input: impl Read + Send) -> Result<Contents, Error> {
        let archive = |source| Error::Archive { source };
        let limits = Limits::default();
        let plain = decompress(input, limits).map_err(archive)?;
        let mut reader = Reader::new(BufReader::with_capacity(256 << 10, plain), limits);
        let mut contents = Contents {
            files: HashMap::new(),
            links: HashMap::new(),
        };
        let mut in_memory = 0;
        while let Some(entry) = reader.next().map_err(archive)? {
            let refused = |reason: &str| {
                let path = shown(&entry.path);
                archive(berth_layer::Error::Entry {
                    path,
                    reason: reason.to_owned(),
                })
            };
            let name = path::clean(&entry.path).map_err(&refused)?;
            let twice = match entry.kind {
                Kind::Dir => false,
                Kind::File => {
                    let small = entry.size <= SMALL_BYTES && in_memory + entry.size <= MEMORY_BYTES;
                    let stored = if small {
                        in_memory += entry.size;
                        Stored::Memory(reader.data().to_vec(SMALL_BYTES).map_err(archive)?)
                    } else {
                        Stored::Blob(ingest(lease, reader.data(), digest_in(&name), entry.size)?)
                    };
                    contents.files.insert(name.clone(), stored).is_some()
                }
                Kind::Symlink => {
                    let target = relative_to(&name, &entry.link);
                    let target = path::clean(&target).map_err(&refused)?;
                    contents.links.insert(name.clone(), target).is_some()
                }
                Kind::Hardlink => {
                    let target = path::clean(&entry.link).map_err(&refused)?;
                    contents.links.insert(name.clone(), target).is_some()
                }
                _ => return Err(refused("an image archive holds files only")),
            };
            let both = contents.files.contains_key(&name) && contents.links.contains_key(&name);
            if twice || both {
                return Err(Error::TwiceInArchive { path: shown(&name) });
            }
        }
        Ok(contents)
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.find(path).is_some()
    }

    /// The whole file, if it is at most `max` bytes.
    pub(crate) fn bytes(&self, lease: &Lease, path: &str, max: u64) -> Result<Vec<u8>, Error> {
        match self.find(path) {
            Some(Stored::Memory(bytes)) => Ok(bytes.clone()),
            Some(Stored::Blob(blob)) => lease
                .store()
                .read_blob(&blob.digest, max)
                .map_err(store("read from the archive")),
            None => Err(lacks(path)),
        }
    }

    /// The file as a blob of the store.
    pub(crate) fn blob(&self, lease: &Lease, path: &str) -> Result<Expected, Error> {
        match self.find(path) {
            Some(Stored::Blob(blob)) => Ok(blob.clone()),
            Some(Stored::Memory(bytes)) => {
                let put = lease
                    .put("", bytes)
                    .map_err(store("keep the archive's content"))?;
                Ok(Expected {
                    digest: put.digest,
                    size: put.size,
                })
            }
            None => Err(lacks(path)),
        }
    }

    /// The blob of a layout by its digest; `false`: the archive does not hold it.
    pub(crate) fn bring(&self, lease: &Lease, wanted: &Expected) -> Result<bool, Error> {
        let digest = &wanted.digest;
        match self.find(&blob_path(digest)) {
            None => Ok(false),
            // Its digest was checked on the way in, its size was not.
            Some(Stored::Blob(blob)) if blob == wanted => Ok(true),
            Some(Stored::Blob(blob)) => Err(Error::Store {
                action: "keep the archive's content",
                source: berth_store::Error::SizeMismatch {
                    digest: digest.clone(),
                    expected: wanted.size,
                    found: blob.size,
                },
            }),
            Some(Stored::Memory(bytes)) => {
                let keep = store("keep the archive's content");
                let mut ingest = lease.ingest(Some(wanted.clone())).map_err(&keep)?;
                ingest.restart().map_err(&keep)?;
                ingest.append(bytes).map_err(&keep)?;
                ingest.commit().map_err(&keep)?;
                Ok(true)
            }
        }
    }

    fn find(&self, path: &str) -> Option<&Stored> {
        let mut path = path::clean(path.as_bytes()).ok()?;
        for _ in 0..MAX_LINKS {
            match self.links.get(&path) {
                Some(target) => path = target.clone(),
                None => return self.files.get(&path),
            }
        }
        None
    }
}

fn ingest<R: std::io::BufRead>(
    lease: &Lease,
    mut data: Data<'_, R>,
    digest: Option<Digest>,
    size: u64,
) -> Result<Expected, Error> {
    let keep = store("keep the archive's content");
    let expected = digest.map(|digest| Expected { digest, size });
    if let Some(expected) = &expected
        && lease.add(&expected.digest).map_err(&keep)?
        && lease.store().size(&expected.digest).map_err(&keep)? == Some(size)
    {
        return Ok(expected.clone());
    }
    let mut ingest = lease.ingest(expected).map_err(&keep)?;
    ingest.restart().map_err(&keep)?;
    loop {
        let chunk = data.chunk().map_err(|source| Error::Archive { source })?;
        if chunk.is_empty() {
            return ingest.commit().map_err(&keep);
        }
        ingest.append(chunk).map_err(&keep)?;
        let length = chunk.len();
        data.consume(length);
    }
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

fn shown(path: &[u8]) -> String {
    path.escape_ascii().take(200).map(char::from).collect()
}

fn lacks(path: &str) -> Error {
    Error::Incomplete {
        what: format!("`{}`", shown(path.as_bytes())),
    }
}
