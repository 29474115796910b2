//! `registry.toml`: all that `berth registry serve` can be told. The file beside this crate's sources, [`EXAMPLE`],
//! shows every value with its default.
//!
//! Nothing unknown is passed over, so that a typing error cannot open what should be closed: an error names the line,
//! and the key that was probably meant.

mod check;
mod file;
mod near;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_registry::Credentials;

use crate::auth::rights::Table;
use crate::auth::{self, Auth, Tokens};
use crate::cache::{self, Cache};
use crate::settings::Settings;
use crate::setup::{Error, Warnings};
use crate::storage::{CollectOptions, Storage};
use berth_serve::files::read_text;
use berth_serve::tls;

/// The whole file, explained.
pub const EXAMPLE: &str = include_str!("../registry.toml");

/// Bytes of the file.
const MAX_BYTES: u64 = 1 << 20;

/// All that is set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where it keeps everything.
    pub root: PathBuf,
    /// Without: plain HTTP.
    pub tls: Option<tls::Files>,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// The file of users.
    pub htpasswd: Option<PathBuf>,
    /// What a browser shows when it asks for a password.
    pub realm: String,
    /// Whose tokens are taken.
    pub tokens: Tokens,
    /// Who may do what; `None`: whoever has logged in may do everything.
    pub rights: Option<Table>,
    /// Limits, rules, logs.
    pub settings: Settings,
    /// When garbage is collected.
    pub collect: Collect,
    /// Which other registries it is a cache for.
    pub caches: Vec<cache::Upstream>,
}

/// When garbage is collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collect {
    /// `None`: never.
    pub every: Option<Duration>,
    /// What is younger stays.
    pub grace: Duration,
    /// Uploads that nobody goes on with are given up after so long.
    pub uploads: Duration,
}

impl Collect {
    /// For a collection.
    pub fn options(self) -> CollectOptions {
        CollectOptions {
            grace: self.grace,
            upload_ttl: self.uploads,
            dry_run: false,
        }
    }
}

impl Default for Collect {
    fn default() -> Collect {
        let options = CollectOptions::default();
        Collect {
            every: Some(Duration::from_secs(6 * 3600)),
            grace: options.grace,
            uploads: options.upload_ttl,
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            addr: SocketAddr::from(([127, 0, 0, 1], 5000)),
            root: PathBuf::from("/var/lib/berth-registry"),
            tls: None,
            handshake_timeout: Duration::from_secs(10),
            htpasswd: None,
            realm: "berth".into(),
            tokens: Tokens::None,
            rights: None,
            settings: Settings::default(),
            collect: Collect::default(),
            caches: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// It is absent, too large or not text; see [`Config::parse`].
    pub fn load(path: &Path) -> Result<Config, Error> {
        let text = read_text(path, "the configuration", MAX_BYTES)?;
        let base = path.parent().unwrap_or(Path::new(""));
        Config::parse(&text, base).map_err(|error| error.in_file(path))
    }

    /// Reads the text of a file whose paths are relative to `base`.
    ///
    /// # Errors
    /// Not TOML; a key that is not known; a value that makes no sense, or contradicts another.
    pub fn parse(text: &str, base: &Path) -> Result<Config, Error> {
        let file: file::File = toml::from_str(text).map_err(|error| {
            let message = error.message().to_owned();
            Error::ParseConfig {
                path: None,
                line: error.span().map(|span| near::line(text, span.start)),
                near: near::suggestion(&message).map(str::to_owned),
                message,
            }
        })?;
        check::config(file, base)
    }

    /// How it is decided who may do what; `None`: everybody may do everything.
    ///
    /// # Errors
    /// A file that it needs is not what it should be.
    pub fn auth(&self, warnings: Warnings) -> Result<Option<Auth>, Error> {
        if !self.knows_users() && self.rights.is_none() {
            return Ok(None);
        }
        Auth::new(auth::Options {
            htpasswd: self.htpasswd.clone(),
            realm: self.realm.clone(),
            rights: self.rights.clone().unwrap_or_default(),
            tokens: self.tokens.clone(),
            tls: self.tls.is_some(),
            root: self.root.clone(),
            warnings,
        })
        .map(Some)
    }

    /// The handshake with those who come; `None`: plain HTTP.
    ///
    /// # Errors
    /// A file that it needs is not what it should be.
    pub fn handshake(&self, warnings: Warnings) -> Result<Option<tls::Tls>, Error> {
        let files = self.tls.clone();
        files
            .map(|files| {
                let warn = move |error: berth_serve::Error| {
                    warnings.tell(&error.into(), "the certificate stays as it was");
                };
                Ok(tls::Tls::load(files, self.handshake_timeout, warn)?)
            })
            .transpose()
    }

    /// The cache of other registries; `None`: it is none. Mirrors, authorities and proxies are those of `env`; logins are
    /// not, as whoever may pull from the cache sees what they open.
    ///
    /// # Errors
    /// A file that it needs is not what it should be.
    pub fn cache(
        &self,
        storage: &Storage,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Cache>, Error> {
        if self.caches.is_empty() {
            return Ok(None);
        }
        let client = berth_registry::Config::from_env(env);
        let client = berth_registry::Config {
            credentials: Credentials::default(),
            ..client.map_err(|source| Error::Client { source })?
        };
        let (rules, limit) = (self.settings.rules.clone(), self.settings.limits.blob_bytes);
        Cache::new(&self.caches, &client, storage.clone(), rules, limit).map(Some)
    }

    /// What whoever runs this should know about it: for warnings.
    pub fn concerns(&self) -> Vec<&'static str> {
        let mut concerns = Vec::new();
        if self.addr.ip().is_loopback() {
            return concerns;
        }
        let open = !self.knows_users() && self.rights.is_none();
        if open && self.settings.allowed.push {
            concerns.push("everybody who reaches this address may push: set auth.htpasswd, or allow.push = false");
        }
        if self.tls.is_none() && self.knows_users() {
            concerns.push("passwords and tokens cross the network in plain text: set tls.certificates and tls.key");
        }
        concerns
    }

    fn knows_users(&self) -> bool {
        self.htpasswd.is_some() || self.tokens != Tokens::None
    }
}

#[cfg(test)]
mod tests;
