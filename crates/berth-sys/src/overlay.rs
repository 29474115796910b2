//! Overlays as detached mounts: nothing of them shows anywhere until they are attached.
//!
//! Source: fsopen(2), fsconfig(2), fsmount(2); Documentation/filesystems/overlayfs.rst.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen,
};

/// Bytes of a string that fsconfig(2) takes, without its NUL.
pub const VALUE_BYTES: usize = 255;

/// How an overlay is mounted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Needed where the mounter is root only in a user namespace.
    pub userxattr: bool,
    /// Nothing written is waited for, neither by fsync(2) nor at the end, when all else that waits for the disk would be.
    pub volatile: bool,
}

/// Mounts an overlay, detached. `lower` from the topmost layer down.
///
/// # Errors
/// The kernel's; `ROFS` where overlay could only be read.
pub fn mount(
    lower: &[PathBuf],
    upper: &Path,
    work: &Path,
    options: Options,
) -> Result<OwnedFd, Errno> {
    // By this the kernel knows that it was volatile before, and may have lost something in a crash. Then whoever mounts
    // it would not have found it.
    let incompat = work.join("work/incompat");
    let _ = rustix::fs::rmdir(incompat.join("volatile"));
    let _ = rustix::fs::rmdir(&incompat);
    let make = |fs: &OwnedFd| overlay_of(fs, upper, work, options);
    let fs = open_overlay()?;
    let each = lower
        .iter()
        .try_for_each(|layer| fsconfig_set_string(&fs, "lowerdir+", layer));
    match each.and_then(|()| make(&fs)) {
        // Before Linux 6.8 there is no such option, and before 6.5 only the making refuses it.
        Err(Errno::INVAL) => with_lower(lower, |value| {
            let fs = open_overlay()?;
            fsconfig_set_string(&fs, "lowerdir", value)?;
            make(&fs)
        }),
        done => done,
    }
}

fn open_overlay() -> Result<OwnedFd, Errno> {
    let fs = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&fs, "source", "overlay")?;
    Ok(fs)
}

fn overlay_of(fs: &OwnedFd, upper: &Path, work: &Path, options: Options) -> Result<OwnedFd, Errno> {
    fsconfig_set_string(fs, "upperdir", upper)?;
    fsconfig_set_string(fs, "workdir", work)?;
    if options.userxattr {
        fsconfig_set_flag(fs, "userxattr")?;
    }
    if options.volatile {
        fsconfig_set_flag(fs, "volatile")?;
    }
    fsconfig_create(fs)?;
    let root = fsmount(fs, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    // Overlay falls back to a read-only mount when it cannot make its scratch files.
    if rustix::fs::fstatvfs(&root)?
        .f_flag
        .contains(rustix::fs::StatVfsMountFlags::RDONLY)
    {
        return Err(Errno::ROFS);
    }
    Ok(root)
}

/// Calls `make` with all layers in one value. Where their paths are too long for it, their descriptors stand
/// in, in a working directory that knows them by number: that makes some eighty layers.
fn with_lower<T>(
    lower: &[PathBuf],
    make: impl FnOnce(String) -> Result<T, Errno>,
) -> Result<T, Errno> {
    let escaped = lower.iter().map(|layer| {
        layer
            .to_string_lossy()
            .replace('\\', "\\\\")
            .replace(':', "\\:")
    });
    let paths = escaped.collect::<Vec<_>>().join(":");
    if paths.len() <= VALUE_BYTES {
        return make(paths);
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = |path: &Path| rustix::fs::open(path, flags, Mode::empty());
    let before = open(Path::new("."))?;
    let layers = lower
        .iter()
        .map(|layer| open(layer))
        .collect::<Result<Vec<_>, _>>()?;
    let numbers = layers.iter().map(|fd| fd.as_raw_fd().to_string());
    rustix::process::chdir("/proc/self/fd")?;
    let made = make(numbers.collect::<Vec<_>>().join(":"));
    rustix::process::fchdir(&before)?;
    made
}
