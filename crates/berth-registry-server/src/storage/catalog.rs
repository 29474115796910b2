//! The lists: repositories and tags, in the order of their bytes, a page at a time.

use super::{Repository, Storage, disk};
use crate::error::Failure;
use crate::name::RepositoryName;

/// Names that are kept in memory.
const VISITED_AT_ONCE: usize = 1000;

impl Storage {
    /// The first `limit` names of repositories after `after`.
    ///
    /// # Errors
    /// The disk's.
    pub fn repositories(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, Failure> {
        let has_manifests = |repository: &Repository| repository.exists();
        let found = self.walk(after, limit, &has_manifests)?;
        let names = found.iter().map(|name| name.as_str().to_owned());
        Ok(names.collect())
    }

    /// Does this with each repository that holds anything, some at a time: there may be very many.
    pub(super) fn visit(
        &self,
        mut act: impl FnMut(&Repository) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let has_anything = |repository: &Repository| {
            for name in ["_uploads", "_blobs", "_lock"] {
                if disk::stat(&repository.dir().join(name))?.is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let mut last: Option<RepositoryName> = None;
        loop {
            let after = last.as_ref().map(RepositoryName::as_str);
            let names = self.walk(after, VISITED_AT_ONCE, &has_anything)?;
            for name in &names {
                act(&self.repository(name))?;
            }
            last = names.into_iter().next_back();
            if last.is_none() {
                return Ok(());
            }
        }
    }

    fn walk(
        &self,
        after: Option<&str>,
        limit: usize,
        is_wanted: &dyn Fn(&Repository) -> Result<bool, Failure>,
    ) -> Result<Vec<RepositoryName>, Failure> {
        let mut walk = Walk {
            storage: self,
            after,
            limit,
            is_wanted,
            found: Vec::new(),
        };
        walk.below("")?;
        Ok(walk.found)
    }
}

struct Walk<'a> {
    storage: &'a Storage,
    after: Option<&'a str>,
    limit: usize,
    is_wanted: &'a dyn Fn(&Repository) -> Result<bool, Failure>,
    found: Vec<RepositoryName>,
}

impl Walk<'_> {
    /// All below `prefix`, which is empty or ends with `/`. As deep as a name can be: 128 parts.
    fn below(&mut self, prefix: &str) -> Result<(), Failure> {
        let dir = self.storage.repositories_dir().join(prefix);
        let names = disk::names(&dir)?;
        let parts = names.into_iter().filter(|name| !name.starts_with('_'));
        // `a` itself comes before `a-b`, and all that is below `a` after it: each stands for itself.
        let mut keys: Vec<String> = parts
            .flat_map(|part| [format!("{prefix}{part}"), format!("{prefix}{part}/")])
            .filter(|key| self.may_have(key))
            .collect();
        keys.sort_unstable();
        for key in keys {
            if self.found.len() >= self.limit {
                return Ok(());
            }
            if key.ends_with('/') {
                self.below(&key)?;
            } else if let Ok(name) = RepositoryName::parse(&key)
                && (self.is_wanted)(&self.storage.repository(&name))?
            {
                self.found.push(name);
            }
        }
        Ok(())
    }

    /// Whether `key`, or a name that begins with it if it ends with `/`, comes after `after`.
    fn may_have(&self, key: &str) -> bool {
        self.after
            .is_none_or(|after| key > after || key.ends_with('/') && after.starts_with(key))
    }
}

impl Repository {
    /// The first `limit` tags after `after`.
    ///
    /// # Errors
    /// The disk's.
    pub fn tags(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, Failure> {
        let tags = self.storage().inner.listings.sorted(&self.tags_dir())?;
        let first = after.map_or(0, |after| tags.partition_point(|tag| tag.as_str() <= after));
        Ok(tags[first..].iter().take(limit).cloned().collect())
    }
}
