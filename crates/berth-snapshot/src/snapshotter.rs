//! The two ways to make a root file system of layers.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use berth_layer::apply::Form;
use berth_model::task::RootfsMount;
use rustix::fs::{Gid, Mode, OFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use crate::Error;

/// How layers lie on disk and become a root file system.
pub trait Snapshotter: Send + Sync {
    /// What the unpacker is to make of a layer.
    fn form(&self) -> Form;

    /// Fills a new, empty snapshot with what the layer below it has, before the layer is applied.
    ///
    /// # Errors
    /// `Copy`.
    fn seed(&self, below: Option<&Path>, target: &Path) -> Result<(), Error>;

    /// Makes what a container needs in its own directory to write, and says what to mount. `layers` is
    /// topmost first and not empty.
    ///
    /// # Errors
    /// `Dir`, `Copy`.
    fn rootfs(&self, layers: &[PathBuf], container_dir: &Path) -> Result<RootfsMount, Error>;
}

/// Each layer in its own directory; the kernel merges them, writes go to the container's directory.
#[derive(Debug, Clone, Copy)]
pub struct Overlay {
    /// The mounter is root only in a user namespace.
    pub rootless: bool,
}

/// Each snapshot is the whole tree, each container has its own copy: for file systems without overlay.
#[derive(Debug, Clone, Copy)]
pub struct Native;

impl Snapshotter for Overlay {
    fn form(&self) -> Form {
        Form::Overlay
    }

    fn seed(&self, _below: Option<&Path>, _target: &Path) -> Result<(), Error> {
        Ok(())
    }

    fn rootfs(&self, layers: &[PathBuf], container_dir: &Path) -> Result<RootfsMount, Error> {
        let top = layers.first().ok_or(Error::NoLayers)?;
        let (upper, work) = (container_dir.join("upper"), container_dir.join("work"));
        make_dir(&work)?;
        // What the merged root looks like is what the upper directory looks like. One that is there is the
        // container's own by now: it may have changed the mode of its `/`.
        if !upper.exists() {
            let upper_dir = make_dir(&upper)?;
            copy_root_metadata(top, &upper, &upper_dir, self.rootless)?;
        }
        Ok(RootfsMount::Overlay {
            lower: layers.to_vec(),
            upper,
            work,
            userxattr: self.rootless,
            volatile: false,
        })
    }
}

impl Snapshotter for Native {
    fn form(&self) -> Form {
        Form::Plain
    }

    fn seed(&self, below: Option<&Path>, target: &Path) -> Result<(), Error> {
        below.map_or(Ok(()), |below| copy(below, target))
    }

    fn rootfs(&self, layers: &[PathBuf], container_dir: &Path) -> Result<RootfsMount, Error> {
        let top = layers.first().ok_or(Error::NoLayers)?;
        let source = container_dir.join("rootfs");
        // A container is committed with its copy whole: one that is there is the container's own by now.
        if !source.exists() {
            make_dir(&source)?;
            copy(top, &source)?;
        }
        Ok(RootfsMount::Bind { source })
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let (from_dir, to_dir) = (open_dir(from)?, open_dir(to)?);
    berth_layer::copy_tree(from_dir.as_fd(), to_dir).map_err(|source| Error::Copy {
        path: from.to_owned(),
        source,
    })
}

fn copy_root_metadata(
    top: &Path,
    upper: &Path,
    upper_dir: &OwnedFd,
    rootless: bool,
) -> Result<(), Error> {
    let failed = |operation, path: &Path, source| Error::Dir {
        operation,
        path: path.to_owned(),
        source,
    };
    let stat = rustix::fs::stat(top).map_err(|errno| failed("look at", top, errno))?;
    match rustix::fs::fchown(
        upper_dir,
        Some(Uid::from_raw(stat.st_uid)),
        Some(Gid::from_raw(stat.st_gid)),
    ) {
        Ok(()) => {}
        // A root directory that is not root's: only the user namespace could give it away.
        Err(Errno::PERM) if rootless => {}
        Err(errno) => return Err(failed("set the owner of", upper, errno)),
    }
    rustix::fs::fchmod(upper_dir, Mode::from_raw_mode(stat.st_mode & 0o7777))
        .map_err(|errno| failed("set the mode of", upper, errno))?;
    #[allow(
        clippy::unnecessary_cast,
        clippy::useless_conversion,
        reason = "the types differ by architecture"
    )]
    let mtime = Timespec {
        tv_sec: stat.st_mtime as i64,
        tv_nsec: stat.st_mtime_nsec as _,
    };
    rustix::fs::futimens(
        upper_dir,
        &Timestamps {
            last_access: mtime,
            last_modification: mtime,
        },
    )
    .map_err(|errno| failed("set the time of", upper, errno))
}

/// Makes the directory (0700) unless it exists, and opens it.
pub(crate) fn make_dir(path: &Path) -> Result<OwnedFd, Error> {
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => open_dir(path),
        Err(source) => Err(Error::Dir {
            operation: "create",
            path: path.to_owned(),
            source,
        }),
    }
}

pub(crate) fn open_dir(path: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|source| Error::Dir {
        operation: "open",
        path: path.to_owned(),
        source,
    })
}
