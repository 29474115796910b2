//! Looks at one container: files and kernel → [`Facts`] → status.

use std::os::fd::OwnedFd;

use berth_fs::{Lock, LockMode};
use berth_model::config::{RestartKind, SCHEMA};
use berth_model::health::{Condition, Health};
use berth_model::restart::Restarts;
use berth_model::status::{self, Facts};
use berth_model::task::Pid;
use berth_model::{ContainerConfig, ContainerId, Status};
use rustix::io::Errno;

use crate::layout::Layout;
use crate::{Engine, Error, exit, json};

/// A container as it is now.
#[derive(Debug, Clone)]
pub struct Container {
    /// What was asked.
    pub config: ContainerConfig,
    /// Its current name.
    pub name: String,
    /// Its state.
    pub status: Status,
    /// Its init, if it was started in this boot (it may have ended).
    pub pid: Option<Pid>,
    /// Its restarts since a user has started it.
    pub restarts: Restarts,
    /// What is known of its health; `None`: nobody asks, or it was never started.
    pub health: Option<Health>,
}

impl Engine {
    /// Looks at a container.
    ///
    /// # Errors
    /// [`Error::NoContainer`] if it was removed meanwhile, [`Error::Damaged`].
    pub fn inspect(&self, id: &ContainerId) -> Result<Container, Error> {
        let config = self.config(id)?;
        let name = self.current_name(&config)?;
        let (mut pid, mut status) = self.look(id)?;
        if status == Status::Lost {
            // Or about to run: whoever is starting it holds its lock until there is something to see.
            drop(Lock::dir(&self.layout.container(id), LockMode::Shared));
            (pid, status) = self.look(id)?;
        }
        let restarts = match config.restart.kind {
            RestartKind::No => Restarts::default(),
            _ => self.restarts(id)?,
        };
        let mut health = match pid {
            Some(_) => self.health(&config)?,
            None => None,
        };
        if let (Some(health), false) = (&mut health, status.is_alive()) {
            // As docker has it of one that has ended.
            health.status = Condition::Unhealthy;
        }
        Ok(Container {
            health,
            config,
            restarts,
            name,
            status,
            pid,
        })
    }

    /// All containers, the newest first.
    ///
    /// # Errors
    /// As [`Engine::inspect`]; containers that are removed meanwhile are left out, and a newer version's.
    pub fn list(&self) -> Result<Vec<Container>, Error> {
        let mut all = Vec::new();
        for id in self.ids()? {
            match self.inspect(&id) {
                Ok(container) => all.push(container),
                Err(Error::NoContainer { .. } | Error::Newer { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        all.sort_by(|a, b| b.config.created.cmp(&a.config.created));
        Ok(all)
    }

    /// What was asked of a container, at first or by an update since.
    ///
    /// # Errors
    /// [`Error::NoContainer`], [`Error::Damaged`], [`Error::Newer`].
    pub fn config(&self, id: &ContainerId) -> Result<ContainerConfig, Error> {
        let config = json::read(&self.layout.config(id))?;
        let mut config: ContainerConfig = config.ok_or_else(|| Error::NoContainer {
            name: id.short().to_owned(),
        })?;
        if config.schema > SCHEMA {
            let path = self.layout.config(id);
            return Err(Error::Newer { path });
        }
        if let Some(updated) = json::read(&self.layout.updated(id))? {
            crate::update::lay_over(&mut config, updated);
        }
        Ok(config)
    }

    /// The status alone.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Exit`].
    pub fn status(&self, id: &ContainerId) -> Result<Status, Error> {
        self.look(id).map(|(_, status)| status)
    }

    fn look(&self, id: &ContainerId) -> Result<(Option<Pid>, Status), Error> {
        let pid = self.pid(id)?;
        let status = status::derive(&self.facts(id, pid.as_ref())?);
        Ok((pid, status))
    }

    /// The monitor of the container's last start; it becomes the reaper, so its end is when nobody sees to the container
    /// any more. `None`: it has ended.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Io`]: no descriptors are left, for example.
    pub fn monitor(&self, id: &ContainerId) -> Result<Option<OwnedFd>, Error> {
        let Some(pid) = self.pid(id)? else {
            return Ok(None);
        };
        // Which began before init: nobody else with this number did.
        let began = berth_sys::pid::start_time(pid.shim_pid).ok();
        let Some(began) = began.filter(|began| *began <= pid.start_time) else {
            return Ok(None);
        };
        berth_sys::pid::open(pid.shim_pid, began).map_err(|source| Error::Io {
            action: "watch",
            path: format!("/proc/{}", pid.shim_pid).into(),
            source: source.into(),
        })
    }

    pub(crate) fn pid(&self, id: &ContainerId) -> Result<Option<Pid>, Error> {
        json::read(&self.layout.pid(id))
    }

    fn facts(&self, id: &ContainerId, pid: Option<&Pid>) -> Result<Facts, Error> {
        // The lock first: a monitor that lets go of it has written what it had to write.
        let monitor_alive = self.monitor_alive(id);
        let init_alive = pid.is_some_and(is_alive);
        let frozen = init_alive
            && pid.is_some_and(|pid| {
                berth_cgroup::Cgroup::open(&pid.cgroups)
                    .is_ok_and(|cgroup| cgroup.is_frozen().unwrap_or(false))
            });
        let read = exit::read(&self.layout.exit(id)).map_err(|source| Error::Exit {
            id: id.short().to_owned(),
            source,
        })?;
        Ok(Facts {
            monitor_alive,
            init_alive,
            init_recorded: pid.is_some(),
            frozen,
            exit: read,
            should_run: self.layout.desired(id).exists(),
            waits: !init_alive && self.is_restarting(id),
        })
    }

    /// Whether a shim or monitor holds its lock. Looking never makes the file.
    pub(crate) fn monitor_alive(&self, id: &ContainerId) -> bool {
        monitor_alive(&self.layout, id)
    }
}

fn monitor_alive(layout: &Layout, id: &ContainerId) -> bool {
    let path = layout.shim_lock(id);
    path.exists() && matches!(Lock::try_file(&path, LockMode::Shared), Ok(None))
}

/// Whether it has run in this boot, and neither runs nor has anybody who could record its end.
pub(crate) fn is_lost(layout: &Layout, id: &ContainerId) -> bool {
    let ended = |pid: &Pid| !is_alive(pid);
    // The lock first, as above.
    !monitor_alive(layout, id)
        && json::read::<Pid>(&layout.pid(id)).is_ok_and(|pid| pid.as_ref().is_some_and(ended))
        && !layout.exit(id).exists()
}

/// Whether that very process lives (a zombie does not).
pub(crate) fn is_alive(pid: &Pid) -> bool {
    berth_sys::pid::is_alive(pid.pid, pid.start_time)
}

/// Sends a signal to that very process, never to another that got its number (security: R28). `false`: it
/// is gone.
pub(crate) fn signal(pid: &Pid, signal: i32) -> Result<bool, Errno> {
    let Some(process) = berth_sys::pid::open(pid.pid, pid.start_time)? else {
        return Ok(false);
    };
    match berth_sys::signals::send(&process, signal) {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_number_and_start() {
        let me = std::process::id() as i32;
        let start = berth_sys::pid::start_time(me).unwrap();
        let mut pid = Pid {
            pid: me,
            start_time: start,
            shim_pid: 0,
            started_at: String::new(),
            cgroups: Vec::new(),
        };
        assert!(is_alive(&pid));
        assert_eq!(signal(&pid, 0), Ok(true));
        pid.start_time += 1;
        assert!(!is_alive(&pid));
        assert_eq!(signal(&pid, 9), Ok(false), "somebody else's number");
    }

    /// `SIGRTMIN+3` is what systemd wants to be stopped with.
    #[test]
    fn real_time_signals_are_sent_too() {
        use std::os::unix::process::ExitStatusExt as _;
        let mut child = std::process::Command::new("/bin/sleep").arg("60").spawn();
        let child = child.as_mut().unwrap();
        let pid = Pid {
            pid: child.id() as i32,
            start_time: berth_sys::pid::start_time(child.id() as i32).unwrap(),
            shim_pid: 0,
            started_at: String::new(),
            cgroups: Vec::new(),
        };
        assert_eq!(signal(&pid, 37), Ok(true));
        assert_eq!(child.wait().unwrap().signal(), Some(37));
        assert_eq!(signal(&pid, 37), Ok(false));
    }
}
