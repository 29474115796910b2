//! Looking into a container's files from outside, without entering it (security: R21, the sixth primitive).

use std::path::{Path, PathBuf};
use std::process::Command;

use berth_model::ContainerConfig;
use berth_model::task::RootfsMount;
use rustix::io::Errno;

use crate::user::{self, Account};
use crate::{Engine, Error};

impl Engine {
    /// Whose name `asked` is, by the container's own files.
    pub(crate) fn account(&self, asked: &str, rootfs: &RootfsMount) -> Result<Account, Error> {
        let passwd = self.read_inside(rootfs, "etc/passwd")?;
        let group = self.read_inside(rootfs, "etc/group")?;
        user::resolve(asked, passwd.as_deref(), group.as_deref()).map_err(|error| Error::Invalid {
            message: format!("cannot run as the user `{asked}`: {error}"),
            hint: error.hint(),
        })
    }

    /// Who a container's process is, with the groups that were added.
    pub(crate) fn account_of(
        &self,
        config: &ContainerConfig,
        rootfs: &RootfsMount,
    ) -> Result<Account, Error> {
        let mut account = self.account(&config.process.user, rootfs)?;
        let added = &config.security.group_add;
        if added.is_empty() {
            return Ok(account);
        }
        let group = self.read_inside(rootfs, "etc/group")?;
        let added = user::groups(added, group.as_deref()).map_err(|error| Error::Invalid {
            message: format!("cannot add a group: {error}"),
            hint: error.hint(),
        })?;
        account.groups.extend(added);
        account.groups.sort_unstable();
        account.groups.dedup();
        Ok(account)
    }

    fn read_inside(&self, rootfs: &RootfsMount, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let layers: Vec<&PathBuf> = match rootfs {
            RootfsMount::Overlay { lower, upper, .. } => {
                std::iter::once(upper).chain(lower).collect()
            }
            RootfsMount::Bind { source } => vec![source],
        };
        let failed = |source| Error::Io {
            action: "read the container's",
            path: Path::new("/").join(path),
            source,
        };
        match read(&layers, path) {
            // The container has closed it to its user outside; its own root can read it.
            Err(Errno::ACCESS) if self.options.rootless => {
                self.read_in_namespace(&layers, path).map_err(failed)
            }
            content => content.map_err(|errno| failed(errno.into())),
        }
    }

    fn read_in_namespace(
        &self,
        layers: &[&PathBuf],
        path: &str,
    ) -> std::io::Result<Option<Vec<u8>>> {
        let mut command = self.in_namespace("read");
        command
            .arg(path)
            .arg(user::MAX_BYTES.to_string())
            .args(layers);
        let output = command.output()?;
        match output.status.code() {
            Some(0) => Ok(Some(output.stdout)),
            Some(code) if code == i32::from(berth_layer::merged::ABSENT) => Ok(None),
            _ => Err(std::io::Error::other(
                String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            )),
        }
    }

    /// `berth internal VERB` as root of a user namespace with the user's subordinate ids.
    pub(crate) fn in_namespace(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.options.runtime);
        command
            .args(["unshare", "--"])
            .arg(&self.options.berth)
            .args(["internal", verb]);
        command
    }
}

fn read(layers: &[&PathBuf], path: &str) -> Result<Option<Vec<u8>>, Errno> {
    let open = |dir: &&PathBuf| {
        berth_fs::open_dir(dir).map_err(|error| error.errno().unwrap_or(Errno::IO))
    };
    let layers: Result<Vec<_>, _> = layers.iter().map(open).collect();
    berth_layer::read_merged(layers?, path, user::MAX_BYTES)
}
