//! Namespaces of other containers: names become ids when a container is made, ids open namespaces when it starts.
//!
//! An open namespace is passed to the shim as a descriptor: a number of a process could be another's by the time
//! that the shim looks (security: R28).

use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use berth_model::config::{IpcMode, NetworkMode, PidMode};
use berth_model::{ContainerConfig, ContainerId};
use rustix::fs::{Mode, OFlags};

use crate::request::CreateRequest;
use crate::spec::{Joined, SHM};
use crate::{Engine, Error};

/// The first descriptor of the shim that is a namespace.
pub(crate) const FIRST_FD: i32 = 5;

/// More links than any honest chain of containers has.
const DONORS: usize = 8;

/// What a start joins.
#[derive(Debug, Default)]
pub(crate) struct Joins {
    /// For the spec.
    pub(crate) joined: Joined,
    /// For the shim, from [`FIRST_FD`] on.
    pub(crate) files: Vec<OwnedFd>,
}

impl Engine {
    /// Puts ids for names, and takes over what belongs to a network.
    pub(crate) fn resolve_joined(&self, request: &mut CreateRequest) -> Result<(), Error> {
        let mut any = false;
        let mut resolve = |name: &mut String| -> Result<(), Error> {
            any = true;
            *name = self.find(name)?.to_string();
            Ok(())
        };
        if let IpcMode::Container(name) = &mut request.namespaces.ipc {
            resolve(name)?;
        }
        if let PidMode::Container(name) = &mut request.namespaces.pid {
            resolve(name)?;
        }
        if let Some(NetworkMode::Container(name)) = &mut request.network {
            resolve(name)?;
            let donor = self.config(&id(name)?)?;
            request.hostname = Some(donor.hostname);
            request.domainname = donor.domainname;
        }
        if any && self.options.rootless {
            return Err(Error::Invalid {
                message: "an ordinary user's containers cannot join each other's namespaces".into(),
                hint: Some("each has a user namespace of its own; run berth as root".to_owned()),
            });
        }
        Ok(())
    }

    /// Opens the namespaces that a container joins.
    ///
    /// # Errors
    /// [`Error::WrongState`] when the other does not run, [`Error::NoContainer`] when it is gone.
    pub(crate) fn join(&self, config: &ContainerConfig) -> Result<Joins, Error> {
        let mut joins = Joins::default();
        if let IpcMode::Container(name) = &config.namespaces.ipc {
            let id = id(name)?;
            joins.joined.shm = self.donated_shm(&id)?;
            joins.joined.ipc = self.open_namespace(&id, "ipc", &mut joins.files)?;
        }
        if let PidMode::Container(name) = &config.namespaces.pid {
            joins.joined.pid = self.open_namespace(&id(name)?, "pid", &mut joins.files)?;
        }
        if let NetworkMode::Container(name) = &config.network {
            let id = id(name)?;
            joins.joined.network = self.open_namespace(&id, "net", &mut joins.files)?;
            joins.joined.network_files = Some(self.layout.task(&self.network_donor(&id)?));
        }
        Ok(joins)
    }

    /// The path by which the shim finds the namespace; `None`: it is the host's.
    fn open_namespace(
        &self,
        id: &ContainerId,
        kind: &str,
        files: &mut Vec<OwnedFd>,
    ) -> Result<Option<PathBuf>, Error> {
        let pid = self.running(id, "join the namespaces of")?;
        let path = PathBuf::from(format!("/proc/{}/ns/{kind}", pid.pid));
        let failed = |source| Error::Io {
            action: "open the namespace",
            path: path.clone(),
            source,
        };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = rustix::fs::open(&path, flags, Mode::empty()).map_err(|e| failed(e.into()))?;
        // After the look: so it was that very process's.
        if !crate::observe::is_alive(&pid) {
            return Err(not_running(id));
        }
        let theirs = rustix::fs::fstat(&file).map_err(|e| failed(e.into()))?;
        let ours = std::fs::metadata(format!("/proc/self/ns/{kind}")).map_err(failed)?;
        if (theirs.st_dev, theirs.st_ino) == (ours.dev(), ours.ino()) {
            return Ok(None);
        }
        let path = shim_path(files.len());
        files.push(file);
        Ok(Some(path))
    }

    /// What is mounted at `/dev/shm` of a container that shares it; `None`: the host's.
    fn donated_shm(&self, id: &ContainerId) -> Result<Option<PathBuf>, Error> {
        let mut donor = id.clone();
        for _ in 0..DONORS {
            match self.config(&donor)?.namespaces.ipc {
                IpcMode::Shareable => return Ok(Some(self.layout.task(&donor).join(SHM))),
                IpcMode::Host => return Ok(None),
                IpcMode::Container(name) => donor = self::id(&name)?,
                IpcMode::Private | IpcMode::None => break,
            }
        }
        Err(Error::Invalid {
            message: format!(
                "the container {} shares its IPC namespace with nobody",
                id.short()
            ),
            hint: Some("make it with `--ipc shareable`".to_owned()),
        })
    }

    /// The container whose network, and its files, this one has.
    pub(crate) fn network_donor(&self, id: &ContainerId) -> Result<ContainerId, Error> {
        let mut donor = id.clone();
        for _ in 0..DONORS {
            match self.config(&donor)?.network {
                NetworkMode::Container(name) => donor = self::id(&name)?,
                _ => break,
            }
        }
        Ok(donor)
    }
}

/// Where the shim finds the namespace that is passed to it in this place.
pub(crate) fn shim_path(place: usize) -> PathBuf {
    format!("/proc/self/fd/{}", FIRST_FD as usize + place).into()
}

fn id(text: &str) -> Result<ContainerId, Error> {
    ContainerId::parse(text).map_err(|_| Error::NoContainer {
        name: text.to_owned(),
    })
}

fn not_running(id: &ContainerId) -> Error {
    Error::WrongState {
        action: "join the namespaces of",
        id: id.short().to_owned(),
        state: "exited",
        hint: "start it first",
    }
}
