//! `artifact pull`: an artifact's files into a directory.
//!
//! Names are checked before anything is fetched: a single component, no tricks (security: T6). A file is written
//! under a temporary name, verified, and then given its own, which replaces nothing unless that is asked for; a
//! link in the way is never followed.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use berth_oci::{Descriptor, Digest, Reference};
use berth_registry::{Client, Config};
use berth_store::VerifyingReader;
use rustix::fs::{AtFlags, Mode, RenameFlags};
use rustix::io::Errno;

use super::{Cause, Error, Event, FileStep, TITLE, fetch, run};
use crate::trust::Trust;

/// Bytes of a file's name.
const MAX_NAME: usize = 255;

/// How an artifact is pulled.
#[derive(Debug, Clone)]
pub struct PullOptions {
    /// Where the files go; made when missing.
    pub directory: PathBuf,
    /// Files that are there are replaced.
    pub overwrite: bool,
}

/// Writes the files of the artifact `reference`, if the policies accept it; `told` hears of each.
///
/// # Errors
/// [`Error`]. Files that came before the failing one stay.
pub fn pull(
    config: Config,
    trust: &Trust,
    reference: &Reference,
    options: &PullOptions,
    told: &mut dyn FnMut(Event<'_>),
) -> Result<Digest, Error> {
    run("pull the artifact", reference, async {
        let gate = trust.gate(reference)?;
        let client = Client::new(config);
        let artifact = fetch(&client, reference).await?;
        let digest = std::slice::from_ref(&artifact.digest);
        gate.verify(&client, reference, digest).await?;
        let files = check(&artifact.manifest.layers)?;
        let target = Target::open(options)?;
        for (name, _) in &files {
            target.check_free(name)?;
        }
        for (name, layer) in files {
            let file = Incoming {
                reference,
                name,
                layer,
            };
            target.write(&client, &file, told).await?;
            told(Event::of(name, layer, FileStep::Written));
        }
        Ok(artifact.digest)
    })
}

/// The layers that are files, each with its name.
fn check(layers: &[Descriptor]) -> Result<Vec<(&str, &Descriptor)>, Cause> {
    let mut files = Vec::new();
    let mut names = BTreeSet::new();
    for layer in layers {
        let Some(name) = title(layer)? else {
            continue;
        };
        if !names.insert(name) {
            return Err(bad_title(name, "it comes twice"));
        }
        files.push((name, layer));
    }
    match files.is_empty() {
        true => Err(Cause::NoFiles),
        false => Ok(files),
    }
}

/// The file name of a layer; `None`: it is no file.
pub(super) fn title(layer: &Descriptor) -> Result<Option<&str>, Cause> {
    let Some(name) = layer.annotations.get(TITLE) else {
        return Ok(None);
    };
    check_name(name).map_err(|reason| bad_title(name, reason))?;
    Ok(Some(name))
}

fn bad_title(name: &str, reason: &'static str) -> Cause {
    Cause::BadTitle {
        name: name.chars().take(MAX_NAME).collect(),
        reason,
    }
}

/// Checks that `name` is one file in one directory, on any machine.
///
/// # Errors
/// Why not.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("it is empty"),
        "." | ".." => Err("it is a directory"),
        _ if name.len() > MAX_NAME => Err("it is too long"),
        _ if name.contains(['/', '\\']) => Err("it leads to another directory"),
        _ if name.chars().any(char::is_control) => Err("it has control characters"),
        // A name that the next command would take for an option.
        _ if name.starts_with('-') => Err("it begins with `-`"),
        _ if name.starts_with(berth_fs::atomic::TEMPORARY_PREFIX) => {
            Err("it is kept for temporary files")
        }
        _ => Ok(()),
    }
}

/// A file that comes.
struct Incoming<'a> {
    reference: &'a Reference,
    name: &'a str,
    layer: &'a Descriptor,
}

/// The directory that files go to.
struct Target<'a> {
    path: &'a Path,
    directory: OwnedFd,
    overwrite: bool,
}

impl<'a> Target<'a> {
    fn open(options: &'a PullOptions) -> Result<Target<'a>, Cause> {
        let path = options.directory.as_path();
        std::fs::create_dir_all(path).map_err(|source| Cause::WriteFile {
            name: ".".to_owned(),
            directory: path.to_owned(),
            source,
        })?;
        let directory = berth_fs::open_dir(path).map_err(|source| Cause::Directory {
            directory: path.to_owned(),
            source,
        })?;
        Ok(Target {
            path,
            directory,
            overwrite: options.overwrite,
        })
    }

    /// Before anything is fetched; what comes into the way later is found by the rename.
    fn check_free(&self, name: &str) -> Result<(), Cause> {
        if self.overwrite {
            return Ok(());
        }
        match rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(()),
            Ok(_) => Err(self.exists(name)),
            Err(source) => Err(self.failed(name)(source.into())),
        }
    }

    async fn write(
        &self,
        client: &Client,
        incoming: &Incoming<'_>,
        told: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Cause> {
        let created = berth_fs::atomic::create_temporary(self.directory.as_fd());
        let (temporary, file) = created.map_err(|source| Cause::Directory {
            directory: self.path.to_owned(),
            source,
        })?;
        let mut file = std::fs::File::from(file);
        let written = self.fill(&mut file, client, incoming, told).await;
        let placed = written.and_then(|()| self.place(&temporary, incoming.name));
        if placed.is_err() {
            // The first error is the one to report.
            let _ = rustix::fs::unlinkat(&self.directory, &temporary, AtFlags::empty());
        }
        placed
    }

    async fn fill(
        &self,
        file: &mut std::fs::File,
        client: &Client,
        incoming: &Incoming<'_>,
        told: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Cause> {
        use std::io::{Seek as _, SeekFrom};
        let Incoming { name, layer, .. } = *incoming;
        let mut stream = client.fetch_blob(incoming.reference, layer, 0);
        while let Some(bytes) = stream.next().await? {
            file.write_all(&bytes).map_err(self.failed(name))?;
            let step = FileStep::Downloading(stream.offset());
            told(Event::of(name, layer, step));
        }
        file.seek(SeekFrom::Start(0)).map_err(self.failed(name))?;
        let mut reader = VerifyingReader::new(&*file, layer.digest.clone());
        std::io::copy(&mut reader, &mut std::io::sink()).map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => Cause::WrongContent {
                name: name.to_owned(),
            },
            _ => self.failed(name)(error),
        })?;
        let mode = Mode::from_raw_mode(0o644);
        rustix::fs::fchmod(&*file, mode).map_err(|source| self.failed(name)(source.into()))
    }

    fn place(&self, temporary: &Path, name: &str) -> Result<(), Cause> {
        let flags = match self.overwrite {
            true => RenameFlags::empty(),
            false => RenameFlags::NOREPLACE,
        };
        let directory = &self.directory;
        match rustix::fs::renameat_with(directory, temporary, directory, name, flags) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) if !self.overwrite => Err(self.exists(name)),
            Err(source) => Err(self.failed(name)(source.into())),
        }
    }

    fn exists(&self, name: &str) -> Cause {
        Cause::Exists {
            name: name.to_owned(),
            directory: self.path.to_owned(),
        }
    }

    fn failed(&self, name: &str) -> impl FnOnce(std::io::Error) -> Cause {
        let (name, directory) = (name.to_owned(), self.path.to_owned());
        move |source| Cause::WriteFile {
            name,
            directory,
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T6.
    #[test]
    fn names_lead_nowhere() {
        for good in ["a", "sbom.json", "..a", "a b", "ä", ".hidden"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        let long = "x".repeat(256);
        for bad in [
            "",
            ".",
            "..",
            "/etc/passwd",
            "a/b",
            "../a",
            "a\\b",
            "a\0b",
            "a\nb",
            "-rf",
            &long,
            ".tmp-1-2",
        ] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        let layer = |name: &str| {
            let mut layer = Descriptor::of("a/b", b"x");
            layer.annotations.insert(TITLE.to_owned(), name.to_owned());
            layer
        };
        assert!(check(&[layer("a"), layer("b")]).is_ok());
        for bad in [
            &[layer("a"), layer("a")][..],
            &[layer("a"), layer("../b")],
            &[],
        ] {
            assert!(check(bad).is_err());
        }
    }
}
