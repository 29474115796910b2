//! `daemon.toml`: what a daemon is told. It is read at the start, and again at SIGHUP; then only what is marked is taken.
//!
//! ```toml
//! hosts = ["unix:///run/berth.sock"]   # where to listen: unix://, tcp:// with TLS, fd://
//! metrics_addr = "127.0.0.1:9323"      # where Prometheus asks
//! restart_unhealthy = false            # read again: restart every container that is unhealthy
//! stats_interval_s = 10                # read again: write down what containers use, so often; absent: never
//! publish_default = "loopback"         # read again: where ports go that name no address of the host: all, loopback
//! labels = ["rack=4"]                  # read again: what `info` tells of the daemon
//! log_level = "info"                   # read again: of the daemon's own log: debug, info, warn, error
//! log_format = "text"                  # read again: text, json
//! log_driver = "json-file"             # read again: where the output goes of containers that say nothing else
//! [log_opts]                           # read again: its options
//! max-size = "10m"
//! [tls]                                # the files are read again whenever they change
//! certificates = "/etc/berth/cert.pem"
//! key = "/etc/berth/key.pem"
//! client_ca = "/etc/berth/ca.pem"
//! ```
//! The caller finds it; nothing here reads the environment.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_model::config::LogConfig;
use serde::Deserialize;
use toml::Spanned;

use crate::Error;

/// Longer is not what anybody has written.
const MAX_BYTES: u64 = 1 << 20;

/// What a daemon is told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// Where to listen; none: the default.
    pub hosts: Vec<Host>,
    /// For hosts with TLS.
    pub tls: TlsFiles,
    /// Where Prometheus asks.
    pub metrics_addr: Option<SocketAddr>,
    /// What a reload changes.
    pub live: Live,
}

/// An address to listen at, and the line that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// As written.
    pub text: String,
    /// Where.
    pub line: usize,
}

/// Certificates and keys, PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsFiles {
    /// The daemon's certificate.
    pub certificates: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// The authority of the clients' certificates.
    pub client_ca: Option<PathBuf>,
}

/// What a reload changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Live {
    /// Restart every container that is unhealthy.
    pub restart_unhealthy: bool,
    /// From one look at what containers use to the next; `None`: nobody looks.
    pub stats_interval: Option<Duration>,
    /// Where ports are published that name no address of the host.
    pub publish_default: PublishDefault,
    /// What `info` tells.
    pub labels: Vec<String>,
    /// Of the daemon's log.
    pub log_level: Level,
    /// Of the daemon's log.
    pub log_format: Format,
    /// Of containers that say nothing else; `None`: as without a daemon.
    pub log: Option<LogConfig>,
}

/// Where ports are published that name no address of the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PublishDefault {
    /// At all of its addresses, as Docker does.
    #[default]
    All,
    /// Where only the host itself reaches them.
    Loopback,
}

/// How much a daemon says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// All.
    Debug,
    /// What it does by itself.
    #[default]
    Info,
    /// What goes wrong.
    Warn,
    /// What it cannot do.
    Error,
}

/// How a daemon says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Lines for a reader.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    hosts: Vec<Spanned<String>>,
    tls: TlsFiles,
    metrics_addr: Option<SocketAddr>,
    restart_unhealthy: bool,
    publish_default: PublishDefault,
    stats_interval_s: Option<NonZero<u32>>,
    labels: Vec<Spanned<String>>,
    log_level: Level,
    log_format: Format,
    log_driver: Option<Spanned<String>>,
    log_opts: Option<Spanned<BTreeMap<String, String>>>,
}

impl Settings {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::ReadSettings`]: with [`std::io::ErrorKind::NotFound`] there is none; [`Error::Settings`].
    pub fn load(path: &Path) -> Result<Settings, Error> {
        let failed = |source| Error::ReadSettings {
            path: path.to_owned(),
            source,
        };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(MAX_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(failed)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
        }
        Settings::parse(&text).map_err(|(line, reason)| Error::Settings {
            path: path.to_owned(),
            line,
            reason,
        })
    }

    /// The text's meaning, or the line that has none and why.
    fn parse(text: &str) -> Result<Settings, (usize, String)> {
        let line = |at: usize| text.as_bytes()[..at.min(text.len())].iter();
        let line = |at: usize| line(at).filter(|&&byte| byte == b'\n').count() + 1;
        let file: File = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            (line(at), error.message().to_owned())
        })?;
        for label in &file.labels {
            let (key, _) = label.get_ref().split_once('=').unwrap_or_default();
            if key.is_empty() {
                let reason = format!("the label `{}` is not key=value", label.get_ref());
                return Err((line(label.span().start), reason));
            }
        }
        let log = match (&file.log_driver, &file.log_opts) {
            (None, None) => None,
            (driver, options) => {
                let spans = [
                    options.as_ref().map(Spanned::span),
                    driver.as_ref().map(Spanned::span),
                ];
                let at = spans.into_iter().flatten().next().unwrap_or_default().start;
                let driver = driver.as_ref().map_or("", |driver| driver.get_ref());
                let options = options.as_ref().map(|options| options.get_ref().clone());
                let log = LogConfig::new(driver, options.unwrap_or_default());
                Some(log.map_err(|reason| (line(at), reason))?)
            }
        };
        Ok(Settings {
            hosts: file
                .hosts
                .into_iter()
                .map(|host| Host {
                    line: line(host.span().start),
                    text: host.into_inner(),
                })
                .collect(),
            tls: file.tls,
            metrics_addr: file.metrics_addr,
            live: Live {
                restart_unhealthy: file.restart_unhealthy,
                publish_default: file.publish_default,
                stats_interval: file
                    .stats_interval_s
                    .map(|seconds| Duration::from_secs(seconds.get().into())),
                labels: file.labels.into_iter().map(Spanned::into_inner).collect(),
                log_level: file.log_level,
                log_format: file.log_format,
                log,
            },
        })
    }

    /// What of `new` needs a new start to count.
    pub fn needs_restart(&self, new: &Settings) -> Vec<&'static str> {
        let hosts = self.hosts.iter().map(|host| &host.text);
        [
            ("hosts", hosts.eq(new.hosts.iter().map(|host| &host.text))),
            ("tls", self.tls == new.tls),
            ("metrics_addr", self.metrics_addr == new.metrics_addr),
        ]
        .into_iter()
        .filter(|(_, same)| !same)
        .map(|(name, _)| name)
        .collect()
    }
}

#[cfg(test)]
mod tests;
