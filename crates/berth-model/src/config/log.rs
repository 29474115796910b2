//! Logs: which driver keeps the output, and how much of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::is_default;

/// Where output goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogConfig {
    /// `json-file`, `local`, `none`, …
    pub driver: String,
    /// Rotate before a file grows past this.
    pub max_bytes: u64,
    /// Files kept, the current one included.
    pub max_files: u32,
    /// The driver's options as asked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub options: BTreeMap<String, String>,
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig {
            driver: "json-file".into(),
            max_bytes: 10 << 20,
            max_files: 3,
            options: BTreeMap::new(),
        }
    }
}
