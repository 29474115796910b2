//! A file system by mount(2), for what fsconfig(2) cannot say: it takes no value above 255 bytes and not all
//! flags. It needs a place by path, which nobody else sees: a tmpfs over the root, as long as it takes, and
//! in it the descriptor of a directory as the host's procfs shows it.
//!
//! Source: mount(2), umount2(2), proc_pid_fd(5).

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use berth_oci::spec::Mount;
use berth_sys::mount::{self as sys_mount, Change, Propagation};
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, UnmountFlags};

use crate::mount_options::Options;
use crate::mount_source::{create, source_of};
use crate::mounts::attach;
use crate::rootfs::Root;

/// Makes it, detached.
///
/// # Errors
/// The kernel's.
pub(crate) fn make(
    root: &Root,
    kind: &str,
    mount: &Mount,
    options: &Options,
) -> io::Result<OwnedFd> {
    let scratch = create("tmpfs", &[("mode", Some("700"))], 0).map_err(|(errno, _)| errno)?;
    attach(&scratch, root)?;
    let made = (|| -> io::Result<OwnedFd> {
        let open = || {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(&scratch, "m", flags, Mode::empty())
        };
        rustix::fs::mkdirat(&scratch, "m", Mode::RWXU)?;
        let words = options.data.iter().map(|(key, value)| match value {
            Some(value) => format!("{key}={value}"),
            None => key.clone(),
        });
        let data = CString::new(words.collect::<Vec<_>>().join(","))?;
        let mut flags = MountFlags::empty();
        if options.inode_version {
            flags |= MountFlags::from_bits_retain(MS_I_VERSION);
        }
        mount_on(&open()?, source_of(mount, kind), kind, flags, &data)?;
        let change = Change {
            set: options.own.set,
            ..Change::to(Propagation::Private, false)
        };
        sys_mount::clone_with(open()?, &change)
    })();
    unmount(&scratch)?;
    made
}

/// Source: linux/mount.h.
const MS_I_VERSION: u32 = 1 << 23;

fn mount_on(
    place: &OwnedFd,
    source: &str,
    kind: &str,
    flags: MountFlags,
    data: &CStr,
) -> io::Result<()> {
    let path = format!("/proc/self/fd/{}", place.as_raw_fd());
    Ok(rustix::mount::mount(source, path, kind, flags, data)?)
}

fn unmount(place: &OwnedFd) -> io::Result<()> {
    let path = format!("/proc/self/fd/{}", place.as_raw_fd());
    Ok(rustix::mount::unmount(path, UnmountFlags::DETACH)?)
}
