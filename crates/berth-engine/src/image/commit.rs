//! `commit`: what a container changed becomes a layer over its image's; what it was asked to run becomes the new
//! image's defaults.
//!
//! A running container is frozen meanwhile, unless the caller does not want that, so that the layer shows one moment.

use std::collections::BTreeMap;

use berth_fs::Lock;
use berth_model::{ContainerConfig, ContainerId, Status, signal};
use berth_oci::image::{
    self, History, MAX_CONFIG_BYTES, MAX_MANIFEST_BYTES, RunConfig, annotation,
};
use berth_oci::{Descriptor, Digest, Document, ImageConfig, Manifest, media};
use berth_store::Lease;

use super::error::store;
use super::import::timestamp;
use super::layer::{LayerWriter, put_image};
use super::{Error, change, new_name};
use crate::Engine;
use crate::frozen::Frozen;

/// What to make of the container.
#[derive(Debug, Clone, Default)]
pub struct CommitOptions {
    /// The image's name; `None`: only its id.
    pub name: Option<String>,
    /// What the image is to say instead of what the container was asked for, where it says something.
    pub config: RunConfig,
    /// Instructions as in a Dockerfile: `CMD ["sh"]`.
    pub changes: Vec<String>,
    /// A remark for the history.
    pub message: String,
    /// Who made it.
    pub author: String,
    /// Freeze the container meanwhile.
    pub pause: bool,
    /// When the image was made, seconds since 1970 (`SOURCE_DATE_EPOCH`), and the latest time in its layer; `None`: now.
    pub created_s: Option<i64>,
}

/// An image that was made of a container.
#[derive(Debug, Clone)]
pub struct Committed {
    /// Docker's image id.
    pub id: Digest,
    /// Why the container ran on meanwhile although it should not; the layer may show several moments.
    pub not_frozen: Option<String>,
}

/// What keeps a container as it is.
#[derive(Default)]
struct Still<'e> {
    _frozen: Option<Frozen<'e>>,
    /// Of one that does not run: nobody starts or removes it.
    _lock: Option<Lock>,
    not_frozen: Option<String>,
}

impl Engine {
    /// Makes an image of a container.
    ///
    /// # Errors
    /// [`Error`]; then nothing of it is visible, and the container runs on if it ran.
    pub fn commit_container(
        &self,
        id: &ContainerId,
        options: &CommitOptions,
    ) -> Result<Committed, Error> {
        let names = options.name.as_deref().map(new_name).transpose()?;
        let lease = self.store.lease().map_err(store("hold the image"))?;
        let container = self.config(id).map_err(container_error)?;
        let (manifest, mut config) = base(&lease, &container)?;
        config.config = overridden(
            run_config(&container, config.config),
            options.config.clone(),
        );
        for text in &options.changes {
            change::apply(&mut config.config, text)?;
        }

        let still = self.hold_still(id, options.pause)?;
        let mut writer = LayerWriter::new(&lease)?;
        self.read_layer(&container, options.created_s, &mut writer)
            .map_err(container_error)?;
        let not_frozen = still.not_frozen.clone();
        drop(still);
        let layer = writer.finish_unless_empty()?;

        let mut layers = as_oci(manifest.layers)?;
        let empty = layer.is_none();
        if let Some(layer) = layer {
            layers.push(layer.descriptor);
            config.rootfs.diff_ids.push(layer.diff_id);
        }
        let created = options.created_s.map_or_else(crate::clock::now, timestamp);
        config.history.push(History {
            created: Some(created.clone()),
            created_by: container.process.command.join(" "),
            author: options.author.clone(),
            comment: options.message.clone(),
            empty_layer: empty,
        });
        config.created = Some(created);
        config.author = Some(options.author.clone()).filter(|author| !author.is_empty());
        let base = (
            annotation::BASE_DIGEST.to_owned(),
            container.image.manifest.clone(),
        );
        let descriptor = put_image(&lease, config, layers, [base].into())?;
        let name = names
            .as_ref()
            .map(|name| name.familiar())
            .unwrap_or_default();
        let made = self.admit(descriptor, names.into_iter().collect())?;
        let event = self.container_event(&container, "commit");
        self.record(
            event
                .with("comment", &options.message)
                .with("imageID", made.id.to_string())
                .with("imageRef", name),
        );
        Ok(Committed {
            id: made.id,
            not_frozen,
        })
    }

    fn hold_still(&self, id: &ContainerId, pause: bool) -> Result<Still<'_>, Error> {
        let lock = self.lock(id).map_err(container_error)?;
        let status = self.status(id).map_err(container_error)?;
        if !status.is_alive() {
            return Ok(Still {
                _lock: Some(lock),
                ..Still::default()
            });
        }
        drop(lock);
        // One that its user has paused stays so.
        if !pause || status == Status::Paused {
            return Ok(Still::default());
        }
        match self.freeze(id) {
            Ok(frozen) => Ok(Still {
                _frozen: Some(frozen),
                ..Still::default()
            }),
            Err(crate::Error::Cgroup {
                source: source @ berth_cgroup::Error::NoFreezer,
                ..
            }) => Ok(Still {
                not_frozen: Some(source.to_string()),
                ..Still::default()
            }),
            // It has just ended, or is about to: nothing of it writes any more.
            Err(crate::Error::WrongState { .. })
                if matches!(
                    self.status(id).map_err(container_error)?,
                    Status::Exiting | Status::Exited(_) | Status::Restarting(_)
                ) =>
            {
                Ok(Still::default())
            }
            Err(error) => Err(container_error(error)),
        }
    }
}

fn container_error(error: crate::Error) -> Error {
    Error::Container(Box::new(error))
}

/// The documents of the container's image; the lease keeps what they name.
fn base(lease: &Lease, container: &ContainerConfig) -> Result<(Manifest, ImageConfig), Error> {
    let read = |text: &str, max| {
        let digest = Digest::parse(text).map_err(|source| Error::Document {
            what: "the container's record of its image",
            source,
        })?;
        lease.add(&digest).map_err(store("hold the image"))?;
        lease
            .store()
            .read_blob(&digest, max)
            .map_err(store("read the container's image"))
    };
    let failed = |source| Error::Document {
        what: "the container's image",
        source,
    };
    let manifest = read(&container.image.manifest, MAX_MANIFEST_BYTES)?;
    let Document::Manifest(manifest) = image::parse_document(&manifest, None).map_err(failed)?
    else {
        let reason = "it is an index";
        return Err(Error::BadBase { reason });
    };
    let config = read(&container.image.config, MAX_CONFIG_BYTES)?;
    let config = image::parse_config(&config).map_err(failed)?;
    manifest.check_against(&config).map_err(failed)?;
    Ok((manifest, config))
}

/// Docker's layers have other media types, which an OCI manifest does not name.
fn as_oci(layers: Vec<Descriptor>) -> Result<Vec<Descriptor>, Error> {
    let convert = |mut layer: Descriptor| {
        let Some(compression) = media::layer_compression(&layer.media_type) else {
            let reason = "a layer of it has an unknown type";
            return Err(Error::BadBase { reason });
        };
        layer.media_type = media::layer_type(compression).to_owned();
        Ok(layer)
    };
    layers.into_iter().map(convert).collect()
}

/// The image's defaults, replaced by what the container was asked for.
fn run_config(container: &ContainerConfig, image: RunConfig) -> RunConfig {
    let process = &container.process;
    let optional = |words: &[String], image: Option<Vec<String>>| match words.is_empty() {
        true => image.filter(Vec::is_empty),
        false => Some(words.to_vec()),
    };
    let same_signal = match image.stop_signal.as_str() {
        "" => container.stop_signal == crate::create::STOP_SIGNAL,
        name => signal::parse(name) == Ok(container.stop_signal),
    };
    RunConfig {
        user: process.user.clone(),
        env: environment(container, &image),
        entrypoint: optional(&process.entrypoint, image.entrypoint),
        cmd: optional(&process.command, image.cmd),
        // Where neither says anything it is the engine's default.
        working_dir: match (process.working_dir.as_str(), image.working_dir.as_str()) {
            ("/", "") => String::new(),
            (dir, _) => dir.to_owned(),
        },
        labels: container.labels.clone(),
        stop_signal: match same_signal {
            true => image.stop_signal,
            false => container.stop_signal.to_string(),
        },
        ..image
    }
}

/// What `over` says, and `config` where it says nothing.
///
/// Source: Docker's reference of `POST /commit`.
fn overridden(config: RunConfig, over: RunConfig) -> RunConfig {
    fn text(over: String, config: String) -> String {
        match over.is_empty() {
            true => config,
            false => over,
        }
    }
    fn both<V>(over: BTreeMap<String, V>, mut config: BTreeMap<String, V>) -> BTreeMap<String, V> {
        config.extend(over);
        config
    }
    let name = |entry: &String| entry.split('=').next().map(str::to_owned);
    let mut env = over.env;
    let named: Vec<_> = env.iter().map(name).collect();
    let others = config.env.into_iter();
    env.extend(others.filter(|entry| !named.contains(&name(entry))));
    // A command belongs to its entrypoint.
    let cmd = match &over.entrypoint {
        Some(words) if !words.is_empty() => over.cmd,
        _ => over.cmd.filter(|words| !words.is_empty()).or(config.cmd),
    };
    RunConfig {
        user: text(over.user, config.user),
        exposed_ports: both(over.exposed_ports, config.exposed_ports),
        env,
        entrypoint: over.entrypoint.or(config.entrypoint),
        cmd,
        volumes: both(over.volumes, config.volumes),
        working_dir: text(over.working_dir, config.working_dir),
        labels: both(over.labels, config.labels),
        stop_signal: text(over.stop_signal, config.stop_signal),
        healthcheck: over.healthcheck.or(config.healthcheck),
        shell: match over.shell.is_empty() {
            true => config.shell,
            false => over.shell,
        },
        on_build: match over.on_build.is_empty() {
            true => config.on_build,
            false => over.on_build,
        },
    }
}

/// Without what the engine adds by itself.
fn environment(container: &ContainerConfig, image: &RunConfig) -> Vec<String> {
    let in_image = |name: &str| image.env.iter().any(|entry| entry.starts_with(name));
    let added = |entry: &String| match entry.as_str() {
        crate::create::PATH => !in_image("PATH="),
        "TERM=xterm" => container.process.tty && !in_image("TERM="),
        _ => false,
    };
    let env = container.process.env.iter();
    env.filter(|entry| !added(entry)).cloned().collect()
}
