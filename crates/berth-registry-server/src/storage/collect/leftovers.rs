//! What is left behind: lines of histories, names of the moment, links to what is gone, empty repositories.

use std::path::{Path, PathBuf};

use berth_fs::failpoint;
use rustix::io::Errno;

use super::{BATCH, Collection};
use crate::error::Failure;
use crate::name::Tag;
use crate::storage::history::History;
use crate::storage::repository::ALL_DIRS;
use crate::storage::{Repository, Retain, disk};

/// What may be removed, if it still is what it was found to be.
enum Leftover {
    /// A name of the moment. Whoever makes one holds the lock as long as he needs it: who holds it alone meets only
    /// abandoned ones.
    Temporary(PathBuf),
    /// The link of a referrer, and where its manifest would be.
    Referrer(PathBuf, PathBuf),
    /// A directory of referrers.
    Subject(PathBuf),
}

impl Collection<'_> {
    /// Shortens histories, and forgets those of tags that are long gone.
    pub(super) fn histories(
        &mut self,
        repository: &Repository,
        retain: &Retain,
    ) -> Result<(), Failure> {
        for (name, path) in disk::all_names(&repository.dir().join("_history"))? {
            match Tag::parse(&name) {
                Ok(tag) => History::lock(repository, &tag)?.shorten(repository, &tag, retain)?,
                // Only a collector makes them, and there is one at a time.
                Err(_) => drop(disk::unlink(&path)?),
            }
        }
        Ok(())
    }

    /// Removes the rest.
    pub(super) fn leftovers(&mut self, repository: &Repository) -> Result<(), Failure> {
        for batch in find(repository)?.chunks(BATCH) {
            let _lock = repository.lock_alone()?;
            for leftover in batch {
                match leftover {
                    Leftover::Temporary(path) => drop(disk::unlink(path)?),
                    Leftover::Referrer(path, manifest) => {
                        if disk::stat(manifest)?.is_none() {
                            disk::unlink(path)?;
                        }
                    }
                    Leftover::Subject(dir) => drop(remove_if_empty(dir)?),
                }
            }
        }
        if is_empty(repository)? {
            self.empty_repository(repository)?;
        }
        Ok(())
    }

    /// Removes a repository in which there is nothing, not even a history. Who prepares to push finds his
    /// directories gone and makes them again: the last that is made is the first that is removed.
    fn empty_repository(&mut self, repository: &Repository) -> Result<(), Failure> {
        let _lock = repository.lock_alone()?;
        if !is_empty(repository)? {
            return Ok(());
        }
        for name in ALL_DIRS.iter().rev() {
            if !remove_if_empty(&repository.dir().join(name))? {
                return Ok(());
            }
        }
        disk::unlink(&repository.dir().join("_lock"))?;
        self.collected.repositories += 1;
        let mut dir = repository.dir();
        let top = repository.storage().repositories_dir();
        while dir != top && remove_if_empty(dir)? {
            let Some(parent) = dir.parent() else {
                break;
            };
            dir = parent;
        }
        Ok(())
    }
}

fn find(repository: &Repository) -> Result<Vec<Leftover>, Failure> {
    let mut found = Vec::new();
    let manifests = repository.manifests();
    for dir in [&repository.blobs(), &manifests, &repository.tags_dir()] {
        let names = disk::all_names(dir)?.into_iter();
        let temporary = names.filter(|(name, _)| name.starts_with('.'));
        found.extend(temporary.map(|(_, path)| Leftover::Temporary(path)));
    }
    for (_, dir) in disk::all_names(&repository.dir().join("_referrers"))? {
        let (before, mut all) = (found.len(), 0);
        for (name, path) in disk::all_names(&dir)? {
            all += 1;
            let manifest = manifests.join(&name);
            if name.starts_with('.') {
                found.push(Leftover::Temporary(path));
            } else if disk::stat(&manifest)?.is_none() {
                found.push(Leftover::Referrer(path, manifest));
            }
        }
        if found.len() - before == all {
            found.push(Leftover::Subject(dir));
        }
    }
    Ok(found)
}

fn is_empty(repository: &Repository) -> Result<bool, Failure> {
    for name in ALL_DIRS {
        if !disk::all_names(&repository.dir().join(name))?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes a directory; false: there is something in it.
fn remove_if_empty(dir: &Path) -> Result<bool, Failure> {
    failpoint!("registry.rmdir");
    match rustix::fs::rmdir(dir) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(source) => {
            let path = dir.to_owned();
            Err(berth_fs::Error::Remove { path, source }.into())
        }
    }
}
