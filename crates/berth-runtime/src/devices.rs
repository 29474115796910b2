//! `/dev`: device nodes, links, the console. Made through descriptors inside the root, so an image
//! whose `/dev` is a link moves nothing on the host (security: R16).
//!
//! Source: config-linux.md "Default Devices", "Devices"; runtime-linux.md "Dev symbolic links".

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use berth_model::path::clean;
use berth_oci::spec::{Device, DeviceRule, Mount, Spec};
use berth_sys::mount::{self as sys_mount, Change};
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use crate::error::{Error, Result, invalid, step};
use crate::mount_options::is_bind;
use crate::mounts::{Mounted, attach};
use crate::rootfs::{Root, make_file_in, split};
use crate::walk;

/// Path, major, minor of what every container has.
pub(crate) const DEFAULT: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// `f_type` of devpts. Source: linux/magic.h.
const DEVPTS_MAGIC: u64 = 0x1cd1;

/// The largest numbers that a node holds: others would be cut, and mean another device.
/// Source: linux/kdev_t.h.
const MAX_MAJOR: i64 = 0xfff;
const MAX_MINOR: i64 = 0xf_ffff;

/// Makes the default devices, the spec's, and the links. A `/dev` bound from the host is left as it is.
///
/// # Errors
/// [`Error::Device`].
pub fn make_all(
    root: &Root,
    mounted: &Mounted,
    spec: &Spec,
    in_user_namespace: bool,
) -> Result<()> {
    let devices = spec.linux.iter().flat_map(|linux| &linux.devices);
    let bound = is_bound(&spec.mounts);
    let dev = Dev::open(root, mounted, bound).map_err(|source| fail("/dev", source))?;
    if !bound {
        for (path, major, minor) in DEFAULT {
            if devices.clone().any(|device| device.path == Path::new(path)) {
                continue;
            }
            let node = Node {
                kind: FileType::CharacterDevice,
                major,
                minor,
                mode: 0o666,
                owner: None,
            };
            let name = path.trim_start_matches("/dev/");
            make_node(dev.fd(), name, path, &node, in_user_namespace)
                .map_err(|source| fail(path, source))?;
        }
    }
    for device in devices {
        // The terminals' own, a link; and what a bound `/dev` has.
        if device.path == Path::new("/dev/ptmx") || (bound && device.path.starts_with("/dev")) {
            continue;
        }
        make_from_spec(root, &dev, device, in_user_namespace)
            .map_err(|source| fail(&device.path, source))?;
    }
    if bound { Ok(()) } else { make_links(dev.fd()) }
}

fn is_bound(mounts: &[Mount]) -> bool {
    let there = |mount: &&Mount| clean(&mount.destination) == "/dev";
    mounts.iter().filter(there).any(is_bind)
}

/// The directory `/dev`.
enum Dev<'a> {
    Mounted(BorrowedFd<'a>),
    OfTheImage(OwnedFd),
}

impl Dev<'_> {
    fn open<'a>(root: &Root, mounted: &'a Mounted, bound: bool) -> io::Result<Dev<'a>> {
        Ok(match mounted.dev() {
            Some(dev) => Dev::Mounted(dev),
            // Nothing is to be made in it.
            None if bound => Dev::OfTheImage(root.open("/", OFlags::PATH)?),
            None => Dev::OfTheImage(root.make_dir("/dev")?),
        })
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Dev::Mounted(dev) => *dev,
            Dev::OfTheImage(dev) => dev.as_fd(),
        }
    }
}

fn make_links(dev: BorrowedFd<'_>) -> Result<()> {
    for (target, name) in LINKS {
        let link = || rustix::fs::symlinkat(target, dev, name);
        let made = match link() {
            // An image's own `/dev/ptmx` would be the host's.
            Err(Errno::EXIST) if name == "ptmx" => {
                rustix::fs::unlinkat(dev, name, AtFlags::empty()).and_then(|()| link())
            }
            Err(Errno::EXIST) => Ok(()),
            other => other,
        };
        made.map_err(|errno| fail(format!("/dev/{name}"), errno.into()))?;
    }
    Ok(())
}

/// Checks the spec's devices.
///
/// # Errors
/// [`Error::InvalidSpec`].
pub fn check(devices: &[Device]) -> Result<()> {
    for device in devices {
        let numbers =
            (0..=MAX_MAJOR).contains(&device.major) && (0..=MAX_MINOR).contains(&device.minor);
        if file_type(&device.kind).is_none()
            || (!numbers && device.kind != "p")
            || !device.path.is_absolute()
        {
            return invalid(format!(
                "the device {} has a bad type, number or path",
                device.path.display()
            ));
        }
    }
    Ok(())
}

/// The rules of the device cgroup that every container needs beside its own: making nodes (their use is
/// another matter), the default devices, and terminals. What no rule allows is denied.
pub fn with_default_rules(mut rules: Vec<DeviceRule>) -> Vec<DeviceRule> {
    let rule = |kind: &str, major: Option<u32>, minor: Option<u32>, access: &str| DeviceRule {
        allow: true,
        kind: Some(kind.to_owned()),
        major: major.map(i64::from),
        minor: minor.map(i64::from),
        access: Some(access.to_owned()),
    };
    rules.extend([rule("c", None, None, "m"), rule("b", None, None, "m")]);
    rules.extend(
        DEFAULT
            .iter()
            .map(|(_, major, minor)| rule("c", Some(*major), Some(*minor), "rwm")),
    );
    // ptmx and the slaves.
    rules.extend([
        rule("c", Some(5), Some(2), "rwm"),
        rule("c", Some(136), None, "rwm"),
    ]);
    rules
}

/// What a node shall be.
struct Node {
    kind: FileType,
    major: u32,
    minor: u32,
    mode: u32,
    owner: Option<(u32, u32)>,
}

fn file_type(kind: &str) -> Option<FileType> {
    match kind {
        "c" | "u" => Some(FileType::CharacterDevice),
        "b" => Some(FileType::BlockDevice),
        "p" => Some(FileType::Fifo),
        _ => None,
    }
}

fn make_from_spec(
    root: &Root,
    dev: &Dev<'_>,
    device: &Device,
    in_user_namespace: bool,
) -> io::Result<()> {
    let path = device.path.to_str().ok_or(io::ErrorKind::InvalidInput)?;
    let (parent, name) = split(path)?;
    let other;
    let parent = if parent == "/dev" {
        dev.fd()
    } else {
        other = walk::make_dir(root, parent)?;
        other.as_fd()
    };
    let node = Node {
        kind: file_type(&device.kind).ok_or(io::ErrorKind::InvalidInput)?,
        major: device.major as u32,
        minor: device.minor as u32,
        mode: device.file_mode.unwrap_or(0o666) & 0o7777,
        owner: Some((device.uid.unwrap_or(0), device.gid.unwrap_or(0))),
    };
    make_node(parent, name, path, &node, in_user_namespace)
}

fn make_node(
    parent: BorrowedFd<'_>,
    name: &str,
    path: &str,
    node: &Node,
    bind: bool,
) -> io::Result<()> {
    if bind && node.kind != FileType::Fifo {
        return bind_node(parent, name, path, node);
    }
    let number = rustix::fs::makedev(node.major, node.minor);
    match rustix::fs::mknodat(
        parent,
        name,
        node.kind,
        Mode::from_raw_mode(node.mode),
        number,
    ) {
        Ok(()) => {}
        Err(Errno::EXIST) => {
            let there = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let same = FileType::from_raw_mode(there.st_mode) == node.kind
                && (node.kind == FileType::Fifo || there.st_rdev == number);
            if !same {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "something else is there",
                ));
            }
        }
        // No CAP_MKNOD: a user namespace by another name.
        Err(Errno::PERM) => return bind_node(parent, name, path, node),
        Err(errno) => return Err(errno.into()),
    }
    if let Some((uid, gid)) = node.owner.filter(|owner| *owner != (0, 0)) {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        rustix::fs::chownat(
            parent,
            name,
            Some(uid),
            Some(gid),
            AtFlags::SYMLINK_NOFOLLOW,
        )?;
    }
    Ok(())
}

/// Binds the host's node of the same path, if it is the device that was asked for; else the one that the
/// kernel names by that number.
fn bind_node(parent: BorrowedFd<'_>, name: &str, path: &str, node: &Node) -> io::Result<()> {
    let number = rustix::fs::makedev(node.major, node.minor);
    let host =
        open_device(Path::new(path), node.kind, number).or_else(|error| {
            match name_by_number(node) {
                Some(path) => open_device(&path, node.kind, number),
                None => Err(error),
            }
        })?;
    bind_at(parent, name, host.as_fd())
}

/// `DEVNAME` of a device. Source: sysfs's dev/char and dev/block, kernel's admin-guide/sysfs-rules.
fn name_by_number(node: &Node) -> Option<PathBuf> {
    let class = match node.kind {
        FileType::BlockDevice => "block",
        _ => "char",
    };
    let uevent = format!("/sys/dev/{class}/{}:{}/uevent", node.major, node.minor);
    let text = std::fs::read_to_string(uevent).ok()?;
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("DEVNAME="))?;
    Some(Path::new("/dev").join(name))
}

/// Opens a device of the host (O_PATH) and checks that it is the one meant.
fn open_device(path: &Path, kind: FileType, number: u64) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let device = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&device)?;
    if FileType::from_raw_mode(stat.st_mode) != kind || stat.st_rdev != number {
        let message = format!("the host's {} is another device", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(device)
}

/// The host's `/dev/null`, verified to be that (security: R13). Call before the root is changed.
///
/// # Errors
/// When it is something else.
pub fn open_null() -> io::Result<OwnedFd> {
    open_device(
        Path::new("/dev/null"),
        FileType::CharacterDevice,
        rustix::fs::makedev(1, 3),
    )
}

/// Binds an open file over `name` in `parent`, which is made (a plain file) where missing.
fn bind_at(parent: BorrowedFd<'_>, name: &str, file: BorrowedFd<'_>) -> io::Result<()> {
    let place = make_file_in(parent, name)?;
    attach(sys_mount::clone_with(file, &Change::default())?, place)
}

/// Opens a terminal in the container's own devpts; without one at `/dev/pts`, a terminal of the host's.
/// Never by the name of a slave (security: R14). Of a container that is being made it becomes
/// `/dev/console`.
///
/// # Errors
/// [`Error::Step`], [`Error::Device`].
pub fn open_terminal(root: &Root, console: Option<&Mounted>) -> Result<berth_sys::pty::Pair> {
    let fail_open = |e: io::Error| step("open a terminal", e);
    let own = match console {
        Some(mounted) => mounted.open(root, "/dev/pts"),
        None => root.open_no_links("/dev/pts", OFlags::PATH | OFlags::DIRECTORY),
    };
    let pair = match own {
        Ok(devpts) if crate::mounts::magic(&devpts).map_err(fail_open)? == DEVPTS_MAGIC => {
            berth_sys::pty::open_in(devpts.as_fd())
        }
        _ => berth_sys::pty::open(),
    }
    .map_err(|e| fail_open(e.into()))?;
    if let Some(mounted) = console {
        let dev = Dev::open(root, mounted, false).map_err(|source| fail("/dev", source))?;
        bind_at(dev.fd(), "console", pair.slave.as_fd())
            .map_err(|source| fail("/dev/console", source))?;
    }
    Ok(pair)
}

fn fail(path: impl Into<PathBuf>, source: io::Error) -> Error {
    Error::Device {
        path: path.into(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R13.
    #[test]
    fn null_is_verified() {
        open_null().unwrap();
        let null = rustix::fs::makedev(1, 3);
        assert!(open_device(Path::new("/dev/zero"), FileType::CharacterDevice, null).is_err());
        assert!(open_device(Path::new("/proc/self/exe"), FileType::CharacterDevice, null).is_err());
    }

    #[test]
    fn odd_devices_are_refused() {
        let device = |kind: &str, major, path: &str| Device {
            kind: kind.into(),
            path: path.into(),
            major,
            minor: 0,
            file_mode: None,
            uid: None,
            gid: None,
        };
        assert!(check(&[device("c", 1, "/dev/x"), device("p", 0, "/dev/p")]).is_ok());
        for bad in [
            // The low bits are /dev/mem's.
            device("c", 0x1001, "/dev/x"),
            device("x", 1, "/dev/x"),
            device("c", -1, "/dev/x"),
            device("b", 1, "dev/x"),
        ] {
            assert!(check(&[bad]).is_err());
        }
    }
}
