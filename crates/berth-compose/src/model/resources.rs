//! What services share.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A network.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// What it was made of, as a hash.
    #[serde(skip)]
    pub hash: String,
    /// The engine's name for it.
    pub name: String,
    pub driver: Option<String>,
    pub driver_opts: BTreeMap<String, String>,
    pub ipam: Ipam,
    /// Somebody else makes it.
    pub external: bool,
    pub internal: bool,
    pub attachable: bool,
    pub labels: BTreeMap<String, String>,
    pub enable_ipv4: Option<bool>,
    pub enable_ipv6: Option<bool>,
}

/// Its addresses.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ipam {
    pub driver: Option<String>,
    pub config: Vec<AddressPool>,
    pub options: BTreeMap<String, String>,
}

/// A subnet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AddressPool {
    pub subnet: Option<String>,
    pub gateway: Option<String>,
    pub ip_range: Option<String>,
    pub aux_addresses: BTreeMap<String, String>,
}

/// A volume.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Volume {
    /// What it was made of, as a hash.
    #[serde(skip)]
    pub hash: String,
    /// The engine's name for it.
    pub name: String,
    pub driver: Option<String>,
    pub driver_opts: BTreeMap<String, String>,
    /// Somebody else makes it.
    pub external: bool,
    pub labels: BTreeMap<String, String>,
}

/// A secret: its content is in one of `file` and `environment`, or elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Secret {
    /// The engine's name for it.
    pub name: String,
    /// An absolute path.
    pub file: Option<String>,
    /// A variable of the caller.
    pub environment: Option<String>,
    /// Somebody else makes it.
    pub external: bool,
    pub labels: BTreeMap<String, String>,
    pub driver: Option<String>,
    pub driver_opts: BTreeMap<String, String>,
    pub template_driver: Option<String>,
}

/// A config: its content is in one of `file`, `environment` and `content`, or elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// The engine's name for it.
    pub name: String,
    /// An absolute path.
    pub file: Option<String>,
    /// A variable of the caller.
    pub environment: Option<String>,
    /// The content itself.
    pub content: Option<String>,
    /// Somebody else makes it.
    pub external: bool,
    pub labels: BTreeMap<String, String>,
    pub template_driver: Option<String>,
}

/// A language model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Model {
    /// Its name.
    pub name: String,
    pub model: String,
    pub context_size: Option<i64>,
    pub runtime_flags: Vec<String>,
}
