//! The document that asks for a container → [`CreateRequest`].

use std::collections::BTreeMap;
use std::net::IpAddr;

use berth_engine::request::{CreateRequest, PullPolicy};
use berth_engine::spec::ALL_CAPABILITIES;
use berth_model::config::{
    LOG_DRIVERS, LogConfig, MountConfig, MountKind, NamespaceConfig, NetworkConfig, NetworkMode,
    Port, RestartKind, RestartPolicy, SecurityConfig,
};
use serde::Deserialize;

use super::config::Config;
use super::endpoint::{self, NetworkingConfig};
use super::host::{self, HostConfig};
use super::mount::{self, Parsed};
use super::{limits, ports};
use crate::Version;

/// The longest host name. Source: gethostname(2).
const HOSTNAME_MAX: usize = 64;
/// The version from which a container is made in several networks at once.
const SEVERAL: Version = Version(1, 44);

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Document {
    #[serde(flatten)]
    pub(crate) config: Config,
    pub(crate) host_config: HostConfig,
    pub(crate) networking_config: NetworkingConfig,
}

impl Document {
    /// What it asks for, of this version. `cpus`: how many this host has.
    pub(crate) fn meaning(self, cpus: usize, version: Version) -> Parsed<CreateRequest> {
        let Document {
            config,
            host_config: host,
            networking_config: networking,
        } = self;
        if config == Config::default() {
            return Err("Config cannot be empty in order to create a container".to_owned());
        }
        limits::together(&host.resources)?;
        let mut resources = limits::meaning(&host.resources, cpus)?;
        resources.shm_bytes = match host.shm_size {
            0 => None,
            size => Some(u64::try_from(size).map_err(|_| "SHM size can not be less than 0")?),
        };
        resources.oom_score_adj = score(host.oom_score_adj)?;
        let network = network(&host, &config)?;
        if networking.endpoints_config.len() > 1 && version < SEVERAL {
            let names: Vec<&str> = (networking.endpoints_config.keys())
                .map(String::as_str)
                .collect();
            return Err(format!(
                "Container cannot be connected to network endpoints: {}",
                names.join(", ")
            ));
        }
        let networking = connection(&host, &config, &networking)?;
        let (mounts, make_sources) = mounts(&host, &config)?;
        let mut causes = BTreeMap::new();
        let mut said = |setting: &str, text: String| causes.insert(setting.to_owned(), text);
        if !config.working_dir.is_empty() {
            said("working_dir", format!("WorkingDir {}", config.working_dir));
        }
        if !config.stop_signal.is_empty() {
            said("stop_signal", format!("StopSignal {}", config.stop_signal));
        }
        Ok(CreateRequest {
            name: None,
            platform: None,
            pull: PullPolicy::Never,
            entrypoint: config.entrypoint.clone().map(entrypoint),
            command: config.cmd.clone().filter(|words| !words.is_empty()),
            env: environment(&config)?,
            working_dir: working_dir(&config)?,
            user: text(&config.user),
            tty: config.tty,
            stdin: config.open_stdin,
            stdin_once: config.stdin_once,
            attach: attached(&config),
            hostname: hostname(&config)?,
            domainname: config.domainname.clone(),
            annotations: host.annotations.clone(),
            mounts,
            make_sources,
            volumes_from: host
                .volumes_from
                .iter()
                .flatten()
                .map(|text| text.parse())
                .collect::<Parsed<_>>()?,
            volume_driver: host.volume_driver.clone(),
            network,
            networking,
            exposed_ports: config
                .exposed_ports
                .keys()
                .chain(host.port_bindings.keys())
                .map(|port| Port::range(port))
                .collect::<Parsed<Vec<_>>>()?
                .into_iter()
                .flatten()
                .collect(),
            namespaces: namespaces(&host)?,
            resources,
            security: security(&host)?,
            read_only: host.readonly_rootfs,
            auto_remove: host.auto_remove,
            init: host.init.unwrap_or(false),
            stop_signal: stop_signal(&config)?,
            stop_timeout_s: config.stop_timeout,
            health: config
                .healthcheck
                .as_ref()
                .map(super::config::Healthcheck::meaning)
                .transpose()?,
            restart: restart(&host)?,
            runtime: runtime(&host),
            storage_options: host.storage_opt.clone(),
            log: log(&host.log_config)?,
            causes,
            labels: config.labels,
            image: config.image,
        })
    }
}

fn text(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

/// A single empty word takes the image's entrypoint away.
fn entrypoint(words: Vec<String>) -> Vec<String> {
    match words.as_slice() {
        [word] if word.is_empty() => Vec::new(),
        _ => words,
    }
}

fn environment(config: &Config) -> Parsed<Vec<String>> {
    let env = config.env.clone().unwrap_or_default();
    for variable in &env {
        if variable.is_empty() || variable.starts_with('=') || variable.contains('\0') {
            return Err(format!("invalid environment variable: {variable}"));
        }
    }
    Ok(env)
}

fn working_dir(config: &Config) -> Parsed<Option<String>> {
    let dir = &config.working_dir;
    match dir.as_str() {
        "" => Ok(None),
        _ => mount::clean(dir).map(Some).map_err(|_| {
            format!("the working directory '{dir}' is invalid, it needs to be an absolute path")
        }),
    }
}

fn hostname(config: &Config) -> Parsed<Option<String>> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    for name in [&config.hostname, &config.domainname] {
        if name.len() > HOSTNAME_MAX || !name.bytes().all(allowed) {
            return Err(format!("invalid hostname format: {name}"));
        }
    }
    Ok(text(&config.hostname))
}

fn attached(config: &Config) -> std::collections::BTreeSet<u8> {
    let streams = [
        (0, config.attach_stdin),
        (1, config.attach_stdout),
        (2, config.attach_stderr),
    ];
    let attached = streams.into_iter().filter(|(_, attached)| *attached);
    attached.map(|(stream, _)| stream).collect()
}

fn stop_signal(config: &Config) -> Parsed<Option<i32>> {
    match config.stop_signal.as_str() {
        "" => Ok(None),
        name => berth_model::signal::parse(name)
            .map(Some)
            .map_err(|_| format!("Invalid signal: {name}")),
    }
}

fn score(value: i64) -> Parsed<Option<i32>> {
    match i32::try_from(value) {
        Ok(0) => Ok(None),
        Ok(score) if (-1000..=1000).contains(&score) => Ok(Some(score)),
        _ => Err(format!(
            "Invalid value {value}, range for oom score adj is [-1000, 1000]"
        )),
    }
}

/// `None`: the default.
fn network(host: &HostConfig, config: &Config) -> Parsed<Option<NetworkMode>> {
    if config.network_disabled {
        return Ok(Some(NetworkMode::None));
    }
    match host.network_mode.as_str() {
        "" | "default" => Ok(None),
        mode => mode.parse().map(Some),
    }
}

fn connection(
    host: &HostConfig,
    config: &Config,
    asked: &NetworkingConfig,
) -> Parsed<NetworkConfig> {
    let address = |text: &String| -> Parsed<IpAddr> {
        text.parse()
            .map_err(|_| format!("bad nameserver address: {text}"))
    };
    let mut connection = NetworkConfig {
        ports: ports::meaning(&host.port_bindings)?,
        publish_all: host.publish_all_ports,
        dns: host.dns.iter().map(address).collect::<Parsed<_>>()?,
        dns_search: host.dns_search.clone(),
        dns_options: host.dns_options.clone(),
        extra_hosts: host.extra_hosts.clone().unwrap_or_default(),
        links: host.links.clone().unwrap_or_default(),
        ..NetworkConfig::default()
    };
    for entry in &connection.extra_hosts {
        let (name, address) = entry.split_once(':').unwrap_or(("", ""));
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(format!("bad format for add-host: \"{entry}\""));
        }
        if address != "host-gateway" && address.parse::<IpAddr>().is_err() {
            return Err(format!("invalid IP address in add-host: \"{address}\""));
        }
    }
    if !config.mac_address.is_empty() {
        connection.mac = Some(endpoint::mac(&config.mac_address)?);
    }
    let endpoints = asked.endpoints_config.iter();
    let endpoints = endpoints.map(|(network, endpoint)| endpoint.meaning(network));
    let endpoints = endpoints.collect::<Parsed<Vec<_>>>()?;
    connection.endpoints = Some(endpoints).filter(|endpoints| !endpoints.is_empty());
    Ok(connection)
}

/// What is mounted, and which sources are made when they are absent.
fn mounts(host: &HostConfig, config: &Config) -> Parsed<(Vec<MountConfig>, Vec<String>)> {
    let mut all: Vec<MountConfig> = Vec::new();
    let mut make = Vec::new();
    let mut add = |mount: MountConfig| {
        let taken = all
            .iter()
            .any(|other| other.destination == mount.destination);
        if taken {
            return Err(format!("Duplicate mount point: {}", mount.destination));
        }
        all.push(mount);
        Ok(())
    };
    for text in host.binds.iter().flatten() {
        let mut mount = mount::bind(text)?;
        if mount.kind == MountKind::Bind {
            make.push(mount.source.clone());
        } else {
            mount.driver.clone_from(&host.volume_driver);
        }
        add(mount)?;
    }
    for asked in &host.mounts {
        let mount = asked.meaning()?;
        if mount.create_source {
            make.push(mount.source.clone());
        }
        add(mount)?;
    }
    for (target, options) in &host.tmpfs {
        add(mount::tmpfs(target, options)?)?;
    }
    for target in config.volumes.iter().flatten().map(|(target, _)| target) {
        let mount = MountConfig {
            anonymous: true,
            destination: mount::destination(target)?,
            driver: host.volume_driver.clone(),
            ..MountConfig::default()
        };
        // Many clients name the destinations of all mounts here.
        if !all
            .iter()
            .any(|other| other.destination == mount.destination)
        {
            all.push(mount);
        }
    }
    Ok((all, make))
}

fn namespaces(host: &HostConfig) -> Parsed<NamespaceConfig> {
    let wrong = |what: &'static str, mode: &str| format!("invalid {what} mode: {mode}");
    if !matches!(host.isolation.as_str(), "" | "default") {
        return Err(format!(
            "invalid isolation '{}': linux supports 'default'",
            host.isolation
        ));
    }
    Ok(NamespaceConfig {
        isolation: host.isolation.clone(),
        ipc: host
            .ipc_mode
            .parse()
            .map_err(|_| wrong("IPC", &host.ipc_mode))?,
        pid: host
            .pid_mode
            .parse()
            .map_err(|_| wrong("PID", &host.pid_mode))?,
        uts: host
            .uts_mode
            .parse()
            .map_err(|_| wrong("UTS", &host.uts_mode))?,
        user: host
            .userns_mode
            .parse()
            .map_err(|_| wrong("userns", &host.userns_mode))?,
        cgroup: host
            .cgroupns_mode
            .parse()
            .map_err(|_| wrong("cgroup namespace", &host.cgroupns_mode))?,
    })
}

fn security(host: &HostConfig) -> Parsed<SecurityConfig> {
    let mut security = SecurityConfig {
        privileged: host.privileged,
        cap_add: capabilities("CapAdd", host.cap_add.as_deref())?,
        cap_drop: capabilities("CapDrop", host.cap_drop.as_deref())?,
        group_add: host.group_add.clone().unwrap_or_default(),
        masked_paths: host.masked_paths.clone(),
        readonly_paths: host.readonly_paths.clone(),
        sysctls: host.sysctls.clone(),
        ..SecurityConfig::default()
    };
    for option in host.security_opt.iter().flatten() {
        security.set_option(option, profile)?;
    }
    Ok(security)
}

fn capabilities(field: &str, names: Option<&[String]>) -> Parsed<Vec<String>> {
    let known = |text: &String| {
        let upper = text.trim().to_ascii_uppercase();
        if upper == "ALL" {
            return Ok(upper);
        }
        let name = match upper.starts_with("CAP_") {
            true => upper,
            false => format!("CAP_{upper}"),
        };
        match ALL_CAPABILITIES.contains(&name.as_str()) {
            true => Ok(name),
            false => Err(format!("invalid {field}: unknown capability: \"{name}\"")),
        }
    };
    names.unwrap_or_default().iter().map(known).collect()
}

/// The text of a profile, which the client has read.
fn profile(text: &str) -> Parsed<String> {
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text)
        .map_err(|error| format!("invalid seccomp profile: {error}"))?;
    Ok(text.to_owned())
}

fn restart(host: &HostConfig) -> Parsed<RestartPolicy> {
    let policy = host.restart_policy.meaning()?;
    match host.auto_remove && policy.kind != RestartKind::No {
        true => Err("can't create 'AutoRemove' container with restart policy".to_owned()),
        false => Ok(policy),
    }
}

impl host::RestartPolicy {
    /// In our words.
    pub(crate) fn meaning(&self) -> Parsed<RestartPolicy> {
        let kind: RestartKind = self
            .name
            .parse()
            .map_err(|_| format!("invalid restart policy '{}'", self.name))?;
        if self.maximum_retry_count < 0 {
            return Err("maximum retry count cannot be negative".to_owned());
        }
        if self.maximum_retry_count > 0 && kind != RestartKind::OnFailure {
            return Err(format!(
                "maximum retry count cannot be used with restart policy '{}'",
                self.name
            ));
        }
        Ok(RestartPolicy {
            kind,
            max_retries: u32::try_from(self.maximum_retry_count).unwrap_or(u32::MAX),
        })
    }
}

/// Docker's names of its own runtime mean ours, and are given back.
fn runtime(host: &HostConfig) -> String {
    match host.runtime.as_str() {
        host::RUNTIME => String::new(),
        other => other.to_owned(),
    }
}

/// `None`: nothing is said.
fn log(asked: &host::LogConfig) -> Parsed<Option<LogConfig>> {
    if asked.r#type.is_empty() && asked.config.is_empty() {
        return Ok(None);
    }
    if !asked.r#type.is_empty() && !LOG_DRIVERS.contains(&asked.r#type.as_str()) {
        // Clients look for these words.
        return Err(format!(
            "logger: no log driver named '{}' is registered",
            asked.r#type
        ));
    }
    LogConfig::new(&asked.r#type, asked.config.clone()).map(Some)
}
