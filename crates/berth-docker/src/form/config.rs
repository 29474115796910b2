//! `Config`: what runs in a container, as it is asked for and as `inspect` gives it back.

use std::collections::BTreeMap;

use berth_model::ContainerConfig;
use berth_model::config::{HealthConfig, MountKind, MountSyntax};
use serde::{Deserialize, Serialize};

use super::{Empty, is_empty, null_if_empty, words};

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Config {
    pub(crate) hostname: String,
    pub(crate) domainname: String,
    pub(crate) user: String,
    pub(crate) attach_stdin: bool,
    pub(crate) attach_stdout: bool,
    pub(crate) attach_stderr: bool,
    #[serde(skip_serializing_if = "is_empty")]
    pub(crate) exposed_ports: BTreeMap<String, Empty>,
    pub(crate) tty: bool,
    pub(crate) open_stdin: bool,
    pub(crate) stdin_once: bool,
    pub(crate) env: Option<Vec<String>>,
    #[serde(deserialize_with = "words")]
    pub(crate) cmd: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) healthcheck: Option<Healthcheck>,
    pub(crate) image: String,
    pub(crate) volumes: Option<BTreeMap<String, Empty>>,
    pub(crate) working_dir: String,
    #[serde(deserialize_with = "words")]
    pub(crate) entrypoint: Option<Vec<String>>,
    #[serde(skip_serializing_if = "is_empty")]
    pub(crate) network_disabled: bool,
    /// Before 1.44; then the network's.
    #[serde(skip_serializing_if = "is_empty")]
    pub(crate) mac_address: String,
    pub(crate) on_build: Option<Vec<String>>,
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "is_empty")]
    pub(crate) stop_signal: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stop_timeout: Option<i32>,
    #[serde(deserialize_with = "words", skip_serializing_if = "Option::is_none")]
    pub(crate) shell: Option<Vec<String>>,
}

/// Times in nanoseconds; 0 is the default.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Healthcheck {
    #[serde(skip_serializing_if = "is_empty")]
    pub(crate) test: Vec<String>,
    #[serde(skip_serializing_if = "is_empty")]
    pub(crate) interval: i64,
    #[serde(skip_serializing_if = "is_empty")]
    pub(crate) timeout: i64,
    #[serde(skip_serializing_if = "is_empty")]
    pub(crate) start_period: i64,
    #[serde(skip_serializing_if = "is_empty")]
    pub(crate) start_interval: i64,
    #[serde(skip_serializing_if = "is_empty")]
    pub(crate) retries: i32,
}

/// Docker's shortest time, in nanoseconds.
const SHORTEST: i64 = 1_000_000;

impl Healthcheck {
    /// In our words.
    pub(crate) fn meaning(&self) -> Result<HealthConfig, String> {
        let time = |name: &str, value: i64| match value {
            0 => Ok(0),
            value if value < SHORTEST => {
                Err(format!("{name} in Healthcheck cannot be less than 1ms"))
            }
            value => Ok(value.unsigned_abs()),
        };
        if !matches!(
            self.test.first().map(String::as_str),
            None | Some("NONE" | "CMD" | "CMD-SHELL")
        ) {
            return Err(format!("Unknown type '{}' in Healthcheck", self.test[0]));
        }
        let retries = u32::try_from(self.retries)
            .map_err(|_| "Retries in Healthcheck cannot be negative".to_owned())?;
        Ok(HealthConfig {
            test: self.test.clone(),
            interval_ns: time("Interval", self.interval)?,
            timeout_ns: time("Timeout", self.timeout)?,
            retries,
            start_period_ns: time("StartPeriod", self.start_period)?,
            start_interval_ns: time("StartInterval", self.start_interval)?,
        })
    }

    fn of(health: &HealthConfig) -> Healthcheck {
        let time = |nanos: u64| i64::try_from(nanos).unwrap_or(i64::MAX);
        Healthcheck {
            test: health.test.clone(),
            interval: time(health.interval_ns),
            timeout: time(health.timeout_ns),
            start_period: time(health.start_period_ns),
            start_interval: time(health.start_interval_ns),
            retries: i32::try_from(health.retries).unwrap_or(i32::MAX),
        }
    }
}

impl Config {
    /// As asked for, with the image's values where nothing was.
    pub(crate) fn of(config: &ContainerConfig) -> Config {
        let process = &config.process;
        let volumes: BTreeMap<String, Empty> = config
            .mounts
            .iter()
            .filter(|mount| {
                mount.kind == MountKind::Volume
                    && mount.anonymous
                    && mount.syntax == MountSyntax::Volume
            })
            .map(|mount| (mount.destination.clone(), Empty {}))
            .collect();
        let exposed = config.exposed_ports.iter();
        let root = process.working_dir == "/" && !config.causes.contains_key("working_dir");
        let default_signal =
            config.stop_signal == SIGTERM && !config.causes.contains_key("stop_signal");
        Config {
            hostname: config.hostname.clone(),
            domainname: config.domainname.clone(),
            user: process.user.clone(),
            attach_stdin: process.attach.contains(&0),
            attach_stdout: process.attach.contains(&1),
            attach_stderr: process.attach.contains(&2),
            exposed_ports: exposed.map(|port| (port.to_string(), Empty {})).collect(),
            tty: process.tty,
            open_stdin: process.stdin,
            stdin_once: process.stdin_once,
            env: null_if_empty(process.env.clone()),
            cmd: null_if_empty(process.command.clone()),
            healthcheck: config.health.as_ref().map(Healthcheck::of),
            image: config.image.reference.clone(),
            volumes: (!volumes.is_empty()).then_some(volumes),
            working_dir: match root {
                true => String::new(),
                false => process.working_dir.clone(),
            },
            entrypoint: null_if_empty(process.entrypoint.clone()),
            network_disabled: false,
            mac_address: config.networking.mac.clone().unwrap_or_default(),
            on_build: None,
            labels: config.labels.clone(),
            stop_signal: match default_signal {
                true => String::new(),
                false => berth_model::signal::name(config.stop_signal),
            },
            stop_timeout: config.stop_timeout_s,
            shell: null_if_empty(process.shell.clone()),
        }
    }
}

/// What stops a container when nothing is said.
const SIGTERM: i32 = 15;
