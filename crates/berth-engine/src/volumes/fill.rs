//! The image's files in an empty volume, as Docker does it: when a container is made that mounts the volume over them.
//! A child does it, see `berth_layer::fill`; an image that has nothing there needs none.

use std::path::Path;
use std::process::{Command, Stdio};

use berth_fs::{Durability, Lock, LockMode};
use berth_layer::child::Failure;
use berth_layer::fill::{self, DATA, FILLED, Request, Source};
use berth_oci::digest::Digest;

use crate::error::{Chain, files};
use crate::{Engine, Error};

/// The child's side: the main function behind `berth internal fill`.
pub use berth_layer::fill::main as child;

impl Engine {
    /// Copies what the image has at `path` into the volume, if that is empty.
    pub(super) fn fill_volume(
        &self,
        name: &str,
        path: &str,
        chain: &[Digest],
        durable: Durability,
    ) -> Result<(), Error> {
        let volume = self.volume_dir(name);
        let begun = volume.join(FILLED).exists();
        if !begun && (!may_be_empty(&volume) || self.is_mounted_from_elsewhere(name)?) {
            return Ok(());
        }
        let layers = self.snapshots.lowers(chain).map_err(Error::Snapshot)?;
        let failed = |error: berth_layer::Error| Error::FillVolume {
            name: name.to_owned(),
            kind: error.kind(),
            source: Chain::of(&error.to_string(), &[]),
        };
        // Of another's files only those others can tell.
        if !begun && !self.options.rootless {
            match fill::source(&layers, path).map_err(failed)? {
                Source::Nothing => return Ok(()),
                Source::Empty(dir) => {
                    let _lock = fill_lock(&volume)?;
                    let data = berth_fs::open_dir(&volume.join(DATA));
                    let data = data.map_err(files("open the volume"))?;
                    return fill::describe(&dir, &data).map_err(failed);
                }
                Source::Full => {}
            }
        }
        let _lock = fill_lock(&volume)?;
        self.run_fill(
            name,
            &Request {
                layers,
                path: path.to_owned(),
                volume,
                skip_devices: self.options.rootless,
                durable: durable == Durability::Durable,
            },
        )
    }

    /// Finishes a copy that somebody has begun and not ended; nobody sees half of one.
    pub(crate) fn settle_volume(&self, name: &str) -> Result<(), Error> {
        let volume = self.volume_dir(name);
        if !volume.join(FILLED).exists() {
            return Ok(());
        }
        let _lock = fill_lock(&volume)?;
        self.run_fill(
            name,
            &Request {
                layers: Vec::new(),
                path: String::new(),
                volume,
                skip_devices: self.options.rootless,
                durable: true,
            },
        )
    }

    fn run_fill(&self, name: &str, request: &Request) -> Result<(), Error> {
        let helper = |source| Error::Helper {
            program: self.options.berth.clone(),
            source,
        };
        let mut command = if self.options.rootless {
            self.in_namespace("fill")
        } else {
            let mut command = Command::new(&self.options.berth);
            command.args(["internal", "fill"]);
            command
        };
        let text = serde_json::to_string(request).map_err(|error| helper(error.into()))?;
        let output = command
            .arg(text)
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .map_err(helper)?;
        if output.status.success() {
            return Ok(());
        }
        let failure = serde_json::from_slice::<Failure>(&output.stderr);
        Err(match failure {
            Ok(failure) => Error::FillVolume {
                name: name.to_owned(),
                kind: failure.kind,
                source: Chain::of(&failure.message, &failure.causes),
            },
            Err(_) => Error::FillVolume {
                name: name.to_owned(),
                kind: berth_model::ErrorKind::Internal,
                source: Chain::of(
                    &format!("the copier ended without a report ({})", output.status),
                    &[String::from_utf8_lossy(&output.stderr).trim().to_owned()],
                ),
            },
        })
    }

    /// Its files are not in its directory.
    fn is_mounted_from_elsewhere(&self, name: &str) -> Result<bool, Error> {
        let record = self.volume_record(name)?;
        Ok(
            record
                .is_some_and(|record| record.driver != super::LOCAL || !record.options.is_empty()),
        )
    }
}

fn fill_lock(volume: &Path) -> Result<Lock, Error> {
    Lock::file(&volume.join("fill.lock"), LockMode::Exclusive).map_err(files("lock the volume"))
}

/// Not if it has an entry; who may not look knows nothing.
fn may_be_empty(volume: &Path) -> bool {
    let entries = std::fs::read_dir(volume.join(DATA));
    entries.map_or(true, |mut entries| entries.next().is_none())
}
