//! Retention: tags of which there are newer ones, and manifests that no tag leads to.

use std::collections::HashSet;
use std::time::Duration;

use berth_oci::Digest;
use berth_oci::image::MAX_MANIFEST_BYTES;

use super::{BATCH, Collection, Key, Marker};
use crate::error::Failure;
use crate::name::Tag;
use crate::storage::document::Document;
use crate::storage::repository::{digest_of_name, file_name};
use crate::storage::rules::matches;
use crate::storage::{Change, KeepTags, Repository, Retain, Rules, disk};

/// In histories.
const WHO: &str = "retention";

impl Collection<'_> {
    /// Removes the tags that match a pattern, but for the newest. Immutable ones stay.
    pub(super) fn old_tags(
        &mut self,
        repository: &Repository,
        keep: &[KeepTags],
        rules: &Rules,
    ) -> Result<(), Failure> {
        if keep.is_empty() {
            return Ok(());
        }
        let names = disk::names(&repository.tags_dir())?;
        let tags = names.iter().filter_map(|name| Tag::parse(name).ok());
        let mut tags: Vec<Tag> = tags.filter(|tag| !rules.is_immutable(tag)).collect();
        for kept in keep {
            let (matching, others) = tags
                .into_iter()
                .partition::<Vec<Tag>, _>(|tag| matches(&kept.pattern, tag.as_str()));
            // A tag belongs to the first pattern that it matches.
            tags = others;
            let mut dated = Vec::with_capacity(matching.len());
            for tag in matching {
                let last: Option<Change> = repository.history(&tag)?.pop();
                dated.push((last.map_or(String::new(), |change| change.when), tag));
            }
            dated.sort_unstable_by(|one, other| other.cmp(one));
            let why = format!(
                "only the newest {} of `{}` are kept",
                kept.newest, kept.pattern
            );
            for (when, tag) in dated.iter().skip(kept.newest) {
                if self.options.dry_run || repository.expire_tag(tag, when, WHO, &why)? {
                    self.collected.tags += 1;
                }
            }
        }
        Ok(())
    }

    /// Removes manifests of this age that no tag leads to.
    pub(super) fn untagged(
        &mut self,
        repository: &Repository,
        marker: &mut Marker<'_>,
        age: Duration,
        retain: &Retain,
    ) -> Result<(), Failure> {
        let age = age.max(self.options.grace);
        let is_old = |digest: &Digest| -> Result<bool, Failure> {
            let stat = disk::stat(&repository.manifest_path(digest))?;
            Ok(stat.is_some_and(|stat| disk::age(&stat) >= age))
        };
        let kept = marker.reach(roots(repository, retain)?);
        let mut candidates = Vec::new();
        for name in disk::names(&repository.manifests())? {
            if let Some(digest) = digest_of_name(&name)
                && !kept.contains(&Key::of(&digest))
                && is_old(&digest)?
            {
                candidates.push(digest);
            }
        }
        for batch in candidates.chunks(BATCH) {
            let _lock = repository.lock_alone()?;
            marker.update()?;
            if marker.damaged().is_some() {
                return Ok(());
            }
            let kept = marker.reach(roots(repository, retain)?);
            for digest in batch {
                if !kept.contains(&Key::of(digest)) && is_old(digest)? {
                    self.remove_manifest(repository, digest)?;
                    marker.forget(&Key::of(digest));
                }
            }
        }
        if candidates.is_empty() {
            return Ok(());
        }
        // Gone for good before what they named goes.
        disk::sync_names(&repository.manifests())?;
        *marker = Marker::new(marker.repository());
        marker.update()
    }

    fn remove_manifest(&mut self, repository: &Repository, digest: &Digest) -> Result<(), Failure> {
        let Some(bytes) = repository.read_manifest(digest)? else {
            return Ok(());
        };
        self.unlink(repository, &repository.manifest_path(digest))?;
        self.collected.manifests += 1;
        if let Some(subject) = Document::parse(&bytes, None)?.subject {
            let path = repository
                .referrers_dir(&subject.digest)
                .join(file_name(digest));
            if let (false, Some(_)) = (self.options.dry_run, disk::stat(&path)?) {
                disk::unlink(&path)?;
            }
        }
        Ok(())
    }
}

/// What tags name, and have named not long ago.
fn roots(repository: &Repository, retain: &Retain) -> Result<HashSet<Key>, Failure> {
    let mut roots = HashSet::new();
    for name in disk::names(&repository.tags_dir())? {
        let Ok(tag) = Tag::parse(&name) else {
            continue;
        };
        if let Some(bytes) = disk::read(&repository.tag_path(&tag), MAX_MANIFEST_BYTES + 1)? {
            // Under whichever digest it is here.
            let digest = repository.digest_here(&bytes)?;
            roots.insert(Key::of(&digest.unwrap_or_else(|| Digest::of(&bytes))));
        }
        let history = repository.recent_history(&tag)?;
        // Nobody rolls back to the same twice.
        let mut before: Vec<Key> = Vec::new();
        for named in history.iter().rev().filter_map(|change| change.to.as_ref()) {
            let key = Key::of(named);
            if before.len() > retain.rollback {
                break;
            }
            if !before.contains(&key) {
                before.push(key);
            }
        }
        roots.extend(before);
    }
    Ok(roots)
}
