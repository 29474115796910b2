//! What is mounted, before it has a place: copies of the host's mounts and new file systems, detached,
//! with the properties asked for.
//!
//! What init may not make or reach (id-mapped mounts, sources that are closed to the container's root),
//! the runtime makes for it in the host's namespaces, and passes the detached mount over the sync socket.
//!
//! Source: fsopen(2), fsconfig(2), open_tree(2), mount_setattr(2).

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use berth_oci::spec::{Mount, Spec};
use berth_sys::mount::{self as sys_mount, Change, Propagation, attr};
use berth_sys::overlay::VALUE_BYTES;
use berth_sys::userns::with_maps;
use rustix::fs::{CWD, Mode, OFlags, StatVfsMountFlags, XattrFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, FsPickFlags, MountAttrFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_reconfigure, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, fspick,
    open_tree,
};

use crate::bind_source::Source;
use crate::error::{Error, Result};
use crate::mount_options::{Attributes, Options};
use crate::mounts::{Context, describe, kind_of};
use crate::rootfs::Root;
use crate::{id_maps, labels, mount_by_path};

/// A detached mount.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) mount: OwnedFd,
    /// The kernel has just made the file system: it is what its type says.
    pub(crate) new: bool,
}

/// Makes the mount number `index` of the spec.
pub(crate) fn make(
    root: &Root,
    (index, mount): (usize, &Mount),
    options: &Options,
    destination: &str,
    context: &Context<'_>,
) -> Result<Made> {
    let kind = kind_of(mount, options);
    let fail = |source| Error::Mount {
        destination: destination.to_owned(),
        what: describe(mount, kind),
        source,
    };
    let of_the_runtime = || {
        let made = context.request_mount(index)?;
        configure(&made, options, options.recursive).map_err(fail)?;
        Ok(made)
    };
    let (mount, new) = if let Some(made) = context.ahead.borrow_mut().remove(&index) {
        configure_again(&made, options).map_err(fail)?;
        (made, true)
    } else if options.id_map.is_some() {
        (of_the_runtime()?, false)
    } else if options.bind {
        let source = Source::of(mount, options, context.bundle);
        let made = match source.and_then(|source| copy(&source.path, options)) {
            Err(error) if is_the_runtimes(&error) => of_the_runtime(),
            other => other.map_err(fail),
        };
        (made?, false)
    } else if NETWORKED.contains(&kind) {
        (of_the_runtime()?, true)
    } else {
        match file_system(root, mount, options, destination, context) {
            // The container's device rules, which hold for init already, say nothing about its mounts.
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied && of_a_device(mount, kind) =>
            {
                (of_the_runtime()?, true)
            }
            other => return other.map_err(fail),
        }
    };
    Ok(Made { mount, new })
}

/// Not of the kernel's own, which show the namespaces of whoever makes them, whatever their source says.
fn of_a_device(mount: &Mount, kind: &str) -> bool {
    let source = mount.source.as_deref();
    let own = OF_THE_KERNEL.contains(&kind) || kind.starts_with("cgroup");
    !own && source.is_some_and(|source| source.starts_with("/dev/"))
}

/// Closed to the container's root, but not to the one who asked for it; or behind a descriptor, whose mounts
/// are of the runtime's mount namespace.
fn is_the_runtimes(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::ACCESS | Errno::INVAL))
}

/// The runtime's side of [`make`]: the mount number `index` for the init `pid`, id-mapped where asked. Nothing
/// else is made than what `make` asks for.
///
/// # Errors
/// [`Error::Mount`].
pub(crate) fn make_for_init(spec: &Spec, index: usize, bundle: &Path, pid: i32) -> Result<OwnedFd> {
    let nonsense = || Error::Sync {
        source: io::ErrorKind::InvalidData.into(),
    };
    let mount = spec.mounts.get(index).ok_or_else(nonsense)?;
    let options = Options::parse(mount)?;
    let kind = kind_of(mount, &options);
    let of_the_host = of_a_device(mount, kind) || NETWORKED.contains(&kind);
    if !options.bind && options.id_map.is_none() && !of_the_host {
        return Err(nonsense());
    }
    let make = || {
        let made = if options.bind {
            copy_tree(
                &Source::of(mount, &options, bundle)?.path,
                options.recursive,
            )?
            .0
        } else {
            let label = spec.linux.as_ref().and_then(labels::mount_label);
            new_file_system(kind, mount, &options, None, label)?
        };
        if let Some(recursive) = options.id_map {
            id_map(&made, mount, pid, recursive)?;
        }
        Ok(made)
    };
    make().map_err(|source| Error::Mount {
        destination: mount.destination.clone(),
        what: describe(mount, kind),
        source,
    })
}

/// Maps owners by the mount's own maps, else by init's user namespace.
fn id_map(made: &OwnedFd, mount: &Mount, pid: i32, recursive: bool) -> io::Result<()> {
    let users = if mount.uid_mappings.is_empty() {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        rustix::fs::open(format!("/proc/{pid}/ns/user"), flags, Mode::empty())?
    } else {
        let maps = [&mount.uid_mappings, &mount.gid_mappings].map(|map| id_maps::entries(map));
        with_maps(&maps[0], &maps[1])?
    };
    let change = Change {
        set: attr::IDMAP,
        user_namespace: Some(users.as_fd()),
        recursive,
        ..Change::default()
    };
    sys_mount::set(made, &change).map_err(|error| {
        let reason = match Errno::from_io_error(&error) {
            Some(Errno::INVAL) => {
                "its file system, or one below, cannot be id-mapped by this kernel"
            }
            Some(Errno::PERM) => {
                "it is id-mapped already, or its file system is another user namespace's"
            }
            _ => return error,
        };
        io::Error::new(error.kind(), reason)
    })
}

/// Which are reached over the host's network, not over the container's.
const NETWORKED: [&str; 6] = ["nfs", "nfs4", "cifs", "smb3", "ceph", "9p"];

/// Copies the mount at a path of the host, detached, with properties: in one call where the kernel can
/// (Linux 6.15).
pub(crate) fn copy(source: &Path, options: &Options) -> io::Result<OwnedFd> {
    if let Some(change) = single_change(options, options.recursive) {
        let path = CString::new(source.as_os_str().as_bytes())?;
        match sys_mount::clone_at(&path, &change) {
            Ok(made) => return Ok(made),
            // The long way tells what it is about.
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::INVAL | Errno::PERM | Errno::NOSYS) => {}
                _ => return Err(error),
            },
        }
    }
    let (made, recursive) = copy_tree(source, options.recursive)?;
    configure(&made, options, recursive)?;
    Ok(made)
}

/// Copies the mount at a path of the host, detached; whether those below came along.
pub(crate) fn copy_tree(source: &Path, recursive: bool) -> io::Result<(OwnedFd, bool)> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let all = flags | OpenTreeFlags::AT_RECURSIVE;
    let open = |flags| open_tree(CWD, source, flags);
    match open(if recursive { all } else { flags }) {
        // In a user namespace mounts below may be locked, as they hide something: take them along.
        Err(Errno::INVAL) if !recursive => Ok((open(all)?, true)),
        other => Ok((other?, recursive)),
    }
}

/// Sets a detached mount's properties and propagation. Of a bind mount without a word about it the
/// latter is private, so that nothing of the host's comes or goes.
pub(crate) fn configure(mount: &OwnedFd, options: &Options, has_more: bool) -> io::Result<()> {
    if let Some(change) = single_change(options, has_more) {
        return match change.set | change.clear == 0 && change.propagation.is_none() {
            true => Ok(()),
            false => set(mount, &change),
        };
    }
    for (attributes, recursive) in [(options.own, false), (options.all, true)] {
        if !attributes.is_empty() {
            let change = Change {
                set: attributes.set,
                clear: attributes.clear,
                recursive,
                ..Change::default()
            };
            set(mount, &change)?;
        }
    }
    propagations(options)
        .iter()
        .try_for_each(|(kind, recursive)| sys_mount::set(mount, &Change::to(*kind, *recursive)))
}

/// As [`configure`], of a mount that was made with the properties of its own.
pub(crate) fn configure_rest(mount: &OwnedFd, options: &Options, has_more: bool) -> io::Result<()> {
    let rest = Options {
        all: options.all,
        propagation: options.propagation.clone(),
        ..Options::default()
    };
    configure(mount, &rest, has_more)
}

/// Changes a mount that is there already.
pub(crate) fn configure_again(mount: &OwnedFd, options: &Options) -> io::Result<()> {
    let change = Options {
        own: options.own,
        all: options.all,
        propagation: options.propagation.clone(),
        ..Options::default()
    };
    configure(mount, &change, true)
}

fn propagations(options: &Options) -> &[(Propagation, bool)] {
    if options.bind && options.propagation.is_empty() {
        &[(Propagation::Private, true)]
    } else {
        &options.propagation
    }
}

/// All changes as one, if they can be: of a mount with more below (`has_more`), only those that mean all.
fn single_change(options: &Options, has_more: bool) -> Option<Change<'static>> {
    let attributes = match (options.own.is_empty(), options.all.is_empty()) {
        (_, true) if !has_more => options.own,
        (true, _) => options.all,
        _ => return None,
    };
    let (propagation, recursive) = match propagations(options) {
        [] => (None, has_more),
        [(kind, recursive)] => (Some(*kind), *recursive),
        _ => return None,
    };
    (!has_more || recursive).then_some(Change {
        set: attributes.set,
        clear: attributes.clear,
        propagation,
        recursive: has_more,
        ..Change::default()
    })
}

/// Changes a mount. What the host has locked stays as it is: to ask for less is refused by name.
fn set(mount: &OwnedFd, change: &Change<'_>) -> io::Result<()> {
    let Err(error) = sys_mount::set(mount, change) else {
        return Ok(());
    };
    if Errno::from_io_error(&error) != Some(Errno::PERM) {
        return Err(error);
    }
    let has = rustix::fs::fstatvfs(mount)?.f_flag;
    let kinds = [
        (attr::RDONLY, StatVfsMountFlags::RDONLY, "ro"),
        (attr::NOSUID, StatVfsMountFlags::NOSUID, "nosuid"),
        (attr::NODEV, StatVfsMountFlags::NODEV, "nodev"),
        (attr::NOEXEC, StatVfsMountFlags::NOEXEC, "noexec"),
    ];
    let locked = kinds
        .iter()
        .filter(|(bit, flag, _)| change.clear & bit != 0 && has.contains(*flag));
    let locked: Vec<&str> = locked.map(|(_, _, name)| *name).collect();
    let what = match locked.is_empty() {
        true => "a property of the host's mount (or of one below)".to_owned(),
        false => format!("`{}` of the host's mount", locked.join("`, `")),
    };
    let reason = format!("{what} is locked in this user namespace and cannot be changed");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, reason))
}

/// The mode of the directory that a tmpfs covers, if it is to have that.
fn covered_mode(root: &Root, destination: &str, options: &Options) -> Option<u32> {
    if options.data.iter().any(|(key, _)| key == "mode") {
        return None;
    }
    let covered = root.open(destination, OFlags::PATH).ok()?;
    let stat = rustix::fs::fstat(covered).ok()?;
    Some(stat.st_mode & 0o7777)
}

/// A new file system, detached.
fn file_system(
    root: &Root,
    mount: &Mount,
    options: &Options,
    destination: &str,
    context: &Context<'_>,
) -> io::Result<Made> {
    let kind = kind_of(mount, options);
    let mut values = options.pairs().filter_map(|(_, value)| value);
    let made = if options.inode_version || values.any(|value| value.len() > VALUE_BYTES) {
        mount_by_path::make(root, kind, mount, options, context.label)
    } else {
        let covered = match kind {
            "tmpfs" => covered_mode(root, destination, options),
            _ => None,
        };
        new_file_system(kind, mount, options, covered, context.label)
    };
    let error = match made {
        Ok(mount) => {
            configure_rest(&mount, options, false)?;
            return Ok(Made { mount, new: true });
        }
        Err(error) => error,
    };
    // The kernel shows a user namespace what is its own, and that only where the host shows it, too.
    let host = match kind {
        "proc" if !context.own_pid => "/proc",
        "sysfs" => "/sys",
        "mqueue" if !context.own_ipc => "/dev/mqueue",
        _ => return Err(error),
    };
    if error.kind() != io::ErrorKind::PermissionDenied {
        return Err(error);
    }
    // What is mounted below comes along, and is to be no less read-only (security: R9).
    let strict = Options {
        bind: true,
        all: Attributes {
            set: options.own.set | options.all.set,
            clear: 0,
        },
        propagation: options.propagation.clone(),
        ..Options::default()
    };
    let (mount, _) = copy_tree(Path::new(host), true)?;
    configure(&mount, &strict, true)?;
    Ok(Made { mount, new: false })
}

/// A new file system of the namespaces that this process is in, detached.
pub(crate) fn new_file_system(
    kind: &str,
    mount: &Mount,
    options: &Options,
    covered: Option<u32>,
    label: Option<&str>,
) -> io::Result<OwnedFd> {
    let mode = covered.map(|mode| format!("{mode:o}"));
    let mut data = vec![("source", Some(source_of(mount, kind)))];
    data.extend(options.pairs());
    data.extend(mode.as_deref().map(|mode| ("mode", Some(mode))));
    data.extend(label_option(kind, options, label));
    if options.own.set & attr::RDONLY != 0 && !OF_THE_KERNEL.contains(&kind) {
        // A device that cannot be written must not be tried.
        data.push(("ro", None));
    }
    let made = match create(kind, &data, options.own.set) {
        // The group of terminals may have no number in this user namespace.
        Err((Errno::INVAL, _)) if kind == "devpts" => {
            data.retain(|(key, value)| *key != "gid" || value.is_none());
            create(kind, &data, options.own.set)
        }
        other => other,
    };
    let made = made.map_err(|(errno, said)| match (errno, said) {
        (Errno::NODEV, None) => invalid("this kernel has no file system of this type"),
        (errno, said) => in_its_words(errno, said),
    })?;
    if let ("mqueue", Some(label)) = (kind, label) {
        label_top(&made, label)?;
    }
    Ok(made)
}

/// The label of all files of a new file system, as a value for fsconfig(2). The kernel's own ones keep what the
/// policy says; a mqueue is as old as its namespace and is labelled after that, see [`label_top`].
///
/// Source: mount(8), "context="; runc 1.3, rootfs_linux.go.
pub(crate) fn label_option<'a>(
    kind: &str,
    options: &Options,
    label: Option<&'a str>,
) -> Option<(&'static str, Option<&'a str>)> {
    let own = options.data.iter().any(|(key, _)| key == "context");
    let label = label.filter(|_| !own && !matches!(kind, "proc" | "sysfs" | "mqueue"))?;
    Some(("context", Some(label)))
}

/// Labels the topmost directory.
fn label_top(mount: &OwnedFd, label: &str) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let top = rustix::fs::openat(mount, ".", flags, Mode::empty())?;
    let (name, label) = ("security.selinux", label.as_bytes());
    Ok(rustix::fs::fsetxattr(
        top,
        name,
        label,
        XattrFlags::empty(),
    )?)
}

/// File systems without a store of their own: to be read-only is a matter of each mount.
const OF_THE_KERNEL: [&str; 5] = ["proc", "sysfs", "tmpfs", "devpts", "mqueue"];

pub(crate) fn source_of<'a>(mount: &'a Mount, kind: &'a str) -> &'a str {
    let source = mount.source.as_deref();
    source.filter(|source| !source.is_empty()).unwrap_or(kind)
}

/// Gives the file system behind a mount other options.
pub(crate) fn reconfigure(mount: &OwnedFd, options: &Options) -> io::Result<()> {
    let flags = FsPickFlags::FSPICK_CLOEXEC | FsPickFlags::FSPICK_EMPTY_PATH;
    let fs = fspick(mount, "", flags)?;
    set_all(&fs, options.pairs())
        .and_then(|()| fsconfig_reconfigure(&fs))
        .map_err(|errno| in_its_words(errno, said_by(&fs)))
}

/// A new file system, detached: `data` are its options, flags without a value; `set` are
/// [`sys_mount::attr`] bits. With an error, what the file system says about it.
pub(crate) fn create(
    kind: &str,
    data: &[(&str, Option<&str>)],
    set: u64,
) -> std::result::Result<OwnedFd, (Errno, Option<String>)> {
    let fs = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).map_err(|errno| (errno, None))?;
    let make = || {
        set_all(&fs, data.iter().copied())?;
        fsconfig_create(&fs)?;
        let attributes = MountAttrFlags::from_bits_retain(set as u32);
        fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
    };
    make().map_err(|errno| (errno, said_by(&fs)))
}

fn set_all<'a>(
    fs: &OwnedFd,
    data: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> std::result::Result<(), Errno> {
    data.into_iter().try_for_each(|(key, value)| match value {
        Some(value) => fsconfig_set_string(fs, key, value),
        None => fsconfig_set_flag(fs, key),
    })
}

fn in_its_words(errno: Errno, said: Option<String>) -> io::Error {
    match said {
        Some(said) => io::Error::new(io::Error::from(errno).kind(), said),
        None => errno.into(),
    }
}

/// The first error in a file system's log: `e tmpfs: Unknown parameter 'x'`.
fn said_by(fs: &OwnedFd) -> Option<String> {
    let mut line = [0; 256];
    loop {
        let length = rustix::io::read(fs, &mut line).ok()?;
        if let Some(said) = line[..length].strip_prefix(b"e ") {
            return Some(String::from_utf8_lossy(said).trim().to_owned());
        }
    }
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}
