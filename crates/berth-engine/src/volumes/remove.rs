//! Removing volumes: one by name, a container's own, or all that are not needed.

use std::collections::BTreeMap;

use berth_fs::{Durability, Lock, LockMode};
use berth_model::config::MountKind;
use berth_model::event::Subject;
use berth_model::{ContainerConfig, ErrorKind};

use super::Volume;
use crate::error::files;
use crate::{Engine, Error};

/// Which volumes that no container uses go.
pub struct PruneVolumes<'a> {
    /// Those with a name, too.
    pub all: bool,
    /// Only those with such labels.
    pub labels: &'a dyn Fn(&BTreeMap<String, String>) -> bool,
}

/// What went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrunedVolumes {
    /// By name.
    pub names: Vec<String>,
    /// Bytes on the disk.
    pub bytes: u64,
}

impl Engine {
    /// Removes a volume. With `force` that there is none is fine.
    ///
    /// # Errors
    /// [`Error::NoVolume`], [`Error::VolumeInUse`], [`Error::Files`].
    pub fn remove_volume(&self, name: &str, force: bool) -> Result<(), Error> {
        let none = || match force {
            true => Ok(()),
            false => Err(Error::NoVolume {
                name: name.to_owned(),
            }),
        };
        let Some(record) = self.volume_record(name)? else {
            return none();
        };
        let _at_work = self.at_work()?;
        let Some(lock) = self.lock_volume(name, true)? else {
            return none();
        };
        if let Some(containers) = self.volume_users()?.remove(name) {
            return Err(Error::VolumeInUse {
                name: name.to_owned(),
                containers: containers.iter().map(ToString::to_string).collect(),
            });
        }
        match self.remove_by_plugin(name, &record.driver) {
            Err(error) if !force => return Err(error),
            _ => {}
        }
        self.drop_volume(name, &record.driver, Durability::Durable)?;
        drop(lock);
        self.empty_trash()
    }

    /// Removes the volumes that no container uses, but for those that came after this began.
    ///
    /// # Errors
    /// [`Error::Files`]; what was removed before stays so.
    pub fn prune_volumes(&self, request: &PruneVolumes<'_>) -> Result<PrunedVolumes, Error> {
        let mut pruned = PrunedVolumes::default();
        for volume in self.unused_volumes(request)? {
            let bytes = self.volume_bytes(&volume.name);
            if self.remove_unused(&volume)? {
                pruned.bytes += bytes;
                pruned.names.push(volume.name);
            }
        }
        self.empty_trash()?;
        self.record_prune(Subject::Volume, pruned.bytes);
        Ok(pruned)
    }

    /// What [`Engine::prune_volumes`] would remove now.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Io`].
    pub(crate) fn unused_volumes(&self, request: &PruneVolumes<'_>) -> Result<Vec<Volume>, Error> {
        let all = self.volumes(&super::VolumeFilter {
            dangling: Some(true),
            ..super::VolumeFilter::default()
        })?;
        let goes = |volume: &Volume| {
            // As Docker: what others keep goes by name only.
            volume.driver == super::LOCAL
                && (request.all || volume.is_anonymous())
                && (request.labels)(&volume.labels)
        };
        Ok(all.into_iter().filter(goes).collect())
    }

    /// Removes a volume that was seen to be unused, if it still is that very one, and unused.
    pub(crate) fn remove_unused(&self, seen: &Volume) -> Result<bool, Error> {
        let _at_work = self.at_work()?;
        let Some(_lock) = self.lock_volume(&seen.name, true)? else {
            return Ok(false);
        };
        let record = self.volume_record(&seen.name)?;
        let same = record.is_some_and(|record| record.created == seen.created);
        if !same || self.volume_users()?.contains_key(&seen.name) {
            return Ok(false);
        }
        // One that its plugin does not let go of stays, to be removed by name.
        if self.remove_by_plugin(&seen.name, &seen.driver).is_err() {
            return Ok(false);
        }
        self.drop_volume(&seen.name, &seen.driver, Durability::Durable)?;
        Ok(true)
    }

    /// Removes the volumes that nobody has named and that only this container used, which is gone. Locked by whoever
    /// makes a container with one of them: then it is that one's.
    pub(crate) fn remove_own_volumes(
        &self,
        config: &ContainerConfig,
        durable: Durability,
    ) -> Result<(), Error> {
        let mounts = config.mounts.iter();
        let own = mounts.filter(|mount| mount.kind == MountKind::Volume && mount.anonymous);
        let mut locked = Vec::new();
        for mount in own {
            // Not waited for: whoever makes a container with it keeps it, and may wait for another one of ours.
            if let Some(lock) = self.lock_volume(&mount.source, false)? {
                locked.push((mount.source.as_str(), lock));
            }
        }
        if locked.is_empty() {
            return Ok(());
        }
        let users = self.volume_users()?;
        for (name, _lock) in locked {
            if !users.contains_key(name) {
                let record = self.volume_record(name)?.unwrap_or_default();
                // One that its plugin does not let go of stays, to be removed by name.
                if self.remove_by_plugin(name, record.driver()).is_err() {
                    continue;
                }
                self.drop_volume(name, record.driver(), durable)?;
            }
        }
        Ok(())
    }

    /// A container goes and leaves its volumes: from now on they belong to nobody in particular.
    pub(crate) fn keep_own_volumes(&self, config: &ContainerConfig) -> Result<(), Error> {
        for mount in &config.mounts {
            if mount.kind != MountKind::Volume || !mount.anonymous {
                continue;
            }
            if let Some(mut record) = self.volume_record(&mount.source)?
                && record.made_for.take().is_some()
            {
                self.write_record(&record, Durability::Durable)?;
            }
        }
        Ok(())
    }

    /// What is here of a volume that its plugin, if it has one, has let go of.
    fn drop_volume(&self, name: &str, driver: &str, durable: Durability) -> Result<(), Error> {
        self.trash
            .throw(&self.volume_dir(name), durable)
            .map_err(files("remove the volume"))?;
        self.record_volume("destroy", name, driver);
        Ok(())
    }

    /// Keeps those out who make a container with it, and waits for them if `wait`; `None`: it is gone, or theirs.
    fn lock_volume(&self, name: &str, wait: bool) -> Result<Option<Lock>, Error> {
        let dir = self.volume_dir(name);
        let taken = match wait {
            true => Lock::dir(&dir, LockMode::Exclusive).map(Some),
            false => Lock::try_dir(&dir, LockMode::Exclusive),
        };
        match taken {
            Ok(Some(lock)) if lock.still_at(&dir) => Ok(Some(lock)),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(files("lock the volume")(error)),
        }
    }
}
