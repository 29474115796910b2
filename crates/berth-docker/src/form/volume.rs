//! Volumes as documents.

use std::collections::BTreeMap;

use berth_engine::volumes;
use serde::Serialize;

/// The document.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)] // Docker's definition says it
pub struct Volume {
    pub created_at: String,
    pub driver: String,
    pub labels: BTreeMap<String, String>,
    pub mountpoint: String,
    pub name: String,
    pub options: BTreeMap<String, String>,
    pub scope: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_data: Option<UsageData>,
}

/// What it takes, where that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)] // Docker's definition says it
pub struct UsageData {
    pub ref_count: i64,
    pub size: i64,
}

/// A volume.
pub fn volume(volume: &volumes::Volume) -> Volume {
    Volume {
        // Docker's has whole seconds.
        created_at: match volume.created.split_once('.') {
            Some((seconds, _)) => format!("{seconds}Z"),
            None => volume.created.clone(),
        },
        driver: volume.driver.clone(),
        labels: volume.labels.clone(),
        mountpoint: volume.mountpoint.to_string_lossy().into_owned(),
        name: volume.name.clone(),
        options: volume.options.clone(),
        scope: "local",
        usage_data: None,
    }
}
