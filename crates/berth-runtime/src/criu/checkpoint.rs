//! Dumping a container: its processes, and what they have open, into an image directory.

use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use berth_cgroup::Cgroup;
use berth_oci::spec::{Linux, Spec};

use super::describe::{self, Tree};
use super::files;
use super::opts::{Given, Opts, kind};
use super::swrk::{self, Criu};
use crate::bundle;
use crate::error::{Error, Result, step};
use crate::state::Record;

const LOG: &str = "dump.log";

/// Dumps it. Unless it is left running, its processes are gone after that; `ready` gets a zero byte when pages
/// can be fetched.
///
/// # Errors
/// [`Error::Criu`] with the last errors of CRIU's log, and what keeps it from being asked.
pub(crate) fn checkpoint(
    spec: &Spec,
    record: &Record,
    cgroup: &Cgroup,
    given: &Given,
    mut ready: Option<OwnedFd>,
) -> Result<()> {
    let none = Linux::default();
    let linux = spec.linux.as_ref().unwrap_or(&none);
    describe::check_cgroup_mounts(spec, linux)?;
    swrk::check_version()?;
    swrk::check_features(given.pre_dump, given.lazy_pages)?;
    let image = files::directory(&given.image, true)?;
    let work = work_directory(given)?;
    let mut opts = Opts::new(given, image.as_fd(), work.as_ref().map(OwnedFd::as_fd));
    opts.log_file(LOG);
    opts.config_file(&spec.annotations);
    opts.dump(given, record.pid);
    opts.root(
        bundle::root_path(&record.bundle, spec)
            .as_os_str()
            .as_bytes(),
    );
    if let Some(freezer) = freezer(cgroup) {
        opts.freeze_cgroup(freezer.as_os_str().as_bytes());
    }
    describe::namespaces_of_running(&mut opts, linux, record.pid)?;
    let what = if given.pre_dump {
        kind::PRE_DUMP
    } else {
        let tree = Tree::open(Path::new(&format!("/proc/{}/root", record.pid)))?;
        describe::mounts_of_running(&mut opts, spec, linux, &tree);
        let streams = describe::streams_of_running(&mut opts, record.pid)?;
        files::write_descriptors(image.as_fd(), &streams)?;
        kind::DUMP
    };
    let mut criu = Criu::start()?;
    let asked = criu.ask(&opts.request(what), |reply| {
        let Some(ready) = ready.take_if(|_| reply.stage == "status-ready") else {
            return Ok(());
        };
        rustix::io::write(&ready, &[0])
            .map(drop)
            .map_err(|e| step("tell that pages can be fetched", e))
    });
    criu.end();
    asked
        .map(drop)
        .map_err(|error| with_log(error, LOG, work.as_ref().unwrap_or(&image)))
}

/// The directory for logs, if it is another one.
pub(super) fn work_directory(given: &Given) -> Result<Option<OwnedFd>> {
    match given.work.as_os_str().is_empty() {
        true => Ok(None),
        false => files::directory(&given.work, true).map(Some),
    }
}

/// What CRIU says of a failure is in its log.
pub(super) fn with_log(error: Error, name: &str, directory: &OwnedFd) -> Error {
    match error {
        Error::Criu { reason, .. } => Error::Criu {
            reason,
            log: files::errors_in(directory.as_fd(), name),
        },
        other => other,
    }
}

/// Where the container is frozen as a whole; without it CRIU stops each process.
fn freezer(cgroup: &Cgroup) -> Option<PathBuf> {
    let paths = cgroup.paths();
    match paths.as_slice() {
        [only] if cgroup.unified_fd().is_some() => Some(only.clone()),
        _ => paths
            .into_iter()
            .find(|p| p.components().any(|c| c.as_os_str() == "freezer")),
    }
}
