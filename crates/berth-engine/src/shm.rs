//! The `/dev/shm` that containers share: mounted in the task's directory, from which each of them binds it.

use std::path::Path;

use berth_model::config::IpcMode;
use berth_model::{ContainerConfig, ContainerId};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::error::files;
use crate::spec::{SHM, shm_bytes};
use crate::{Engine, Error};

impl Engine {
    /// Mounts it, when the container is to share it.
    pub(crate) fn make_shm(&self, config: &ContainerConfig) -> Result<(), Error> {
        if config.namespaces.ipc != IpcMode::Shareable || self.options.rootless {
            return Ok(());
        }
        self.remove_shm(&config.id)?;
        let path = self.layout.task(&config.id).join(SHM);
        berth_fs::ensure_dir(&path, 0o700).map_err(files("make the task"))?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        let options = format!("mode=1777,size={}\0", shm_bytes(config));
        let options = std::ffi::CStr::from_bytes_with_nul(options.as_bytes()).ok();
        mount("shm", &path, "tmpfs", flags, options).map_err(|e| failed("mount", &path, e))
    }

    /// Unmounts it, if it is there. Who still has it mounted keeps it.
    pub(crate) fn remove_shm(&self, id: &ContainerId) -> Result<(), Error> {
        let path = self.layout.task(id).join(SHM);
        if !path.exists() {
            return Ok(());
        }
        loop {
            match unmount(&path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
                Ok(()) => {}
                Err(Errno::INVAL | Errno::NOENT) => break,
                Err(error) => return Err(failed("unmount", &path, error)),
            }
        }
        let task = berth_fs::open_dir(&self.layout.task(id)).map_err(files("open the task"))?;
        berth_fs::remove_tree_at(std::os::fd::AsFd::as_fd(&task), SHM)
            .map_err(files("clear the task"))
    }
}

fn failed(action: &'static str, path: &Path, error: Errno) -> Error {
    Error::Io {
        action,
        path: path.to_owned(),
        source: error.into(),
    }
}
