//! Privileges.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::is_default;

/// Privileges beside the defaults.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecurityConfig {
    /// Everything.
    pub privileged: bool,
    /// `CAP_X`, upper case, or `ALL`.
    pub cap_add: Vec<String>,
    /// Likewise.
    pub cap_drop: Vec<String>,
    /// `no-new-privileges`.
    pub no_new_privileges: bool,
    /// Which seccomp profile.
    pub seccomp: SeccompChoice,
    /// `apparmor=` as asked; `None`: not asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub apparmor: Option<String>,
    /// `label=` as asked: `disable`, `type:…`.
    #[serde(skip_serializing_if = "is_default")]
    pub labels: Vec<String>,
    /// Supplementary groups beside the user's, by name or number.
    #[serde(skip_serializing_if = "is_default")]
    pub group_add: Vec<String>,
    /// Paths that are hidden; `None`: Docker's list.
    #[serde(skip_serializing_if = "is_default")]
    pub masked_paths: Option<Vec<String>>,
    /// Paths that are made read-only; `None`: Docker's list.
    #[serde(skip_serializing_if = "is_default")]
    pub readonly_paths: Option<Vec<String>>,
    /// Kernel parameters.
    #[serde(skip_serializing_if = "is_default")]
    pub sysctls: BTreeMap<String, String>,
}

/// A seccomp profile.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeccompChoice {
    /// Docker's default.
    #[default]
    Default,
    /// None at all.
    Unconfined,
    /// A profile in Docker's JSON form: its text, read when the container was created.
    Custom(String),
}
