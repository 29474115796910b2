//! What a creation makes outside its state directory, written down before it is there: killed in between,
//! the runtime leaves what `delete --force` can find.
//!
//! ```text
//! ROOT/<id>/cgroup.making → [rootless:]PATH   perhaps not ours: it goes if nothing runs in it
//! ROOT/<id>/cgroup        → [rootless:]PATH   made for this container: what runs in it is killed
//! ROOT/<id>/unit.making   → [user:]NAME       asked for from systemd, or from the user's; likewise
//! ROOT/<id>/unit          → [user:]NAME       made by it for this container
//! ```
//! Symbolic links, because one system call makes one, whole or not at all.

use std::path::PathBuf;

use berth_cgroup::systemd::Unit;
use berth_cgroup::{Cgroup, Options};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::place::session;

const MAKING: &str = "cgroup.making";
const MADE: &str = "cgroup";
const ROOTLESS: &str = "rootless:";
const UNIT_MAKING: &str = "unit.making";
const UNIT: &str = "unit";
const USER: &str = "user:";

const ALL: [&str; 4] = [MAKING, MADE, UNIT_MAKING, UNIT];

/// A state directory, for what is claimed.
#[derive(Debug, Clone)]
pub struct Claim(PathBuf);

impl Claim {
    /// Of the container whose state is in `dir`.
    pub fn new(dir: PathBuf) -> Claim {
        Claim(dir)
    }

    /// Before the cgroup is made.
    ///
    /// # Errors
    /// [`Error::StateDir`].
    pub fn making(&self, path: &str, options: &Options) -> Result<()> {
        let prefix = if options.rootless { ROOTLESS } else { "" };
        rustix::fs::symlink(format!("{prefix}{path}"), self.0.join(MAKING))
            .map_err(|errno| self.fail(errno))
    }

    /// Before anything runs in it.
    ///
    /// # Errors
    /// [`Error::StateDir`].
    pub fn made(&self) -> Result<()> {
        rustix::fs::rename(self.0.join(MAKING), self.0.join(MADE)).map_err(|errno| self.fail(errno))
    }

    /// Before a unit is asked for. systemd makes it, and keeps it, even if its process ends meanwhile.
    ///
    /// # Errors
    /// [`Error::StateDir`].
    pub fn making_unit(&self, unit: &Unit) -> Result<()> {
        let prefix = if unit.user { USER } else { "" };
        rustix::fs::symlink(format!("{prefix}{}", unit.name), self.0.join(UNIT_MAKING))
            .map_err(|errno| self.fail(errno))
    }

    /// Before anything runs in the unit, whose cgroup is at `path`.
    ///
    /// # Errors
    /// [`Error::StateDir`].
    pub fn made_unit(&self, path: &str) -> Result<()> {
        rustix::fs::symlink(path, self.0.join(MADE))
            .and_then(|()| rustix::fs::rename(self.0.join(UNIT_MAKING), self.0.join(UNIT)))
            .map_err(|errno| self.fail(errno))
    }

    /// Removes what was claimed, with what runs in it if that is the container's for sure.
    ///
    /// # Errors
    /// [`Error::Cgroup`], [`Error::StateDir`].
    pub fn undo(&self) -> Result<()> {
        if let Some(cgroup) = self.cgroup(MADE)? {
            cgroup.kill()?;
            cgroup.remove()?;
        }
        if let Some(unit) = self.read(UNIT)? {
            unit_of(&unit).stop(&session())?;
        } else if let Some(unit) = self.read(UNIT_MAKING)? {
            unit_of(&unit).stop_if_empty(&session())?;
        }
        if let Some(cgroup) = self.cgroup(MAKING)? {
            // Somebody else's, if something runs in it: then the creation was about to be refused.
            if cgroup.procs()?.is_empty() {
                cgroup.remove()?;
            }
        }
        Ok(())
    }

    /// After all that was claimed is removed. A failure leaves the claim, and with it too much, not too little.
    pub fn forget(&self) {
        for name in ALL {
            let _ = rustix::fs::unlink(self.0.join(name));
        }
    }

    /// Whether something is claimed: it may still be there.
    pub fn is_held(&self) -> bool {
        ALL.iter().any(|name| !matches!(self.read(name), Ok(None)))
    }

    fn read(&self, name: &str) -> Result<Option<String>> {
        match std::fs::read_link(self.0.join(name)) {
            Ok(target) => Ok(Some(target.to_string_lossy().into_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::StateDir {
                path: self.0.clone(),
                source,
            }),
        }
    }

    fn cgroup(&self, name: &str) -> Result<Option<Cgroup>> {
        let Some(target) = self.read(name)? else {
            return Ok(None);
        };
        let (path, rootless) = match target.strip_prefix(ROOTLESS) {
            Some(path) => (path, true),
            None => (&*target, false),
        };
        Ok(Some(Cgroup::find(path, &Options { rootless })?))
    }

    fn fail(&self, errno: Errno) -> Error {
        Error::StateDir {
            path: self.0.clone(),
            source: errno.into(),
        }
    }
}

fn unit_of(text: &str) -> Unit {
    Unit {
        name: text.strip_prefix(USER).unwrap_or(text).to_owned(),
        user: text.starts_with(USER),
    }
}
