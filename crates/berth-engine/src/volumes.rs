//! Volumes: directories that the engine keeps.
//!
//! ```text
//! volumes/<name>/
//! ├── volume.json           what was asked; written once
//! ├── _data                 what containers see
//! ├── _filling _filled      a copy of the image's files on its way into `_data` (see `berth_layer::fill`)
//! └── fill.lock             held by who makes that copy
//! ```
//! A volume comes to be by a rename, whole, and goes by one. Who uses it is not written down: the containers say it.
//! The directory's lock is shared by those who make a container that names it, from their look at it to their commit,
//! and exclusive for who removes it: so no volume goes between the two.
//!
//! | module | |
//! |---|---|
//! | `create` | making one, and those that a container names |
//! | `fill` | the image's files in an empty one |
//! | `from` | `--volumes-from` |
//! | `list` | looking at them, and at who uses them |
//! | `local` | the options of the driver `local` |
//! | `plugin` | volumes that others keep |
//! | `remove` | removing one, or all that are not needed |

mod create;
mod fill;
mod from;
mod list;
mod local;
mod plugin;
mod remove;

use std::collections::BTreeMap;
use std::path::PathBuf;

use berth_fs::Durability;
use berth_model::ContainerConfig;
use berth_model::config::MountKind;
use berth_model::event::{Event, Subject};
use serde::{Deserialize, Serialize};

use crate::{Engine, Error, json};

pub use create::VolumeRequest;
pub use fill::child;
pub use list::VolumeFilter;
pub use local::VolumeMount;
pub use remove::{PruneVolumes, PrunedVolumes};

/// The version of `volume.json`.
const SCHEMA: u32 = 1;

/// The driver that makes directories of ours.
pub const LOCAL: &str = "local";

/// The label of a volume that nobody has named, as Docker's is.
pub const ANONYMOUS_LABEL: &str = "com.docker.volume.anonymous";

/// A volume.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Its driver.
    pub driver: String,
    /// The driver's options, as asked.
    pub options: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// RFC 3339; empty: not known.
    pub created: String,
    /// Where its files are on this host.
    pub mountpoint: PathBuf,
}

impl Volume {
    /// Nobody has named it.
    pub fn is_anonymous(&self) -> bool {
        self.labels.contains_key(ANONYMOUS_LABEL)
    }
}

/// `volume.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) schema: u32,
    pub(crate) name: String,
    pub(crate) driver: String,
    #[serde(default)]
    pub(crate) options: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    /// RFC 3339 with nanoseconds, UTC.
    pub(crate) created: String,
    /// The container for which it was made without a name. While there is no such container it is nobody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) made_for: Option<String>,
}

impl Record {
    /// The driver's name; of what was recorded without one, ours.
    pub(crate) fn driver(&self) -> &str {
        match self.driver.as_str() {
            "" => LOCAL,
            other => other,
        }
    }
}

impl Engine {
    pub(crate) fn volume_dir(&self, name: &str) -> PathBuf {
        self.layout.volumes().join(name)
    }

    /// What was asked of a volume; `None`: there is no such volume. One of an earlier berth has no record.
    pub(crate) fn volume_record(&self, name: &str) -> Result<Option<Record>, Error> {
        // A name from outside: never a path.
        if !berth_model::id::valid_name(name) {
            return Ok(None);
        }
        let dir = self.volume_dir(name);
        match json::read(&dir.join("volume.json"))? {
            Some(Record { schema, .. }) if schema > SCHEMA => Err(Error::Newer {
                path: dir.join("volume.json"),
            }),
            Some(record) => Ok(Some(record)),
            None if dir.is_dir() => Ok(Some(Record {
                schema: SCHEMA,
                name: name.to_owned(),
                driver: LOCAL.to_owned(),
                labels: unnamed_of_old(name),
                ..Record::default()
            })),
            None => Ok(None),
        }
    }

    /// What a container mounts of volumes that are not in their directories, by name. Finishes what a crash has left
    /// unfinished in the others.
    pub(crate) fn volume_mounts(
        &self,
        config: &ContainerConfig,
    ) -> Result<BTreeMap<String, VolumeMount>, Error> {
        let mut mounts = BTreeMap::new();
        let mounted = self.mounted_by_plugins(&config.id)?;
        for mount in &config.mounts {
            if mount.kind != MountKind::Volume {
                continue;
            }
            let name = &mount.source;
            let record = self.volume_record(name)?;
            let record = record.ok_or_else(|| Error::NoVolume { name: name.clone() })?;
            if record.driver != LOCAL {
                let place = mounted.volumes.get(name);
                mounts.insert(name.clone(), plugins_mount(&record, place));
                continue;
            }
            match local::mount(name, &record.options)? {
                Some(elsewhere) => drop(mounts.insert(name.clone(), elsewhere)),
                None => self.settle_volume(name)?,
            }
        }
        Ok(mounts)
    }

    /// Writes down what happened to a volume.
    fn record_volume(&self, action: &str, name: &str, driver: &str) {
        let event = Event::new(Subject::Volume, action, name);
        self.record(event.with("driver", driver));
    }

    fn write_record(&self, record: &Record, durability: Durability) -> Result<(), Error> {
        let path = self.volume_dir(&record.name).join("volume.json");
        json::write(&path, record, durability)
    }
}

/// What a plugin has mounted somewhere; while it has not, nothing that could be.
fn plugins_mount(record: &Record, place: Option<&plugin::Place>) -> VolumeMount {
    let place = place.map(|place| place.mountpoint.to_string_lossy().into_owned());
    let place = place.unwrap_or_default();
    VolumeMount {
        kind: match place.is_empty() {
            true => record.driver.clone(),
            false => "bind".to_owned(),
        },
        source: place,
        options: vec!["rbind".to_owned()],
    }
}

/// An earlier berth told a volume that nobody has named by the form of its name.
fn unnamed_of_old(name: &str) -> BTreeMap<String, String> {
    let unnamed = berth_model::ContainerId::parse(name).is_ok();
    let label = unnamed.then(|| (ANONYMOUS_LABEL.to_owned(), String::new()));
    label.into_iter().collect()
}

/// Sets the mode of a file or directory of ours, through a descriptor: never that of what a link leads to.
pub(crate) fn set_mode(path: &std::path::Path, mode: u32) -> std::io::Result<()> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    Ok(rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?)
}
