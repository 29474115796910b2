//! Volumes: directories that the engine keeps, `volumes/<name>/_data`. Made when a container first names them.

use berth_fs::ensure_dir;
use berth_model::ContainerConfig;
use berth_model::config::MountKind;

use crate::error::files;
use crate::{Engine, Error};

impl Engine {
    /// Makes the volumes that a container names, and names those that it left nameless.
    pub(crate) fn prepare_volumes(&self, config: &mut ContainerConfig) -> Result<(), Error> {
        for mount in &mut config.mounts {
            if mount.kind != MountKind::Volume {
                continue;
            }
            if mount.source.is_empty() {
                mount.source = crate::create::random_id()?.to_string();
                mount.anonymous = true;
            }
            if !berth_model::id::valid_name(&mount.source) {
                return Err(Error::Invalid {
                    message: format!("`{}` is not a valid name for a volume", mount.source),
                    hint: Some("a path of the host begins with `/` or `./`".to_owned()),
                });
            }
            let dir = self.layout.volumes().join(&mount.source);
            ensure_dir(&dir, 0o700).map_err(files("make a volume"))?;
            let data = dir.join("_data");
            let made = match std::fs::create_dir(&data) {
                // Once: its mode is then the user's affair, a container may well change it.
                Ok(()) => set_mode(&data, 0o755),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
                Err(error) => Err(error),
            };
            made.map_err(|source| Error::Io {
                action: "make the volume",
                path: data,
                source,
            })?;
        }
        Ok(())
    }
}

/// Sets the mode of a file or directory of ours, through a descriptor: never that of what a link leads to.
pub(crate) fn set_mode(path: &std::path::Path, mode: u32) -> std::io::Result<()> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    Ok(rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?)
}
