//! Restoring a container from an image directory, into a cgroup of its own and with the bundle's files.
//!
//! CRIU wants the root to be a mount that nothing covers: it is bound over itself, in a mount namespace of this
//! process alone. Nothing of it is seen on the host, nor left there, however we end.

use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use berth_cgroup::Cgroup;
use berth_cgroup::systemd::Unit;
use berth_oci::spec::{Linux, Spec, State};
use berth_sys::mount::{self as sys_mount, Change, Propagation};
use berth_sys::process::{namespace, unshare};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::checkpoint::{with_log, work_directory};
use super::describe::{self, Tree};
use super::files;
use super::opts::{Given, Opts, kind};
use super::swrk::{self, Criu, Reply};
use crate::error::{Error, Result, step};
use crate::place::Place;
use crate::{bundle, hooks, mounts, pid};

const LOG: &str = "restore.log";

/// A container that runs again; a child of this process.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
    pub(crate) start_time: u64,
    /// The terminal's master.
    pub(crate) terminal: Option<OwnedFd>,
    pub(crate) cgroup: Cgroup,
    pub(crate) unit: Option<Unit>,
}

/// Restores it at `place`; `ready` is told of it before it goes on. On failure no process is left, but what was
/// made of the place may be: it is written down.
///
/// # Errors
/// [`Error::Criu`] with the last errors of CRIU's log; what keeps it from being asked; what `ready` says.
pub(crate) fn restore(
    spec: &Spec,
    state: &State,
    place: &Place,
    given: &Given,
    ready: impl FnMut(&Restored) -> Result<()>,
) -> Result<Restored> {
    let none = Linux::default();
    let linux = spec.linux.as_ref().unwrap_or(&none);
    describe::check_cgroup_mounts(spec, linux)?;
    swrk::check_version()?;
    swrk::check_features(false, given.lazy_pages)?;
    // Before anything is opened: CRIU mounts in these directories.
    let tree = private_root(&bundle::root_path(&state.bundle, spec))?;
    let image = files::directory(&given.image, false)?;
    let work = work_directory(given)?;
    let streams = files::read_descriptors(image.as_fd())?;
    tree.make_places(spec, &state.bundle)?;

    let mut opts = Opts::new(given, image.as_fd(), work.as_ref().map(OwnedFd::as_fd));
    opts.log_file(LOG);
    opts.config_file(&spec.annotations);
    opts.restore(given);
    opts.root(tree.name().as_os_str().as_bytes());
    describe::mounts_to_restore(&mut opts, spec, linux, &tree, &state.bundle);
    let inherited = (
        describe::namespaces_to_restore(&mut opts, linux)?,
        describe::streams_to_restore(&mut opts, &streams)?,
    );
    let mut stages = Stages {
        spec,
        state,
        ready,
        terminal: None,
        cgroup: place.make()?,
        unit: None,
        restored: None,
    };
    let mut criu = Criu::start()?;
    drop(inherited);
    let asked = stages
        .settle(place, &criu, &mut opts)
        .and_then(|()| criu.ask(&opts.request(kind::RESTORE), |reply| stages.come(reply)));
    criu.end();
    match (asked, stages.restored) {
        (Ok(_), Some(restored)) => Ok(restored),
        (Ok(_), None) => Err(swrk::failed("it did not say what it restored".to_owned())),
        (Err(error), _) => Err(with_log(error, LOG, work.as_ref().unwrap_or(&image))),
    }
}

/// What is done at which stage.
struct Stages<'a, F> {
    spec: &'a Spec,
    state: &'a State,
    ready: F,
    terminal: Option<OwnedFd>,
    cgroup: Cgroup,
    unit: Option<Unit>,
    restored: Option<Restored>,
}

impl<F: FnMut(&Restored) -> Result<()>> Stages<'_, F> {
    /// What CRIU makes is made within the container's limits, and its cgroups are below the container's.
    fn settle(&mut self, place: &Place, criu: &Criu, opts: &mut Opts) -> Result<()> {
        match place.start_unit(criu.pid())? {
            None => self.cgroup.add(criu.pid())?,
            Some(unit) => {
                self.cgroup = place.cgroup_of(&unit, criu.pid())?;
                self.unit = Some(unit);
            }
        }
        let path = format!("/proc/{}/cgroup", criu.pid());
        let text = std::fs::read_to_string(&path).map_err(|source| Error::ReadFile {
            path: path.into(),
            source,
        })?;
        for line in text.lines() {
            if let Some((controllers, path)) =
                line.split_once(':').and_then(|(_, r)| r.split_once(':'))
            {
                opts.cgroup_root(controllers, path);
            }
        }
        Ok(())
    }

    fn come(&mut self, reply: Reply) -> Result<()> {
        match reply.stage.as_str() {
            "setup-namespaces" => self.hooks(reply.pid),
            "orphan-pts-master" => {
                self.terminal = reply.fd;
                Ok(())
            }
            "post-restore" => {
                let fail = |e: rustix::io::Errno| step("open the restored process", e);
                let number = Pid::from_raw(reply.pid).ok_or(fail(rustix::io::Errno::SRCH))?;
                // Our unreaped child: the number is its own.
                let restored = Restored {
                    pid: reply.pid,
                    pidfd: pidfd_open(number, PidfdFlags::empty()).map_err(fail)?,
                    start_time: pid::start_time(reply.pid)?,
                    terminal: self.terminal.take(),
                    cgroup: std::mem::take(&mut self.cgroup),
                    unit: self.unit.take(),
                };
                (self.ready)(&restored)?;
                self.restored = Some(restored);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn hooks(&self, pid: i32) -> Result<()> {
        let Some(all) = &self.spec.hooks else {
            return Ok(());
        };
        let state = State {
            pid: Some(pid),
            ..self.state.clone()
        };
        hooks::run_all("prestart", &all.prestart, &state, None)?;
        hooks::run_all("createRuntime", &all.create_runtime, &state, None)
    }
}

/// The root file system as a mount, for this process and CRIU.
fn private_root(path: &Path) -> Result<Tree> {
    let fail = |action, e: std::io::Error| Error::Rootfs { action, source: e };
    unshare(namespace::MOUNT).map_err(|e| fail("make a mount namespace", e))?;
    sys_mount::set_at(CWD, c"/", &Change::to(Propagation::Slave, true))
        .map_err(|e| fail("set the propagation of /", e))?;
    let copy = mounts::clone_tree(path, true).map_err(|e| fail("bind the root file system", e))?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let below = rustix::fs::open(path, flags, Mode::empty())
        .map_err(|e| fail("open the root file system", e.into()))?;
    mounts::attach(&copy, &below).map_err(|e| fail("attach the root file system", e))?;
    Tree::open(path)
}
