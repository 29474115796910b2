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

impl SecurityConfig {
    /// Takes one `--security-opt`, or an entry of `SecurityOpt`; the setting that it makes. A profile or label is
    /// nothing to a host without the module that reads it: whether it is enforced is another's question. `profile`
    /// makes the profile's text of what stands behind `seccomp=`: a path, or the text itself.
    ///
    /// # Errors
    /// It is no option, or its profile is none, in words for the user.
    pub fn set_option(
        &mut self,
        text: &str,
        profile: impl FnOnce(&str) -> Result<String, String>,
    ) -> Result<&'static str, String> {
        let (key, value) = match text.split_once('=').or_else(|| text.split_once(':')) {
            Some((key, value)) => (key, Some(value)),
            None => (text, None),
        };
        match (key, value) {
            ("no-new-privileges", None | Some("true")) => self.no_new_privileges = true,
            ("no-new-privileges", Some("false")) => self.no_new_privileges = false,
            ("seccomp", Some("unconfined")) => self.seccomp = SeccompChoice::Unconfined,
            ("seccomp", Some("builtin" | "default")) => self.seccomp = SeccompChoice::Default,
            ("seccomp", Some(value)) if !value.is_empty() => {
                self.seccomp = SeccompChoice::Custom(profile(value)?);
            }
            ("apparmor", Some(profile)) if !profile.is_empty() => {
                self.apparmor = Some(profile.to_owned());
            }
            ("label", Some(label)) if is_label(label) => self.labels.push(label.to_owned()),
            ("systempaths", Some("unconfined")) => {
                self.masked_paths = Some(Vec::new());
                self.readonly_paths = Some(Vec::new());
            }
            _ => return Err(format!("invalid --security-opt: \"{text}\"")),
        }
        Ok(match key {
            "no-new-privileges" => "no_new_privileges",
            "seccomp" => "seccomp",
            "apparmor" => "apparmor",
            "label" => "labels",
            _ => "paths",
        })
    }
}

/// Source: opencontainers/selinux, the options of `InitLabels`.
fn is_label(text: &str) -> bool {
    let known = ["user", "role", "type", "level", "filetype"];
    text == "disable"
        || text
            .split_once(':')
            .is_some_and(|(key, value)| known.contains(&key) && !value.is_empty())
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
