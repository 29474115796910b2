//! `state`: prints a container's state, as other programs read it.
//!
//! Source: runtime.md "State"; runc 1.3, list.go, whose further fields containerd and others know.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{Args, unknown};
use super::{Global, print_json};
use crate::bundle;
use crate::error::Result;
use crate::state::{Dir, Status};

/// What `state` and `list` show.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    oci_version: &'static str,
    pub(super) id: String,
    /// 0 when there is no process.
    pub(super) pid: i32,
    pub(super) status: &'static str,
    pub(super) bundle: PathBuf,
    rootfs: PathBuf,
    /// RFC 3339.
    pub(super) created: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    /// Whose the state directory is; filled in by `list` only.
    pub(super) owner: String,
}

impl View {
    /// Looks at a container.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn of(dir: &Dir) -> Result<View> {
        let record = dir.load()?;
        let status = dir.status(record.as_ref())?;
        let mut view = View {
            oci_version: berth_oci::spec::OCI_VERSION,
            id: dir.id().to_owned(),
            status: status.word(),
            ..View::default()
        };
        if let Some(record) = record {
            let spec = dir.spec()?;
            if status != Status::Stopped {
                view.pid = record.pid;
            }
            view.rootfs = bundle::root_path(&record.bundle, &spec);
            view.annotations = spec.annotations;
            view.bundle = record.bundle;
            view.created = record.created;
        }
        Ok(view)
    }
}

/// The name of the directory's owner, or `#` and the number.
pub(super) fn owner(path: &Path) -> String {
    let Ok(uid) = std::fs::metadata(path).map(|m| m.uid()) else {
        return String::new();
    };
    named(
        uid,
        &std::fs::read_to_string("/etc/passwd").unwrap_or_default(),
    )
}

fn named(uid: u32, users: &str) -> String {
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    });
    name.map_or_else(|| format!("#{uid}"), str::to_owned)
}

pub(super) fn main(global: &Global, mut args: Args) -> Result<i32> {
    if let Some(option) = args.next_option()? {
        return Err(unknown(&option));
    }
    let id = args.only_operand("the container's id")?;
    print_json(&View::of(&global.root.find(&id)?)?)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_have_names_or_numbers() {
        let users = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/:/bin/sh\n";
        assert_eq!(named(1000, users), "ann");
        assert_eq!(named(7, users), "#7");
        assert_eq!(owner(Path::new("/none")), "");
    }
}
