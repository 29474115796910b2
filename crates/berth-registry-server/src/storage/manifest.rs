//! Manifests: put, with all that they name; served, never damaged; removed.

use std::path::{Path, PathBuf};

use berth_fs::{Error, Lock, LockMode};
use berth_oci::image::MAX_MANIFEST_BYTES;
use berth_oci::{Descriptor, Digest};

use super::document::{self, Document};
use super::repository::file_name;
use super::{Repository, Rules, disk};
use crate::error::{Code, Failure};
use crate::name::{Selector, Tag};

/// A manifest that was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its digest.
    pub digest: Digest,
    /// What it is about, if it says so.
    pub subject: Option<Digest>,
}

/// A manifest that was found, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Repository {
    /// Stores a manifest whose blobs are here, and lets the tag, if that is what selects it, name it from now on.
    /// `media_type` is what the client says.
    ///
    /// # Errors
    /// `ManifestInvalid`, `ManifestBlobUnknown`, `DigestInvalid`; `Denied`: the tag may not be moved; the disk's.
    pub fn put_manifest(
        &self,
        selector: &Selector,
        media_type: &str,
        bytes: &[u8],
        who: &str,
        rules: &Rules,
    ) -> Result<Stored, Failure> {
        let document = Document::parse(bytes, Some(media_type))?;
        self.put_document(selector, document, bytes, who, rules)
    }

    /// As [`Repository::put_manifest`], of a manifest whose blobs are elsewhere, and may come later: a cache's.
    ///
    /// # Errors
    /// Likewise, but for `ManifestBlobUnknown`.
    pub fn cache_manifest(
        &self,
        selector: &Selector,
        media_type: &str,
        bytes: &[u8],
        who: &str,
        rules: &Rules,
    ) -> Result<Stored, Failure> {
        let document = Document {
            blobs: Vec::new(),
            children: Vec::new(),
            ..Document::parse(bytes, Some(media_type))?
        };
        self.put_document(selector, document, bytes, who, rules)
    }

    fn put_document(
        &self,
        selector: &Selector,
        document: Document,
        bytes: &[u8],
        who: &str,
        rules: &Rules,
    ) -> Result<Stored, Failure> {
        let digest = match selector {
            Selector::Tag(_) => Digest::of(bytes),
            Selector::Digest(digest) => Digest::by(digest.algorithm(), bytes),
        };
        if let Selector::Digest(stated) = selector
            && *stated != digest
        {
            return Err(Failure::new(
                Code::DigestInvalid,
                format!("the manifest has the digest {digest}, not {stated}"),
            ));
        }
        self.admit(bytes.len() as u64, rules)?;
        let incoming = self.write_incoming(bytes)?;
        let stored =
            self.link_manifest(
                &incoming,
                &digest,
                &document,
                bytes,
                |lock, dirs| match selector {
                    Selector::Tag(tag) => self.move_tag(lock, tag, &digest, who, None, rules, dirs),
                    Selector::Digest(_) => {
                        dirs.iter().try_for_each(|dir| Ok(disk::sync_names(dir)?))
                    }
                },
            );
        if stored.is_err() {
            // Left behind it is removed when it is old.
            let _ = disk::unlink(&incoming.1);
        }
        stored?;
        let subject = document.subject.map(|subject| subject.digest);
        Ok(Stored { digest, subject })
    }

    /// The bytes on the disk, among the uploads.
    fn write_incoming(&self, bytes: &[u8]) -> Result<(Lock, PathBuf), Failure> {
        let path = disk::temporary_beside(&self.uploads().join("x"))?;
        let file = self.persist(|| {
            self.prepare()?;
            disk::create(&path)
        })?;
        let file = Lock::take(file, &path, LockMode::Exclusive)?;
        let written = berth_fs::atomic::write_all(file.as_fd(), bytes)
            .map_err(|source| Error::Write {
                path: path.clone(),
                source,
            })
            .and_then(|()| disk::sync_content(file.as_fd(), &path));
        if let Err(error) = written {
            let _ = disk::unlink(&path);
            return Err(error.into());
        }
        Ok((file, path))
    }

    /// Gives it its names, under one lock, so that nothing that it names goes meanwhile. `then` makes the names in
    /// these directories durable.
    fn link_manifest(
        &self,
        incoming: &(Lock, PathBuf),
        digest: &Digest,
        document: &Document,
        bytes: &[u8],
        then: impl FnOnce(&Lock, &[PathBuf]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let lock = self.lock_for_manifests()?;
        self.check_present(document)?;
        let mut dirs = vec![self.manifests()];
        let is_intact = |path: &Path| {
            Ok(disk::read(path, bytes.len() as u64 + 1)?.is_some_and(|found| found == bytes))
        };
        // Before the manifest's own name: who finds that finds it listed.
        if let Some(subject) = &document.subject {
            dirs.push(self.link_referrer(&incoming.1, &subject.digest, digest)?);
        }
        let target = self.manifest_path(digest);
        if !is_intact(&target)? {
            self.charge(bytes.len() as i64);
        }
        self.storage()
            .publish(&lock, &incoming.1, digest, &target, &is_intact)?;
        then(&lock, &dirs)
    }

    /// G9, and the first half of "never dangling": all that a manifest needs is in its repository, and as large as
    /// it says.
    pub(super) fn check_present(&self, document: &Document) -> Result<(), Failure> {
        let missing = |what: &Descriptor| {
            Failure::new(
                Code::ManifestBlobUnknown,
                format!("{} is not in this repository", what.digest),
            )
        };
        let of_size = |what: &Descriptor, size: i64| match size as u64 == what.size {
            true => Ok(()),
            false => Err(Failure::new(
                Code::ManifestInvalid,
                format!("{} has {size} bytes, not {}", what.digest, what.size),
            )),
        };
        for blob in &document.blobs {
            let stat = disk::stat(&self.blob_path(&blob.digest))?;
            of_size(blob, stat.ok_or_else(|| missing(blob))?.st_size)?;
        }
        for child in &document.children {
            let stat = match disk::stat(&self.manifest_path(&child.digest))? {
                None => disk::stat(&self.blob_path(&child.digest))?,
                found => found,
            };
            of_size(child, stat.ok_or_else(|| missing(child))?.st_size)?;
        }
        Ok(())
    }

    /// Reads a manifest and verifies it; `None`: not in this repository.
    ///
    /// # Errors
    /// `Internal`: it is damaged (security: N14); the disk's.
    pub fn manifest(&self, selector: &Selector) -> Result<Option<Manifest>, Failure> {
        let found = match selector {
            Selector::Digest(digest) => self.read_by_digest(digest)?,
            Selector::Tag(tag) => self.read_tagged(tag)?,
        };
        Ok(found.map(|(digest, bytes)| Manifest {
            digest,
            media_type: document::media_type(&bytes),
            bytes,
        }))
    }

    /// What is asked for by digest may be about to get a tag, or to be named by an index: it is marked as needed.
    fn read_by_digest(&self, digest: &Digest) -> Result<Option<(Digest, Vec<u8>)>, Failure> {
        let path = self.manifest_path(digest);
        if let Some(stat) = disk::stat(&path)?
            && disk::age(&stat) > self.storage().inner.fresh
        {
            self.refresh(&path)?;
        }
        let bytes = self.read_manifest(digest)?;
        Ok(bytes.map(|bytes| (digest.clone(), bytes)))
    }

    /// The bytes of a manifest, verified.
    pub(super) fn read_manifest(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Failure> {
        let path = self.manifest_path(digest);
        match disk::read(&path, MAX_MANIFEST_BYTES + 1)? {
            Some(bytes) if !digest.verifies(&bytes) => Err(damaged(&path, digest)),
            found => Ok(found),
        }
    }

    /// What a tag names. Its digest is its content's, and a manifest has that too unless one of both is damaged (or
    /// the manifest is just being removed).
    fn read_tagged(&self, tag: &Tag) -> Result<Option<(Digest, Vec<u8>)>, Failure> {
        let path = self.tag_path(tag);
        for _ in 0..100 {
            let Some(bytes) = disk::read(&path, MAX_MANIFEST_BYTES + 1)? else {
                return Ok(None);
            };
            if let Some(digest) = self.digest_here(&bytes)? {
                return Ok(Some((digest, bytes)));
            }
            // Moved and removed in between: then it is another now.
            let again = disk::read(&path, MAX_MANIFEST_BYTES + 1)?;
            let is_same = again.is_some_and(|again| again == bytes);
            if is_same && self.digest_here(&bytes)?.is_none() {
                return Err(damaged(&path, &Digest::of(&bytes)));
            }
        }
        Err(Failure::new(
            Code::TooManyRequests,
            "the tag is moved all the time",
        ))
    }

    /// Removes a manifest and the tags that name it; false: it was not there.
    ///
    /// # Errors
    /// `Denied`: a tag that may not be removed names it; the disk's.
    pub fn remove_manifest(
        &self,
        digest: &Digest,
        who: &str,
        rules: &Rules,
    ) -> Result<bool, Failure> {
        if disk::stat(&self.manifest_path(digest))?.is_none() {
            return Ok(false);
        }
        self.storage()
            .even_if_full(|| self.remove_manifest_now(digest, who, rules))
    }

    fn remove_manifest_now(
        &self,
        digest: &Digest,
        who: &str,
        rules: &Rules,
    ) -> Result<bool, Failure> {
        let path = self.manifest_path(digest);
        let lock = self.lock_alone()?;
        let Some(bytes) = disk::read(&path, MAX_MANIFEST_BYTES + 1)? else {
            return Ok(false);
        };
        let tags = self.tags_of(digest)?;
        if let Some(tag) = tags.iter().find(|tag| rules.is_immutable(tag)) {
            return Err(Failure::new(
                Code::Denied,
                format!("tag `{tag}` names this manifest, and may not be removed"),
            ));
        }
        for tag in &tags {
            self.drop_tag(&lock, tag, who, Some("the manifest was removed"))?;
        }
        let removed = disk::unlink(&path)?;
        self.charge(-(bytes.len() as i64));
        if let Ok(document) = Document::parse(&bytes, None)
            && let Some(subject) = document.subject
        {
            let dir = self.referrers_dir(&subject.digest);
            disk::unlink(&dir.join(file_name(digest)))?;
        }
        disk::sync_names(&self.manifests())?;
        Ok(removed)
    }
}

/// For the client no more than that it is damaged; the log has the file.
pub(super) fn damaged(path: &Path, digest: &Digest) -> Failure {
    Failure {
        code: Code::Internal,
        message: "the manifest is damaged on this registry's disk: push it again".to_owned(),
        cause: Some(format!("{} does not have the digest {digest}", path.display()).into()),
    }
}
