//! Looking for damage: whether all that the other files of this directory promise is so.
//!
//! - Content has the digest of its name, under each of its names.
//! - What a manifest names is in its repository (but for its subject), in the size that it says; its subject leads
//!   back to it.
//! - A tag names a manifest of its repository, and the last change of its history says so; each change begins where
//!   the one before ended.
//!
//! Garbage is no damage. Others may work meanwhile.

use std::collections::HashMap;
use std::fmt;
use std::io::Read as _;
use std::path::Path;

use berth_oci::image::MAX_MANIFEST_BYTES;
use berth_oci::{Algorithm, Digest, Hasher};

use super::document::Document;
use super::repository::{digest_of_name, file_name};
use super::{Change, Repository, Storage, disk};
use crate::error::{Code, Failure};
use crate::name::{RepositoryName, Tag};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where; `None`: in what all repositories share.
    pub repository: Option<RepositoryName>,
    /// What.
    pub what: String,
    /// Something that a manifest names is not here: in a cache it was not asked for yet.
    pub is_absent: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.repository {
            Some(repository) => write!(f, "{repository}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// One look at everything.
struct Check<'a> {
    storage: &'a Storage,
    repair: bool,
    problems: Vec<Problem>,
    /// Whether a file (by its inode) has the digest under which it was met.
    verified: HashMap<(u64, Digest), bool>,
}

impl Storage {
    /// Reads and verifies everything.
    ///
    /// # Errors
    /// The disk's.
    pub fn check(&self) -> Result<Vec<Problem>, Failure> {
        self.look(false)
    }

    /// The same, and removes the blobs that are damaged: clients that push find them missing and bring them again.
    /// (A damaged manifest is replaced by a push as it is, and keeps what it may name from being collected.)
    ///
    /// # Errors
    /// The disk's.
    pub fn repair(&self) -> Result<Vec<Problem>, Failure> {
        self.look(true)
    }

    fn look(&self, repair: bool) -> Result<Vec<Problem>, Failure> {
        let mut check = Check {
            storage: self,
            repair,
            problems: Vec::new(),
            verified: HashMap::new(),
        };
        check.contents()?;
        self.visit(|repository| check.repository(repository))?;
        Ok(check.problems)
    }
}

impl Check<'_> {
    fn report(&mut self, repository: Option<&Repository>, what: String) {
        self.problems.push(Problem {
            repository: repository.map(|repository| repository.name().clone()),
            what,
            is_absent: false,
        });
    }

    fn contents(&mut self) -> Result<(), Failure> {
        for algorithm in ["sha256", "sha512"] {
            let dir = self.storage.inner.root.join("blobs").join(algorithm);
            for name in disk::names(&dir)? {
                match Digest::parse(&format!("{algorithm}:{name}")) {
                    Ok(digest) => self.verify(None, &dir.join(&name), &digest)?,
                    Err(_) => self.report(None, format!("`{name}` is no content's name")),
                }
            }
        }
        Ok(())
    }

    /// Reads a file (once) and compares.
    fn verify(
        &mut self,
        repository: Option<&Repository>,
        path: &Path,
        digest: &Digest,
    ) -> Result<(), Failure> {
        let Some(mut file) = disk::open(path)? else {
            // Collected meanwhile.
            return Ok(());
        };
        use std::os::unix::fs::MetadataExt as _;
        let key = (file.metadata()?.ino(), digest.clone());
        let is_right = match self.verified.get(&key) {
            Some(known) => *known,
            None => {
                let is_right = digest_of(&mut file, digest.algorithm())? == *digest;
                self.verified.insert(key, is_right);
                is_right
            }
        };
        if !is_right {
            self.report(repository, format!("{digest} is damaged"));
            let is_manifest =
                repository.is_some_and(|repository| path.starts_with(repository.manifests()));
            if self.repair && !is_manifest {
                let lock = repository.map(Repository::lock_alone).transpose()?;
                disk::unlink(path)?;
                drop(lock);
            }
        }
        Ok(())
    }

    fn repository(&mut self, repository: &Repository) -> Result<(), Failure> {
        for dir in [repository.blobs(), repository.manifests()] {
            for name in disk::names(&dir)? {
                match digest_of_name(&name) {
                    Some(digest) => self.verify(Some(repository), &dir.join(&name), &digest)?,
                    None => self.report(Some(repository), format!("`{name}` is no digest")),
                }
            }
        }
        for name in disk::names(&repository.manifests())? {
            if let Some(digest) = digest_of_name(&name) {
                // So that nothing goes between two looks.
                let _lock = repository.lock_shared()?;
                self.manifest(repository, &digest)?;
            }
        }
        for name in disk::names(&repository.dir().join("_history"))? {
            match Tag::parse(&name) {
                Ok(tag) => self.tag(repository, &tag)?,
                Err(_) => self.report(Some(repository), format!("`{name}` is no tag")),
            }
        }
        for name in disk::names(&repository.tags_dir())? {
            if disk::stat(&repository.dir().join("_history").join(&name))?.is_none() {
                self.report(Some(repository), format!("tag `{name}` has no history"));
            }
        }
        Ok(())
    }

    fn manifest(&mut self, repository: &Repository, digest: &Digest) -> Result<(), Failure> {
        let path = repository.manifest_path(digest);
        let Some(bytes) = disk::read(&path, MAX_MANIFEST_BYTES + 1)? else {
            return Ok(());
        };
        // Reported before.
        if !digest.verifies(&bytes) {
            return Ok(());
        }
        let document = match Document::parse(&bytes, None) {
            Ok(document) => document,
            Err(failure) => {
                self.report(Some(repository), format!("manifest {digest}: {failure}"));
                return Ok(());
            }
        };
        if let Err(failure) = repository.check_present(&document) {
            self.problems.push(Problem {
                repository: Some(repository.name().clone()),
                what: format!("manifest {digest}: {failure}"),
                is_absent: failure.code == Code::ManifestBlobUnknown,
            });
        }
        if let Some(subject) = document.subject {
            let dir = repository.referrers_dir(&subject.digest);
            if disk::stat(&dir.join(file_name(digest)))?.is_none() {
                let what = format!("{} does not lead to its referrer {digest}", subject.digest);
                self.report(Some(repository), what);
            }
        }
        Ok(())
    }

    fn tag(&mut self, repository: &Repository, tag: &Tag) -> Result<(), Failure> {
        let (changes, now) = repository.history_and_tag(tag)?;
        if let Some(digest) = &now
            && disk::stat(&repository.manifest_path(digest))?.is_none()
            && repository.history_and_tag(tag)?.1 == now
        {
            let what = format!("tag `{tag}` names {digest}, which is not in the repository");
            self.report(Some(repository), what);
        }
        if changes.last().and_then(|change| change.to.as_ref()) != now.as_ref() {
            let what = format!("tag `{tag}` does not name what its history says");
            self.report(Some(repository), what);
        }
        let is_broken = |pair: &[Change]| pair[0].to != pair[1].from;
        if changes.windows(2).any(is_broken) {
            self.report(
                Some(repository),
                format!("the history of `{tag}` is no chain"),
            );
        }
        Ok(())
    }
}

/// The digest of all that can be read from here.
pub(super) fn digest_of(file: &mut std::fs::File, algorithm: Algorithm) -> Result<Digest, Failure> {
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            count => hasher.update(&buffer[..count]),
        }
    }
}
