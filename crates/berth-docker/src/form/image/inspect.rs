//! `GET /images/{name}/json`.

use std::collections::BTreeMap;

use berth_engine::image::Details;
use berth_oci::Descriptor;
use berth_oci::image::{Empty, Healthcheck, RunConfig};
use serde::Serialize;

use super::Manifest;
use super::summary::signed;
use crate::Version;
use crate::form::NEVER;

/// What Docker calls the way in which our layers lie.
const DRIVER: &str = "overlay2";

/// The document. Fields that one version has and another has not are `None` in the latter.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)] // Docker's definition says it
pub struct Inspect {
    pub id: String,
    pub repo_tags: Vec<String>,
    pub repo_digests: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    pub comment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_config: Option<Whole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_version: Option<&'static str>,
    pub author: String,
    pub config: Config,
    pub architecture: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    pub os: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    pub size: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_size: Option<i64>,
    pub graph_driver: GraphDriver,
    #[serde(rename = "RootFS")]
    pub root_fs: RootFs,
    pub metadata: Metadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<Descriptor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifests: Option<Vec<Manifest>>,
}

/// The defaults of its containers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Config {
    /// All that a container's configuration has, also what an image's never says.
    Whole(Box<Whole>),
    /// What the image says.
    Said(Box<RunConfig>),
}

/// As a container's configuration was written once.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)] // Docker's definition says it
pub struct Whole {
    pub hostname: &'static str,
    pub domainname: &'static str,
    pub user: String,
    pub attach_stdin: bool,
    pub attach_stdout: bool,
    pub attach_stderr: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Empty>,
    pub tty: bool,
    pub open_stdin: bool,
    pub stdin_once: bool,
    pub env: Option<Vec<String>>,
    pub cmd: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    pub image: &'static str,
    pub volumes: Option<BTreeMap<String, Empty>>,
    pub working_dir: String,
    pub entrypoint: Option<Vec<String>>,
    pub on_build: Option<Vec<String>>,
    pub labels: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shell: Vec<String>,
}

/// How the layers lie.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)] // Docker's definition says it
pub struct GraphDriver {
    pub data: BTreeMap<&'static str, String>,
    pub name: &'static str,
}

/// The layers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)] // Docker's definition says it
pub struct RootFs {
    pub r#type: &'static str,
    pub layers: Vec<String>,
}

/// What is not of the image itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)] // Docker's definition says it
pub struct Metadata {
    pub last_tag_time: &'static str,
}

/// All that is known of an image, as `version` has it.
pub fn inspect(details: &Details, version: Version) -> Inspect {
    let config = &details.image.config;
    let before = |minor| version < Version(1, minor);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let texts = |digests: &[berth_oci::Digest]| digests.iter().map(ToString::to_string).collect();
    let parent = details.parent.as_ref().map(ToString::to_string);
    let chain: Vec<String> = texts(&details.chain);
    let size = signed(details.layer_sizes.iter().sum());
    Inspect {
        id: details.image.id().to_string(),
        repo_tags: details.tags.clone(),
        repo_digests: details.digests.clone(),
        parent: before(52).then(|| parent.unwrap_or_default()),
        comment: config
            .history
            .last()
            .map_or_else(String::new, |step| step.comment.clone()),
        created: match &config.created {
            None => before(50).then(|| NEVER.to_owned()),
            created => created.clone(),
        },
        container: before(45).then_some(""),
        container_config: before(45).then(Whole::default),
        docker_version: before(52).then_some(""),
        author: text(&config.author),
        config: match before(50) {
            true => Config::Whole(Box::new(whole(&config.config))),
            false => Config::Said(Box::new(config.config.clone())),
        },
        architecture: config.architecture.clone(),
        variant: config.variant.clone(),
        os: config.os.clone(),
        os_version: config.os_version.clone(),
        size,
        virtual_size: before(44).then_some(size),
        graph_driver: GraphDriver {
            data: BTreeMap::from([("LayerChain", chain.join(","))]),
            name: DRIVER,
        },
        root_fs: RootFs {
            r#type: "layers",
            layers: texts(&config.rootfs.diff_ids),
        },
        metadata: Metadata {
            last_tag_time: NEVER,
        },
        descriptor: (!before(48)).then(|| Descriptor {
            annotations: BTreeMap::new(),
            ..details.image.descriptor.clone()
        }),
        manifests: None,
    }
}

fn whole(run: &RunConfig) -> Whole {
    fn said<T>(value: &T, empty: bool) -> Option<T>
    where
        T: Clone,
    {
        (!empty).then(|| value.clone())
    }
    Whole {
        user: run.user.clone(),
        exposed_ports: run.exposed_ports.clone(),
        env: said(&run.env, run.env.is_empty()),
        cmd: run.cmd.clone(),
        healthcheck: run.healthcheck.clone(),
        volumes: said(&run.volumes, run.volumes.is_empty()),
        working_dir: run.working_dir.clone(),
        entrypoint: run.entrypoint.clone(),
        on_build: said(&run.on_build, run.on_build.is_empty()),
        labels: said(&run.labels, run.labels.is_empty()),
        stop_signal: run.stop_signal.clone(),
        shell: run.shell.clone(),
        ..Whole::default()
    }
}
