//! Names of containers: symbolic links `names/<name> → <id>`; the kernel keeps them unique.

use std::path::PathBuf;

use berth_fs::{Durability, Lock, LockMode};
use berth_model::id::valid_name;
use berth_model::{ContainerConfig, ContainerId};

use crate::error::files;
use crate::layout::STAGED_PREFIX;
use crate::{Engine, Error};

impl Engine {
    /// Reserves `name` for `id`. A name whose container is gone, or was never committed, is free.
    pub(crate) fn reserve_name(&self, name: &str, id: &ContainerId) -> Result<(), Error> {
        if !valid_name(name) {
            return Err(Error::BadName {
                name: name.to_owned(),
            });
        }
        let link = self.layout.name(name);
        for _ in 0..16 {
            match std::os::unix::fs::symlink(id.as_str(), &link) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(source) => {
                    return Err(Error::Io {
                        action: "reserve the name",
                        path: link,
                        source,
                    });
                }
            }
            let stale = self.not_taken(name)?;
            self.free_name(name, stale.as_ref())?;
        }
        Err(Error::NameTaken {
            name: name.to_owned(),
            id: "another".to_owned(),
        })
    }

    /// Whom the name belongs to, if he is gone.
    ///
    /// # Errors
    /// [`Error::NameTaken`]: he is not.
    pub(crate) fn not_taken(&self, name: &str) -> Result<Option<ContainerId>, Error> {
        match self.named(name)? {
            Some(holder) if self.holds_name(&holder) => Err(Error::NameTaken {
                name: name.to_owned(),
                id: holder.to_string(),
            }),
            stale => Ok(stale),
        }
    }

    /// Gives a name back that still belongs to `holder` (`None`: a link that names no container); if it has
    /// another holder by now, or none, it stays as it is.
    pub(crate) fn free_name(&self, name: &str, holder: Option<&ContainerId>) -> Result<(), Error> {
        // Links are only ever made, or taken away under this lock: so what is read here is what is removed.
        let _lock = Lock::dir(&self.layout.names(), LockMode::Exclusive)
            .map_err(files("lock the names"))?;
        if self.named(name)?.as_ref() != holder {
            return Ok(());
        }
        berth_fs::remove_file(&self.layout.name(name), Durability::Volatile)
            .map_err(files("free the name"))
    }

    /// Whose name it is, by the link alone.
    pub(crate) fn named(&self, name: &str) -> Result<Option<ContainerId>, Error> {
        let link = self.layout.name(name);
        match std::fs::read_link(&link) {
            Ok(target) => Ok(target
                .to_str()
                .and_then(|text| ContainerId::parse(text).ok())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Io {
                action: "read the name",
                path: link,
                source,
            }),
        }
    }

    /// Committed, or in the hands of somebody who is making it.
    pub(crate) fn holds_name(&self, id: &ContainerId) -> bool {
        let staged = self.layout.staged(id);
        self.layout.container(id).exists()
            || (staged.exists()
                && !matches!(Lock::try_dir(&staged, LockMode::Exclusive), Ok(Some(_))))
            // The rename may have come between the two looks.
            || self.layout.container(id).exists()
    }

    /// The current name of each container, by id.
    pub(crate) fn all_names(&self) -> Result<Vec<(String, ContainerId)>, Error> {
        let names = read_names(self.layout.names())?;
        let mut all = Vec::with_capacity(names.len());
        for name in names {
            if let Some(id) = self.named(&name)? {
                all.push((name, id));
            }
        }
        Ok(all)
    }

    /// The name that a container has now; empty: none.
    pub(crate) fn current_name(&self, config: &ContainerConfig) -> Result<String, Error> {
        // Most containers keep the name they were made with: one look instead of reading them all.
        if self.named(&config.name)?.as_ref() == Some(&config.id) {
            return Ok(config.name.clone());
        }
        let mut names = self.all_names()?.into_iter();
        Ok(names
            .find(|(_, holder)| *holder == config.id)
            .map_or_else(String::new, |(name, _)| name))
    }

    /// All committed containers.
    pub fn ids(&self) -> Result<Vec<ContainerId>, Error> {
        Ok(read_names(self.layout.containers())?
            .iter()
            .filter(|name| !name.starts_with(STAGED_PREFIX))
            .filter_map(|name| ContainerId::parse(name).ok())
            .collect())
    }

    /// The container that `text` means: a name, an id, or the beginning of just one id.
    ///
    /// # Errors
    /// [`Error::NoContainer`], [`Error::Ambiguous`].
    pub fn find(&self, text: &str) -> Result<ContainerId, Error> {
        let none = || Error::NoContainer {
            name: text.to_owned(),
        };
        let bare = text.strip_prefix('/').unwrap_or(text);
        if valid_name(bare)
            && let Some(id) = self.named(bare)?
            && self.layout.container(&id).exists()
        {
            return Ok(id);
        }
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(none());
        }
        let mut found = self
            .ids()?
            .into_iter()
            .filter(|id| id.as_str().starts_with(text));
        match (found.next(), found.next()) {
            (Some(id), None) => Ok(id),
            (None, _) => Err(none()),
            (Some(_), Some(_)) => Err(Error::Ambiguous {
                name: text.to_owned(),
            }),
        }
    }

    /// Gives a container another name. The old one stays until the new one is reserved.
    ///
    /// # Errors
    /// [`Error::NameTaken`], [`Error::BadName`].
    pub fn rename(&self, id: &ContainerId, name: &str) -> Result<(), Error> {
        let name = name.strip_prefix('/').unwrap_or(name);
        let _lock = self.lock(id)?;
        let before = self.current_name(&self.config(id)?)?;
        let old = self.all_names()?;
        self.reserve_name(name, id)?;
        for (other, holder) in old {
            if holder == *id && other != name {
                self.free_name(&other, Some(id))?;
            }
        }
        let names = self.layout.names();
        let dir = berth_fs::open_dir(&names).map_err(files("open the names"))?;
        berth_fs::fsync_dir(std::os::fd::AsFd::as_fd(&dir), &names)
            .map_err(files("keep the name"))?;
        let config = self.config(id)?;
        if let Some(connection) = self.connection(id)? {
            self.write_names(&config, &connection)?;
        }
        let event = self.container_event(&config, "rename");
        self.record(event.with("oldName", format!("/{before}")));
        Ok(())
    }
}

/// The entries of a directory, as text; others cannot be ours.
pub(crate) fn read_names(dir: PathBuf) -> Result<Vec<String>, Error> {
    let failed = |source| Error::Io {
        action: "list",
        path: dir.clone(),
        source,
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&dir).map_err(failed)? {
        if let Ok(name) = entry.map_err(failed)?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}
