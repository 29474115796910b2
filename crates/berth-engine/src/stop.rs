//! Signals to a running container: kill, stop, pause, and waiting for the end.

use std::time::{Duration, Instant};

use berth_cgroup::Cgroup;
use berth_model::status::Exit;
use berth_model::task::Pid;
use berth_model::{ContainerConfig, ContainerId, Status};

use crate::{Engine, Error, exit, observe};

const SIGKILL: i32 = 9;

/// How long a killed container may take to be gone before we say that the kernel holds it.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than any machine runs.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// How long `stop` waits when nobody says.
fn stop_timeout(config: &ContainerConfig) -> Duration {
    match config.stop_timeout_s {
        None => STOP_TIMEOUT,
        Some(seconds) => u64::try_from(seconds).map_or(FOR_EVER, Duration::from_secs),
    }
}

impl Engine {
    /// Sends a signal to init. SIGKILL ends the container whatever it does, frozen ones too.
    ///
    /// # Errors
    /// [`Error::WrongState`] when it does not run.
    pub fn kill(&self, id: &ContainerId, signal: i32) -> Result<(), Error> {
        let pid = self.running(id, "kill")?;
        if signal == SIGKILL {
            self.thaw_quietly(&pid);
        }
        let sent = observe::signal(&pid, signal).map_err(|errno| Error::Io {
            action: "send a signal to",
            path: format!("/proc/{}", pid.pid).into(),
            source: errno.into(),
        })?;
        if sent {
            Ok(())
        } else {
            Err(not_running(id, "kill"))
        }
    }

    /// Asks the container to end, and after `timeout` kills it. That it does not run is fine.
    ///
    /// # Errors
    /// [`Error::KillPending`] when even the kill does not end it; [`Error::Io`].
    pub fn stop(
        &self,
        id: &ContainerId,
        signal: Option<i32>,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        let config = self.config(id)?;
        let timeout = timeout.unwrap_or_else(|| stop_timeout(&config));
        let Ok(pid) = self.running(id, "stop") else {
            self.settle(id);
            return Ok(());
        };
        // A frozen process takes no signal.
        self.thaw_quietly(&pid);
        let signal = signal.unwrap_or(config.stop_signal);
        let _ = observe::signal(&pid, signal);
        if signal == SIGKILL || self.wait_until(id, Instant::now() + timeout)?.is_none() {
            self.kill_all(id, &pid)?;
        }
        self.settle(id);
        Ok(())
    }

    /// Kills all that is in the container, and waits until it is gone.
    pub(crate) fn kill_all(&self, id: &ContainerId, pid: &Pid) -> Result<(), Error> {
        self.thaw_quietly(pid);
        let _ = observe::signal(pid, SIGKILL);
        if let Ok(cgroup) = Cgroup::open(&pid.cgroups) {
            // Init's end takes its pid namespace along; this is for what never was in it.
            let _ = cgroup.kill();
        }
        let deadline = Instant::now() + KILL_PATIENCE;
        if self.wait_until(id, deadline)?.is_some() || !observe::is_alive(pid) {
            return Ok(());
        }
        Err(Error::KillPending {
            id: id.short().to_owned(),
        })
    }

    /// A shim whose command was killed goes on alone, and still writes in the container's directory: it is
    /// waited for until there is an init to kill, or none to come.
    pub(crate) fn wait_for_start(&self, id: &ContainerId) -> Result<(), Error> {
        let deadline = Instant::now() + KILL_PATIENCE;
        while self.status(id)? == Status::Starting {
            if Instant::now() > deadline {
                return Err(Error::KillPending {
                    id: id.short().to_owned(),
                });
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Freezes all processes.
    ///
    /// # Errors
    /// [`Error::WrongState`], [`Error::Cgroup`].
    pub fn pause(&self, id: &ContainerId) -> Result<(), Error> {
        let pid = self.running(id, "pause")?;
        if self.status(id)? == Status::Paused {
            return Err(Error::WrongState {
                action: "pause",
                id: id.short().to_owned(),
                state: "paused already",
                hint: "`berth unpause` lets it run on",
            });
        }
        self.cgroup(&pid, "freeze")?
            .freeze()
            .map_err(|source| Error::Cgroup {
                action: "freeze",
                source,
            })
    }

    /// Lets frozen processes run on.
    ///
    /// # Errors
    /// [`Error::WrongState`], [`Error::Cgroup`].
    pub fn unpause(&self, id: &ContainerId) -> Result<(), Error> {
        let pid = self.running(id, "unpause")?;
        if self.status(id)? != Status::Paused {
            return Err(Error::WrongState {
                action: "unpause",
                id: id.short().to_owned(),
                state: "not paused",
                hint: "only a paused container can be unpaused",
            });
        }
        self.cgroup(&pid, "thaw")?
            .thaw()
            .map_err(|source| Error::Cgroup {
                action: "thaw",
                source,
            })
    }

    /// Waits for the container's end. `None`: it was removed before anybody could look.
    ///
    /// # Errors
    /// [`Error::Exit`]; [`Error::NoContainer`].
    pub fn wait(&self, id: &ContainerId) -> Result<Option<Exit>, Error> {
        // Also waits for somebody who is starting it.
        self.inspect(id)?;
        let found = exit::wait(&self.layout.exit(id), || self.may_end(id));
        found.map_err(|source| Error::Exit {
            id: id.short().to_owned(),
            source,
        })
    }

    /// As [`Engine::wait`], until `deadline` at the latest; `None` also then.
    pub(crate) fn wait_until(
        &self,
        id: &ContainerId,
        deadline: Instant,
    ) -> Result<Option<Exit>, Error> {
        let may_come = || Instant::now() < deadline && self.may_end(id);
        let found = exit::wait_until(&self.layout.exit(id), deadline, may_come);
        found.map_err(|source| Error::Exit {
            id: id.short().to_owned(),
            source,
        })
    }

    /// Whether an exit may still be recorded by somebody.
    fn may_end(&self, id: &ContainerId) -> bool {
        self.layout.container(id).exists()
            && (self.monitor_alive(id)
                || self
                    .pid(id)
                    .ok()
                    .flatten()
                    .is_some_and(|pid| observe::is_alive(&pid)))
    }

    /// After an end: waits for the monitor to let go, so that the next verb finds things at rest.
    pub(crate) fn settle(&self, id: &ContainerId) {
        let deadline = Instant::now() + KILL_PATIENCE;
        while self.monitor_alive(id) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// The init of a container that runs.
    ///
    /// # Errors
    /// [`Error::WrongState`] when it does not.
    pub fn running(&self, id: &ContainerId, action: &'static str) -> Result<Pid, Error> {
        self.config(id)?;
        match self.pid(id)? {
            Some(pid) if observe::is_alive(&pid) => Ok(pid),
            _ => Err(not_running(id, action)),
        }
    }

    fn cgroup(&self, pid: &Pid, action: &'static str) -> Result<Cgroup, Error> {
        Cgroup::open(&pid.cgroups).map_err(|source| Error::Cgroup { action, source })
    }

    fn thaw_quietly(&self, pid: &Pid) {
        // Most are not frozen, and then there is nothing to do or to tell.
        if let Ok(cgroup) = Cgroup::open(&pid.cgroups)
            && cgroup.is_frozen().unwrap_or(false)
        {
            let _ = cgroup.thaw();
        }
    }
}

fn not_running(id: &ContainerId, action: &'static str) -> Error {
    Error::WrongState {
        action,
        id: id.short().to_owned(),
        state: "not running",
        hint: "`berth start` starts it, `berth ps -a` shows its state",
    }
}
