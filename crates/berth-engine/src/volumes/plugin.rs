//! Volume plugins, by Docker's plugin protocol: a program that serves HTTP on a Unix socket.
//!
//! ```text
//! found at   /run/docker/plugins/NAME.sock  or  /run/docker/plugins/NAME/NAME.sock
//!            /etc/docker/plugins/NAME.spec  `unix:///path`;  NAME.json  {"Addr": "unix:///path"};  then /usr/lib/docker/plugins
//! asked      POST /Plugin.Activate  →  {"Implements": ["VolumeDriver"]}
//!            POST /VolumeDriver.{Create,Remove,Mount,Unmount}  {"Name": …, "ID": …, "Opts": …}  →  {"Err": "", "Mountpoint": …}
//! kept       volumes/<name>/volume.json: driver and options
//!            RUN_DIR/tasks/<id>/volumes.json: where each is mounted, for the container's life
//! ```
//! A plugin is asked when a volume is made or removed, and when a container starts or has ended; never to list or to
//! inspect, so that one that hangs hangs nobody there (N17). Each question has a deadline.
//!
//! Source: docs.docker.com, "Docker plugin API", "Docker volume plugins".

mod http;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_fs::Durability;
use berth_model::config::MountKind;
use berth_model::{ContainerConfig, ContainerId};
use serde::{Deserialize, Serialize};

use super::{LOCAL, Record};
use crate::error::files;
use crate::{Engine, Error, json};

/// Where plugins leave their sockets.
const SOCKETS: &str = "/run/docker/plugins";
/// Where files say where a socket is.
const SPECS: [&str; 2] = ["/etc/docker/plugins", "/usr/lib/docker/plugins"];
/// More is no address.
const SPEC_BYTES: u64 = 64 << 10;
/// For what is made or removed elsewhere.
const PATIENCE: Duration = Duration::from_secs(30);
/// For letting go: a container's end does not wait for longer.
const PARTING: Duration = Duration::from_secs(10);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Question<'a> {
    name: &'a str,
    #[serde(rename = "ID", skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    opts: Option<&'a BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Answer {
    err: Option<String>,
    mountpoint: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Activated {
    implements: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Spec {
    addr: String,
}

/// A plugin that serves volumes.
struct Plugin {
    name: String,
    socket: PathBuf,
}

impl Plugin {
    /// Looks it up and asks what it is.
    fn find(name: &str, patience: Duration) -> Result<Plugin, Error> {
        let socket = match berth_model::id::valid_name(name) {
            true => socket_of(name),
            false => None,
        };
        let plugin = Plugin {
            socket: socket.ok_or_else(|| Error::NoPlugin {
                driver: name.to_owned(),
            })?,
            name: name.to_owned(),
        };
        let text = plugin.ask("Plugin.Activate", &serde_json::json!({}), patience)?;
        let activated: Activated = plugin.understood("Plugin.Activate", &text)?;
        if activated
            .implements
            .iter()
            .any(|what| what == "VolumeDriver")
        {
            return Ok(plugin);
        }
        Err(plugin.refused("Plugin.Activate", "it serves no volumes".to_owned()))
    }

    fn volume(
        &self,
        verb: &str,
        question: &Question<'_>,
        patience: Duration,
    ) -> Result<Answer, Error> {
        let verb = format!("VolumeDriver.{verb}");
        let question = serde_json::to_value(question).unwrap_or_default();
        let text = self.ask(&verb, &question, patience)?;
        let answer: Answer = self.understood(&verb, &text)?;
        match answer.err.as_deref() {
            None | Some("") => Ok(answer),
            Some(words) => Err(self.refused(&verb, words.to_owned())),
        }
    }

    fn ask(
        &self,
        verb: &str,
        question: &serde_json::Value,
        patience: Duration,
    ) -> Result<Vec<u8>, Error> {
        let body = question.to_string();
        http::post(&self.socket, &format!("/{verb}"), &body, patience).map_err(|source| {
            Error::Plugin {
                driver: self.name.clone(),
                verb: verb.to_owned(),
                source,
            }
        })
    }

    fn understood<T: serde::de::DeserializeOwned>(
        &self,
        verb: &str,
        text: &[u8],
    ) -> Result<T, Error> {
        serde_json::from_slice(text).map_err(|error| Error::Plugin {
            driver: self.name.clone(),
            verb: verb.to_owned(),
            source: error.into(),
        })
    }

    fn refused(&self, verb: &str, words: String) -> Error {
        Error::Plugin {
            driver: self.name.clone(),
            verb: verb.to_owned(),
            source: std::io::Error::other(words),
        }
    }
}

fn socket_of(name: &str) -> Option<PathBuf> {
    let dir = Path::new(SOCKETS);
    let beside = [
        dir.join(format!("{name}.sock")),
        dir.join(name).join(format!("{name}.sock")),
    ];
    if let Some(found) = beside.into_iter().find(|path| path.exists()) {
        return Some(found);
    }
    let files = SPECS
        .iter()
        .flat_map(|dir| ["spec", "json"].map(|end| Path::new(dir).join(format!("{name}.{end}"))));
    files.into_iter().find_map(|file| {
        let text = read_short(&file)?;
        let address = match file.extension().is_some_and(|end| end == "json") {
            true => serde_json::from_str::<Spec>(&text).ok()?.addr,
            false => text.trim().to_owned(),
        };
        address.strip_prefix("unix://").map(PathBuf::from)
    })
}

fn read_short(path: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(SPEC_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

/// `volumes.json`: where plugins have mounted volumes for a container.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Mounted {
    schema: u32,
    pub(super) volumes: BTreeMap<String, Place>,
}

/// Where one is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Place {
    driver: String,
    pub(super) mountpoint: PathBuf,
}

impl Engine {
    /// Has a plugin make a volume; that it has one of the name already is its own affair.
    pub(super) fn make_by_plugin(&self, record: &Record) -> Result<(), Error> {
        let question = Question {
            name: &record.name,
            id: None,
            opts: Some(&record.options),
        };
        Plugin::find(&record.driver, PATIENCE)?
            .volume("Create", &question, PATIENCE)
            .map(drop)
    }

    /// Has a plugin remove a volume.
    pub(super) fn remove_by_plugin(&self, name: &str, driver: &str) -> Result<(), Error> {
        if driver == LOCAL {
            return Ok(());
        }
        let question = Question {
            name,
            id: None,
            opts: None,
        };
        Plugin::find(driver, PATIENCE)?
            .volume("Remove", &question, PATIENCE)
            .map(drop)
    }

    /// Has plugins mount a container's volumes, and notes where. If one fails, the others let go.
    pub(crate) fn mount_plugin_volumes(&self, config: &ContainerConfig) -> Result<(), Error> {
        let mut mounted = Mounted {
            schema: 1,
            ..Mounted::default()
        };
        for mount in &config.mounts {
            let name = &mount.source;
            if mount.kind != MountKind::Volume || mounted.volumes.contains_key(name) {
                continue;
            }
            let Some(record) = self
                .volume_record(name)?
                .filter(|record| record.driver != LOCAL)
            else {
                continue;
            };
            let plugin = Plugin::find(&record.driver, PATIENCE)?;
            // Noted first: who is asked to let go of what he does not hold does no harm.
            mounted.volumes.insert(
                name.clone(),
                Place {
                    driver: record.driver.clone(),
                    mountpoint: PathBuf::new(),
                },
            );
            self.note(&config.id, &mounted)?;
            let question = Question {
                name,
                id: Some(config.id.as_str()),
                opts: None,
            };
            let answer = plugin.volume("Mount", &question, PATIENCE)?;
            let place = answer.mountpoint.filter(|path| path.is_absolute());
            let place = place.ok_or_else(|| {
                plugin.refused("VolumeDriver.Mount", "it does not say where".to_owned())
            })?;
            if let Some(noted) = mounted.volumes.get_mut(name) {
                noted.mountpoint = place;
            }
            self.note(&config.id, &mounted)?;
        }
        Ok(())
    }

    fn note(&self, id: &ContainerId, mounted: &Mounted) -> Result<(), Error> {
        json::write(&self.mounted_file(id), mounted, Durability::Volatile)
    }

    fn mounted_file(&self, id: &ContainerId) -> PathBuf {
        self.layout.task(id).join("volumes.json")
    }

    /// Where plugins have mounted the container's volumes.
    pub(super) fn mounted_by_plugins(&self, id: &ContainerId) -> Result<Mounted, Error> {
        Ok(json::read(&self.mounted_file(id))?.unwrap_or_default())
    }

    /// Has plugins let go of a container's volumes. One that does not answer keeps nobody from removing the container.
    pub(crate) fn unmount_plugin_volumes(&self, id: &ContainerId) -> Result<(), Error> {
        let Ok(mounted) = self.mounted_by_plugins(id) else {
            return Ok(());
        };
        for (name, place) in &mounted.volumes {
            let question = Question {
                name,
                id: Some(id.as_str()),
                opts: None,
            };
            let plugin = Plugin::find(&place.driver, PARTING);
            let _ = plugin.and_then(|plugin| plugin.volume("Unmount", &question, PARTING));
        }
        if mounted.volumes.is_empty() {
            return Ok(());
        }
        berth_fs::remove_file(&self.mounted_file(id), Durability::Volatile)
            .map_err(files("forget the plugins' mounts"))
    }
}
