//! What a manifest or an index says, as far as the registry has to know.

use std::collections::BTreeMap;

use berth_oci::{Descriptor, image, media};
use serde::Deserialize;

use crate::error::{Code, Failure};

/// A manifest or an index.
#[derive(Debug, Clone)]
pub(super) struct Document {
    /// As it is served.
    pub(super) media_type: String,
    /// Blobs that must be in the repository.
    pub(super) blobs: Vec<Descriptor>,
    /// Manifests (or blobs) that must be there: an index's.
    pub(super) children: Vec<Descriptor>,
    /// What it is about; need not be there.
    pub(super) subject: Option<Descriptor>,
    /// As the list of referrers has it.
    pub(super) artifact_type: Option<String>,
    pub(super) annotations: BTreeMap<String, String>,
}

/// The parts beside what [`image::parse_document`] reads.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Beside {
    subject: Option<Descriptor>,
}

/// Only what it takes to serve it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    media_type: Option<String>,
    manifests: Option<serde::de::IgnoredAny>,
}

impl Document {
    /// Reads a document strictly: what two readers understand differently is refused. `media_type` is what the client
    /// says it is.
    pub(super) fn parse(bytes: &[u8], media_type: Option<&str>) -> Result<Document, Failure> {
        let invalid = |error: &dyn std::error::Error| {
            let cause = error
                .source()
                .map_or(String::new(), |cause| format!(": {cause}"));
            Failure::new(Code::ManifestInvalid, format!("{error}{cause}"))
        };
        let parsed = image::parse_document(bytes, media_type).map_err(|error| match error {
            berth_oci::Error::TooLarge { .. } => Failure::new(Code::TooLarge, error.to_string()),
            error => invalid(&error),
        })?;
        let beside: Beside = serde_json::from_slice(bytes).map_err(|error| invalid(&error))?;
        let subject = beside.subject;
        let nonempty = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(match parsed {
            image::Document::Index(index) => Document {
                media_type: index.media_type.unwrap_or_else(|| media::INDEX.to_owned()),
                blobs: Vec::new(),
                children: index.manifests,
                subject,
                artifact_type: nonempty(index.artifact_type),
                annotations: index.annotations,
            },
            image::Document::Manifest(manifest) => {
                let artifact_type = nonempty(manifest.artifact_type)
                    .unwrap_or_else(|| manifest.config.media_type.clone());
                let all = std::iter::once(manifest.config).chain(manifest.layers);
                Document {
                    media_type: manifest
                        .media_type
                        .unwrap_or_else(|| media::MANIFEST.to_owned()),
                    // What may not be distributed is elsewhere.
                    blobs: all
                        .filter(|blob| !media::is_foreign(&blob.media_type))
                        .collect(),
                    children: Vec::new(),
                    subject,
                    artifact_type: Some(artifact_type),
                    annotations: manifest.annotations,
                }
            }
        })
    }

    /// All that it names, here or not.
    pub(super) fn named(&self) -> impl Iterator<Item = &Descriptor> {
        self.blobs.iter().chain(&self.children).chain(&self.subject)
    }
}

/// The media type under which a stored document is served.
pub(super) fn media_type(bytes: &[u8]) -> String {
    let form = match serde_json::from_slice::<Kind>(bytes) {
        Ok(Kind {
            media_type: Some(own),
            ..
        }) => return own,
        Ok(kind) if kind.manifests.is_some() => media::INDEX,
        _ => media::MANIFEST,
    };
    form.to_owned()
}
