//! Making a container: the caller's side of what [`crate::init`] does.
//!
//! ```text
//! create   cgroup → clone3 (namespaces, cgroup) → id maps → [unit] → [hooks] → init is ready and waits
//!          (the v1 cgroups and the limits at the same time as init's namespaces, where it can go ahead)
//! start    go → init runs its program
//! ```
//! A failure at any point undoes everything: the process is killed and reaped, the cgroups are removed.
//! Mounts need no undoing: they exist in init's mount namespace only and end with it.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use berth_cgroup::systemd::Unit;
use berth_cgroup::{Cgroup, Rest};
use berth_model::task::RootfsMount;
use berth_oci::spec::{Linux, Spec, State};
use berth_sys::process::{Child, CloneOptions, Forked, exit_now};
use berth_sys::signals;
use rustix::process::{WaitId, WaitIdOptions, WaitIdStatus, waitid};

use crate::claim::Claim;
use crate::error::{Error, Result, invalid};
use crate::init::Init;
use crate::namespaces::{Plan, in_user_namespace};
use crate::place::{Place, session};
use crate::process::{Prepared, Stdio};
use crate::sync::{Message, Sync};
use crate::{
    bundle, cgroup_owner, devices, filter, hooks, id_maps, labels, maker, mount_options,
    mount_source, net_devices, rdt, sysctl, validate,
};

/// How a container is made, beside its spec.
#[derive(Debug)]
pub struct LaunchOptions {
    /// Its id.
    pub id: String,
    /// Where what is made is written down before it is there; `None` if the caller knows it.
    pub claim: Option<Claim>,
    /// The bundle's directory, absolute.
    pub bundle: PathBuf,
    /// What `/` will be; `None` means the spec's `root.path`.
    pub rootfs: Option<RootfsMount>,
    /// Standard streams; [`Stdio::Terminal`] opens a terminal inside.
    pub stdio: Stdio,
    /// Rows and columns of the terminal, before the spec's.
    pub console_size: Option<(u16, u16)>,
    /// Init waits until a byte can be read here (opened non-blocking), instead of for [`Created::start`].
    pub fifo: Option<OwnedFd>,
    /// Descriptors from 3 on that the program shall have.
    pub preserve_fds: u32,
    /// Environment of the first process alone, beside the spec's.
    pub more_env: Vec<String>,
    /// The root is not pivoted to (an initial ramfs cannot be pivoted away from).
    pub no_pivot: bool,
    /// The caller's session keyring is kept.
    pub no_new_keyring: bool,
    /// Cgroups as an ordinary user has them; `None`: as is found out.
    pub rootless: Option<bool>,
    /// systemd makes the cgroup.
    pub systemd: bool,
}

/// A container whose init is ready and waits.
#[derive(Debug)]
pub struct Created {
    /// Init's pid in the caller's pid namespace.
    pub pid: i32,
    /// Init and no other process.
    pub pidfd: OwnedFd,
    /// Field 22 of `/proc/PID/stat`.
    pub start_time: u64,
    /// The terminal's master.
    pub terminal: Option<OwnedFd>,
    /// It has its caller's session keyring, and so have all that enter it.
    pub no_new_keyring: bool,
    sync: Sync,
    cgroup: Cgroup,
    rdt: Option<rdt::Group>,
    unit: Option<Unit>,
    claim: Option<Claim>,
    state: State,
}

/// Makes the container up to the point where only its program is left to be run.
///
/// # Errors
/// The first step that failed, here or in init; nothing is left behind.
pub fn create(spec: &Spec, mut options: LaunchOptions) -> Result<Created> {
    let (told, systemd, claim) = (options.rootless, options.systemd, options.claim.take());
    let mut init = prepare(spec, options)?;
    let rootless = in_user_namespace() || !rustix::process::geteuid().is_root();
    init.in_user_namespace = rootless || init.namespaces.other_user();
    let rootless = told.unwrap_or(rootless);
    let rdt = rdt::Made::of(init.linux.intel_rdt.as_ref(), &init.state.id)?;
    let place = Place::new(init.linux, &init.state.id, systemd, rootless, claim)?;
    init.namespaces.held |= place.needs_init();
    let (mut cgroup, mut rest) = place.begin()?;
    let ready = match init.namespaces.goes_ahead() {
        true => Ok(()),
        false => place.complete(&mut cgroup, &mut rest),
    };
    let (child, sync) = match ready.and_then(|()| make_process(&init, &cgroup)) {
        Ok(made) => made,
        Err(error) => {
            place.undo(&cgroup, rest);
            return Err(error);
        }
    };
    let mut created = Created {
        pid: child.pid,
        pidfd: child.pidfd,
        start_time: 0,
        terminal: None,
        no_new_keyring: init.no_new_keyring,
        sync,
        cgroup,
        rdt: rdt.keep(),
        unit: None,
        claim: place.claim(),
        state: State {
            pid: Some(child.pid),
            ..init.state.clone()
        },
    };
    match created.bring_up(&init, &place, &mut rest) {
        Ok(()) => Ok(created),
        Err(error) => {
            created.abandon(spec);
            rest.into_iter().for_each(Rest::undo);
            Err(error)
        }
    }
}

/// [`create`] and [`Created::start`] in one.
///
/// # Errors
/// Likewise; nothing is left behind.
pub fn launch(spec: &Spec, options: LaunchOptions) -> Result<Created> {
    let mut created = create(spec, options)?;
    match created.start(spec) {
        Ok(()) => Ok(created),
        Err(error) => {
            created.abandon(spec);
            Err(error)
        }
    }
}

impl Created {
    /// Lets init run its program, and the `poststart` hooks after it.
    ///
    /// # Errors
    /// What init reported: the container is then to be abandoned.
    pub fn start(&mut self, spec: &Spec) -> Result<()> {
        self.sync.go()?;
        self.listen_until_exec(spec)?;
        match &spec.hooks {
            Some(all) if !all.poststart.is_empty() => {
                let state = State {
                    status: "running".to_owned(),
                    ..self.state.clone()
                };
                hooks::run_all("poststart", &all.poststart, &state, None)
            }
            _ => Ok(()),
        }
    }

    /// Kills it, with all that runs in it, removes its cgroups and runs its `poststop` hooks. Best effort:
    /// whoever calls this has an error to report already. The claim is kept for what is left.
    ///
    /// Source: runtime.md "Lifecycle", 12 and 13.
    pub fn abandon(self, spec: &Spec) {
        let _ = signals::send(&self.pidfd, signals::KILL);
        let _ = self.cgroup.kill();
        let _ = wait(&self.pidfd);
        let stopped = self.unit.map_or(Ok(()), |unit| unit.stop(&session()));
        if self.cgroup.remove().and(stopped).is_ok() {
            self.claim.iter().for_each(Claim::forget);
        }
        if let Some(group) = &self.rdt {
            let _ = group.remove();
        }
        hooks::run_poststop(spec, &self.state);
    }

    /// Waits for init's end.
    ///
    /// # Errors
    /// [`Error::Sync`]: it is no child of this process.
    pub fn wait(&self) -> Result<i32> {
        wait(&self.pidfd)
    }

    /// Its cgroup.
    pub fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    /// Its resctrl groups.
    pub fn rdt(&self) -> Option<&rdt::Group> {
        self.rdt.as_ref()
    }

    /// The unit that systemd has made for it.
    pub fn unit(&self) -> Option<&Unit> {
        self.unit.as_ref()
    }

    /// From the new process to a ready init.
    fn bring_up(&mut self, init: &Init<'_>, place: &Place, rest: &mut Option<Rest>) -> Result<()> {
        if init.namespaces.goes_ahead() {
            place.complete(&mut self.cgroup, rest)?;
            // Where init is dead already, its last word is read below.
            let _ = self.sync.go_in(&self.cgroup.paths());
        }
        self.start_time = crate::pid::start_time(self.pid)?;
        if let Some(group) = &self.rdt {
            group.join(self.pid)?;
        }
        let spec = init.spec;
        if init.namespaces.held {
            self.hold(init.linux, &init.namespaces, place)?;
        }
        cgroup_owner::give(&self.cgroup, spec, init.linux)?;
        loop {
            match self.sync.receive()? {
                Message::Ready => return Ok(()),
                Message::Hooks => {
                    if let Some(all) = &spec.hooks {
                        // It comes after step 2 of the lifecycle, the creation, and before anything that may
                        // start: validation suites take it for `created`. Source: runtime.md "Lifecycle", 3.
                        let created = State {
                            status: "created".to_owned(),
                            ..self.state.clone()
                        };
                        hooks::run_all("prestart", &all.prestart, &created, None)?;
                        hooks::run_all("createRuntime", &all.create_runtime, &self.state, None)?;
                    }
                    self.sync.go()?;
                }
                other => self.take(other, spec)?,
            }
        }
    }

    /// What init waits for, before anything else.
    fn hold(&mut self, linux: &Linux, plan: &Plan, place: &Place) -> Result<()> {
        if plan.join_user.is_some() {
            id_maps::compare(self.pid, linux)?;
        } else if plan.new_user() && !plan.needs_maker() {
            id_maps::write(self.pid, linux)?;
        }
        self.unit = place.start_unit(self.pid)?;
        if let Some(unit) = &self.unit {
            self.cgroup = place.cgroup_of(unit, self.pid)?;
        } else if plan.needs_maker() {
            self.cgroup.add(self.pid)?;
        } else {
            // As somebody else's root, init could not join them itself.
            self.cgroup.add_v1(self.pid)?;
        }
        net_devices::move_all(&linux.net_devices, plan, self.pid)?;
        self.sync.go_in(&self.cgroup.paths())
    }

    fn listen_until_exec(&mut self, spec: &Spec) -> Result<()> {
        loop {
            match self.sync.receive()? {
                // The socket closed by itself, in the exec.
                Message::End => return Ok(()),
                other => self.take(other, spec)?,
            }
        }
    }

    fn take(&mut self, message: Message, spec: &Spec) -> Result<()> {
        match message {
            Message::Failed(failure) => Err(Error::Child { failure }),
            Message::Terminal(master) => {
                self.terminal = Some(master);
                Ok(())
            }
            Message::Mount(index) => {
                let bundle = Path::new(&self.state.bundle);
                let made = mount_source::make_for_init(spec, index, bundle, self.pid)?;
                self.sync.send_fd(b'g', made.as_fd())
            }
            Message::Listener(listener) => {
                let profile = spec.linux.as_ref().and_then(|l| l.seccomp.as_ref());
                let (pid, state) = (self.pid, &self.state);
                filter::hand_over(listener, pid, &self.pidfd, profile, state, &self.sync)
            }
            Message::End => Err(Error::EndedEarly {
                how: how_it_ended(&self.pidfd),
            }),
            _ => Err(Error::Sync {
                source: std::io::ErrorKind::InvalidData.into(),
            }),
        }
    }
}

/// Checks everything that can be checked before anything is made.
fn prepare(spec: &Spec, options: LaunchOptions) -> Result<Init<'_>> {
    validate::spec(spec)?;
    let Some(process) = &spec.process else {
        return invalid("there is no process".into());
    };
    let Some(linux) = &spec.linux else {
        return invalid("there is no linux section".into());
    };
    labels::check_mount_label(linux)?;
    let namespaces = Plan::new(spec, linux)?;
    devices::check(&linux.devices)?;
    sysctl::check(&linux.sysctl, namespaces.own)?;
    mount_options::root_propagation(linux.rootfs_propagation.as_deref())?;
    let mut prepared = match options.more_env.as_slice() {
        [] => Prepared::new(process, linux)?,
        more => {
            let mut process = process.clone();
            process.env.extend_from_slice(more);
            Prepared::new(&process, linux)?
        }
    };
    prepared.preserve_fds = options.preserve_fds;
    prepared.warn_of_capabilities(namespaces.other_user())?;
    let hooks_inside = spec
        .hooks
        .as_ref()
        .is_some_and(|all| !all.start_container.is_empty());
    if hooks_inside && prepared.attributes.forbids_forks() {
        return invalid(
            "SCHED_DEADLINE with startContainer hooks needs SCHED_FLAG_RESET_ON_FORK: nobody could start them"
                .into(),
        );
    }
    let rootfs = match options.rootfs {
        Some(rootfs) => rootfs,
        None if spec.root.is_none() => return invalid("there is no root".into()),
        None => RootfsMount::Bind {
            source: bundle::root_path(&options.bundle, spec),
        },
    };
    Ok(Init {
        spec,
        linux,
        state: hooks::state_of(spec, &options.id, &options.bundle, "creating", None),
        bundle: options.bundle,
        rootfs,
        namespaces,
        console_size: options.console_size.or(prepared.console_size()),
        process: prepared,
        stdio: options.stdio,
        in_user_namespace: false,
        no_pivot: options.no_pivot,
        no_new_keyring: options.no_new_keyring,
        fifo: options.fifo,
    })
}

fn make_process(init: &Init<'_>, cgroup: &Cgroup) -> Result<(Child, Sync)> {
    if init.namespaces.needs_maker() {
        return maker::make_init(init, cgroup);
    }
    let (ours, theirs) = Sync::pair()?;
    let options = CloneOptions {
        namespaces: init.namespaces.new & !init.namespaces.new_late(),
        cgroup: cgroup.unified_fd(),
        parent: false,
    };
    let forked = init.namespaces.fork(options)?;
    match forked {
        Forked::Parent(child) => Ok((child, ours)),
        Forked::Child => {
            drop(ours);
            let error = match init.run(&theirs, cgroup) {
                Err(error) => error,
                Ok(never) => match never {},
            };
            fail_and_exit(&theirs, &error)
        }
    }
}

/// The end of a process that could not become its program.
pub(crate) fn fail_and_exit(sync: &Sync, error: &Error) -> ! {
    let failure = error.to_failure();
    if !sync.failed(&failure) {
        // Whoever created the container is gone: its standard error is all there is.
        eprintln!("error: {}", crate::error::one_line(&failure));
    }
    exit_now(failure.exit_code)
}

/// Waits for a child's end and returns its exit code as shells count it.
///
/// # Errors
/// [`Error::Sync`]: it is no child of this process.
pub fn wait(pidfd: impl AsFd) -> Result<i32> {
    let fail = |errno: rustix::io::Errno| Error::Sync {
        source: errno.into(),
    };
    let ended =
        rustix::io::retry_on_intr(|| waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED));
    Ok(ended.map_err(fail)?.as_ref().map_or(0, exit_code))
}

/// 128 + n for signal n, as shells count it.
pub fn exit_code(status: &WaitIdStatus) -> i32 {
    status
        .exit_status()
        .or_else(|| status.terminating_signal().map(|n| 128 + n))
        .unwrap_or(0)
}

fn how_it_ended(pidfd: &OwnedFd) -> String {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    match waitid(WaitId::PidFd(pidfd.as_fd()), options) {
        Ok(Some(status)) => match status.terminating_signal() {
            Some(signals::KILL) => "killed by SIGKILL; out of memory?".to_owned(),
            Some(signal) => format!("killed by signal {signal}"),
            None => format!("exit code {}", status.exit_status().unwrap_or_default()),
        },
        _ => "no status".to_owned(),
    }
}

/// An absolute bundle path.
///
/// # Errors
/// [`Error::ReadFile`] when it does not exist.
pub fn absolute_bundle(bundle: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(bundle).map_err(|source| Error::ReadFile {
        path: bundle.to_owned(),
        source,
    })
}
