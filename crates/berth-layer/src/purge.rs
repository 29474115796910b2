//! `berth internal purge PATH…`: removes trees by descriptors. A rootless engine runs it inside the user
//! namespace that owns the files.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::Error;

/// Removes `path` with all below it; no link is followed, at its end neither. That it is gone already is fine.
///
/// # Errors
/// `OpenDir` for its parent, `Tree` for what could not be removed.
pub fn purge(path: &Path) -> Result<(), Error> {
    let shown = |path: &Path| path.display().to_string();
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::OpenDir {
            path: shown(path),
            source: Errno::INVAL,
        });
    };
    let parent = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = match rustix::fs::open(parent, flags, Mode::empty()) {
        Ok(dir) => dir,
        Err(Errno::NOENT) => return Ok(()),
        Err(source) => {
            return Err(Error::OpenDir {
                path: shown(parent),
                source,
            });
        }
    };
    berth_fs::tree::remove_tree_at(dir.as_fd(), name).map_err(|error| Error::Tree {
        operation: "remove",
        path: shown(path),
        source: error.errno().unwrap_or(Errno::IO),
    })
}

/// The process's main function; `args` come after `purge`. Failures go to standard error, one line each.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for path in args {
        if let Err(error) = purge(Path::new(&path)) {
            let cause = std::error::Error::source(&error)
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default();
            // Standard error is the only place to complain to.
            let _ = writeln!(std::io::stderr(), "{error}{cause}");
            code = ExitCode::FAILURE;
        }
    }
    code
}
