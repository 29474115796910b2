//! The spec's mounts: each made detached ([`crate::mount_source`]), then attached to a descriptor inside
//! the root.
//!
//! `/proc` and `/sys` are what programs trust: they must be real directories of the image, get the
//! real file systems, and nothing else is mounted in or over them (security: R2, R3, R10).
//!
//! Source: config.md "Mounts"; fsopen(2), open_tree(2), move_mount(2).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use berth_model::path::clean;
use berth_oci::spec::{Linux, Mount, NamespaceKind};
use berth_sys::mount::{self as sys_mount, Change, attr};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, move_mount};

use crate::cgroup_entry::Entry;
use crate::cgroup_mount;
use crate::error::{Error, Result, invalid, step};
use crate::mount_options::Options;
use crate::mount_source::{self, Made};
use crate::mount_target::{Target, inside, is_trusted, verify_on_top};
use crate::rootfs::Root;

/// What the mounts depend on.
#[derive(Debug)]
pub struct Context<'a> {
    /// Relative bind sources start here.
    pub bundle: &'a Path,
    /// It has a cgroup namespace of its own.
    pub own_cgroup_namespace: bool,
    /// It has a pid namespace of its own.
    pub own_pid: bool,
    /// It has an ipc namespace of its own.
    pub own_ipc: bool,
    /// Mounts of the spec, by their index, that init's maker has made already.
    pub ahead: &'a crate::namespaces::Ahead,
    /// What SELinux is to call the files of new file systems.
    pub label: Option<&'a str>,
    /// The way into the container's cgroups, which a mount of theirs needs.
    pub entry: &'a Entry<'a>,
}

impl Context<'_> {
    /// The runtime makes what init may not.
    ///
    /// # Errors
    /// What it told.
    pub(crate) fn request_mount(&self, index: usize) -> Result<OwnedFd> {
        // Its first word is that the cgroups are there.
        self.entry.enter()?;
        self.entry.sync.request_mount(index)
    }
}

/// What later steps need to know of the mounts.
#[derive(Debug, Default)]
pub struct Mounted {
    /// What was mounted at `/proc`, `/sys` and `/dev`. Who exchanges directories of the image meanwhile
    /// changes nothing about what is reached through these (security: R3, R16).
    tops: Vec<(&'static str, OwnedFd)>,
    /// What becomes read-only once everything in it is made.
    read_only: Vec<OwnedFd>,
}

impl Mounted {
    /// Opens `path` inside (O_PATH): through what was mounted, where something was.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open(&self, root: &Root, path: &str) -> io::Result<OwnedFd> {
        let place = clean(path);
        let mut tops = self.tops.iter();
        let top = tops.find_map(|(name, top)| Some((inside(&place, name)?, top)));
        if let Some((rest, top)) = top {
            let resolve =
                ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            match rustix::fs::openat2(top, rest, flags, Mode::empty(), resolve) {
                // A link, which may lead anywhere inside.
                Err(Errno::LOOP | Errno::XDEV) => {}
                done => return Ok(done?),
            }
        }
        root.open(path, OFlags::PATH)
    }

    /// What was mounted at `/dev`.
    pub fn dev(&self) -> Option<BorrowedFd<'_>> {
        let dev = self.tops.iter().find(|(name, _)| *name == "/dev");
        dev.map(|(_, top)| top.as_fd())
    }

    /// Makes what was to be read-only so: nothing more is made in it.
    ///
    /// # Errors
    /// [`Error::Step`].
    pub fn make_read_only(&self) -> Result<()> {
        self.read_only
            .iter()
            .try_for_each(make_read_only)
            .map_err(|e| step("make a file system read-only", e))
    }

    fn keep(&mut self, destination: &str, made: OwnedFd) {
        let name = ["/proc", "/sys", "/dev"]
            .into_iter()
            .find(|name| *name == destination);
        if let Some(name) = name {
            self.tops.retain(|(known, _)| *known != name);
            self.tops.push((name, made));
        }
    }
}

/// Checks what can be known before anything is made.
///
/// # Errors
/// [`Error::InvalidSpec`]; [`Error::Mount`] for an option that is not known.
pub fn check(mounts: &[Mount], linux: Option<&Linux>) -> Result<()> {
    let own_users = linux.is_some_and(|l| l.namespace(NamespaceKind::User).is_some());
    for mount in mounts {
        let options = Options::parse(mount)?;
        let texts = [
            Some(&mount.destination),
            mount.kind.as_ref(),
            mount.source.as_ref(),
        ];
        let mut texts = texts.into_iter().flatten().chain(&mount.options);
        let maps = [&mount.uid_mappings, &mount.gid_mappings];
        let reason = if mount.destination.is_empty() {
            "a mount has no destination"
        } else if texts.any(|text| text.contains('\0')) {
            "a NUL byte in a mount"
        } else if maps[0].is_empty() != maps[1].is_empty() {
            "uidMappings and gidMappings of a mount come together"
        } else if options.id_map.is_some() && maps[0].is_empty() && !own_users {
            "an id-mapped mount needs uidMappings and gidMappings, or a user namespace"
        } else if options.id_map.is_some() && options.remount {
            "a mount is id-mapped when it is made, not later"
        } else {
            continue;
        };
        let destination = mount.destination.escape_default();
        return invalid(format!("{reason} (mounts: `{destination}`)"));
    }
    Ok(())
}

/// Makes all mounts, in the spec's order.
///
/// # Errors
/// [`Error::Mount`], [`Error::MountNotAllowed`].
pub fn make_all(root: &Root, mounts: &[Mount], context: &Context<'_>) -> Result<Mounted> {
    let mut mounted = Mounted::default();
    for index in 0..mounts.len() {
        make(root, mounts, index, context, &mut mounted)?;
    }
    Ok(mounted)
}

fn make(
    root: &Root,
    mounts: &[Mount],
    index: usize,
    context: &Context<'_>,
    mounted: &mut Mounted,
) -> Result<()> {
    let mount = &mounts[index];
    let mut options = Options::parse(mount)?;
    let kind = kind_of(mount, &options);
    let destination = clean(&mount.destination);
    let asked = Asked {
        mount,
        kind,
        destination: &destination,
    };
    let fail = |source| asked.failed(source);
    if destination == "/" {
        return Err(asked.refused("it would cover the root file system"));
    }
    if options.remount {
        return asked.remount(root, &mounts[..index], &options);
    }
    // Later mounts and devices may need places in it: it is read-only in the end.
    let late = (kind == "tmpfs" || destination == "/dev") && options.own.set & attr::RDONLY != 0;
    if late {
        options.own.set &= !attr::RDONLY;
    }
    let made = match kind {
        "cgroup" | "cgroup2" => None,
        _ => {
            let which = (index, mount);
            let made = mount_source::make(root, which, &options, &destination, context);
            Some(made?)
        }
    };
    let place = asked.place(root, mounted, made.as_ref())?;
    let made = match made {
        None => {
            let below = below(&mounts[index + 1..], &destination);
            context.entry.enter()?;
            cgroup_mount::attach(kind, &place, &options, context, &below).map_err(fail)?
        }
        Some(Made { mount: made, .. }) => {
            attach(&made, &place).map_err(fail)?;
            if options.copy_up {
                crate::copy_up::copy(&place, &made).map_err(fail)?;
            }
            made
        }
    };
    if asked.goes_where_trusted() {
        verify_on_top(root, &destination).map_err(fail)?;
    }
    if late {
        mounted.read_only.push(made.try_clone().map_err(fail)?);
    }
    mounted.keep(&destination, made);
    Ok(())
}

/// A mount as it is asked for, which its errors name.
struct Asked<'a> {
    mount: &'a Mount,
    kind: &'a str,
    /// Clean.
    destination: &'a str,
}

impl Asked<'_> {
    /// Whether programs trust what they find there.
    fn goes_where_trusted(&self) -> bool {
        matches!(self.destination, "/proc" | "/sys")
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Mount {
            destination: self.destination.to_owned(),
            what: describe(self.mount, self.kind),
            source: match Errno::from_io_error(&source) {
                // In the words of other runtimes, which tools look for.
                Some(Errno::LOOP) if self.goes_where_trusted() => {
                    io::Error::other("it must be mounted on ordinary directory, not on a link")
                }
                _ => source,
            },
        }
    }

    fn refused(&self, reason: &'static str) -> Error {
        Error::MountNotAllowed {
            destination: self.destination.to_owned(),
            what: describe(self.mount, self.kind),
            reason,
        }
    }

    /// Opens the place for it, if it may go there.
    fn place(&self, root: &Root, mounted: &Mounted, made: Option<&Made>) -> Result<OwnedFd> {
        let (destination, trusted) = (self.destination, self.goes_where_trusted());
        let fail = |source| self.failed(source);
        if trusted && !is_trusted(destination, self.kind, made).map_err(fail)? {
            return Err(self.refused("only the kernel's own file system may be there"));
        }
        let directory = match made {
            Some(made) if !made.new => is_dir(&made.mount).map_err(fail)?,
            _ => true,
        };
        let in_dev = match directory {
            true => Target::in_dev(mounted, destination),
            false => None,
        };
        let target = match in_dev {
            Some(target) => target,
            None => Target::open(root, destination, directory, trusted).map_err(fail)?,
        };
        if !trusted
            && let Some(reason) = target.check(root, self.kind, destination).map_err(fail)?
        {
            return Err(self.refused(reason));
        }
        Ok(target.place)
    }

    /// Changes what is mounted there: with data, the file system; else the one mount.
    fn remount(&self, root: &Root, before: &[Mount], options: &Options) -> Result<()> {
        let anew = !options.bind && !options.data.is_empty();
        if anew && !is_a_file_system_of_ours(before, self.destination) {
            return Err(self.refused("only a file system made before is configured anew"));
        }
        let remount = || {
            let target = root.open(self.destination, OFlags::PATH)?;
            if anew {
                mount_source::reconfigure(&target, options)?;
            }
            mount_source::configure_again(&target, options)
        };
        remount().map_err(|source| self.failed(source))
    }
}

fn is_a_file_system_of_ours(before: &[Mount], destination: &str) -> bool {
    let there = |mount: &&Mount| {
        clean(&mount.destination) == destination && !mount.options.iter().any(|o| o == "remount")
    };
    let last = before.iter().rev().find(there);
    last.is_some_and(|mount| {
        Options::parse(mount)
            .is_ok_and(|o| !matches!(kind_of(mount, &o), "bind" | "cgroup" | "cgroup2"))
    })
}

/// Names of the directories in `destination` that mounts are made at or below.
fn below(mounts: &[Mount], destination: &str) -> Vec<String> {
    let first = |mount: &Mount| {
        let place = clean(&mount.destination);
        let inside = inside(&place, destination)?;
        Some(inside.split('/').next()?.to_owned())
    };
    mounts.iter().filter_map(first).collect()
}

/// Attaches a detached mount to a directory or file.
pub(crate) fn attach(mount: impl AsFd, target: impl AsFd) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    match move_mount(&mount, "", &target, "", flags) {
        // What mount(2) says of a file on a directory, or the reverse: Docker has advice for it.
        Err(Errno::INVAL) if is_dir(mount)? != is_dir(target)? => Err(Errno::NOTDIR.into()),
        other => Ok(other?),
    }
}

/// Copies the mount at a path of the host, detached.
pub(crate) fn clone_tree(source: &Path, recursive: bool) -> io::Result<OwnedFd> {
    mount_source::copy_tree(source, recursive).map(|(made, _)| made)
}

/// A new file system, detached: `data` are its options, flags without a value; `set` are
/// [`sys_mount::attr`] bits.
pub(crate) fn detached(
    kind: &str,
    data: &[(&str, Option<&str>)],
    set: u64,
) -> std::result::Result<OwnedFd, Errno> {
    mount_source::create(kind, data, set).map_err(|(errno, _)| errno)
}

/// Makes the one mount read-only.
pub(crate) fn make_read_only(mount: impl AsFd) -> io::Result<()> {
    let change = Change {
        set: attr::RDONLY,
        ..Change::default()
    };
    sys_mount::set(mount, &change)
}

/// `f_type` of the file system behind a descriptor.
pub(crate) fn magic(fd: impl AsFd) -> io::Result<u64> {
    Ok(rustix::fs::fstatfs(fd)?.f_type as u64)
}

pub(crate) fn is_dir(fd: impl AsFd) -> io::Result<bool> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode) == FileType::Directory)
}

/// Source: config.md "Mounts": the type of a bind mount is a dummy.
pub(crate) fn kind_of<'a>(mount: &'a Mount, options: &Options) -> &'a str {
    match options.bind {
        true => "bind",
        false => mount.kind.as_deref().unwrap_or("none"),
    }
}

pub(crate) fn describe(mount: &Mount, kind: &str) -> String {
    match (kind, &mount.source) {
        ("bind", Some(source)) => source.clone(),
        _ => kind.to_owned(),
    }
}
