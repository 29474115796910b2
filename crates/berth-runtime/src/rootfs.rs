//! The root file system: a detached mount that only ever exists in the container's own mount
//! namespace, and the change into it.
//!
//! Everything inside is reached through the descriptor of its root, resolved by the kernel as if that
//! were `/` (security: P1); nothing is looked up twice.
//!
//! Source: mount_namespaces(7), pivot_root(2), fsmount(2).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use berth_model::task::RootfsMount;
use berth_sys::mount::{self as sys_mount, Change, Propagation};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, UnmountFlags, move_mount, open_tree};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::error::{Error, Result};
use crate::mounts::{self, attach, clone_tree, is_dir};

/// The container's root, by descriptor.
#[derive(Debug)]
pub struct Root(OwnedFd);

impl Root {
    /// Detaches this mount namespace from the host's (`propagation`), makes the root's mount and
    /// attaches it over `/` here, so no mount point is needed anywhere.
    ///
    /// # Errors
    /// [`Error::Rootfs`], [`Error::MountOverlay`].
    pub fn set_up(mount: &RootfsMount, propagation: Option<(Propagation, bool)>) -> Result<Root> {
        let (kind, recursive) = match propagation {
            None => (Propagation::Slave, true),
            // Else nothing of the host could be bound into the container.
            Some((Propagation::Unbindable, recursive)) => (Propagation::Private, recursive),
            Some(given) => given,
        };
        sys_mount::set_at(CWD, c"/", &Change::to(kind, recursive))
            .map_err(|e| rootfs("set the propagation of /", e))?;
        // What the host mounts in the root directory is to be seen only where that was asked for.
        let follows = propagation.is_some() && kind == Propagation::Slave;
        if kind != Propagation::Private && !follows {
            // Else the host would see the root mount appear (security: R17); pivot_root wants it too.
            sys_mount::set_at(CWD, c"/", &Change::to(Propagation::Private, false))
                .map_err(|e| rootfs("make / private", e))?;
        }
        let root = detached(mount, follows)?;
        move_mount(&root, "", CWD, "/", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            .map_err(|e| rootfs("attach the root file system", e))?;
        Ok(Root(root))
    }

    /// Moves it from over `/` to the directory that the host knows it by: there hooks look for it, see what is
    /// mounted in it, and may mount more.
    ///
    /// # Errors
    /// [`Error::Rootfs`].
    pub fn show_at(&self, path: &Path) -> Result<()> {
        self.move_to(path)
            .map_err(|e| rootfs("show the root file system to hooks", e))
    }

    fn move_to(&self, path: &Path) -> io::Result<()> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let place = rustix::fs::open(path, flags, Mode::empty())?;
        // The host would see it appear, were the mount that the directory is in shared (security: R17). Only the
        // root of a mount can be changed: it is found on the way up.
        let private = Change::to(Propagation::Private, false);
        let mut above = place.try_clone()?;
        while let Err(error) = sys_mount::set(&above, &private) {
            if Errno::from_io_error(&error) != Some(Errno::INVAL) {
                return Err(error);
            }
            above = rustix::fs::openat(&above, "..", flags, Mode::empty())?;
        }
        attach(&self.0, &place)
    }

    /// The root that this process is in.
    ///
    /// # Errors
    /// [`Error::Rootfs`].
    pub fn current() -> Result<Root> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open("/", flags, Mode::empty())
            .map(Root)
            .map_err(|e| rootfs("open the root", e))
    }

    /// Opens `path` inside, following links inside.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open(&self, path: impl AsRef<Path>, flags: OFlags) -> io::Result<OwnedFd> {
        let mode = Mode::empty();
        Ok(berth_fs::resolve_in_root(
            self.0.as_fd(),
            path,
            flags,
            mode,
        )?)
    }

    /// Opens `path` inside; no component may be a symbolic link.
    ///
    /// # Errors
    /// The kernel's; `ELOOP` for a link.
    pub fn open_no_links(&self, path: impl AsRef<Path>, flags: OFlags) -> io::Result<OwnedFd> {
        Ok(berth_fs::open_in_root_no_links(
            self.0.as_fd(),
            path,
            flags,
        )?)
    }

    /// Opens the directory `path` inside (O_PATH), made with its parents where missing.
    ///
    /// # Errors
    /// The kernel's.
    pub fn make_dir(&self, path: &str) -> io::Result<OwnedFd> {
        let mode = Mode::from_raw_mode(0o755);
        Ok(berth_fs::create_dir_all_in_root(
            self.0.as_fd(),
            path,
            mode,
        )?)
    }

    /// Opens the file `path` inside (O_PATH), made empty where missing.
    ///
    /// # Errors
    /// The kernel's.
    pub fn make_file(&self, path: &str) -> io::Result<OwnedFd> {
        match self.open(path, OFlags::PATH) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => return done,
        }
        let (parent, name) = split(path)?;
        // A link that dangles stays one: it would be followed out of our sight.
        make_file_in(self.make_dir(parent)?, name)
    }

    /// Makes the root mount read-only.
    ///
    /// # Errors
    /// [`Error::Rootfs`].
    pub fn make_read_only(&self) -> Result<()> {
        mounts::make_read_only(&self.0)
            .map_err(|e| rootfs("make the root file system read-only", e))
    }

    /// Makes it `/` of this process and lets go of the old root.
    ///
    /// # Errors
    /// [`Error::Rootfs`].
    pub fn enter(self, no_pivot: bool) -> Result<()> {
        rustix::process::fchdir(&self.0).map_err(|e| rootfs("enter the root file system", e))?;
        if no_pivot {
            // On an initial ramfs, which cannot be pivoted away from. It is over `/` already.
            return rustix::process::chroot(".").map_err(|e| rootfs("chroot", e));
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let old = rustix::fs::open("/", flags, Mode::empty())
            .map_err(|e| rootfs("open the old root", e))?;
        rustix::process::pivot_root(".", ".")
            .map_err(|e| rootfs("pivot to the root file system", e))?;
        rustix::process::fchdir(&old).map_err(|e| rootfs("enter the old root", e))?;
        // What is unmounted here must not be unmounted on the host.
        sys_mount::set_at(CWD, c".", &Change::to(Propagation::Slave, true))
            .map_err(|e| rootfs("cut the old root off", e))?;
        rustix::mount::unmount(".", UnmountFlags::DETACH)
            .map_err(|e| rootfs("unmount the old root", e))?;
        rustix::process::chdir("/").map_err(|e| rootfs("enter the new root", e))
    }

    /// Makes it `/` of this process, and goes back to the mount namespace `outside`: for a container without
    /// one of its own. The tree is a detached copy then, in no namespace at all: nobody else sees it, no
    /// `..` leads out of it, and it ends with the last process that is in it.
    ///
    /// # Errors
    /// [`Error::Rootfs`].
    pub fn enter_detached(self, outside: BorrowedFd<'_>) -> Result<()> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_EMPTY_PATH
            | OpenTreeFlags::AT_RECURSIVE;
        let tree =
            open_tree(&self.0, "", flags).map_err(|e| rootfs("copy the mounts of the root", e))?;
        move_into_link_name_space(outside, Some(LinkNameSpaceType::Mount))
            .map_err(|e| rootfs("go back to the runtime's mount namespace", e))?;
        rustix::process::fchdir(&tree)
            .and_then(|()| rustix::process::chroot("."))
            .map_err(|e| rootfs("enter the root file system", e))
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Parent and name of a path inside.
pub fn split(path: &str) -> io::Result<(&str, &str)> {
    let path = path.trim_end_matches('/');
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    if name.is_empty() || name == ".." || name == "." {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok((if parent.is_empty() { "/" } else { parent }, name))
}

/// Opens the file `name` in a directory (O_PATH), made empty where missing. A link is opened itself.
///
/// # Errors
/// The kernel's.
pub(crate) fn make_file_in(parent: impl AsFd, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
    match rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o644)) {
        Ok(_) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno.into()),
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(parent, name, flags, Mode::empty())?)
}

/// Sets the propagation that the spec asks for, once inside.
///
/// # Errors
/// [`Error::Rootfs`].
pub fn set_final_propagation(propagation: Option<(Propagation, bool)>) -> Result<()> {
    // Private and slave it is from the beginning; what else is mounted has its own.
    let Some((kind @ (Propagation::Shared | Propagation::Unbindable), recursive)) = propagation
    else {
        return Ok(());
    };
    sys_mount::set_at(CWD, c"/", &Change::to(kind, recursive))
        .map_err(|e| rootfs("set the propagation of the root file system", e))
}

/// `follows`: what the host mounts in it is seen.
fn detached(mount: &RootfsMount, follows: bool) -> Result<OwnedFd> {
    match mount {
        RootfsMount::Bind { source } => {
            let root =
                clone_tree(source, true).map_err(|e| rootfs("bind the root file system", e))?;
            let kind = match follows {
                true => Propagation::Slave,
                false => Propagation::Private,
            };
            sys_mount::set(&root, &Change::to(kind, true))
                .map_err(|e| rootfs("set the propagation of the root file system", e))?;
            match is_dir(&root) {
                Ok(true) => Ok(root),
                Ok(false) => Err(rootfs("bind the root file system", Errno::NOTDIR)),
                Err(error) => Err(rootfs("look at the root file system", error)),
            }
        }
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
            berth_sys::overlay::mount(lower, upper, work, options).map_err(|errno| {
                Error::MountOverlay {
                    upper: upper.clone(),
                    layers: lower.len(),
                    source: errno.into(),
                }
            })
        }
    }
}

fn rootfs(action: &'static str, source: impl Into<io::Error>) -> Error {
    Error::Rootfs {
        action,
        source: source.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn paths_split_inside() {
        assert_eq!(split("/a/b").unwrap(), ("/a", "b"));
        assert_eq!(split("/a/").unwrap(), ("/", "a"));
        assert_eq!(split("a").unwrap(), ("/", "a"));
        for bad in ["", "/", "/a/..", "/."] {
            assert!(split(bad).is_err(), "{bad}");
        }
    }
}
