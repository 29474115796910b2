//! Artifacts: files in a registry, which are no images. Needs no state of an engine.
//!
//! ```json
//! {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
//!  "artifactType": "application/vnd.example.sbom",
//!  "config": {"mediaType": "application/vnd.oci.empty.v1+json", …: "{}"},
//!  "layers": [{"mediaType": …, "annotations": {"org.opencontainers.image.title": "sbom.json"}, …}],
//!  "subject": {the manifest of the image that it is about}}
//! ```
//! One layer a file; its name is its title. One with a `subject` is listed among that image's referrers.
//!
//! Source: OCI image-spec 1.1, manifest.md, "Guidelines for Artifact Usage".

use std::collections::BTreeMap;

use berth_oci::image::{Document, Manifest, parse_document, parse_strict};
use berth_oci::{Descriptor, Digest, Reference};
use berth_registry::{Client, Config, Fetched};
use serde::{Deserialize, Serialize};

mod error;
mod pull;
mod push;

pub use error::{Cause, Error};
pub use pull::{PullOptions, pull};
pub use push::{PushOptions, push};

/// The type of an artifact that nobody gave one.
pub const UNKNOWN_TYPE: &str = "application/vnd.unknown.artifact.v1";
/// The type of a file that nobody gave one.
pub const FILE_TYPE: &str = "application/octet-stream";
/// The file name of a layer.
const TITLE: &str = "org.opencontainers.image.title";

/// An artifact in its registry.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// The manifest's digest.
    pub digest: Digest,
    /// What sort of artifact it is.
    pub artifact_type: String,
    /// What it is about.
    pub subject: Option<Descriptor>,
    /// What it is made of.
    pub manifest: Manifest,
    /// The manifest as it came.
    pub bytes: Vec<u8>,
}

/// News of a file on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its name.
    pub name: &'a str,
    /// Of its content.
    pub digest: &'a Digest,
    /// Bytes of it.
    pub size_bytes: u64,
    /// What happened.
    pub step: FileStep,
}

/// How far a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileStep {
    /// The repository has it already.
    Exists,
    /// So many bytes of it are sent.
    Pushing(u64),
    /// All of it is there.
    Pushed,
    /// So many bytes of it are here.
    Downloading(u64),
    /// It is verified and has its name.
    Written,
}

impl<'a> Event<'a> {
    fn of(name: &'a str, layer: &'a Descriptor, step: FileStep) -> Event<'a> {
        Event {
            name,
            digest: &layer.digest,
            size_bytes: layer.size,
            step,
        }
    }
}

/// A manifest with what only artifacts have.
#[derive(Serialize)]
struct WithSubject<'a> {
    #[serde(flatten)]
    manifest: &'a Manifest,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a Descriptor>,
}

/// What an artifact is.
///
/// # Errors
/// [`Error`]: not there, or no artifact.
pub fn inspect(config: Config, reference: &Reference) -> Result<Artifact, Error> {
    run("inspect", reference, async {
        fetch(&Client::new(config), reference).await
    })
}

/// The artifacts that are about the image `reference`; of this type, if one is given.
///
/// # Errors
/// [`Error`].
pub fn list(
    config: Config,
    reference: &Reference,
    artifact_type: Option<&str>,
) -> Result<Vec<Descriptor>, Error> {
    run("list the artifacts of", reference, async {
        let client = Client::new(config);
        let subject = client.resolve(reference).await?.digest;
        Ok(client.referrers(reference, &subject, artifact_type).await?)
    })
}

async fn fetch(client: &Client, reference: &Reference) -> Result<Artifact, Cause> {
    let fetched = client.fetch_manifest(reference).await?;
    understand(fetched)
}

fn understand(fetched: Fetched) -> Result<Artifact, Cause> {
    #[derive(Deserialize)]
    struct About {
        subject: Option<Descriptor>,
    }
    let bad = |source| Cause::Document { source };
    let document = parse_document(&fetched.bytes, Some(&fetched.media_type)).map_err(bad)?;
    let Document::Manifest(manifest) = document else {
        return Err(Cause::Index);
    };
    let about: About = parse_strict("the artifact's manifest", &fetched.bytes).map_err(bad)?;
    let own = manifest.artifact_type.clone().filter(|t| !t.is_empty());
    Ok(Artifact {
        digest: fetched.digest,
        artifact_type: own.unwrap_or_else(|| manifest.config.media_type.clone()),
        subject: about.subject,
        manifest,
        bytes: fetched.bytes,
    })
}

impl Artifact {
    /// Its files by name, with what cannot be a file's name left out.
    pub fn files(&self) -> BTreeMap<&str, &Descriptor> {
        let named = |layer| pull::title(layer).ok().flatten().map(|name| (name, layer));
        self.manifest.layers.iter().filter_map(named).collect()
    }
}

fn run<T>(
    action: &'static str,
    reference: &Reference,
    work: impl Future<Output = Result<T, Cause>>,
) -> Result<T, Error> {
    let runtime = berth_registry::runtime().map_err(Cause::from);
    let done = runtime.and_then(|runtime| runtime.block_on(work));
    done.map_err(|source| Error {
        action,
        reference: reference.familiar(),
        source,
    })
}
