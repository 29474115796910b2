//! Tags: moved, removed, rolled back; each change is in the tag's history before it is done.

use std::path::PathBuf;

use berth_fs::Lock;
use berth_oci::image::MAX_MANIFEST_BYTES;
use berth_oci::{Algorithm, Digest};

use super::blob::replace_by_link;
use super::history::{Change, History};
use super::{Repository, Rules, disk};
use crate::error::{Code, Failure};
use crate::name::Tag;

impl Repository {
    /// Lets a tag name a manifest of this repository. `dirs` are synced before: what the tag is to lead to.
    #[allow(clippy::too_many_arguments)] // each is another thing
    pub(super) fn move_tag(
        &self,
        _lock: &Lock,
        tag: &Tag,
        to: &Digest,
        who: &str,
        why: Option<&str>,
        rules: &Rules,
        dirs: &[PathBuf],
    ) -> Result<(), Failure> {
        let history = History::lock(self, tag)?;
        let from = self.named_now(tag, &history)?;
        if from.as_ref() != Some(to) {
            if from.is_some() && rules.is_immutable(tag) {
                return Err(immutable(tag));
            }
            history.append(&Change::now(who, from, Some(to.clone()), why))?;
        }
        // The history's sync has brought them to the disk already, where there is one journal.
        for dir in dirs {
            disk::sync_names(dir)?;
        }
        let (path, manifest) = (self.tag_path(tag), self.manifest_path(to));
        replace_by_link(&manifest, &path)?;
        Ok(disk::sync_names(&self.tags_dir())?)
    }

    /// Lets a tag name a manifest that is in this repository; false: it is not.
    ///
    /// # Errors
    /// `Denied`: the tag may not be moved; the disk's.
    pub fn tag_manifest(
        &self,
        tag: &Tag,
        digest: &Digest,
        who: &str,
        rules: &Rules,
    ) -> Result<bool, Failure> {
        let lock = self.lock_shared()?;
        if disk::stat(&self.manifest_path(digest))?.is_none() {
            return Ok(false);
        }
        self.move_tag(&lock, tag, digest, who, None, rules, &[])?;
        Ok(true)
    }

    /// The digest under which a manifest of this content is in this repository.
    pub(super) fn digest_here(&self, content: &[u8]) -> Result<Option<Digest>, Failure> {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let digest = Digest::by(algorithm, content);
            if disk::stat(&self.manifest_path(&digest))?.is_some() {
                return Ok(Some(digest));
            }
        }
        Ok(None)
    }

    /// Removes a tag; false: there is none.
    ///
    /// # Errors
    /// `Denied`: it may not be removed; the disk's.
    pub fn remove_tag(&self, tag: &Tag, who: &str, rules: &Rules) -> Result<bool, Failure> {
        if disk::stat(&self.tag_path(tag))?.is_none() {
            return Ok(false);
        }
        if rules.is_immutable(tag) {
            return Err(immutable(tag));
        }
        self.storage().even_if_full(|| {
            let lock = self.lock_shared()?;
            self.drop_tag(&lock, tag, who, None)
        })
    }

    /// Removes a tag that was not moved since `when`, its last change.
    pub(super) fn expire_tag(
        &self,
        tag: &Tag,
        when: &str,
        who: &str,
        why: &str,
    ) -> Result<bool, Failure> {
        self.storage().even_if_full(|| {
            let lock = self.lock_shared()?;
            let last = self.history(tag)?.pop();
            match last.is_some_and(|last| last.when == when) {
                true => self.drop_tag(&lock, tag, who, Some(why)),
                false => Ok(false),
            }
        })
    }

    pub(super) fn drop_tag(
        &self,
        _lock: &Lock,
        tag: &Tag,
        who: &str,
        why: Option<&str>,
    ) -> Result<bool, Failure> {
        let history = History::lock(self, tag)?;
        let Some(from) = self.named_now(tag, &history)? else {
            return Ok(false);
        };
        history.append(&Change::now(who, Some(from), None, why))?;
        let removed = disk::unlink(&self.tag_path(tag))?;
        disk::sync_names(&self.tags_dir())?;
        Ok(removed)
    }

    /// Lets a tag name again what it has named before, even if it was removed. Gives what it named last.
    ///
    /// # Errors
    /// `ManifestUnknown`: it never did, or the manifest is gone; `Denied`: the tag may not be moved; the disk's.
    pub fn rollback(
        &self,
        tag: &Tag,
        to: &Digest,
        who: &str,
        rules: &Rules,
    ) -> Result<Digest, Failure> {
        let unknown = |message: String| Failure::new(Code::ManifestUnknown, message);
        let history = self.history(tag)?;
        let last = history.last().cloned();
        let Some(now) = last.and_then(|change| change.to.or(change.from)) else {
            return Err(unknown(format!("there is no tag `{tag}`")));
        };
        if !history.iter().any(|change| change.to.as_ref() == Some(to)) {
            return Err(unknown(format!("tag `{tag}` has never named {to}")));
        }
        let lock = self.lock_shared()?;
        if self.read_manifest(to)?.is_none() {
            return Err(unknown(format!("{to} is no longer in this repository")));
        }
        self.move_tag(&lock, tag, to, who, Some("rollback"), rules, &[])?;
        Ok(now)
    }

    /// The tags that name a manifest.
    pub(super) fn tags_of(&self, digest: &Digest) -> Result<Vec<Tag>, Failure> {
        let Some(manifest) = disk::stat(&self.manifest_path(digest))? else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for name in disk::names(&self.tags_dir())? {
            let Ok(tag) = Tag::parse(&name) else {
                continue;
            };
            let path = self.tag_path(&tag);
            let Some(stat) = disk::stat(&path)? else {
                continue;
            };
            // Mostly the same file; another of the same content, if that had too many names.
            let is_same = stat.st_ino == manifest.st_ino
                || stat.st_size == manifest.st_size
                    && disk::read(&path, MAX_MANIFEST_BYTES + 1)?
                        .is_some_and(|bytes| digest.verifies(&bytes));
            if is_same {
                found.push(tag);
            }
        }
        Ok(found)
    }

    /// What a tag names, by its content; of a damaged one by its history.
    fn named_now(&self, tag: &Tag, history: &History) -> Result<Option<Digest>, Failure> {
        let Some(bytes) = disk::read(&self.tag_path(tag), MAX_MANIFEST_BYTES + 1)? else {
            history.settle(None)?;
            return Ok(None);
        };
        if let Some(digest) = self.digest_here(&bytes)? {
            history.settle(Some(&digest))?;
            return Ok(Some(digest));
        }
        let recorded = history.last()?.and_then(|change| change.to);
        history.settle(recorded.as_ref())?;
        Ok(recorded.or_else(|| Some(Digest::of(&bytes))))
    }
}

fn immutable(tag: &Tag) -> Failure {
    Failure::new(
        Code::Denied,
        format!("tag `{tag}` is immutable in this repository"),
    )
}
