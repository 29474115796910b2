//! Reading blobs. Small documents are verified whole; large ones while they stream.

use std::fs::File;
use std::io::Read;

use berth_oci::{Digest, Hasher};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::{Error, Store};

impl Store {
    /// Whether the content is here, complete.
    pub fn has(&self, digest: &Digest) -> bool {
        matches!(self.size(digest), Ok(Some(_)))
    }

    /// Bytes of the content, `None` if it is not here.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn size(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        let path = self.blob_path(digest);
        match rustix::fs::lstat(&path) {
            Ok(stat) if rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() => {
                Ok(Some(stat.st_size as u64))
            }
            Ok(_) | Err(Errno::NOENT) => Ok(None),
            Err(source) => Err(berth_fs::Error::Open { path, source }.into()),
        }
    }

    /// Bytes that the content takes on the disk; 0 if it is not here.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn disk_bytes(&self, digest: &Digest) -> Result<u64, Error> {
        let path = self.blob_path(digest);
        match rustix::fs::lstat(&path) {
            Ok(stat) => Ok(stat.st_blocks as u64 * 512),
            Err(Errno::NOENT) => Ok(0),
            Err(source) => Err(berth_fs::Error::Open { path, source }.into()),
        }
    }

    /// Opens the content as a plain file, not verified: whoever reads it all checks a digest, of it
    /// or of what is in it (an unpacker: the diff id).
    ///
    /// # Errors
    /// [`Error::MissingBlob`], [`Error::Disk`].
    pub fn open_blob(&self, digest: &Digest) -> Result<File, Error> {
        let path = self.blob_path(digest);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(file) => Ok(File::from(file)),
            Err(Errno::NOENT) => Err(Error::MissingBlob {
                digest: digest.clone(),
            }),
            Err(source) => Err(berth_fs::Error::Open { path, source }.into()),
        }
    }

    /// Opens the content so that reading fails at its end if it is not what its digest says.
    ///
    /// # Errors
    /// As [`Store::open_blob`].
    pub fn reader(&self, digest: &Digest) -> Result<VerifyingReader<File>, Error> {
        Ok(VerifyingReader::new(
            self.open_blob(digest)?,
            digest.clone(),
        ))
    }

    /// Reads the content to its end and compares its digest.
    ///
    /// # Errors
    /// [`Error::CorruptBlob`], [`Error::MissingBlob`], [`Error::ReadBlob`].
    pub fn verify_blob(&self, digest: &Digest) -> Result<(), Error> {
        let mut reader = self.reader(digest)?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                    return Err(Error::CorruptBlob {
                        digest: digest.clone(),
                    });
                }
                Err(source) => {
                    return Err(Error::ReadBlob {
                        digest: digest.clone(),
                        source,
                    });
                }
            }
        }
    }

    /// The whole content, verified.
    ///
    /// # Errors
    /// [`Error::BlobTooLarge`] beyond `max` bytes, [`Error::CorruptBlob`], [`Error::MissingBlob`].
    pub fn read_blob(&self, digest: &Digest, max: u64) -> Result<Vec<u8>, Error> {
        let file = self.open_blob(digest)?;
        let error = |source| Error::ReadBlob {
            digest: digest.clone(),
            source,
        };
        let size = file.metadata().map_err(error)?.len();
        if size > max {
            return Err(Error::BlobTooLarge {
                digest: digest.clone(),
                size,
                limit: max,
            });
        }
        let mut bytes = Vec::with_capacity(size as usize);
        // It may not grow, but let nothing depend on it.
        file.take(max + 1).read_to_end(&mut bytes).map_err(error)?;
        if !digest.verifies(&bytes) {
            return Err(Error::CorruptBlob {
                digest: digest.clone(),
            });
        }
        Ok(bytes)
    }

    /// Removes damaged content, so that pulling or loading brings it again (N14).
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn drop_damaged(&self, digest: &Digest) -> Result<(), Error> {
        let _lock = self.lock_shared()?;
        Ok(berth_fs::remove_file(
            &self.blob_path(digest),
            berth_fs::Durability::Durable,
        )?)
    }
}

/// A reader that fails at the end of its content if the digest is another.
pub struct VerifyingReader<R> {
    inner: R,
    digest: Digest,
    /// `None` once the end was reached and the digest was right.
    hasher: Option<Hasher>,
}

impl<R> VerifyingReader<R> {
    /// Verifies what `inner` yields against `digest`.
    pub fn new(inner: R, digest: Digest) -> VerifyingReader<R> {
        let hasher = Some(Hasher::new(digest.algorithm()));
        VerifyingReader {
            inner,
            digest,
            hasher,
        }
    }
}

impl<R: Read> Read for VerifyingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if buffer.is_empty() {
            return Ok(0);
        }
        if count > 0 {
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&buffer[..count]);
            }
        } else if let Some(hasher) = &self.hasher {
            if hasher.clone().finish() != self.digest {
                let error = Error::CorruptBlob {
                    digest: self.digest.clone(),
                };
                return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, error));
            }
            self.hasher = None;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_noticed_on_use() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let lease = store.lease().unwrap();
        let digest = lease.put("text/plain", b"hello").unwrap().digest;
        assert_eq!(store.read_blob(&digest, 5).unwrap(), b"hello");
        assert!(matches!(
            store.read_blob(&digest, 4),
            Err(Error::BlobTooLarge { .. })
        ));
        assert_eq!(store.size(&digest).unwrap(), Some(5));

        std::fs::write(store.blob_path(&digest), "hellO").unwrap();
        assert!(matches!(
            store.read_blob(&digest, 5),
            Err(Error::CorruptBlob { .. })
        ));
        let mut text = String::new();
        assert!(
            store
                .reader(&digest)
                .unwrap()
                .read_to_string(&mut text)
                .is_err()
        );

        store.drop_damaged(&digest).unwrap();
        assert!(!store.has(&digest));
        assert!(matches!(
            store.read_blob(&digest, 5),
            Err(Error::MissingBlob { .. })
        ));
        lease.put("text/plain", b"hello").unwrap();
        let mut text = String::new();
        store
            .reader(&digest)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "hello");
    }

    #[test]
    fn a_link_is_no_blob() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let digest = Digest::of(b"x");
        std::os::unix::fs::symlink("/etc/passwd", store.blob_path(&digest)).unwrap();
        assert!(!store.has(&digest));
        assert!(store.open_blob(&digest).is_err());
    }
}
