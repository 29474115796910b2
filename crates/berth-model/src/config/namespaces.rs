//! Which namespaces a container has for itself. Each reads and prints as Docker's word for it; the first
//! word of each is what an empty text means.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::is_default;

/// All but the network's and the mounts'.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NamespaceConfig {
    /// System V IPC, message queues and `/dev/shm`.
    #[serde(skip_serializing_if = "is_default")]
    pub ipc: IpcMode,
    /// Processes.
    #[serde(skip_serializing_if = "is_default")]
    pub pid: PidMode,
    /// Host and domain name.
    #[serde(skip_serializing_if = "is_default")]
    pub uts: UtsMode,
    /// Users.
    #[serde(skip_serializing_if = "is_default")]
    pub user: UserMode,
    /// Cgroups.
    #[serde(skip_serializing_if = "is_default")]
    pub cgroup: CgroupMode,
    /// How far it is kept apart: `default`, or nothing, which is the same.
    #[serde(skip_serializing_if = "is_default")]
    pub isolation: String,
}

/// System V IPC, message queues and `/dev/shm`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpcMode {
    /// Its own.
    #[default]
    Private,
    /// Its own, which others may join.
    Shareable,
    /// Its own, without `/dev/shm`.
    None,
    /// The host's.
    Host,
    /// That of the container with this id; in a request, its name or part of its id too.
    Container(String),
}

impl FromStr for IpcMode {
    type Err = String;

    fn from_str(text: &str) -> Result<IpcMode, String> {
        Ok(match text {
            "private" | "" => IpcMode::Private,
            "shareable" => IpcMode::Shareable,
            "none" => IpcMode::None,
            "host" => IpcMode::Host,
            _ => IpcMode::Container(container("an IPC mode", text)?),
        })
    }
}

impl fmt::Display for IpcMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IpcMode::Private => f.write_str("private"),
            IpcMode::Shareable => f.write_str("shareable"),
            IpcMode::None => f.write_str("none"),
            IpcMode::Host => f.write_str("host"),
            IpcMode::Container(id) => write!(f, "container:{id}"),
        }
    }
}

/// Processes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PidMode {
    /// Its own.
    #[default]
    Private,
    /// The host's.
    Host,
    /// That of the container with this id; in a request, its name or part of its id too.
    Container(String),
}

impl FromStr for PidMode {
    type Err = String;

    fn from_str(text: &str) -> Result<PidMode, String> {
        Ok(match text {
            "" | "private" => PidMode::Private,
            "host" => PidMode::Host,
            _ => PidMode::Container(container("a PID mode", text)?),
        })
    }
}

impl fmt::Display for PidMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PidMode::Private => f.write_str(""),
            PidMode::Host => f.write_str("host"),
            PidMode::Container(id) => write!(f, "container:{id}"),
        }
    }
}

/// Host and domain name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UtsMode {
    /// Its own.
    #[default]
    Private,
    /// The host's.
    Host,
}

impl FromStr for UtsMode {
    type Err = String;

    fn from_str(text: &str) -> Result<UtsMode, String> {
        Ok(match text {
            "" | "private" => UtsMode::Private,
            "host" => UtsMode::Host,
            _ => return Err(bad("a UTS mode", text)),
        })
    }
}

impl fmt::Display for UtsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UtsMode::Private => f.write_str(""),
            UtsMode::Host => f.write_str("host"),
        }
    }
}

/// Users.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserMode {
    /// As the engine is set up.
    #[default]
    Default,
    /// The host's.
    Host,
}

impl FromStr for UserMode {
    type Err = String;

    fn from_str(text: &str) -> Result<UserMode, String> {
        Ok(match text {
            "" => UserMode::Default,
            "host" => UserMode::Host,
            _ => return Err(bad("a user namespace mode", text)),
        })
    }
}

impl fmt::Display for UserMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UserMode::Default => f.write_str(""),
            UserMode::Host => f.write_str("host"),
        }
    }
}

/// Cgroups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CgroupMode {
    /// Its own: it sees itself as the root.
    #[default]
    Private,
    /// The host's.
    Host,
}

impl FromStr for CgroupMode {
    type Err = String;

    fn from_str(text: &str) -> Result<CgroupMode, String> {
        Ok(match text {
            "private" | "" => CgroupMode::Private,
            "host" => CgroupMode::Host,
            _ => return Err(bad("a cgroup namespace mode", text)),
        })
    }
}

impl fmt::Display for CgroupMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CgroupMode::Private => f.write_str("private"),
            CgroupMode::Host => f.write_str("host"),
        }
    }
}

/// `container:NAME`.
fn container(what: &str, text: &str) -> Result<String, String> {
    match text.strip_prefix("container:") {
        Some(name) if !name.is_empty() => Ok(name.to_owned()),
        Some(_) => Err(format!("`{text}` names no container")),
        None => Err(bad(what, text)),
    }
}

fn bad(what: &str, text: &str) -> String {
    format!("`{text}` is not {what}")
}
