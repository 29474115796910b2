//! A further process in a running container.
//!
//! ```text
//! caller ── intermediate (born in the container's cgroup; joins its namespaces; ends)
//!    └───── the process   (made by it as the caller's child, inside from its first instant)
//! ```
//! All namespaces are joined at once, through a pidfd whose start time was compared: if init ends
//! meanwhile the join fails, it never lands elsewhere (security: R29). The process is made after the join,
//! so nothing of the host (root, working directory, descriptors) is ever within the container's sight,
//! and it shows itself to nobody until the exec (security: R1, R7, R11).

use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use berth_cgroup::Cgroup;
use berth_cgroup::systemd::Unit;
use berth_oci::spec::{Linux, Process, Spec, State};
use berth_sys::attributes::{Bits, affinity};
use berth_sys::process::{Child, CloneOptions, Forked, clone3, exit_now};
use berth_sys::signals;

use crate::attributes::run_on;
use crate::error::{Error, Result, step};
use crate::init::die_with_the_runtime;
use crate::join::Way;
use crate::launch::{fail_and_exit, wait};
use crate::place::session;
use crate::process::{Prepared, Stdio, hide_from_others, place_stdio, place_terminal};
use crate::sync::{Message, Sync};
use crate::{filter, hooks, id_maps, pid};

/// The container to enter.
#[derive(Debug)]
pub struct Target<'a> {
    /// Its id, for messages.
    pub id: &'a str,
    /// Init's pid.
    pub pid: i32,
    /// Init's start time.
    pub start_time: u64,
    /// Its cgroup directories.
    pub cgroups: &'a [PathBuf],
    /// The unit that systemd has made for it.
    pub unit: Option<&'a Unit>,
    /// Its configuration.
    pub spec: &'a Spec,
    /// Of the configuration: namespaces and seccomp profile.
    pub linux: &'a Linux,
    /// Its bundle.
    pub bundle: &'a Path,
    /// A paused one is entered, too: the process runs when the container does.
    pub even_paused: bool,
    /// The caller's session keyring is kept.
    pub no_new_keyring: bool,
}

impl Target<'_> {
    /// Init and the cgroup, if the container runs.
    fn open(&self) -> Result<(OwnedFd, Cgroup)> {
        let wrong = |status| Error::WrongState {
            verb: "exec in",
            id: self.id.to_owned(),
            status,
        };
        let init = pid::open(self.pid, self.start_time)?.ok_or_else(|| wrong("stopped"))?;
        let cgroup = Cgroup::open(self.cgroups)?;
        if !self.even_paused && cgroup.is_frozen()? {
            return Err(wrong("paused"));
        }
        Ok((init, cgroup))
    }

    fn state(&self) -> State {
        let pid = Some(self.pid);
        hooks::state_of(self.spec, self.id, self.bundle, "running", pid)
    }
}

/// A process that runs in a container.
#[derive(Debug)]
pub struct Executed {
    /// Its pid in the caller's pid namespace.
    pub pid: i32,
    /// It and no other process. It is the caller's child.
    pub pidfd: OwnedFd,
    /// The terminal's master.
    pub terminal: Option<OwnedFd>,
}

/// Starts `process` in the container.
///
/// # Errors
/// [`Error::WrongState`] when it does not run; the first step that failed.
pub fn exec(
    target: &Target<'_>,
    process: &Process,
    stdio: Stdio,
    console_size: Option<(u16, u16)>,
    preserve_fds: u32,
) -> Result<Executed> {
    let mut prepared = Prepared::new(process, target.linux)?;
    prepared.preserve_fds = preserve_fds;
    let (init, cgroup) = target.open()?;
    let way = Way::to(&init, target.pid, target.linux)?;
    prepared.warn_of_capabilities(way.other_user())?;
    let mut entry = Entry {
        init: Some(init),
        way,
        cgroup,
        held: false,
        prepared,
        stdio,
        console_size,
        no_new_keyring: target.no_new_keyring,
    };
    let (ours, theirs) = Sync::pair()?;
    let options = CloneOptions {
        cgroup: entry.cgroup.unified_fd(),
        ..CloneOptions::default()
    };
    let cpus = entry.prepared.attributes.initial_cpus.clone();
    let mut forked = clone_on(cpus.as_ref(), options);
    let attach = target.unit.filter(|_| is_denied(&forked));
    if attach.is_some() {
        // What keeps a user from there is above the unit, where systemd's right reaches.
        entry.held = true;
        forked = clone_on(cpus.as_ref(), CloneOptions::default());
    }
    match forked? {
        Forked::Child => {
            drop(ours);
            match entry.intermediate(&theirs) {
                Ok(never) => match never {},
                Err(error) => fail_and_exit(&theirs, &error),
            }
        }
        Forked::Parent(intermediate) => {
            drop(theirs);
            if let (Some(unit), Some(cgroup)) = (attach, target.cgroups.first())
                && let Err(error) = unit.attach(intermediate.pid, cgroup, &session())
            {
                drop(ours);
                wait(&intermediate.pidfd)?;
                return Err(error.into());
            }
            if attach.is_some() {
                ours.go()?;
            }
            listen(&intermediate, &ours, target)
        }
    }
}

fn is_denied(forked: &Result<Forked>) -> bool {
    let Err(Error::Clone { source }) = forked else {
        return false;
    };
    source.kind() == std::io::ErrorKind::PermissionDenied
}

/// Makes a process that runs on these CPUs from its first instant, which may be one in the container's cgroup.
/// The caller itself goes back to where it was.
fn clone_on(cpus: Option<&Bits>, options: CloneOptions<'_>) -> Result<Forked> {
    let clone = || clone3(options).map_err(|source| Error::Clone { source });
    let Some(cpus) = cpus else {
        return clone();
    };
    let own = affinity().map_err(|e| step("read the CPU affinity", e))?;
    run_on(cpus)?;
    crate::cmd::log::debug(format_args!("initial CPU affinity: {cpus:#x}"));
    let forked = clone();
    if !matches!(forked, Ok(Forked::Child)) {
        run_on(&own)?;
    }
    forked
}

struct Entry {
    init: Option<OwnedFd>,
    way: Way,
    cgroup: Cgroup,
    /// It is moved into the cgroup, and waits for that.
    held: bool,
    prepared: Prepared,
    stdio: Stdio,
    console_size: Option<(u16, u16)>,
    no_new_keyring: bool,
}

impl Entry {
    /// Enters the cgroups and namespaces and makes the process there.
    fn intermediate(&mut self, sync: &Sync) -> Result<Infallible> {
        die_with_the_runtime()?;
        if self.held {
            sync.wait_go()?;
        }
        self.prepared.set_oom_score()?;
        hide_from_others()?;
        std::mem::take(&mut self.cgroup).join_v1()?;
        if let Some(cpus) = &self.prepared.attributes.final_cpus {
            run_on(cpus)?;
        }
        // After this nothing of the host's is open, but the streams and the socket.
        if let Some(init) = self.init.take() {
            self.way.join(init)?;
        }
        if self.way.other_user() {
            id_maps::become_root(self.prepared.user())?;
            hide_from_others()?;
        }
        self.way.enter_root()?;
        let options = CloneOptions {
            parent: true,
            ..CloneOptions::default()
        };
        match clone3(options).map_err(|source| Error::Clone { source })? {
            Forked::Parent(child) => {
                sync.send_process(child.pid, child.pidfd.as_fd())?;
                exit_now(0)
            }
            Forked::Child => match self.enter(sync) {
                Ok(never) => match never {},
                Err(error) => fail_and_exit(sync, &error),
            },
        }
    }

    fn enter(&mut self, sync: &Sync) -> Result<Infallible> {
        // The parent is the caller, not the intermediate.
        die_with_the_runtime()?;
        sync.wait_go()?;
        rustix::process::setsid().map_err(|e| step("make a session", e))?;
        if !self.no_new_keyring {
            let _ = berth_sys::keyring::join_new_session(c"_ses");
        }
        if matches!(self.stdio, Stdio::Terminal) {
            let pair = self.open_terminal()?;
            sync.send_fd(b'T', pair.master.as_fd())?;
            place_terminal(pair.slave.as_fd())?;
        } else {
            place_stdio(&self.stdio)?;
        }
        let program = self.prepared.become_user(sync)?;
        self.prepared.tell_ready(sync)?;
        Err(self.prepared.exec(&program, sync))
    }

    /// A terminal in the container's devpts: we are inside, its `/dev/pts` is at that path, and must
    /// be what it says.
    fn open_terminal(&self) -> Result<berth_sys::pty::Pair> {
        let root = crate::rootfs::Root::current()?;
        let pair = crate::devices::open_terminal(&root, None)?;
        if let Some((rows, columns)) = self.console_size.or(self.prepared.console_size()) {
            berth_sys::pty::resize(&pair.master, rows, columns)
                .map_err(|e| step("size the terminal", e))?;
        }
        Ok(pair)
    }
}

fn listen(intermediate: &Child, sync: &Sync, target: &Target<'_>) -> Result<Executed> {
    let mut executed: Option<Executed> = None;
    let result = follow(intermediate, sync, &mut executed, target);
    let ended = wait(&intermediate.pidfd)?;
    match (result, executed) {
        (Ok(()), Some(executed)) => Ok(executed),
        (Ok(()), None) => Err(Error::EndedEarly {
            how: format!("exit code {ended}"),
        }),
        (Err(error), executed) => {
            if let Some(executed) = executed {
                let _ = signals::send(&executed.pidfd, signals::KILL);
                let _ = wait(&executed.pidfd);
            }
            Err(error)
        }
    }
}

fn follow(
    intermediate: &Child,
    sync: &Sync,
    executed: &mut Option<Executed>,
    target: &Target<'_>,
) -> Result<()> {
    let mut ready = false;
    loop {
        let message = match executed {
            // Its end, which the container's memory limit may bring, must not be waited out.
            None => sync.receive_from(&intermediate.pidfd)?,
            Some(_) => sync.receive()?,
        };
        match message {
            Message::Process(pid, pidfd) => {
                // The number is of the container's pid namespace or below: ask in ours.
                let pid = pid::number(&pidfd).unwrap_or(pid);
                *executed = Some(Executed {
                    pid,
                    pidfd,
                    terminal: None,
                });
                if let Some(asked) = &target.linux.intel_rdt {
                    crate::rdt::join(asked, target.id, pid)?;
                }
                sync.go()?;
            }
            Message::Terminal(master) => {
                if let Some(executed) = executed {
                    executed.terminal = Some(master);
                }
            }
            Message::Ready => ready = true,
            Message::Failed(failure) => return Err(Error::Child { failure }),
            Message::End if ready || executed.is_none() => return Ok(()),
            Message::End => {
                return Err(Error::EndedEarly {
                    how: "before its program ran".to_owned(),
                });
            }
            Message::Listener(listener) => {
                if let Some(Executed { pid, pidfd, .. }) = executed {
                    let profile = target.linux.seccomp.as_ref();
                    filter::hand_over(listener, *pid, pidfd, profile, &target.state(), sync)?;
                }
            }
            Message::Maps | Message::Mount(_) | Message::Hooks => {}
        }
    }
}
