//! Where a mount goes: a directory or file inside the root, by descriptor, and whether it may go there.
//!
//! Beside procfs and sysfs themselves, and the few things that have their place in them, nothing covers what
//! programs trust (security: R2, R3, R10). A name says where it is only as long as no link was followed.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};

use crate::mount_source::Made;
use crate::mounts::{Mounted, magic};
use crate::rootfs::Root;
use crate::walk;

/// `f_type` of procfs. Source: linux/magic.h.
pub(crate) const PROC_MAGIC: u64 = 0x9fa0;
/// `f_type` of sysfs.
const SYSFS_MAGIC: u64 = 0x6265_6572;
/// The inode of a procfs's root. Source: linux/proc_fs.h.
const PROC_ROOT: u64 = 1;

/// Files of procfs that may be covered (by lxcfs, mostly): they only tell about the system.
const PROC_FILES: [&str; 10] = [
    "cpuinfo",
    "diskstats",
    "meminfo",
    "stat",
    "swaps",
    "uptime",
    "loadavg",
    "slabinfo",
    "sys/kernel/ns_last_pid",
    "sys/crypto/fips_enabled",
];

/// What has its place in sysfs, beside what is bound there. Source: kernel's Documentation/filesystems.
const SYS_KINDS: [&str; 12] = [
    "bind",
    "binder",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "efivarfs",
    "fusectl",
    "pstore",
    "securityfs",
    "tracefs",
];

/// A place to mount on.
pub(crate) struct Target {
    pub(crate) place: OwnedFd,
    /// By way of a link, or just made: its name does not say where it is.
    elsewhere: bool,
}

impl Target {
    /// A new directory right below a `/dev` that was mounted: in the usual configuration these are missing.
    pub(crate) fn in_dev(mounted: &Mounted, path: &str) -> Option<Target> {
        let name = inside(path, "/dev").filter(|n| !n.contains('/'))?;
        let dev = mounted.dev()?;
        rustix::fs::mkdirat(dev, name, Mode::from_raw_mode(0o755)).ok()?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = rustix::fs::openat(dev, name, flags, Mode::empty()).ok()?;
        let elsewhere = false;
        Some(Target { place, elsewhere })
    }

    pub(crate) fn open(
        root: &Root,
        path: &str,
        directory: bool,
        no_links: bool,
    ) -> io::Result<Target> {
        let flags = match directory {
            true => OFlags::PATH | OFlags::DIRECTORY,
            false => OFlags::PATH,
        };
        let place = match root.open_no_links(path, flags) {
            Ok(place) => {
                let elsewhere = false;
                return Ok(Target { place, elsewhere });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && no_links => {
                root.make_dir(path)?;
                root.open_no_links(path, flags)?
            }
            Err(error) if no_links => return Err(error),
            Err(_) if directory => walk::make_dir(root, path)?,
            Err(_) => walk::make_file(root, path)?,
        };
        let elsewhere = true;
        Ok(Target { place, elsewhere })
    }

    /// Why it may not be mounted on.
    pub(crate) fn check(
        &self,
        root: &Root,
        kind: &str,
        path: &str,
    ) -> io::Result<Option<&'static str>> {
        let [mut in_proc, mut in_sys] = ["/proc", "/sys"].map(|top| inside(path, top).is_some());
        if self.elsewhere {
            let (place, top) = (rustix::fs::fstat(&self.place)?, rustix::fs::fstat(root)?);
            if (place.st_dev, place.st_ino) == (top.st_dev, top.st_ino) {
                return Ok(Some("it would cover the root file system"));
            }
            let magic = magic(&self.place)?;
            in_proc |= magic == PROC_MAGIC;
            in_sys |= magic == SYSFS_MAGIC;
        }
        let allowed = kind == "bind" && is_known_proc_file(path);
        Ok(if in_proc && !allowed {
            Some("it would cover a part of /proc")
        } else if in_sys && !SYS_KINDS.contains(&kind) && path != "/sys/fs/cgroup" {
            Some("it would cover a part of /sys")
        } else {
            None
        })
    }
}

/// Whether the mount for `/proc` or `/sys` is what programs take it for.
pub(crate) fn is_trusted(destination: &str, kind: &str, made: Option<&Made>) -> io::Result<bool> {
    let Some(made) = made else {
        return Ok(false);
    };
    if made.new {
        return Ok(
            (destination, kind) == ("/proc", "proc") || (destination, kind) == ("/sys", "sysfs")
        );
    }
    if magic(&made.mount)? != magic_of(destination) {
        return Ok(false);
    }
    // Not a directory of some process.
    Ok(destination != "/proc" || rustix::fs::fstat(&made.mount)?.st_ino == PROC_ROOT)
}

fn magic_of(destination: &str) -> u64 {
    match destination {
        "/proc" => PROC_MAGIC,
        _ => SYSFS_MAGIC,
    }
}

/// Looks again from the root: what is seen at the place now is the kernel's file system.
pub(crate) fn verify_on_top(root: &Root, destination: &str) -> io::Result<()> {
    let seen = root.open_no_links(destination, OFlags::PATH | OFlags::DIRECTORY)?;
    if magic(&seen)? == magic_of(destination) {
        Ok(())
    } else {
        Err(io::Error::other("something else is there now"))
    }
}

fn is_known_proc_file(destination: &str) -> bool {
    inside(destination, "/proc").is_some_and(|file| PROC_FILES.contains(&file))
}

/// What is left of a path below a directory (not `/`); both are clean.
pub(crate) fn inside<'a>(path: &'a str, directory: &str) -> Option<&'a str> {
    path.strip_prefix(directory)?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_the_kernels_file_systems() {
        assert!(is_known_proc_file("/proc/meminfo"));
        assert!(!is_known_proc_file("/proc/sys/kernel/core_pattern"));
        assert_eq!(inside("/sys/fs/cgroup", "/sys"), Some("fs/cgroup"));
        assert_eq!(inside("/sys", "/sys"), None);
        assert_eq!(inside("/system/x", "/sys"), None);
    }
}
