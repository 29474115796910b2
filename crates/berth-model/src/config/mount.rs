//! Mounts beside the root.

use std::collections::BTreeMap;
use std::str::FromStr;

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

/// Options of a tmpfs that have no value.
const TMPFS_FLAGS: [&str; 11] = [
    "exec",
    "noexec",
    "suid",
    "nosuid",
    "dev",
    "nodev",
    "sync",
    "async",
    "noatime",
    "relatime",
    "nodiratime",
];

impl MountConfig {
    /// Takes the options of a tmpfs in the short way of writing: `size=1m,mode=1777,noexec`.
    ///
    /// # Errors
    /// Which one is none, in Docker's words.
    pub fn set_tmpfs(&mut self, options: &str) -> Result<(), String> {
        self.syntax = MountSyntax::Tmpfs;
        options.clone_into(&mut self.written);
        for option in options.split(',').filter(|option| !option.is_empty()) {
            self.set_tmpfs_option(option)?;
        }
        Ok(())
    }

    /// Takes one of them.
    ///
    /// # Errors
    /// It is none, in Docker's words.
    pub fn set_tmpfs_option(&mut self, option: &str) -> Result<(), String> {
        let wrong = || format!("invalid tmpfs option [\"{option}\"]");
        match option.split_once('=') {
            Some(("size", value)) => {
                self.tmpfs_size_bytes = Some(crate::size::bytes(value).map_err(|_| wrong())?);
            }
            Some(("mode", value)) => {
                let mode = u32::from_str_radix(value, 8).ok();
                self.tmpfs_mode = Some(mode.filter(|mode| *mode <= 0o7777).ok_or_else(wrong)?);
            }
            Some(("uid" | "gid" | "nr_inodes", value)) if value.parse::<u32>().is_ok() => {
                self.options.push(option.to_owned());
            }
            None if matches!(option, "ro" | "rw") => self.read_only = option == "ro",
            None if TMPFS_FLAGS.contains(&option) => self.options.push(option.to_owned()),
            _ => return Err(wrong()),
        }
        Ok(())
    }
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

impl FromStr for VolumesFrom {
    type Err = String;

    /// `CONTAINER[:ro|:rw]`; labels of SELinux are passed over. The errors are in Docker's words.
    fn from_str(text: &str) -> Result<VolumesFrom, String> {
        let (container, mode) = text.split_once(':').unwrap_or((text, ""));
        if container.is_empty() {
            return Err(format!("malformed volumes-from specification: \"{text}\""));
        }
        let mut read_only = None;
        for word in mode.split(',').filter(|word| !word.is_empty()) {
            match word {
                "ro" => read_only = Some(true),
                "rw" => read_only = Some(false),
                "z" | "Z" | "nocopy" => {}
                _ => return Err(format!("invalid mode for volumes-from: \"{mode}\"")),
            }
        }
        Ok(VolumesFrom {
            container: container.to_owned(),
            read_only,
        })
    }
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
