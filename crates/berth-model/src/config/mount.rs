//! Mounts beside the root.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::is_default;

/// One mount beside the root.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MountConfig {
    /// What sort.
    pub kind: MountKind,
    /// Host path (bind), name (volume), nothing (tmpfs).
    pub source: String,
    /// Where, inside.
    pub destination: String,
    /// Not writable.
    pub read_only: bool,
    /// `rprivate` (default), `private`, `rshared`, `shared`, `rslave`, `slave`.
    pub propagation: Option<String>,
    /// Bytes (tmpfs).
    pub tmpfs_size_bytes: Option<u64>,
    /// Mode (tmpfs).
    pub tmpfs_mode: Option<u32>,
    /// Further tmpfs options (`noexec`, …), validated.
    #[serde(default)]
    pub options: Vec<String>,
    /// Do not copy the image's content into an empty volume.
    #[serde(default)]
    pub no_copy: bool,
    /// The volume was named by nobody and goes with the container.
    #[serde(default)]
    pub anonymous: bool,
    /// How it was written: `inspect` gives it back in the same place.
    #[serde(default, skip_serializing_if = "is_default")]
    pub syntax: MountSyntax,
    /// The options as they were written, where they can be written in several ways (`--tmpfs`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub written: String,
    /// A directory below the source that is mounted in its stead: relative, clean.
    #[serde(default, skip_serializing_if = "is_default")]
    pub subpath: String,
    /// Driver of a volume that has to be made; empty: `local`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub driver: String,
    /// The driver's options, likewise.
    #[serde(default, skip_serializing_if = "is_default")]
    pub driver_options: BTreeMap<String, String>,
    /// Labels of a volume that has to be made.
    #[serde(default, skip_serializing_if = "is_default")]
    pub labels: BTreeMap<String, String>,
    /// Mounts below the source do not come along (bind).
    #[serde(default, skip_serializing_if = "is_default")]
    pub non_recursive: bool,
    /// Make the source when it is absent (bind).
    #[serde(default, skip_serializing_if = "is_default")]
    pub create_source: bool,
    /// Only the mount itself is read-only, not those below it (bind).
    #[serde(default, skip_serializing_if = "is_default")]
    pub read_only_non_recursive: bool,
    /// Read-only down to the last mount, or an error (bind).
    #[serde(default, skip_serializing_if = "is_default")]
    pub read_only_force_recursive: bool,
}

/// Which of Docker's ways of writing a mount was used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountSyntax {
    /// `-v`, `Binds`, `Volumes`; the image's volumes.
    #[default]
    Volume,
    /// `--mount`, `Mounts`.
    Mount,
    /// `--tmpfs`, `Tmpfs`.
    Tmpfs,
    /// `--volumes-from`.
    From,
}

/// Mounts taken over from another container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumesFrom {
    /// Its id; in a request, its name or part of its id too.
    pub container: String,
    /// `None`: as they are there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub read_only: Option<bool>,
}

/// Sorts of mounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// A path of the host.
    Bind,
    /// A directory that the engine keeps.
    #[default]
    Volume,
    /// Memory.
    Tmpfs,
}
