//! Gives a cgroup on v2 to a user, who may then make cgroups of his own below it.
//!
//! Source: runtime-spec config-linux.md, "Cgroup ownership"; cgroups(7), "Cgroups delegation".

use std::os::fd::AsFd;

use rustix::fs::{AtFlags, Uid};
use rustix::io::Errno;

use crate::Cgroup;
use crate::error::{Error, Result};

/// Which files, beside the directory.
const LIST: &str = "/sys/kernel/cgroup/delegate";
/// Those of kernels that do not say.
const FILES: &str = "cgroup.procs cgroup.subtree_control cgroup.threads";

impl Cgroup {
    /// Makes `uid` the owner of the directory and of the files that do not raise its limits. On v1 and
    /// hybrid hosts nothing is done: there a delegation would not be secure.
    ///
    /// # Errors
    /// The kernel's.
    pub fn give_to(&self, uid: u32) -> Result<()> {
        let Some(dir) = self.unified().filter(|_| self.v1().next().is_none()) else {
            return Ok(());
        };
        let fail = |file: &str, source| Error::WriteFile {
            path: dir.path.join(file),
            value: format!("owner {uid}"),
            source,
        };
        let (fd, owner) = (dir.as_fd(), Some(Uid::from_raw(uid)));
        rustix::fs::chownat(fd, "", owner, None, AtFlags::EMPTY_PATH).map_err(|e| fail("", e))?;
        let list = std::fs::read_to_string(LIST).unwrap_or_else(|_| FILES.to_owned());
        for file in list.split_whitespace().filter(|file| !file.contains('/')) {
            match rustix::fs::chownat(fd, file, owner, None, AtFlags::SYMLINK_NOFOLLOW) {
                // Not every cgroup has each of them.
                Ok(()) | Err(Errno::NOENT) => {}
                Err(source) => return Err(fail(file, source)),
            }
        }
        Ok(())
    }
}
