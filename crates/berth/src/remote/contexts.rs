//! Contexts: named daemons. They are kept as docker keeps them, so that each knows the other's; which one is
//! current is berth's own, because docker's choice leads to a dockerd.
//!
//! ```text
//! CONFIG/                              ~/.docker, $DOCKER_CONFIG or --config
//! ├── contexts/meta/SHA256/meta.json   {"Name": …, "Metadata": {"Description": …}, "Endpoints": {"docker": {"Host": …}}}
//! ├── contexts/tls/SHA256/docker/      ca.pem cert.pem key.pem
//! └── berth.json                       {"currentContext": …}
//! ```
//! SHA256 is the name's. `default` is this machine and is in no file.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use berth_oci::Digest;
use serde::{Deserialize, Serialize};

use crate::cmd::unfinished::Unfinished;
use crate::ui::diagnostic::Failure;

/// The context of this machine.
pub const DEFAULT: &str = "default";
/// Docker's name of the endpoint that is a daemon.
const ENDPOINT: &str = "docker";
/// The files of TLS, in docker's order.
pub const TLS_FILES: [&str; 3] = ["ca.pem", "cert.pem", "key.pem"];

/// A context.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// Its name.
    #[serde(rename = "Name")]
    pub name: String,
    /// What is said of it; docker keeps more here than a description.
    #[serde(rename = "Metadata", default)]
    pub metadata: BTreeMap<String, serde_json::Value>,
    /// Where it leads.
    #[serde(rename = "Endpoints", default)]
    pub endpoints: BTreeMap<String, Endpoint>,
}

/// A daemon.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// As `--host` takes it.
    #[serde(rename = "Host", default)]
    pub host: String,
    /// Docker's: do not verify. berth always does.
    #[serde(rename = "SkipTLSVerify", default)]
    pub skip_tls_verify: bool,
}

impl Context {
    /// With a daemon.
    pub fn new(name: &str, description: &str, host: &str) -> Context {
        let mut context = Context {
            name: name.to_owned(),
            ..Context::default()
        };
        context.describe(description);
        context.endpoint_mut().host = host.to_owned();
        context
    }

    /// What was said of it.
    pub fn description(&self) -> &str {
        let value = self.metadata.get("Description");
        value.and_then(|value| value.as_str()).unwrap_or_default()
    }

    /// Says something of it.
    pub fn describe(&mut self, description: &str) {
        match description {
            "" => self.metadata.remove("Description"),
            text => self.metadata.insert("Description".to_owned(), text.into()),
        };
    }

    /// The daemon.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoints.get(ENDPOINT)
    }

    /// The daemon, to be changed.
    pub fn endpoint_mut(&mut self) -> &mut Endpoint {
        self.endpoints.entry(ENDPOINT.to_owned()).or_default()
    }
}

/// Where they are kept.
#[derive(Debug, Clone)]
pub struct Contexts {
    config: PathBuf,
}

impl Contexts {
    /// Below the client's configuration.
    ///
    /// # Errors
    /// There is no place for one: no HOME.
    pub fn open() -> Result<Contexts, Failure> {
        match crate::globals::client_config() {
            Some(config) => Ok(Contexts { config }),
            None => Err(Failure::new("there is no place for contexts")
                .hint("HOME, DOCKER_CONFIG or --config names it")),
        }
    }

    /// All, by name, without `default`.
    ///
    /// # Errors
    /// A file that cannot be read or understood.
    pub fn all(&self) -> Result<Vec<Context>, Failure> {
        let place = self.config.join("contexts/meta");
        let entries = match fs::read_dir(&place) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("read", &place, &error)),
        };
        let mut all = Vec::new();
        for entry in entries {
            let path = entry
                .map_err(|error| failed("read", &place, &error))?
                .path();
            all.extend(read(&path.join("meta.json"))?);
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// The one of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn get(&self, name: &str) -> Result<Context, Failure> {
        let found = read(&self.meta(name).join("meta.json"))?;
        found.ok_or_else(|| {
            Failure::new(format!("no such context: {name}")).hint("`berth context ls` lists all")
        })
    }

    /// Whether there is one of this name.
    pub fn has(&self, name: &str) -> bool {
        name == DEFAULT || self.meta(name).join("meta.json").is_file()
    }

    /// Whether a context of this name can be made.
    ///
    /// # Errors
    /// It is no name, or there is one.
    pub fn check_new(&self, name: &str) -> Result<(), Failure> {
        check_name(name)?;
        match self.has(name) {
            true => Err(Failure::new(format!("context `{name}` already exists"))),
            false => Ok(()),
        }
    }

    /// Keeps a context, with these files of TLS if any are given.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put(
        &self,
        context: &Context,
        tls: Option<&BTreeMap<String, Vec<u8>>>,
    ) -> Result<(), Failure> {
        if let Some(tls) = tls {
            let place = self.tls(&context.name);
            // Those of before do not fit the new ones.
            remove(&self.tls_root(&context.name))?;
            for (name, bytes) in tls {
                make(&place)?;
                write_private(&place.join(name), bytes)?;
            }
        }
        let place = self.meta(&context.name);
        make(&place)?;
        let text = serde_json::to_vec(context).map_err(|error| Failure::of(&error))?;
        write_private(&place.join("meta.json"), &text)
    }

    /// Forgets a context.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), Failure> {
        remove(&self.tls_root(name))?;
        remove(&self.meta(name))
    }

    /// The one that is used if nothing else is said.
    ///
    /// # Errors
    /// `berth.json` cannot be read.
    pub fn current(&self) -> Result<Option<String>, Failure> {
        let path = self.config.join("berth.json");
        let settings: Settings = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Failure::of(&error).within(unreadable(&path)))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Settings::default(),
            Err(error) => return Err(failed("read", &path, &error)),
        };
        Ok(settings.current.filter(|name| name != DEFAULT))
    }

    /// Uses `name` from now on.
    ///
    /// # Errors
    /// `berth.json` cannot be written.
    pub fn set_current(&self, name: &str) -> Result<(), Failure> {
        let path = self.config.join("berth.json");
        if name == DEFAULT && !path.exists() {
            return Ok(());
        }
        make(&self.config)?;
        let settings = Settings {
            current: Some(name.to_owned()).filter(|name| name != DEFAULT),
        };
        let mut text = serde_json::to_vec_pretty(&settings).map_err(|error| Failure::of(&error))?;
        text.push(b'\n');
        write_private(&path, &text)
    }

    /// The directory of a context's files of TLS.
    pub fn tls(&self, name: &str) -> PathBuf {
        self.tls_root(name).join(ENDPOINT)
    }

    /// Which of them there are.
    pub fn tls_files(&self, name: &str) -> Vec<&'static str> {
        let place = self.tls(name);
        let there = |file: &&&str| place.join(file).is_file();
        TLS_FILES.iter().filter(there).copied().collect()
    }

    /// The directory of what is said of a context.
    pub fn meta(&self, name: &str) -> PathBuf {
        self.config.join("contexts/meta").join(hashed(name))
    }

    /// The directory of all that is secret of a context.
    pub fn tls_root(&self, name: &str) -> PathBuf {
        self.config.join("contexts/tls").join(hashed(name))
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Settings {
    #[serde(rename = "currentContext", skip_serializing_if = "Option::is_none")]
    current: Option<String>,
}

/// A name that docker takes too.
///
/// # Errors
/// It is none, or `default`.
pub fn check_name(name: &str) -> Result<(), Failure> {
    let mut letters = name.chars();
    let first = letters.next().is_some_and(|c| c.is_ascii_alphanumeric());
    let rest = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
    match name {
        DEFAULT => Err(Failure::new(
            "`default` is this machine, and cannot be changed",
        )),
        _ if first && name.len() > 1 && letters.all(rest) => Ok(()),
        _ => Err(Failure::new(format!("`{name}` is no name of a context"))
            .hint("two or more letters, digits, `_`, `.`, `+`, `-`; a letter or digit first")),
    }
}

fn hashed(name: &str) -> String {
    Digest::of(name.as_bytes()).hex().to_owned()
}

fn read(path: &Path) -> Result<Option<Context>, Failure> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Failure::of(&error).within(unreadable(path))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, &error)),
    }
}

fn unreadable(path: &Path) -> String {
    format!("cannot understand `{}`", path.display())
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::of(error).within(format!("cannot {what} `{}`", path.display()))
}

fn make(place: &Path) -> Result<(), Failure> {
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(place);
    made.map_err(|error| failed("make", place, &error))
}

fn remove(place: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(place) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed("remove", place, &error))
        }
        _ => Ok(()),
    }
}

/// Whole or not at all, mode 0600.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let (unfinished, mut file) = Unfinished::beside(path)?;
    file.write_all(bytes)
        .map_err(|error| unfinished.failed(&error))?;
    unfinished.finish()
}

#[cfg(test)]
mod tests;
