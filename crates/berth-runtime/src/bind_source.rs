//! What a bind mount shows: a path of the host's, or of a volume a part, resolved inside it.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use berth_oci::spec::Mount;
use rustix::fs::{Mode, OFlags};

use crate::mount_options::Options;

/// What a bind mount shows.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    /// What the path is a link to.
    _open: Option<OwnedFd>,
}

impl Source {
    /// With a subpath this is a descriptor: whoever changes directories meanwhile changes nothing about where it is.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn of(mount: &Mount, options: &Options, bundle: &Path) -> io::Result<Source> {
        let source = mount.source.as_deref().filter(|source| !source.is_empty());
        let source = source.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "a bind mount needs a source")
        })?;
        let path = bundle.join(source);
        let Some(subpath) = &options.subpath else {
            return Ok(Source { path, _open: None });
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let whole = rustix::fs::open(&path, flags, Mode::empty())?;
        let mode = Mode::empty();
        let part = berth_fs::resolve_in_root(whole.as_fd(), subpath, OFlags::PATH, mode)?;
        Ok(Source {
            path: format!("/proc/self/fd/{}", part.as_raw_fd()).into(),
            _open: Some(part),
        })
    }
}
