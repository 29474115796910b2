//! Request + image → a container on disk. The rename at the end is the commit point.

use std::collections::{BTreeMap, BTreeSet};

use berth_fs::{Durability, Lock, LockMode};
use berth_model::config::{
    HealthConfig, ImageUsed, MountConfig, MountKind, NetworkMode, Port, PortBinding, ProcessConfig,
    SCHEMA, UtsMode,
};
use berth_model::{ContainerConfig, ContainerId};
use berth_oci::digest::Digest;
use berth_oci::image::RunConfig;

use crate::error::files;
use crate::ready::ReadyImage;
use crate::request::CreateRequest;
use crate::{Engine, Error, env, json};

mod check;
mod refuse;

pub(crate) use check::resources as check_resources;

/// SIGTERM.
pub(crate) const STOP_SIGNAL: i32 = 15;
const PIDS: i64 = 4096;
/// The least time of a health check but none: Docker's.
pub(crate) const LEAST_HEALTH_NANOS: u64 = 1_000_000;
/// What the names of labels begin with that tell the engine something.
const OWN_LABELS: &str = "berth.";
pub(crate) const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Engine {
    /// Makes a container. Hold a lease on the image from its resolution to here.
    ///
    /// # Errors
    /// [`Error::NameTaken`], [`Error::BadName`], [`Error::Invalid`], [`Error::Snapshot`], [`Error::Files`];
    /// nothing is left of it then, or only what `fsck` clears.
    pub fn create(
        &self,
        mut request: CreateRequest,
        image: ReadyImage,
    ) -> Result<ContainerId, Error> {
        let id = random_id()?;
        let chain = image.chain.clone();
        let make = request.make_sources.clone();
        refuse::conflicts(&request)?;
        check::request(&request)?;
        refuse::unknown(&request)?;
        self.resolve_networks(&mut request)?;
        self.resolve_joined(&mut request)?;
        self.resolve_links(&mut request)?;
        self.take_volumes_from(&mut request)?;
        let mut config = configure(&id, request, image)?;
        crate::logs::attributes::of(&config).map_err(invalid)?;
        crate::logs::receiver::check(&config)?;
        make_sources(&make)?;
        sources_exist(&config)?;
        // From the first thing that is made on; until the commit nothing names it.
        let _at_work = self.at_work()?;
        // Asked again at the commit; here so that a refusal makes nothing.
        self.not_taken(&config.name)?;
        let volumes = self.prepare_volumes(&mut config, &chain)?;
        let durability = durability(&config);
        let staged = self.layout.staged(&id);
        berth_fs::ensure_dir(&staged, 0o700).map_err(files("make the container's directory"))?;
        // Held until the commit: the name and the directory belong to somebody who lives.
        let lock = Lock::dir(&staged, LockMode::Exclusive).map_err(files("lock the container"))?;
        let committed = self.commit(&id, &config, &chain, durability);
        if committed.is_err() {
            // The first error is the one to report; `fsck` clears what stays.
            let _ = self.trash.discard(&staged, Durability::Volatile);
            let _ = self.free_name(&config.name, Some(&id));
        }
        drop((lock, volumes));
        match committed {
            Ok(()) => {
                self.record(self.container_event(&config, "create"));
                Ok(id)
            }
            Err(error) => {
                let _ = self.remove_own_volumes(&config, Durability::Volatile);
                Err(error)
            }
        }
    }

    fn commit(
        &self,
        id: &ContainerId,
        config: &ContainerConfig,
        chain: &[Digest],
        durability: Durability,
    ) -> Result<(), Error> {
        let staged = self.layout.staged(id);
        self.snapshots
            .container_mount(chain, &staged)
            .map_err(Error::Snapshot)?;
        json::write(&staged.join("config.json"), config, durability)?;
        self.reserve_name(&config.name, id)?;
        berth_fs::rename_new(&staged, &self.layout.container(id), durability)
            .map_err(files("commit the container"))
    }
}

pub(crate) fn invalid(message: String) -> Error {
    Error::Invalid {
        message,
        hint: None,
    }
}

/// `-v` makes a missing directory, as Docker does.
fn make_sources(paths: &[String]) -> Result<(), Error> {
    for path in paths {
        std::fs::create_dir_all(path).or_else(|source| {
            // A file, say: whether it can be mounted is seen at the start.
            if std::path::Path::new(path).exists() {
                Ok(())
            } else {
                Err(Error::Io {
                    action: "make the directory",
                    path: path.into(),
                    source,
                })
            }
        })?;
    }
    Ok(())
}

/// `--mount` does not make one. In Docker's words, which tools look for.
fn sources_exist(config: &ContainerConfig) -> Result<(), Error> {
    let mut binds = config
        .mounts
        .iter()
        .filter(|mount| mount.kind == MountKind::Bind);
    match binds.find(|mount| !std::path::Path::new(&mount.source).exists()) {
        None => Ok(()),
        Some(mount) => Err(invalid(format!(
            "invalid mount config for type \"bind\": bind source path does not exist: {}",
            mount.source
        ))),
    }
}

/// A container that ends with the boot at the latest need not survive a power cut.
pub(crate) fn durability(config: &ContainerConfig) -> Durability {
    if config.auto_remove {
        Durability::Volatile
    } else {
        Durability::Durable
    }
}

pub(crate) fn random_id() -> Result<ContainerId, Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| Error::Io {
        action: "draw an id from",
        path: "/dev/urandom".into(),
        source: std::io::Error::other(error),
    })?;
    Ok(ContainerId::from_bytes(bytes))
}

/// The image's word counts where the request says nothing. Image content never selects anything else
/// (security: D36, the fifth primitive).
fn configure(
    id: &ContainerId,
    request: CreateRequest,
    image: ReadyImage,
) -> Result<ContainerConfig, Error> {
    crate::host::check_labels(&request.security)?;
    let mut causes = request.causes.clone();
    let run = &image.config.config;
    let process = process(&request, run, &mut causes)?;
    let mut labels = run.labels.clone();
    // Those tell the engine something, and that is not for an image to say (security: D25).
    labels.retain(|key, _| !key.starts_with(OWN_LABELS));
    labels.extend(request.labels.clone());
    let mut resources = request.resources.clone();
    if resources.pids.is_none() {
        resources.pids = Some(PIDS);
        causes.entry("pids".into()).or_insert("default".into());
    }
    let stop_signal = stop_signal(request.stop_signal, run)?;
    let health = health(request.health, run, &mut causes);
    let name = match request.name {
        Some(name) => name.strip_prefix('/').map(str::to_owned).unwrap_or(name),
        None => crate::moniker::make(id),
    };
    let network = request.network.unwrap_or(NetworkMode::None);
    let mut exposed_ports = exposed_ports(request.exposed_ports, run);
    exposed_ports.extend(request.networking.ports.iter().map(PortBinding::port));
    let hostname = match request.hostname {
        Some(name) => name,
        None if network == NetworkMode::Host => host_name(),
        None if request.namespaces.uts == UtsMode::Host => host_name(),
        None => id.short().to_owned(),
    };
    Ok(ContainerConfig {
        schema: SCHEMA,
        id: id.clone(),
        name,
        created: crate::clock::now(),
        process,
        hostname,
        domainname: request.domainname,
        labels,
        annotations: request.annotations,
        mounts: with_image_volumes(request.mounts, run, &mut causes),
        volumes_from: request.volumes_from,
        volume_driver: request.volume_driver,
        network,
        networking: request.networking,
        exposed_ports,
        namespaces: request.namespaces,
        resources,
        security: request.security,
        read_only: request.read_only,
        auto_remove: request.auto_remove,
        init: request.init,
        stop_signal,
        stop_timeout_s: request.stop_timeout_s,
        health,
        restart: request.restart,
        runtime: request.runtime,
        log: request.log.unwrap_or_default(),
        image: ImageUsed {
            reference: image.reference,
            manifest: image.manifest.to_string(),
            config: image.config_digest.to_string(),
            chain: image.chain.iter().map(Digest::to_string).collect(),
        },
        causes,
    })
}

pub(crate) fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

fn stop_signal(asked: Option<i32>, run: &RunConfig) -> Result<i32, Error> {
    match (asked, run.stop_signal.as_str()) {
        (Some(signal), _) => Ok(signal),
        (None, "") => Ok(STOP_SIGNAL),
        (None, name) => berth_model::signal::parse(name).map_err(|message| Error::Invalid {
            message: format!("the image's stop signal: {message}"),
            hint: Some("give one: --stop-signal TERM".to_owned()),
        }),
    }
}

/// What is asked for, over what the image says, field by field. Numbers of the image that make no sense are
/// as if it had not said them.
fn health(
    asked: Option<HealthConfig>,
    run: &RunConfig,
    causes: &mut BTreeMap<String, String>,
) -> Option<HealthConfig> {
    let image = run.healthcheck.as_ref().map(|check| {
        let least = |nanos: &u64| *nanos >= LEAST_HEALTH_NANOS;
        let nanos = |value: i64| u64::try_from(value).ok().filter(least).unwrap_or(0);
        HealthConfig {
            test: check.test.clone(),
            interval_ns: nanos(check.interval),
            timeout_ns: nanos(check.timeout),
            retries: u32::try_from(check.retries).unwrap_or(0),
            start_period_ns: nanos(check.start_period),
            start_interval_ns: nanos(check.start_interval),
        }
    });
    if asked.is_none() && image.is_some() {
        causes.entry("health".into()).or_insert("image".into());
    }
    match (asked, image) {
        (Some(asked), Some(image)) => Some(asked.over(&image)),
        (asked, image) => asked.or(image),
    }
}

/// Those of the image that are none are left out.
fn exposed_ports(mut asked: BTreeSet<Port>, run: &RunConfig) -> BTreeSet<Port> {
    let image = run.exposed_ports.keys();
    asked.extend(image.filter_map(|text| Port::range(text).ok()).flatten());
    asked
}

fn process(
    request: &CreateRequest,
    run: &RunConfig,
    causes: &mut BTreeMap<String, String>,
) -> Result<ProcessConfig, Error> {
    let image_entrypoint = run.entrypoint.clone().unwrap_or_default();
    let image_command = run.cmd.clone().unwrap_or_default();
    // A new entrypoint makes the image's command meaningless (Docker's rule).
    let (entrypoint, fallback) = match &request.entrypoint {
        Some(entrypoint) => (entrypoint.clone(), Vec::new()),
        None => (image_entrypoint, image_command),
    };
    let command = match &request.command {
        Some(command) if !command.is_empty() => command.clone(),
        _ => fallback,
    };
    if entrypoint.is_empty() && command.is_empty() {
        return Err(Error::Invalid {
            message: "there is no command to run".to_owned(),
            hint: Some("the image has no default command: give one after the image".to_owned()),
        });
    }
    if request.command.as_ref().is_none_or(Vec::is_empty) {
        causes.entry("command".into()).or_insert("image".into());
    }
    let from_image = |value: &str, setting: &str, causes: &mut BTreeMap<_, _>| {
        let value = Some(value.to_owned()).filter(|value| !value.is_empty());
        if value.is_some() {
            causes
                .entry(setting.to_owned())
                .or_insert_with(|| "image".to_owned());
        }
        value
    };
    let working_dir = match &request.working_dir {
        Some(dir) => dir.clone(),
        None => from_image(&run.working_dir, "working_dir", causes).unwrap_or("/".to_owned()),
    };
    let user = match &request.user {
        Some(user) => user.clone(),
        None => from_image(&run.user, "user", causes).unwrap_or_default(),
    };
    Ok(ProcessConfig {
        entrypoint,
        command,
        env: environment(&run.env, &request.env, request.tty),
        working_dir: if working_dir.starts_with('/') {
            working_dir
        } else {
            format!("/{working_dir}")
        },
        user,
        tty: request.tty,
        stdin: request.stdin,
        stdin_once: request.stdin_once,
        attach: request.attach.clone(),
        shell: run.shell.clone(),
    })
}

/// The image's variables, then the request's; a default PATH, and TERM with a terminal. A bare `NAME` takes a variable
/// away, and is kept: `inspect` gives back what was asked for.
fn environment(image: &[String], request: &[String], tty: bool) -> Vec<String> {
    let mut env: Vec<String> = vec![PATH.to_owned()];
    if tty {
        env.push("TERM=xterm".to_owned());
    }
    for entry in image.iter().chain(request) {
        env::note(&mut env, entry);
    }
    env
}

/// Each volume that the image declares and nobody mounts becomes an anonymous one. A destination that is
/// not a clean absolute path is the image's error and is left out (security: D4).
fn with_image_volumes(
    mut mounts: Vec<MountConfig>,
    run: &RunConfig,
    causes: &mut BTreeMap<String, String>,
) -> Vec<MountConfig> {
    for destination in run.volumes.keys() {
        let clean = destination.starts_with('/')
            && destination.len() > 1
            && !destination.split('/').any(|part| part == "..");
        let destination = destination.trim_end_matches('/').to_owned();
        if !clean || mounts.iter().any(|mount| mount.destination == destination) {
            continue;
        }
        causes
            .entry(format!("mounts.{destination}"))
            .or_insert_with(|| "image".to_owned());
        mounts.push(MountConfig {
            destination,
            anonymous: true,
            ..MountConfig::default()
        });
    }
    mounts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn environment_merges_in_order() {
        let env = environment(
            &strings(&["A=1", "B=2", "PATH=/bin"]),
            &strings(&["B=3", "A", "C=4", "C=5"]),
            true,
        );
        assert_eq!(
            env,
            strings(&["PATH=/bin", "TERM=xterm", "A", "B=3", "C=5"])
        );
    }

    #[test]
    fn a_new_entrypoint_drops_the_images_command() {
        let run = RunConfig {
            entrypoint: Some(strings(&["/e"])),
            cmd: Some(strings(&["c"])),
            ..RunConfig::default()
        };
        let made = |request: CreateRequest| {
            let made = process(&request, &run, &mut BTreeMap::new()).unwrap();
            (made.entrypoint, made.command)
        };
        let ask = CreateRequest::default();
        assert_eq!(made(ask.clone()), (strings(&["/e"]), strings(&["c"])));
        let ask = CreateRequest {
            command: Some(strings(&["x"])),
            ..ask
        };
        assert_eq!(made(ask.clone()), (strings(&["/e"]), strings(&["x"])));
        let ask = CreateRequest {
            entrypoint: Some(strings(&["/n"])),
            ..ask
        };
        assert_eq!(made(ask.clone()), (strings(&["/n"]), strings(&["x"])));
        let ask = CreateRequest {
            command: None,
            ..ask
        };
        assert_eq!(made(ask), (strings(&["/n"]), strings(&[])));
        let none = CreateRequest {
            entrypoint: Some(Vec::new()),
            ..CreateRequest::default()
        };
        assert!(process(&none, &run, &mut BTreeMap::new()).is_err());
    }

    #[test]
    fn hostile_volumes_of_an_image_are_left_out() {
        let mut run = RunConfig::default();
        let volumes = ["/data/", "/../etc", "relative", "/", "/mine"];
        run.volumes = volumes
            .into_iter()
            .map(|v| (v.to_owned(), Default::default()))
            .collect();
        let mut asked = with_image_volumes(Vec::new(), &run, &mut BTreeMap::new());
        asked.sort_by(|a, b| a.destination.cmp(&b.destination));
        let found: Vec<_> = asked
            .iter()
            .map(|mount| mount.destination.as_str())
            .collect();
        assert_eq!(found, ["/data", "/mine"]);
        assert_eq!(
            with_image_volumes(asked.clone(), &run, &mut BTreeMap::new()),
            asked
        );
    }
}
