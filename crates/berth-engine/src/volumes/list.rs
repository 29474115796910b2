//! Looking at volumes, and at who uses them. Nothing of a volume's content is touched: what hangs there hangs nobody
//! here.

use std::collections::BTreeMap;

use berth_model::ContainerId;
use berth_model::config::MountKind;

use super::{LOCAL, Record, Volume};
use crate::layout::STAGED_PREFIX;
use crate::names::read_names;
use crate::{Engine, Error};

/// Which volumes to list. Values of one field are alternatives, but labels all have to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeFilter {
    /// Used by no container, or by some.
    pub dangling: Option<bool>,
    /// Parts of names.
    pub names: Vec<String>,
    /// Drivers.
    pub drivers: Vec<String>,
    /// `key` or `key=value`.
    pub labels: Vec<String>,
}

impl VolumeFilter {
    fn holds(&self, volume: &Volume, users: &Users) -> bool {
        let used = users.contains_key(&volume.name);
        let any = |wanted: &[String], test: &dyn Fn(&String) -> bool| {
            wanted.is_empty() || wanted.iter().any(test)
        };
        self.dangling.is_none_or(|dangling| dangling != used)
            && any(&self.names, &|part| volume.name.contains(part.as_str()))
            && any(&self.drivers, &|driver| *driver == volume.driver)
            && self
                .labels
                .iter()
                .all(|wanted| has_label(&volume.labels, wanted))
    }
}

/// Whether `wanted`, a key or `key=value`, is among `labels`.
fn has_label(labels: &BTreeMap<String, String>, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((key, value)) => labels.get(key).is_some_and(|have| have == value),
        None => labels.contains_key(wanted),
    }
}

/// By volume: the containers that name it.
pub(crate) type Users = BTreeMap<String, Vec<ContainerId>>;

impl Engine {
    /// A volume.
    ///
    /// # Errors
    /// [`Error::NoVolume`], [`Error::Damaged`].
    pub fn volume(&self, name: &str) -> Result<Volume, Error> {
        let record = self.volume_record(name)?;
        let record = record.ok_or_else(|| Error::NoVolume {
            name: name.to_owned(),
        })?;
        Ok(self.seen(record))
    }

    /// The volumes that pass the filter, by name.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Io`].
    pub fn volumes(&self, filter: &VolumeFilter) -> Result<Vec<Volume>, Error> {
        let users = match filter.dangling {
            Some(_) => self.volume_users()?,
            None => Users::new(),
        };
        let mut found = Vec::new();
        for name in self.volume_names()? {
            // Gone meanwhile: it is not there.
            if let Some(record) = self.volume_record(&name)? {
                let volume = self.seen(record);
                if filter.holds(&volume, &users) {
                    found.push(volume);
                }
            }
        }
        Ok(found)
    }

    /// All volumes, by name.
    pub(crate) fn volume_names(&self) -> Result<Vec<String>, Error> {
        let mut names = read_names(self.layout.volumes())?;
        names.retain(|name| !name.starts_with(STAGED_PREFIX));
        names.sort();
        Ok(names)
    }

    /// Which containers name which volume.
    pub(crate) fn volume_users(&self) -> Result<Users, Error> {
        let mut users = Users::new();
        for id in self.ids()? {
            let config = match self.config(&id) {
                Err(Error::NoContainer { .. }) => continue,
                other => other?,
            };
            for mount in config.mounts {
                if mount.kind == MountKind::Volume {
                    users.entry(mount.source).or_default().push(id.clone());
                }
            }
        }
        Ok(users)
    }

    fn seen(&self, record: Record) -> Volume {
        let mountpoint = self.volume_dir(&record.name).join("_data");
        Volume {
            name: record.name,
            driver: match record.driver.as_str() {
                "" => LOCAL.to_owned(),
                _ => record.driver,
            },
            options: record.options,
            labels: record.labels,
            created: record.created,
            mountpoint,
        }
    }
}
