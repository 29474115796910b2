//! An image in `GET /images/json` and in `GET /system/df`.

use std::collections::BTreeMap;

use berth_engine::image::Listed;
use berth_oci::Descriptor;
use serde::Serialize;

use super::{Manifest, seconds};
use crate::Version;

/// What is not computed, because nobody asked.
const UNKNOWN: i64 = -1;

/// The document.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)] // Docker's definition says it
pub struct Summary {
    pub containers: i64,
    pub created: i64,
    pub id: String,
    pub labels: BTreeMap<String, String>,
    pub parent_id: &'static str,
    pub repo_digests: Vec<String>,
    pub repo_tags: Vec<String>,
    pub shared_size: i64,
    pub size: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<Descriptor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifests: Option<Vec<Manifest>>,
}

/// An image, with all of its names.
pub fn summary(listed: &Listed, version: Version) -> Summary {
    let config = &listed.found.image.config;
    let tags = listed.found.names().into_iter();
    let tags = tags.filter(|name| name.tag().is_some());
    let mut summary = Summary {
        containers: UNKNOWN,
        created: seconds(config.created.as_deref()),
        id: listed.found.image.id().to_string(),
        labels: config.config.labels.clone(),
        parent_id: "",
        repo_digests: listed.found.pins(),
        repo_tags: tags.map(|name| name.familiar()).collect(),
        shared_size: UNKNOWN,
        size: signed(listed.size_bytes()),
        virtual_size: None,
        descriptor: None,
        manifests: None,
    };
    if version < Version(1, 43) && summary.repo_tags.is_empty() {
        // Its clients do not expect an image without names.
        summary.repo_tags = vec!["<none>:<none>".to_owned()];
        if summary.repo_digests.is_empty() {
            summary.repo_digests = vec!["<none>@<none>".to_owned()];
        }
    }
    if version < Version(1, 44) {
        summary.virtual_size = Some(summary.size);
    }
    if version >= Version(1, 48) {
        summary.descriptor = listed.found.entries.first().map(|entry| Descriptor {
            annotations: BTreeMap::new(),
            ..entry.descriptor.clone()
        });
    }
    summary
}

pub(crate) fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
