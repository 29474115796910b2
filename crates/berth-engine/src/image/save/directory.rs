//! `save` into a directory: an OCI layout, new or one that is there already. Its index is written last, by a rename, so
//! its images are always whole.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use berth_fs::{Durability, atomic_write};
use berth_oci::image::{self, MAX_MANIFEST_BYTES, annotation};
use berth_oci::{Descriptor, Digest, Index, Platform};

use super::super::archive::blob_path;
use super::{Error, LAYOUT, Plan, encode};
use crate::Engine;

impl Engine {
    /// Writes the images that `names` mean to the directory, which becomes or is an OCI layout. An image that has one
    /// of the names there loses it.
    ///
    /// # Errors
    /// [`Error::NotALayout`], and as [`Engine::save_images`].
    pub fn save_directory(
        &self,
        names: &[String],
        platform: Option<&Platform>,
        directory: &Path,
    ) -> Result<(), Error> {
        let plan = self.plan(names, platform, true)?;
        let made = fs::create_dir(directory).is_ok();
        let written = plan.write_directory(directory);
        if written.is_ok() {
            self.record_saved(&plan);
        }
        if written.is_err() && made {
            // The failure is what the user is told.
            let _ = fs::remove_dir_all(directory);
        }
        written
    }
}

impl Plan {
    fn write_directory(&self, directory: &Path) -> Result<(), Error> {
        let index = merged(existing(directory)?, self.index());
        self.beside_a_check(|| {
            for digest in self.blobs().into_keys() {
                self.copy_blob(digest, &directory.join(blob_path(digest)))?;
            }
            Ok(())
        })?;
        let write = |name: &str, bytes: &[u8]| {
            atomic_write(&directory.join(name), bytes, Durability::Volatile)
                .map_err(|source| Error::Directory { source })
        };
        write("oci-layout", LAYOUT)?;
        write("index.json", &encode(&index)?)
    }

    fn copy_blob(&self, digest: &Digest, target: &Path) -> Result<(), Error> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io {
                action: "write",
                path,
                source,
            }
        };
        let parent = target.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(failed(parent))?;
        let mut unfinished = target.as_os_str().to_owned();
        unfinished.push(format!(".{}.part", std::process::id()));
        let unfinished = PathBuf::from(unfinished);
        let mut blob = self.open(digest)?;
        let copied = File::create_new(&unfinished)
            .and_then(|mut file| io::copy(&mut blob, &mut file))
            .and_then(|_| fs::rename(&unfinished, target));
        if copied.is_err() {
            // The failure is what the user is told.
            let _ = fs::remove_file(&unfinished);
        }
        copied.map_err(failed(target))
    }
}

/// The index of the layout that is there; `None`: there is nothing.
fn existing(directory: &Path) -> Result<Option<Index>, Error> {
    let failed = |source| Error::Io {
        action: "look into",
        path: directory.to_owned(),
        source,
    };
    if fs::read_dir(directory).map_err(failed)?.next().is_none() {
        return Ok(None);
    }
    let not_one = || Error::NotALayout {
        path: directory.to_owned(),
    };
    if !directory.join("oci-layout").is_file() {
        return Err(not_one());
    }
    let path = directory.join("index.json");
    let size = fs::metadata(&path).map_err(|_| not_one())?.len();
    if size > MAX_MANIFEST_BYTES {
        return Err(not_one());
    }
    let bytes = fs::read(&path).map_err(failed)?;
    image::parse_index(&bytes, None)
        .map(Some)
        .map_err(|source| Error::Document {
            what: "the directory's index.json",
            source,
        })
}

/// The names of the new images are theirs alone; the same image without a name stands there once.
fn merged(old: Option<Index>, new: Index) -> Index {
    let Some(mut index) = old else { return new };
    let name = |descriptor: &Descriptor| descriptor.annotations.get(annotation::REF_NAME).cloned();
    let names: HashSet<_> = new.manifests.iter().filter_map(name).collect();
    let digests: HashSet<_> = new.manifests.iter().map(|m| m.digest.clone()).collect();
    index.manifests.retain(|old| match name(old) {
        Some(name) => !names.contains(&name),
        None => !digests.contains(&old.digest),
    });
    index.manifests.extend(new.manifests);
    index
}
