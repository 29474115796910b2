//! `rmi`: names go one by one, the image with its last; containers keep what they stand on.
//!
//! Docker's rules: by a name, that name goes, and with the last name the image; by an id, the image
//! with all its names, if it is in one repository or `force` is given. An image that a container
//! uses is not removed, unless by force and if the container does not run; the container goes on
//! working, because it keeps its layers.

use berth_model::ContainerId;
use berth_oci::{Digest, Reference};
use berth_store::Entry;

use super::Error;
use super::error::store;
use super::find::{Found, find};
use crate::Engine;
use crate::usage::of_containers;

/// What was done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// A name is gone.
    Untagged(String),
    /// The image, or a layer of it (by its chain id), is gone.
    Deleted(Digest),
}

/// A container that uses an image.
struct User {
    container: String,
    running: bool,
}

impl Engine {
    /// Removes a name or an image.
    ///
    /// # Errors
    /// [`Error::NoImage`], [`Error::Ambiguous`], [`Error::InUse`], [`Error::ManyNames`],
    /// [`Error::Store`].
    pub fn remove_image(&self, text: &str, force: bool) -> Result<Vec<Removed>, Error> {
        // What is taken away from here may be kept again a step later. A full disk has no room for a lease, and
        // removal is the way out of it.
        let lease = self.store.lease().ok();
        let found = find(&self.store, text).ok();
        let mut removed = match self.entry_named(text)? {
            Some((reference, entry)) => {
                let digest = &entry.descriptor.digest;
                let _ = lease.as_ref().map(|lease| lease.add(digest));
                self.remove_name(&reference, entry, force)?
            }
            None => self.remove_by_id(&find(&self.store, text)?, force)?,
        };
        drop(lease);
        self.record_removed(found.as_ref().map(|found| found.image.id()), &removed);
        if removed
            .iter()
            .any(|step| matches!(step, Removed::Deleted(_)))
        {
            let report = self.collect_garbage(false).map_err(of_containers)?;
            // The layers that went with it, the upper ones first.
            let mut chains = found
                .map(|found| found.image.chain_ids())
                .unwrap_or_default();
            chains.retain(|chain| report.snapshots.contains(chain));
            removed.extend(chains.into_iter().rev().map(Removed::Deleted));
        }
        Ok(removed)
    }

    /// Tells what was removed of the image `id` (unknown: it cannot be read).
    pub(crate) fn record_removed(&self, id: Option<&Digest>, removed: &[Removed]) {
        // Where a tag goes, the name by digest that goes with it is no event of its own.
        let is_pin = |name: &String| name.contains('@');
        let has_tag = removed
            .iter()
            .any(|step| matches!(step, Removed::Untagged(name) if !is_pin(name)));
        for step in removed {
            match (step, id) {
                (Removed::Untagged(name), _) if has_tag && is_pin(name) => {}
                (Removed::Untagged(_), Some(id)) => self.record_image_id("untag", id),
                (Removed::Untagged(name), None) => self.record_image("untag", name, name),
                (Removed::Deleted(digest), _) => self.record_image_id("delete", digest),
            }
        }
    }

    /// The containers, each with the id of its image.
    pub(crate) fn images_in_use(&self) -> Result<Vec<(ContainerId, Digest)>, Error> {
        let ids = self.ids().map_err(of_containers)?;
        let mut used = Vec::new();
        for id in ids {
            match self.config(&id) {
                Ok(config) => {
                    let image = Digest::parse(&config.image.config).ok();
                    used.extend(image.map(|image| (id, image)));
                }
                // Nobody here knows what it uses.
                Err(error @ crate::Error::Newer { .. }) => return Err(of_containers(error)),
                // One that is being removed, or damaged, uses nothing.
                Err(_) => {}
            }
        }
        Ok(used)
    }

    fn entry_named(&self, text: &str) -> Result<Option<(Reference, Entry)>, Error> {
        let Ok(reference) = Reference::parse(text) else {
            return Ok(None);
        };
        let Some(descriptor) = self
            .store
            .resolve(&reference)
            .map_err(store("find the image"))?
        else {
            return Ok(None);
        };
        let entries = self.store.refs().map_err(store("find the image"))?;
        let found = entries.into_iter().find(|entry| {
            let exact = entry.reference.as_ref() == Some(&reference);
            exact || (reference.digest().is_some() && entry.descriptor == descriptor)
        });
        Ok(found.and_then(|entry| Some((entry.reference.clone()?, entry))))
    }

    fn remove_name(
        &self,
        name: &Reference,
        entry: Entry,
        force: bool,
    ) -> Result<Vec<Removed>, Error> {
        let untag = || self.store.untag(name).map_err(store("take the name away"));
        let mut removed = vec![Removed::Untagged(name.familiar())];
        // An image that cannot be read any more must still be removable.
        let Ok(found) = find(&self.store, &name.to_string()) else {
            untag()?;
            removed.push(Removed::Deleted(entry.descriptor.digest));
            return Ok(removed);
        };
        // With a repository's last name goes the one by digest.
        let repository = name.familiar_name();
        let names = found.names().into_iter();
        if names
            .filter(|one| one.familiar_name() == repository)
            .count()
            == 1
        {
            removed.extend(pins(&found, &repository));
        }
        if found.entries.len() > 1 {
            untag()?;
            return Ok(removed);
        }
        let users = self.users(&found)?;
        if let Some(user) = users.first().filter(|_| !force) {
            let id = found.image.id().short();
            return Err(in_use(name.familiar(), id, user));
        }
        untag()?;
        if users.iter().any(|user| user.running) {
            let keep = self.store.keep_untagged(&entry.descriptor);
            keep.map_err(store("keep the image"))?;
        } else {
            removed.push(Removed::Deleted(found.image.id().clone()));
        }
        Ok(removed)
    }

    fn remove_by_id(&self, found: &Found, force: bool) -> Result<Vec<Removed>, Error> {
        let short = found.image.id().short().to_owned();
        let mut repositories: Vec<String> = found.names().iter().map(|name| name.name()).collect();
        repositories.sort();
        repositories.dedup();
        if repositories.len() > 1 && !force {
            return Err(Error::ManyNames { image: short });
        }
        let users = self.users(found)?;
        // A running one first: that is the one that no force overcomes.
        let user = users.iter().find(|user| user.running).or(users.first());
        if let Some(user) = user.filter(|user| user.running || !force) {
            return Err(in_use(short.clone(), &short, user));
        }
        let mut removed = Vec::new();
        for entry in &found.entries {
            for gone in self
                .store
                .forget(&entry.descriptor.digest)
                .map_err(store("remove the image"))?
            {
                removed.extend(
                    gone.reference
                        .map(|name| Removed::Untagged(name.familiar())),
                );
            }
        }
        removed.extend(found.pins().into_iter().map(Removed::Untagged));
        removed.push(Removed::Deleted(found.image.id().clone()));
        Ok(removed)
    }

    fn users(&self, found: &Found) -> Result<Vec<User>, Error> {
        let mut used = self.images_in_use()?;
        used.retain(|(_, image)| image == found.image.id());
        let user = |(id, _): (ContainerId, Digest)| User {
            container: id.short().to_owned(),
            running: self.status(&id).is_ok_and(|status| status.is_alive()),
        };
        Ok(used.into_iter().map(user).collect())
    }
}

/// The names by digest in one repository.
fn pins(found: &Found, repository: &str) -> impl Iterator<Item = Removed> {
    let is_of = |pin: &String| pin.split('@').next() == Some(repository);
    found
        .pins()
        .into_iter()
        .filter(is_of)
        .map(Removed::Untagged)
}

fn in_use(image: String, id: &str, user: &User) -> Error {
    Error::InUse {
        image,
        id: id.to_owned(),
        container: user.container.clone(),
        state: if user.running { "runs" } else { "is stopped" },
        running: user.running,
    }
}
