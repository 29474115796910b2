//! Making volumes: one that is asked for, and those that a container names.

use std::collections::BTreeMap;

use berth_fs::{Durability, Lock, LockMode, ensure_dir};
use berth_model::ContainerConfig;
use berth_model::ErrorKind;
use berth_model::config::{MountConfig, MountKind, MountSyntax};
use berth_oci::digest::Digest;

use super::{ANONYMOUS_LABEL, LOCAL, Record, SCHEMA, Volume, local};
use crate::create::{durability, invalid, random_id};
use crate::error::files;
use crate::layout::STAGED_PREFIX;
use crate::{Engine, Error, json};

/// A volume to make.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VolumeRequest {
    /// Its name; empty: one is made up.
    pub name: String,
    /// Its driver; empty: `local`.
    pub driver: String,
    /// The driver's options.
    pub options: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Engine {
    /// Makes a volume. That there is one of this name and driver already is fine: it stays as it is.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a bad name or option, [`Error::VolumeExists`] when it has another driver.
    pub fn create_volume(&self, request: VolumeRequest) -> Result<Volume, Error> {
        let _at_work = self.at_work()?;
        let mut record = Record {
            schema: SCHEMA,
            name: request.name,
            driver: driver_or_local(&request.driver),
            options: request.options,
            labels: request.labels,
            created: crate::clock::now(),
            made_for: None,
        };
        if record.name.is_empty() {
            record.name = random_id()?.to_string();
            record
                .labels
                .insert(ANONYMOUS_LABEL.to_owned(), String::new());
        }
        self.make_volume(&record, Durability::Durable)?;
        self.volume(&record.name)
    }

    /// Makes the volumes that a container names, and names those that it left nameless; copies the image's files into
    /// those that are empty. The locks are to be held until the container is committed.
    pub(crate) fn prepare_volumes(
        &self,
        config: &mut ContainerConfig,
        chain: &[Digest],
    ) -> Result<Vec<Lock>, Error> {
        let durable = durability(config);
        let (id, default) = (config.id.to_string(), config.volume_driver.clone());
        let mut locks = Vec::new();
        for mount in &mut config.mounts {
            if mount.kind != MountKind::Volume {
                continue;
            }
            if mount.source.is_empty() {
                mount.source = random_id()?.to_string();
                mount.anonymous = true;
            }
            // A driver of the engine's is not told apart from none.
            if mount.driver.is_empty() && mount.syntax == MountSyntax::Volume {
                mount.driver.clone_from(&default);
            }
            let record = wanted(mount, &id);
            let volatile = mount.anonymous && durable == Durability::Volatile;
            let durable = if volatile {
                durable
            } else {
                Durability::Durable
            };
            locks.push(self.hold_volume(&record, mount.syntax, durable)?);
            if !mount.no_copy && mount.subpath.is_empty() {
                self.fill_volume(&mount.source, &mount.destination, chain, durable)?;
            }
        }
        Ok(locks)
    }

    /// Makes the volume if it is missing, and keeps it from being removed.
    fn hold_volume(
        &self,
        record: &Record,
        syntax: MountSyntax,
        durable: Durability,
    ) -> Result<Lock, Error> {
        let dir = self.volume_dir(&record.name);
        loop {
            // Another's volume that went meanwhile took its files along.
            if syntax == MountSyntax::From && !dir.exists() {
                return Err(Error::NoVolume {
                    name: record.name.clone(),
                });
            }
            self.make_volume(record, durable)?;
            match Lock::dir(&dir, LockMode::Shared) {
                Ok(lock) if lock.still_at(&dir) => return Ok(lock),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(files("lock the volume")(error)),
            }
        }
    }

    fn make_volume(&self, record: &Record, durable: Durability) -> Result<(), Error> {
        check_name(&record.name)?;
        if let Some(there) = self.volume_record(&record.name)? {
            return same_driver(&there, record);
        }
        let record = &Record {
            driver: driver_or_local(&record.driver),
            ..record.clone()
        };
        match record.driver.as_str() {
            LOCAL => local::check(&record.name, &record.options)?,
            // Before the record: a crash between the two leaves what the next making finds.
            _ => self.make_by_plugin(record)?,
        }
        let staged = self
            .layout
            .volumes()
            .join(format!("{STAGED_PREFIX}{}", random_id()?));
        ensure_dir(&staged, 0o700).map_err(files("make a volume"))?;
        let data = staged.join(berth_layer::fill::DATA);
        // Its mode is then the user's affair, a container may well change it.
        let made = std::fs::create_dir(&data).and_then(|()| super::set_mode(&data, 0o755));
        let made = made.map_err(|source| Error::Io {
            action: "make the volume",
            path: data,
            source,
        });
        let made = made.and_then(|()| json::write(&staged.join("volume.json"), record, durable));
        let dir = self.volume_dir(&record.name);
        let renamed = made.and_then(|()| {
            berth_fs::rename_new(&staged, &dir, durable).map_err(files("make the volume"))
        });
        if renamed.is_err() {
            // The first error is the one to report; `fsck` clears what stays.
            let _ = self.trash.discard(&staged, Durability::Volatile);
        }
        match renamed {
            // Somebody was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                match self.volume_record(&record.name)? {
                    Some(there) => same_driver(&there, record),
                    None => Ok(()),
                }
            }
            Ok(()) => {
                self.record_volume("create", &record.name, &record.driver);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// The record of a volume that a container asks for.
fn wanted(mount: &MountConfig, container: &str) -> Record {
    let mut labels = mount.labels.clone();
    if mount.anonymous {
        labels.insert(ANONYMOUS_LABEL.to_owned(), String::new());
    }
    Record {
        schema: SCHEMA,
        name: mount.source.clone(),
        driver: mount.driver.clone(),
        options: mount.driver_options.clone(),
        labels,
        created: crate::clock::now(),
        made_for: mount.anonymous.then(|| container.to_owned()),
    }
}

fn driver_or_local(driver: &str) -> String {
    match driver {
        "" => LOCAL.to_owned(),
        other => other.to_owned(),
    }
}

/// In Docker's words, which tools look for.
fn check_name(name: &str) -> Result<(), Error> {
    if berth_model::id::valid_name(name) {
        return Ok(());
    }
    let message = if name.len() < 2 {
        format!(
            "create {name}: volume name is too short, names should be at least two alphanumeric characters"
        )
    } else {
        format!(
            "create {name}: \"{name}\" includes invalid characters for a local volume name, only \
             \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
        )
    };
    Err(invalid(message))
}

fn same_driver(there: &Record, wanted: &Record) -> Result<(), Error> {
    if wanted.driver.is_empty() || there.driver == wanted.driver {
        return Ok(());
    }
    Err(Error::VolumeExists {
        name: there.name.clone(),
        driver: there.driver.clone(),
    })
}
