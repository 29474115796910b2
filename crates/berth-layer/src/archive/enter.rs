//! Into the mounts of a container: those that it has, or the same ones made again for a moment, in a mount namespace
//! of this process's own, which goes with it. Nothing of that shows on the host or in another container.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use berth_model::task::RootfsMount;
use berth_sys::mount::{self as sys_mount, Change, Propagation, attr};
use berth_sys::process::{namespace, unshare};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, UnmountFlags, move_mount, open_tree};
use rustix::process::DumpableBehavior;
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Where a container's files are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// It runs: its init, by number and start.
    Running {
        /// The number.
        pid: i32,
        /// See `berth_sys::pid`.
        start_time: u64,
    },
    /// It does not. Nobody starts it meanwhile.
    Stopped {
        /// Its root.
        root: RootfsMount,
        /// The root is not to be written.
        read_only: bool,
        /// What else is mounted, parents first.
        binds: Vec<Bind>,
        /// This process is in a mount namespace of its own already, and root in a user namespace.
        rootless: bool,
    },
}

/// A directory or file of the host's in a container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bind {
    /// On the host.
    pub source: PathBuf,
    /// A path below the source in its stead, resolved inside it; may be empty.
    pub subpath: String,
    /// Inside.
    pub destination: String,
    /// Not writable.
    pub read_only: bool,
    /// What is mounted below the source comes along.
    pub recursive: bool,
}

impl Place {
    /// Makes the container's root the root of this process, which must have one thread only, and opens it.
    ///
    /// # Errors
    /// `Enter`.
    pub(super) fn enter(&self) -> Result<OwnedFd, Error> {
        // Nobody inside is to read this process's memory or use its program (security: R1).
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_err(|errno| failed("hide from the processes", errno))?;
        match self {
            Place::Running { pid, start_time } => join(*pid, *start_time)?,
            Place::Stopped {
                root,
                read_only,
                binds,
                rootless,
            } => make(root, *read_only, binds, *rootless)?,
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open("/", flags, Mode::empty()).map_err(|errno| failed("open the root", errno))
    }
}

fn join(pid: i32, start_time: u64) -> Result<(), Error> {
    let gone = || failed("find the first process", Errno::SRCH);
    let process = berth_sys::pid::open(pid, start_time);
    let process = process.map_err(|errno| failed("find the first process", errno))?;
    let process = process.ok_or_else(gone)?;
    let of = |whose: &str| rustix::fs::stat(format!("/proc/{whose}/ns/user"));
    let mut kinds = ThreadNameSpaceType::MOUNT;
    match (of(&pid.to_string()), of("self")) {
        (Ok(theirs), Ok(ours)) if theirs.st_ino == ours.st_ino => {}
        (Ok(_), Ok(_)) => kinds |= ThreadNameSpaceType::USER,
        _ => return Err(gone()),
    }
    move_into_thread_name_spaces(process.as_fd(), kinds)
        .map_err(|errno| failed("enter the mount namespace", errno))?;
    // Whose credentials change may become readable again.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .and_then(|()| rustix::process::chdir("/"))
        .map_err(|errno| failed("enter the root", errno))
}

fn make(mount: &RootfsMount, read_only: bool, binds: &[Bind], rootless: bool) -> Result<(), Error> {
    if !rootless {
        unshare(namespace::MOUNT).map_err(|error| failed("make a mount namespace", error))?;
    }
    let private = Change::to(Propagation::Private, true);
    sys_mount::set_at(CWD, c"/", &private).map_err(|error| failed("cut off the mounts", error))?;
    let root = match mount {
        RootfsMount::Overlay {
            lower,
            upper,
            work,
            userxattr,
            volatile,
        } => {
            let options = berth_sys::overlay::Options {
                userxattr: *userxattr,
                volatile: *volatile,
            };
            berth_sys::overlay::mount(lower, upper, work, options).map_err(io::Error::from)
        }
        RootfsMount::Bind { source } => tree(CWD, source, true),
    };
    let root = root.map_err(|error| failed("mount the root", error))?;
    move_mount(&root, "", CWD, "/", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .map_err(|errno| failed("attach the root", errno))?;
    for bind in binds {
        attach(&root, bind).map_err(|source| Error::Enter {
            step: "mount a volume",
            source: io::Error::new(
                source.kind(),
                format!(
                    "{} at {}: {source}",
                    bind.source.display(),
                    bind.destination
                ),
            ),
        })?;
    }
    if read_only {
        set_read_only(&root, false).map_err(|error| failed("make the root read-only", error))?;
    }
    pivot(&root).map_err(|error| failed("enter the root", error))
}

/// `/` is still the host's here: what is over it is seen only through its descriptor.
fn attach(root: &OwnedFd, bind: &Bind) -> io::Result<()> {
    let made = if bind.subpath.is_empty() {
        tree(CWD, &bind.source, bind.recursive)?
    } else {
        let source = berth_fs::open_dir(&bind.source)?;
        let inside =
            berth_fs::resolve_in_root(source.as_fd(), &bind.subpath, OFlags::PATH, Mode::empty())?;
        tree(inside.as_fd(), Path::new(""), false)?
    };
    if bind.read_only {
        set_read_only(&made, bind.recursive)?;
    }
    let place = place(root, bind, &made)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(&made, "", &place, "", flags)?)
}

/// What the mount goes onto, made where it is missing, as a start would do.
fn place(root: &OwnedFd, bind: &Bind, made: &OwnedFd) -> io::Result<OwnedFd> {
    let is_dir = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(made)?.st_mode)
        == rustix::fs::FileType::Directory;
    let mode = Mode::from_raw_mode(0o755);
    if is_dir {
        let dir = berth_fs::create_dir_all_in_root(root.as_fd(), &bind.destination, mode);
        return Ok(dir?);
    }
    match berth_fs::resolve_in_root(root.as_fd(), &bind.destination, OFlags::PATH, Mode::empty()) {
        Err(error) if error.errno() == Some(Errno::NOENT) => {}
        found => return Ok(found?),
    }
    let (dir, name) = bind
        .destination
        .rsplit_once('/')
        .unwrap_or(("", &bind.destination));
    let dir = berth_fs::create_dir_all_in_root(root.as_fd(), format!("{dir}/"), mode)?;
    let new = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(&dir, name, new, Mode::from_raw_mode(0o644))?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(&dir, name, flags, Mode::empty())?)
}

/// A detached copy of the mount at a path.
fn tree(dir: impl AsFd, path: &Path, recursive: bool) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    let all = flags | OpenTreeFlags::AT_RECURSIVE;
    match open_tree(&dir, path, if recursive { all } else { flags }) {
        // In a user namespace mounts below may be locked, as they hide something: take them along.
        Err(Errno::INVAL) if !recursive => Ok(open_tree(&dir, path, all)?),
        other => Ok(other?),
    }
}

fn set_read_only(mount: &OwnedFd, recursive: bool) -> io::Result<()> {
    let change = Change {
        set: attr::RDONLY,
        recursive,
        ..Change::default()
    };
    sys_mount::set(mount, &change)
}

/// Source: pivot_root(2), "pivot_root(".", ".")".
fn pivot(root: &OwnedFd) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let old = rustix::fs::open("/", flags, Mode::empty())?;
    rustix::process::fchdir(root)?;
    rustix::process::pivot_root(".", ".")?;
    rustix::process::fchdir(&old)?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    Ok(rustix::process::chdir("/")?)
}

/// Whether both are on the same mount.
pub(super) fn same_mount(one: &OwnedFd, other: &OwnedFd) -> Result<bool, Errno> {
    let of = |fd: &OwnedFd| {
        let stat = rustix::fs::statx(fd, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
        Ok::<u64, Errno>(stat.stx_mnt_id)
    };
    Ok(of(one)? == of(other)?)
}

fn failed(step: &'static str, source: impl Into<io::Error>) -> Error {
    Error::Enter {
        step,
        source: source.into(),
    }
}
