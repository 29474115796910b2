//! Signals to a running container: kill, stop, pause, and waiting for the end.

use std::time::{Duration, Instant};

use berth_cgroup::Cgroup;
use berth_fs::Durability;
use berth_model::status::Exit;
use berth_model::task::Pid;
use berth_model::{ContainerConfig, ContainerId, Status};

use crate::start::StartOptions;
use crate::{Engine, Error, exit, json, observe};

pub(crate) const SIGKILL: i32 = 9;

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
    /// Sends a signal to init. SIGKILL ends the container whatever it does, frozen ones too: it has ended then, and what
    /// it held is free.
    ///
    /// # Errors
    /// [`Error::WrongState`] when it does not run; [`Error::KillPending`] when even SIGKILL does not end it.
    pub fn kill(&self, id: &ContainerId, signal: i32) -> Result<(), Error> {
        let config = self.config(id)?;
        if config.is_ended_by(signal) && self.call_restart_off(&config)? {
            return Ok(());
        }
        let pid = self.running(id, "kill")?;
        self.record_kill(id, signal);
        if signal == SIGKILL {
            self.kill_all(id, &pid)?;
            return self.reap(id);
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
        let timeout = timeout
            .unwrap_or_else(|| stop_timeout(&config))
            .min(FOR_EVER);
        let waited = self.call_restart_off(&config)?;
        let Ok(pid) = self.running(id, "stop") else {
            self.settle(id);
            if waited {
                self.record_of(id, "stop");
            }
            return Ok(());
        };
        let signal = signal.unwrap_or(config.stop_signal);
        self.record_kill(id, signal);
        // A frozen process takes no signal.
        if self.thaw_quietly(&pid) {
            self.record_of(id, "unpause");
        }
        let _ = observe::signal(&pid, signal);
        if signal == SIGKILL {
            self.kill_all(id, &pid)?;
        } else if self.wait_until(id, Instant::now() + timeout)?.is_none() {
            self.record_kill(id, SIGKILL);
            self.kill_all(id, &pid)?;
        }
        // Gone, perhaps, once its end is seen to.
        let stopped = self.container_event(&config, "stop");
        self.reap(id)?;
        self.record(stopped);
        Ok(())
    }

    /// Stops a container that runs, and starts it.
    ///
    /// # Errors
    /// As [`Engine::stop`] and [`Engine::start`].
    pub fn restart(
        &self,
        id: &ContainerId,
        signal: Option<i32>,
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        self.stop(id, signal, timeout)?;
        self.start(id, StartOptions::default())?;
        self.record_of(id, "restart");
        Ok(())
    }

    /// Ends a run of a container that is unhealthy; it is started again at once, whatever its policy, also if we are
    /// killed meanwhile. `false`: that run, whose init began at `run`, has ended, or the container is removed at its end.
    ///
    /// # Errors
    /// As [`Engine::stop`] and [`Engine::start`].
    pub fn restart_unhealthy(&self, id: &ContainerId, run: u64) -> Result<bool, Error> {
        let config = self.config(id)?;
        let pid = {
            let _lock = self.lock(id)?;
            let pid = self.pid(id)?.filter(|pid| pid.start_time == run);
            let Some(pid) = pid.filter(|pid| observe::is_alive(pid) && !config.auto_remove) else {
                return Ok(false);
            };
            let note = serde_json::json!({});
            json::write(&self.layout.unhealthy(id), &note, Durability::Volatile)?;
            pid
        };
        self.record_kill(id, config.stop_signal);
        let _ = observe::signal(&pid, config.stop_signal);
        let deadline = Instant::now() + stop_timeout(&config);
        if self.wait_until(id, deadline)?.is_none() {
            self.kill_all(id, &pid)?;
        }
        // Or the reaper does both.
        self.reap(id)?;
        self.restart_when_due(id)?;
        self.record_of(id, "restart");
        Ok(true)
    }

    /// Tells that the container is sent a signal: before it is, so that this comes before its end.
    pub(crate) fn record_kill(&self, id: &ContainerId, signal: i32) {
        if let Ok(config) = self.config(id) {
            let kill = self.container_event(&config, "kill");
            self.record(kill.with("signal", signal.to_string()));
        }
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
            })?;
        self.record_of(id, "pause");
        Ok(())
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
            })?;
        self.record_of(id, "unpause");
        Ok(())
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
        if !self.layout.config(id).exists() {
            return Err(Error::NoContainer {
                name: id.short().to_owned(),
            });
        }
        match self.pid(id)? {
            Some(pid) if observe::is_alive(&pid) => Ok(pid),
            _ if self.is_restarting(id) => Err(Error::WrongState {
                action,
                id: id.short().to_owned(),
                state: "about to be started again",
                hint: "wait until it runs: `berth ps -a` shows its state",
            }),
            _ => Err(not_running(id, action)),
        }
    }

    fn cgroup(&self, pid: &Pid, action: &'static str) -> Result<Cgroup, Error> {
        Cgroup::open(&pid.cgroups).map_err(|source| Error::Cgroup { action, source })
    }

    /// Whether it was frozen. Most are not, and then there is nothing to do or to tell.
    fn thaw_quietly(&self, pid: &Pid) -> bool {
        let Ok(cgroup) = Cgroup::open(&pid.cgroups) else {
            return false;
        };
        let frozen = cgroup.is_frozen().unwrap_or(false);
        if frozen {
            let _ = cgroup.thaw();
        }
        frozen
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
