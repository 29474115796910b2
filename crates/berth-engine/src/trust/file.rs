//! `trust.toml`: where it is, what it says, and changing it.
//!
//! | file | when |
//! |---|---|
//! | `$BERTH_TRUST` | it is set; then the file has to be there |
//! | `$XDG_CONFIG_HOME/berth/trust.toml` (`~/.config`) | it is there |
//! | `/etc/berth/trust.toml` | else; if that is not there either, everything is accepted |
//!
//! Only one counts. Who has no file of their own yet and makes one starts with what `/etc` has, so that a first
//! `berth trust set` opens nothing.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use berth_fs::{Durability, Lock, LockMode, atomic_write};
use berth_trust::{MAX_POLICY_BYTES, Policies};

use super::error::{Error, file_of_policies};
use super::keys::read;

const SYSTEM: &str = "/etc/berth/trust.toml";

/// The policies in force.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Where they come from; `None`: there is no file.
    pub path: Option<PathBuf>,
    /// What they say.
    pub policies: Policies,
}

/// Where the policies may be.
#[derive(Debug, Clone)]
pub struct Files {
    named: Option<PathBuf>,
    own: Option<PathBuf>,
}

impl Files {
    /// Those of whoever has this environment, which the face reads for us.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Files {
        let directory = |name: &str| get(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let config = || directory("HOME").map(|home| home.join(".config"));
        let own = directory("XDG_CONFIG_HOME").or_else(config);
        Files {
            named: directory("BERTH_TRUST"),
            own: own.map(|dir| dir.join("berth/trust.toml")),
        }
    }

    /// The policies in force.
    ///
    /// # Errors
    /// A file that is there (or named) and cannot be read or understood.
    pub fn load(&self) -> Result<Trust, Error> {
        if let Some(named) = &self.named {
            return load(named);
        }
        for path in self.own.as_deref().into_iter().chain([Path::new(SYSTEM)]) {
            match load(path) {
                Err(Error::File { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                loaded => return loaded,
            }
        }
        Ok(Trust::default())
    }

    /// Changes the policies and gives the file that has them now: the one in force, if it may be the caller's.
    ///
    /// # Errors
    /// As [`Files::load`]; `change`'s; the file cannot be written.
    pub fn edit(
        &self,
        rootless: bool,
        change: impl FnOnce(&Path, Policies) -> Result<Policies, Error>,
    ) -> Result<PathBuf, Error> {
        let target = self.target(rootless)?;
        let parent = target.parent().unwrap_or(Path::new("/"));
        // For all: who may read the directory's own parent may read the policies.
        std::fs::create_dir_all(parent).map_err(failed("make", "the directory", parent))?;
        let _lock = Lock::dir(parent, LockMode::Exclusive).map_err(|source| Error::Files {
            action: "lock the policies",
            source,
        })?;
        let before = match load(&target) {
            Err(Error::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
                let others = self.named.is_none().then(|| self.load());
                others.transpose()?.unwrap_or_default()
            }
            loaded => loaded?,
        };
        let after = change(&target, before.policies)?;
        // What no pull could read would be found out too late.
        let text = after.to_toml();
        Policies::parse(&text).map_err(unusable(file_of_policies(), &target))?;
        atomic_write(&target, text.as_bytes(), Durability::Durable).map_err(|source| {
            Error::Files {
                action: "write the policies",
                source,
            }
        })?;
        // All may know what is required.
        let readable = std::fs::Permissions::from_mode(0o644);
        std::fs::File::open(&target)
            .and_then(|file| file.set_permissions(readable))
            .map_err(failed("write", file_of_policies(), &target))?;
        Ok(target)
    }

    fn target(&self, rootless: bool) -> Result<PathBuf, Error> {
        let target = match (&self.named, &self.own) {
            (Some(named), _) => named,
            (None, Some(own)) if rootless || own.exists() => own,
            (None, None) if rootless => return Err(Error::NoHome),
            _ => Path::new(SYSTEM),
        };
        // A link is written through, not replaced.
        Ok(std::fs::canonicalize(target).unwrap_or_else(|_| target.to_owned()))
    }
}

fn load(path: &Path) -> Result<Trust, Error> {
    let bytes = read(file_of_policies(), path, MAX_POLICY_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        let source = std::io::Error::new(ErrorKind::InvalidData, "it is not text");
        failed("read", file_of_policies(), path)(source)
    })?;
    Ok(Trust {
        path: Some(path.to_owned()),
        policies: Policies::parse(&text).map_err(unusable(file_of_policies(), path))?,
    })
}

pub(super) fn unusable(what: &'static str, path: &Path) -> impl Fn(berth_trust::Error) -> Error {
    move |source| Error::Content {
        what,
        path: path.to_owned(),
        source,
    }
}

pub(super) fn failed(
    action: &'static str,
    what: &'static str,
    path: &Path,
) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::File {
        action,
        what,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
