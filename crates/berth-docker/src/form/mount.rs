//! Mounts: the three ways of asking for one (`Binds`, `Mounts`, `Tmpfs`), and what there is (`MountPoint`).

use std::collections::BTreeMap;

use berth_engine::layout::Layout;
use berth_model::config::{MountConfig, MountKind, MountSyntax};
use serde::{Deserialize, Serialize};

use super::is_empty;

mod text;

use text::mode;
pub(crate) use text::{bind, bind_text, from_text, tmpfs, tmpfs_text};

/// A text that is none, in docker's words.
pub(crate) type Parsed<T> = Result<T, String>;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Mount {
    #[serde(skip_serializing_if = "is_empty")]
    r#type: String,
    #[serde(skip_serializing_if = "is_empty")]
    source: String,
    #[serde(skip_serializing_if = "is_empty")]
    target: String,
    #[serde(skip_serializing_if = "is_empty")]
    read_only: bool,
    #[serde(skip_serializing_if = "is_empty")]
    consistency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    bind_options: Option<BindOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volume_options: Option<VolumeOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tmpfs_options: Option<TmpfsOptions>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct BindOptions {
    #[serde(skip_serializing_if = "is_empty")]
    propagation: String,
    #[serde(skip_serializing_if = "is_empty")]
    non_recursive: bool,
    #[serde(skip_serializing_if = "is_empty")]
    create_mountpoint: bool,
    #[serde(skip_serializing_if = "is_empty")]
    read_only_non_recursive: bool,
    #[serde(skip_serializing_if = "is_empty")]
    read_only_force_recursive: bool,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct VolumeOptions {
    #[serde(skip_serializing_if = "is_empty")]
    no_copy: bool,
    #[serde(skip_serializing_if = "is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "is_empty")]
    subpath: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    driver_config: Option<DriverConfig>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct DriverConfig {
    #[serde(skip_serializing_if = "is_empty")]
    name: String,
    #[serde(skip_serializing_if = "is_empty")]
    options: BTreeMap<String, String>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct TmpfsOptions {
    #[serde(skip_serializing_if = "is_empty")]
    size_bytes: i64,
    #[serde(skip_serializing_if = "is_empty")]
    mode: u32,
    #[serde(skip_serializing_if = "is_empty")]
    options: Vec<Vec<String>>,
}

/// A mount that there is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MountPoint<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    source: String,
    destination: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    driver: &'a str,
    mode: String,
    #[serde(rename = "RW")]
    rw: bool,
    propagation: &'a str,
}

impl Mount {
    /// In our words.
    pub(crate) fn meaning(&self) -> Parsed<MountConfig> {
        let wrong =
            |why: String| format!("invalid mount config for type \"{}\": {why}", self.r#type);
        let only = |given: bool, field: &str| match given {
            true => Err(wrong(format!("field {field} must not be specified"))),
            false => Ok(()),
        };
        if self.target.is_empty() {
            return Err(wrong("field Target must not be empty".to_owned()));
        }
        let mut mount = MountConfig {
            source: self.source.clone(),
            destination: destination(&self.target).map_err(&wrong)?,
            read_only: self.read_only,
            syntax: MountSyntax::Mount,
            ..MountConfig::default()
        };
        match self.r#type.as_str() {
            "bind" => {
                only(self.volume_options.is_some(), "VolumeOptions")?;
                only(self.tmpfs_options.is_some(), "TmpfsOptions")?;
                if self.source.is_empty() {
                    return Err(wrong("field Source must not be empty".to_owned()));
                }
                mount.kind = MountKind::Bind;
                mount.source = clean(&self.source).map_err(&wrong)?;
                let default = BindOptions::default();
                let options = self.bind_options.as_ref().unwrap_or(&default);
                options.apply(&mut mount).map_err(&wrong)?;
            }
            "volume" | "" => {
                only(self.bind_options.is_some(), "BindOptions")?;
                only(self.tmpfs_options.is_some(), "TmpfsOptions")?;
                mount.kind = MountKind::Volume;
                mount.anonymous = self.source.is_empty();
                volume_name(&self.source).map_err(&wrong)?;
                let default = VolumeOptions::default();
                let options = self.volume_options.as_ref().unwrap_or(&default);
                options.apply(&mut mount).map_err(&wrong)?;
            }
            "tmpfs" => {
                only(self.bind_options.is_some(), "BindOptions")?;
                only(self.volume_options.is_some(), "VolumeOptions")?;
                only(!self.source.is_empty(), "Source")?;
                mount.kind = MountKind::Tmpfs;
                let default = TmpfsOptions::default();
                let options = self.tmpfs_options.as_ref().unwrap_or(&default);
                options.apply(&mut mount).map_err(&wrong)?;
            }
            other => {
                return Err(format!(
                    "invalid mount config for type \"{other}\": mount type unknown"
                ));
            }
        }
        Ok(mount)
    }

    /// As asked for.
    pub(crate) fn of(mount: &MountConfig) -> Mount {
        let bind = BindOptions {
            propagation: mount.propagation.clone().unwrap_or_default(),
            non_recursive: mount.non_recursive,
            create_mountpoint: mount.create_source,
            read_only_non_recursive: mount.read_only_non_recursive,
            read_only_force_recursive: mount.read_only_force_recursive,
        };
        let driver = DriverConfig {
            name: mount.driver.clone(),
            options: mount.driver_options.clone(),
        };
        let volume = VolumeOptions {
            no_copy: mount.no_copy,
            labels: mount.labels.clone(),
            subpath: mount.subpath.clone(),
            driver_config: (driver != DriverConfig::default()).then_some(driver),
        };
        let tmpfs = TmpfsOptions {
            size_bytes: mount
                .tmpfs_size_bytes
                .map_or(0, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
            mode: mount.tmpfs_mode.unwrap_or(0),
            options: mount
                .options
                .iter()
                .map(|option| option.splitn(2, '=').map(str::to_owned).collect())
                .collect(),
        };
        let kept = |kind| mount.kind == kind;
        Mount {
            r#type: word(mount.kind).to_owned(),
            source: match mount.anonymous {
                true => String::new(),
                false => mount.source.clone(),
            },
            target: mount.destination.clone(),
            read_only: mount.read_only,
            consistency: String::new(),
            bind_options: (kept(MountKind::Bind) && bind != BindOptions::default()).then_some(bind),
            volume_options: (kept(MountKind::Volume) && volume != VolumeOptions::default())
                .then_some(volume),
            tmpfs_options: (kept(MountKind::Tmpfs) && tmpfs != TmpfsOptions::default())
                .then_some(tmpfs),
        }
    }
}

impl BindOptions {
    fn apply(&self, mount: &mut MountConfig) -> Parsed<()> {
        if !self.propagation.is_empty() {
            mount.propagation = Some(propagation(&self.propagation)?);
        }
        mount.non_recursive = self.non_recursive;
        mount.create_source = self.create_mountpoint;
        mount.read_only_non_recursive = self.read_only_non_recursive;
        mount.read_only_force_recursive = self.read_only_force_recursive;
        if self.read_only_non_recursive && self.read_only_force_recursive {
            return Err("conflicting ReadOnlyNonRecursive and ReadOnlyForceRecursive".to_owned());
        }
        Ok(())
    }
}

impl VolumeOptions {
    fn apply(&self, mount: &mut MountConfig) -> Parsed<()> {
        mount.no_copy = self.no_copy;
        mount.labels = self.labels.clone();
        let outside = |part: &str| part == "..";
        if self.subpath.starts_with('/') || self.subpath.split('/').any(outside) {
            return Err("subpath must be a relative path within the volume".to_owned());
        }
        let parts = self
            .subpath
            .split('/')
            .filter(|part| !matches!(*part, "" | "."));
        mount.subpath = parts.collect::<Vec<_>>().join("/");
        if let Some(driver) = &self.driver_config {
            mount.driver = driver.name.clone();
            mount.driver_options = driver.options.clone();
        }
        Ok(())
    }
}

impl TmpfsOptions {
    fn apply(&self, mount: &mut MountConfig) -> Parsed<()> {
        if self.size_bytes != 0 {
            let size = u64::try_from(self.size_bytes);
            mount.tmpfs_size_bytes =
                Some(size.map_err(|_| "the size of a tmpfs cannot be negative")?);
        }
        if self.mode != 0 {
            mount.tmpfs_mode = Some(self.mode & 0o7777);
        }
        for option in &self.options {
            mount.set_tmpfs_option(&option.join("="))?;
        }
        Ok(())
    }
}

impl<'a> MountPoint<'a> {
    /// `None`: Docker lists those of `--tmpfs` only where they were asked for.
    pub(crate) fn of(mount: &'a MountConfig, layout: &Layout) -> Option<MountPoint<'a>> {
        if mount.syntax == MountSyntax::Tmpfs {
            return None;
        }
        let volume = mount.kind == MountKind::Volume;
        let bind = mount.kind == MountKind::Bind;
        let driver = match mount.driver.as_str() {
            "" => "local",
            other => other,
        };
        let mut mode = mode(mount);
        // Docker's word for a label that it would set, had the host SELinux.
        if mode.is_empty() && volume && !mount.anonymous && driver == "local" {
            "z".clone_into(&mut mode);
        }
        Some(MountPoint {
            r#type: word(mount.kind),
            name: if volume { &mount.source } else { "" },
            source: match mount.kind {
                MountKind::Tmpfs => String::new(),
                MountKind::Bind => mount.source.clone(),
                MountKind::Volume => {
                    let data = layout.volumes().join(&mount.source).join("_data");
                    data.to_string_lossy().into_owned()
                }
            },
            destination: &mount.destination,
            driver: if volume { driver } else { "" },
            mode,
            rw: !mount.read_only,
            propagation: match (&mount.propagation, bind) {
                (Some(propagation), _) => propagation,
                (None, true) => "rprivate",
                (None, false) => "",
            },
        })
    }
}

fn word(kind: MountKind) -> &'static str {
    match kind {
        MountKind::Bind => "bind",
        MountKind::Volume => "volume",
        MountKind::Tmpfs => "tmpfs",
    }
}

/// An absolute path inside that is not the root.
pub(crate) fn destination(path: &str) -> Parsed<String> {
    match clean(path) {
        Ok(root) if root == "/" => {
            Err("invalid specification: destination can't be '/'".to_owned())
        }
        Ok(path) => Ok(path),
        Err(_) => Err(format!(
            "invalid mount path: '{path}' mount path must be absolute"
        )),
    }
}

/// An absolute path without `.`, `..`, doubled and trailing slashes.
pub(crate) fn clean(path: &str) -> Parsed<String> {
    if !path.starts_with('/') || path.contains('\0') {
        return Err(format!(
            "invalid mount path: '{path}' mount path must be absolute"
        ));
    }
    Ok(berth_model::path::clean(path))
}

fn volume_name(name: &str) -> Parsed<()> {
    if name.is_empty() || berth_model::id::valid_name(name) {
        return Ok(());
    }
    Err(format!(
        "\"{name}\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are \
         allowed. If you intended to pass a host directory, use absolute path"
    ))
}

fn propagation(text: &str) -> Parsed<String> {
    match text {
        "rprivate" | "private" | "rshared" | "shared" | "rslave" | "slave" => Ok(text.to_owned()),
        _ => Err(format!("invalid propagation mode: {text}")),
    }
}
