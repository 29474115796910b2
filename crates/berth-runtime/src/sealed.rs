//! Keeps the runtime's own file out of a container's reach (security: R1, CVE-2019-5736).
//!
//! A container's process can come to execute the runtime's file (`#!/proc/self/exe`), and may then
//! open `/proc/self/exe` for writing. So the runtime runs from a read-only mount: where the file system
//! is not read-only anyway, it copies the one mount of its file, detached and read-only, and executes
//! itself again through that: no copy in memory, one exec.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use berth_sys::mount::{Change, attr, clone_with};
use berth_sys::process::{Strings, fexecve};
use rustix::fs::{Mode, OFlags, StatVfsMountFlags};

use crate::error::{Result, step};

/// Makes sure that this process's executable cannot be written through `/proc`. Executes the program
/// again with the same arguments where needed, so call it before anything is done or opened.
///
/// Only who may make mounts can do this: an ordinary user's runtime does it inside its user namespace.
///
/// # Errors
/// [`Error::Step`].
pub fn ensure() -> Result<()> {
    let own = open_own()?;
    if is_sealed(&own)? {
        return Ok(());
    }
    let change = Change {
        set: attr::RDONLY,
        ..Change::default()
    };
    let fail = |e: std::io::Error| step("make a read-only mount of the runtime's file", e);
    let mount = clone_with(&in_this_namespace(own)?, &change).map_err(fail)?;
    if !is_sealed(&mount)? {
        return Err(fail(std::io::ErrorKind::ReadOnlyFilesystem.into()));
    }
    let c_strings = |list: Vec<Vec<u8>>| {
        Strings::new(
            list.into_iter()
                .filter_map(|s| CString::new(s).ok())
                .collect(),
        )
    };
    let args = c_strings(std::env::args_os().map(OsStringExt::into_vec).collect());
    let env = c_strings(
        std::env::vars_os()
            .map(|(name, value)| [name.into_vec(), b"=".to_vec(), value.into_vec()].concat())
            .collect(),
    );
    let error = fexecve(mount.as_fd(), &args, &env);
    Err(step("execute the runtime from its read-only mount", error))
}

fn open_own() -> Result<OwnedFd> {
    rustix::fs::open(
        "/proc/self/exe",
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|e| step("open the runtime's own file", e))
}

/// The same file as this mount namespace shows it: only mounts of one's own namespace can be copied, and
/// a program that has just made one was executed from the mounts of the old one.
fn in_this_namespace(own: OwnedFd) -> Result<OwnedFd> {
    let fail = |e: rustix::io::Errno| step("find the runtime's own file", e);
    let identity = |file: &OwnedFd| {
        rustix::fs::fstat(file)
            .map(|stat| (stat.st_dev, stat.st_ino))
            .map_err(fail)
    };
    let path = rustix::fs::readlink("/proc/self/exe", Vec::new()).map_err(fail)?;
    let named = rustix::fs::open(
        path,
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    );
    match named {
        Ok(named) if identity(&named)? == identity(&own)? => Ok(named),
        // Renamed or replaced meanwhile.
        _ => Ok(own),
    }
}

fn is_sealed(file: &OwnedFd) -> Result<bool> {
    let stat = rustix::fs::fstatvfs(file).map_err(|e| step("look at the runtime's own file", e))?;
    Ok(stat.f_flag.contains(StatVfsMountFlags::RDONLY))
}
