//! Referrers: manifests that say what they are about.
//!
//! A link in the subject's directory makes a manifest findable; it counts as long as the manifest itself is there,
//! whose name is made later and removed sooner.

use std::path::{Path, PathBuf};

use berth_oci::{Descriptor, Digest};
use rustix::io::Errno;

use super::blob::{link_error, replace_by_link};
use super::document::Document;
use super::repository::{digest_of_name, file_name};
use super::{Repository, disk};
use crate::error::Failure;

impl Repository {
    /// The manifests whose subject is `digest`, by digest, as the list of referrers has them.
    ///
    /// # Errors
    /// `Internal`: one is damaged; the disk's.
    pub fn referrers(&self, digest: &Digest) -> Result<Vec<Descriptor>, Failure> {
        let mut names = disk::names(&self.referrers_dir(digest))?;
        names.sort_unstable();
        let mut found = Vec::with_capacity(names.len());
        for referrer in names.iter().filter_map(|name| digest_of_name(name)) {
            let Some(bytes) = self.read_manifest(&referrer)? else {
                continue;
            };
            let document = Document::parse(&bytes, None)?;
            found.push(Descriptor {
                artifact_type: document.artifact_type,
                annotations: document.annotations,
                ..Descriptor::new(document.media_type, referrer, bytes.len() as u64)
            });
        }
        Ok(found)
    }

    /// Makes a manifest that is about to be stored findable by its subject. Gives the directory to be synced.
    pub(super) fn link_referrer(
        &self,
        manifest: &Path,
        subject: &Digest,
        digest: &Digest,
    ) -> Result<PathBuf, Failure> {
        let dir = self.referrers_dir(subject);
        disk::ensure_dir(&dir)?;
        let path = dir.join(file_name(digest));
        match disk::link(manifest, &path) {
            Ok(()) => {}
            Err(Errno::EXIST) => replace_by_link(manifest, &path)?,
            Err(errno) => return Err(link_error(manifest, &path, errno).into()),
        }
        Ok(dir)
    }
}
